"""Files of the original fastText in every verb: the same answers as the original gave, explained exactly, kept without loss."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import erya
from erya import catalog
from erya.errors import ModelFileError, UsageError
from erya.foreign_classifier import FastTextFile, write_original

GOLDEN = Path(__file__).parent / "golden_fasttext"
CLASSIFIERS = sorted(
    path.name for path in GOLDEN.iterdir() if path.suffix in (".bin", ".ftz") and path.stem not in ("cbow", "skipgram")
)
TEXTS = ["the wolf and the dog", "米饭 面条 very unknown été", "soup </s> chess ball", "__label__food bread of rice"]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_answers_are_the_originals(name):
    told = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    queries = json.loads((GOLDEN / "queries.json").read_text(encoding="utf-8"))["queries"]
    model = erya.load(GOLDEN / name)
    assert isinstance(model, FastTextFile)
    columns = {label: column for column, label in enumerate(model.classes_.tolist())}
    asked = 0
    for text, answer in zip(queries, told["predict"]["20 0.0"], strict=True):
        mine = model.predict_proba([text])[0]
        for label, probability in zip(*answer, strict=True):
            asked += 1
            assert mine[columns[label.removeprefix("__label__")]] == pytest.approx(probability, abs=1e-4)
    assert asked > 20


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("text", TEXTS)
def test_parts_sum_to_the_score_and_rows_are_those_of_the_line(name, text):
    model = erya.load(GOLDEN / name)
    explained = model.explain(text)
    original = model.original_
    lines = original.dictionary.encode_texts([text.partition(" </s>")[0]])
    assert sorted(explained.arrays["rows"].tolist()) == sorted(lines.rows.tolist())
    scores = explained.arrays["scores"]
    np.testing.assert_allclose(explained.arrays["contributions"].sum(axis=0), scores, atol=1e-9)
    chosen = int(explained.arrays["probabilities"].argmax())
    heat = explained.arrays["token_contributions"].sum()
    assert heat == pytest.approx(explained.arrays["contributions"][:, chosen].sum(), abs=1e-9)
    if original.arguments.loss == "softmax":
        shares = np.exp(scores - scores.max())
        np.testing.assert_allclose(shares / shares.sum(), explained.arrays["probabilities"], atol=1e-5)
    elif original.arguments.loss in ("ova", "ns"):  # the original looks its sigmoid up in 512 steps
        np.testing.assert_allclose(1 / (1 + np.exp(-scores)), explained.arrays["probabilities"], atol=8e-3)


def test_of_a_tree_the_score_is_that_of_the_path():
    """Two labels have one inner node: its score decides, and both labels' scores are it, with both signs."""
    model = erya.load(GOLDEN / "hs-bigrams.bin")
    explained = model.explain("the wolf and the dog")
    root = model.original_.output[len(model.classes_) - 2].astype(np.float64)
    hidden = model.trace("the wolf and the dog").arrays["hidden"].astype(np.float64)
    under = explained.arrays["scores"]
    # whatever the tree, some labels lie right of the root and some left of it
    from erya.models.fasttext.tree_kernels import label_paths, label_tree

    paths = label_paths(label_tree(np.ascontiguousarray(model.original_.dictionary.label_counts)))
    for label in range(len(model.classes_)):
        places = range(paths.starts[label], paths.starts[label + 1])
        signs = [1 if paths.codes[place] else -1 for place in places]
        nodes = [model.original_.output[paths.nodes[place]].astype(np.float64) for place in places]
        assert under[label] == pytest.approx(sum(s * n @ hidden for s, n in zip(signs, nodes, strict=True)), abs=1e-5)
        assert nodes[-1] == pytest.approx(root)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_an_erya_file_loses_nothing(name, tmp_path):
    model = erya.load(GOLDEN / name)
    again = erya.load(model.save(tmp_path / "m.erya"))
    assert np.array_equal(again.predict_proba(TEXTS), model.predict_proba(TEXTS))
    write_original(tmp_path / "back.bin", again)
    assert (tmp_path / "back.bin").read_bytes() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize(
    ("array", "change"),
    [
        ("names.lengths", lambda a: a + 1),
        ("counts", lambda a: -a - 1),
        ("input", lambda a: a[:-1]),
        ("output", lambda a: a * np.float32("nan")),
        ("names.bytes", lambda a: np.full_like(a, 32)),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(array, change):
    state = erya.load(GOLDEN / "softmax-bigrams.bin").state()
    state.arrays[array] = change(state.arrays[array])
    with pytest.raises(ValueError, match=r"name|matrix|finite"):
        FastTextFile.restore({}, state)


@pytest.mark.parametrize("loss", ["softmax", "hs"])
def test_rows_sum_to_one(loss):
    model = erya.load(GOLDEN / f"{loss}-bigrams.bin")
    np.testing.assert_allclose(model.predict_proba([*TEXTS, "", "zzz"]).sum(axis=1), 1.0, atol=1e-12)


def test_word_vectors_in_the_originals_format_are_told_from_word2vecs(tmp_path):
    shutil.copy(GOLDEN / "skipgram.bin", tmp_path / "v.bin")
    opened = erya.load(tmp_path / "v.bin")
    assert opened.id == "vectors/fasttext"
    assert catalog.foreign_format(tmp_path / "v.bin") == "fasttext-bin"
    from erya.parts.keyed_vectors import KeyedVectors
    from erya.text import vector_files

    table = vector_files.VectorTable(["up", "down"], np.eye(2, dtype=np.float32), None)
    vector_files.write(tmp_path / "w.bin", table, "word2vec-bin")
    assert isinstance(erya.load(tmp_path / "w.bin"), KeyedVectors)
    assert catalog.foreign_format(tmp_path / "w.bin") == "word2vec-bin"


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    whole = (GOLDEN / "softmax-bigrams.bin").read_bytes()
    for size in (4, 20, 300, len(whole) - 1):
        (tmp_path / "m.bin").write_bytes(whole[:size])
        with pytest.raises(ModelFileError):
            erya.load(tmp_path / "m.bin")


def test_it_is_not_trained():
    with pytest.raises(UsageError) as caught:
        FastTextFile().fit(["a"], ["b"])
    assert caught.value.code == "not-trained"


def test_it_can_be_calibrated_and_kept_inside(tmp_path):
    from erya.calibrated import Calibrated

    model = erya.load(GOLDEN / "softmax-bigrams.bin")
    texts = ["the wolf and the dog", "soup and bread", "chess ball", "music song"] * 5
    made = Calibrated.of(model, texts, model.predict(texts))
    again = erya.load(made.save(tmp_path / "c.erya"))
    assert np.array_equal(again.predict_proba(texts), made.predict_proba(texts))
