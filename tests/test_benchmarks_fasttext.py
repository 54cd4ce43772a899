"""The benchmark of fastText: what its text looks like, which jobs it runs, and when answers may be called no worse."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from benchmarks import fasttext, fasttext_quality  # noqa: E402
from benchmarks.fasttext_data import characters, separated  # noqa: E402


def test_words_of_the_tasks():
    assert separated("He said: (“No.”) It's 3!") == "he said : ( “no . ” ) it ' s 3 !"
    assert characters("手机 响个不停") == "手 机 响 个 不 停"


def test_both_sides_train_with_the_same_settings(tmp_path):
    runners = fasttext.training_runners(2, "python-of-the-peer", tmp_path, tmp_path / "text.txt")
    assert [runner.name for runner in runners] == ["erya lock-free", "erya deterministic", "fasttext"]
    jobs = [json.loads(runner.stages[0].argv[-1]) for runner in runners]
    settings = [{k: v for k, v in one["settings"].items() if k != "deterministic"} for one in jobs]
    assert settings[0] == settings[1] == settings[2]
    assert [one["settings"].get("deterministic") for one in jobs] == [False, True, None]
    assert runners[2].stages[0].argv[0] == "python-of-the-peer"


def test_equal_answers_are_no_worse_and_a_point_less_is_found_out():
    order = np.random.default_rng(0).permutation(20_000)
    equal = [order < 17_800, order < 17_810]
    assert fasttext_quality.gap(equal, equal)["no_worse"]
    less = fasttext_quality.gap([order < 17_600, order < 17_610], equal)
    assert abs(less["value"] + 0.01) < 1e-9
    assert not less["no_worse"]
