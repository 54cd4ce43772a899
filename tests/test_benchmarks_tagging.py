"""The tagging benchmark asks both sides for the same: features, penalty, figures."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benchmarks import fill_tagging, results_file, tagging_jobs  # noqa: E402
from erya.models.crf.objective import Objective  # noqa: E402
from erya.parts.feature_table import FeatureTable  # noqa: E402
from erya.parts.token_features import WORDS, parsed  # noqa: E402
from erya.tasks import tag  # noqa: E402


def test_both_sides_see_the_same_features():
    """What CRFsuite is given, pairs of a feature and a tag, is as much as the weights that ours has, on words of all kinds."""
    inputs, targets = (
        rows[::2] for rows in tag.toy(seed=3, rows=120)
    )  # the English half: shapes are about its letters
    inputs.append(["McX-07", "U.S.", "a", "1996-08-22", "EU"])
    targets.append(["O", "B-LOC", "O", "O", "B-PER"])
    theirs = {
        (feature, name)
        for tokens, tags in zip(inputs, targets, strict=True)
        for features, name in zip(tagging_jobs.shown(tokens), tags, strict=True)
        for feature in features
    }
    table, encoded = FeatureTable.learn(inputs, parsed(WORDS))
    names = sorted({name for tags in targets for name in tags})
    numbers = np.array([names.index(name) for tags in targets for name in tags])
    ours = Objective(table, encoded, numbers, np.ones(len(inputs)), len(names), all_pairs=False)
    assert ours.size == len(theirs)


def test_training_is_watched_to_a_loss(tmp_path):
    inputs, targets = tag.toy(seed=3, rows=60)
    lines = "\n\n".join("\n".join(map("\t".join, zip(*one, strict=True))) for one in zip(inputs, targets, strict=True))
    path = tmp_path / "toy.gz"
    path.write_bytes(gzip.compress(lines.encode()))
    assert tagging_jobs.read(str(path), None) == (inputs, targets)
    found = tagging_jobs.erya_train(str(path), None, 12, 2.0, 1e9, str(tmp_path / "toy.erya"))
    assert found["steps"] == 12
    assert found["steps_to_loss"] == 1
    assert found["loss"] < found["loss_then"]
    assert found["solving_to_loss_seconds"] < found["solving_seconds"] < found["whole_seconds"]
    answers = tmp_path / "answers.json"
    speed = tagging_jobs.erya_predict(str(tmp_path / "toy.erya"), str(path), 20, str(answers))
    assert speed["all_seconds"] > 0
    assert speed["single_seconds"] > 0
    assert len(tagging_jobs.json.loads(answers.read_text("utf-8"))) == 20


def test_tables_say_what_was_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(results_file, "FOLDER", tmp_path)
    assert fill_tagging.training("crf", "en") is None
    mine = {
        "features": 7,
        "steps_to_loss": 3,
        "loss": 80.0,
        "solving_cpu_seconds": 2.0,
        "solving_to_loss_cpu_seconds": 1.0,
    }
    other = {"features": 7, "loss": 90.0, "solving_cpu_seconds": 8.0}
    ratio = {"solving, to the same loss": 8.0, "solving, 50 steps": 4.0}
    training = {"crfsuite": "0.9", "steps": 50, "ratio": ratio, "median": {"erya, 1 threads": mine, "crfsuite": other}}
    results_file.write("tagging", {"training": training})
    told = fill_tagging.training("crf", "en")
    assert "| solving, to the same loss | 1.0 s | 8.0 s | 8.0 × |" in told
    assert "there after 3, and after 50 at 80" in told
    assert "到同一损失 | 1.0 s | 8.0 s | 8.0 ×" in fill_tagging.training("crf", "zh")
    assert fill_tagging.predicting("crf", "en") is None
