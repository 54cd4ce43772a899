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


def test_vectors_of_both_sides_are_asked_for_with_the_same_options(tmp_path):
    from benchmarks import fasttext_vectors

    runners = fasttext_vectors.runners("cbow", 2, "the-original", tmp_path, tmp_path / "text.txt")
    assert [runner.name for runner in runners] == ["erya lock-free", "erya deterministic", "fasttext"]
    lines = [list(runner.stages[0].argv) for runner in runners]
    theirs = lines[2][1:]
    assert lines[2][0] == "the-original"
    assert theirs[0] == "cbow"
    for line, mode in zip(lines[:2], ["false", "true"], strict=True):
        assert line[line.index("cbow") :] == [*theirs, "-deterministic", mode]


def test_words_outside_of_the_vocabulary_are_scored_by_their_n_grams(tmp_path):
    from benchmarks import fasttext_vectors, vectors_quality
    from erya.models.fasttext import binary
    from erya.models.fasttext.vectors import FastTextVectors

    found = FastTextVectors(dim=5, min_count=1, epochs=1, tokenizer="whitespace").fit(
        ["computer keyboards", "tiger cat"]
    )
    binary.write(tmp_path / "v.bin", found.to_original())
    pairs = {name: [("Computer", "keyboard"), ("tiger", "zzz")] for name in fasttext_vectors.SETS}
    before, vectors_quality.judgements = vectors_quality.judgements, lambda language: pairs
    try:
        items = fasttext_vectors.items_of(tmp_path / "v.bin")
    finally:
        vectors_quality.judgements = before
    for cosines in items.values():
        assert -1 <= cosines[0] <= 1
        assert np.isnan(cosines[1])
