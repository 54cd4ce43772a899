"""Co-occurrence vectors: each number of the README, the fast version against the naive one, every promise of this room."""

from __future__ import annotations

import doctest
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import erya
from erya import catalog
from erya.errors import DataError, Interrupted, UsageError
from erya.models.cooccurrence import estimator, kernels, reference, svd
from erya.models.cooccurrence.estimator import Cooccurrence
from erya.models.cooccurrence.svd import Decomposer, Sparse
from erya.models.cooccurrence.weighing import Weighing
from erya.parts import counting_kept
from erya.parts.counting import count
from erya.parts.counting_kept import keep, row_sums
from erya.progress import Report, quiet
from erya.tasks import vectors

HERE = Path(__file__).parent
READMES = ["README.md", "README.zh.md"]
SENTENCE = ["you", "say", "goodbye", "and", "i", "say", "hello", "."]
WORDS = list(dict.fromkeys(SENTENCE))
X, _ = vectors.toy(0)

# ---- the README, number by number -----------------------------------------------------------------------------


def table(readme, name):
    """Head and rows of the table after ``<!-- table: name -->``."""
    text = (HERE / readme).read_text(encoding="utf-8")
    found = re.search(rf"<!-- table: {name} -->\n((?:\|.*\n)+)", text)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]
    return lines[0], lines[2:]


def numbers(readme, name):
    """A table's cells without the first column, and the names in that."""
    head, rows = table(readme, name)
    return head[1:], [row[0] for row in rows], np.array([[float(cell) for cell in row[1:]] for row in rows])


@pytest.fixture(scope="module")
def goodbye():
    return reference.count([[WORDS.index(word) for word in SENTENCE]], len(WORDS), window=1)


@pytest.mark.parametrize("readme", READMES)
def test_the_counts_of_the_readme(readme, goodbye):
    columns, rows, values = numbers(readme, "counts")
    assert columns == rows == WORDS
    assert np.array_equal(values, goodbye)
    assert reference.cosine(goodbye[0], goodbye[4]) == pytest.approx(1 / math.sqrt(2))
    model = Cooccurrence(dim=None, association="count", window=1, min_count=1).fit([SENTENCE])
    assert model.similarity("you", "i") == pytest.approx(0.7071067691154799, abs=1e-7)


@pytest.mark.parametrize("readme", READMES)
def test_the_ppmi_of_the_readme(readme, goodbye):
    columns, rows, values = numbers(readme, "ppmi")
    assert columns == rows == WORDS
    np.testing.assert_allclose(values, reference.ppmi(goodbye), atol=5e-5)
    text = (HERE / readme).read_text(encoding="utf-8")
    assert f"{math.log(14 / 4):.4f}" in text
    assert f"{math.log2(14 / 4):.4f}" in text


@pytest.mark.parametrize("readme", READMES)
def test_the_plane_of_the_readme(readme, goodbye):
    """Equal singular values: the plane is certain, its axes are not. So what is compared are the products of its points."""
    matrix = reference.ppmi(goodbye)
    head, (values,) = table(readme, "singular_values")
    assert len(head) == 7
    np.testing.assert_allclose([float(value) for value in values], np.linalg.svd(matrix)[1], atol=5e-5)
    _, rows, points = numbers(readme, "plane")
    assert rows == WORDS
    exact = reference.vectors(matrix, 2, eigenvalue_weighting=1)
    np.testing.assert_allclose(points @ points.T, exact @ exact.T, atol=5e-4)
    model = Cooccurrence(dim=2, window=1, min_count=1, smoothing=1.0, eigenvalue_weighting=1.0).fit([SENTENCE])
    mine = model.transform(WORDS)
    np.testing.assert_allclose(points @ points.T, mine @ mine.T, atol=5e-4)


@pytest.mark.parametrize("readme", READMES)
def test_the_and_the_car(readme):
    _, _, found = numbers(readme, "the_car")
    places, seen = 10_000, {"the": 1000, "car": 20, "drive": 10}
    for (a, b), (together, nats, bits) in zip([("the", "car"), ("car", "drive")], found, strict=True):
        ratio = together * places / (seen[a] * seen[b])
        assert nats == pytest.approx(math.log(ratio), abs=5e-5)
        assert bits == pytest.approx(math.log2(ratio), abs=5e-5)
        assert ratio in (5, 250)  # as the text says
    assert found[0, 0] > found[1, 0], "by counts, the is nearer"
    assert found[0, 1] < found[1, 1], "by PMI, drive is"


def test_the_neighbours_of_weather():
    model = Cooccurrence(dim=None).fit(erya.read("sample:snips").train.inputs)
    arrays = model.trace("weather").arrays
    mine = {
        model.words_[column]: (count, weighed)
        for column, count, weighed in zip(arrays["columns"], arrays["counts"], arrays["weighed"], strict=True)
    }
    for readme in READMES:
        _, names, found = numbers(readme, "weather")
        for name, (number, weighed) in zip(names, found, strict=True):
            assert mine[name][0] == number
            assert mine[name][1] == pytest.approx(weighed, abs=5e-3)


@pytest.mark.parametrize("readme", READMES)
def test_the_worked_example_is_true(readme):
    failures, tried = doctest.testfile(str(HERE / readme), module_relative=False, encoding="utf-8")
    assert tried >= 8
    assert not failures


# ---- the fast version and the naive one -----------------------------------------------------------------------


def lines_of(texts):
    words = sorted({word for text in texts for word in text.split()})
    return words, [[words.index(word) for word in text.split()] for text in texts]


@pytest.mark.parametrize("weighting", ["uniform", "distance"])
@pytest.mark.parametrize(
    ("association", "smoothing", "shift"), [("count", 1.0, 1.0), ("pmi", 0.75, 1.0), ("ppmi", 0.75, 2.0)]
)
def test_rows_are_those_of_the_reference(weighting, association, smoothing, shift):
    settings = {"weighting": weighting, "association": association, "smoothing": smoothing, "shift": shift}
    model = Cooccurrence(dim=None, window=3, min_count=1, **settings).fit(X)
    words, lines = lines_of(X)
    expected = reference.count(lines, len(words), window=3, weighting=weighting)
    if association == "pmi":
        pmi = reference.pmi(expected, smoothing=smoothing)
        expected = np.where(np.isfinite(pmi), pmi, 0)
    elif association == "ppmi":
        expected = reference.ppmi(expected, smoothing=smoothing, shift=shift)
    order = [words.index(word) for word in model.words_]
    np.testing.assert_allclose(model.vectors_, expected[np.ix_(order, order)], atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_vectors_are_those_of_the_reference(power):
    model = Cooccurrence(dim=6, window=3, min_count=1, eigenvalue_weighting=power).fit(X)
    words, lines = lines_of(X)
    order = [words.index(word) for word in model.words_]
    counts = reference.count(lines, len(words), window=3)[np.ix_(order, order)]
    expected = reference.vectors(reference.ppmi(counts, smoothing=0.75), 6, eigenvalue_weighting=power)
    np.testing.assert_allclose(model.vectors_, expected, atol=1e-4)


def sparse(rows=150, density=0.1, seed=0):
    generator = np.random.default_rng(seed)
    dense = np.where(generator.random((rows, rows)) < density, generator.random((rows, rows)), 0).astype(np.float32)
    dense[7] = 0  # a word without neighbours
    filled = dense != 0
    starts = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
    return Sparse(starts, np.nonzero(filled)[1].astype(np.int32), dense[filled]), dense


@pytest.mark.parametrize("width", [32, 64, 96, 160])
def test_products(width):
    matrix, dense = sparse()
    right = np.random.default_rng(1).normal(size=(150, width)).astype(np.float32)
    out = np.full((150, width), np.nan, dtype=np.float32)
    for first, last in matrix.pieces():
        kernels.multiply(matrix.starts, matrix.columns, matrix.values, right, out, first, last)
    np.testing.assert_allclose(out, dense @ right, atol=1e-4)
    assert np.array_equal(matrix.transposed().dense(), dense.T)
    assert np.array_equal(matrix.dense(), dense)


def test_the_random_svd_comes_near_the_exact_one(monkeypatch):
    generator = np.random.default_rng(0)
    matrix, dense = sparse(300, 0.3)
    decay = (generator.normal(size=(300, 8)) * 0.7 ** np.arange(8)).astype(np.float32)
    low_rank = dense * 0.02 + decay @ decay.T * (dense != 0)
    matrix.values = low_rank[dense != 0]
    exact_left, exact, _ = np.linalg.svd(low_rank.astype(np.float64))
    monkeypatch.setattr(svd, "DENSE", 0)
    left, values, curve = Decomposer(matrix, 2, quiet).left(12, 6, 0, symmetric=False)
    np.testing.assert_allclose(values, exact[:12], rtol=1e-3)
    assert np.abs(np.sum(left[:, :3] * exact_left[:, :3], axis=0)) == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(left.T @ left, np.eye(12), atol=1e-4)
    losses = [row["loss"] for row in curve]
    assert losses == sorted(losses, reverse=True)


def test_same_bits_for_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(svd, "DENSE", 0)
    monkeypatch.setattr(svd, "ROWS", 7)
    found = set()
    for threads in ("1", "2", "5"):
        monkeypatch.setenv("ERYA_THREADS", threads)
        model = Cooccurrence(dim=5, min_count=1).fit(X)
        found.add(model.fingerprint())
    assert len(found) == 1
    assert model.fingerprint() != Cooccurrence(dim=5, min_count=1, seed=1).fit(X).fingerprint()


def test_words_without_neighbours_do_no_harm(monkeypatch):
    for dense in (svd.DENSE, 0):
        monkeypatch.setattr(svd, "DENSE", dense)
        model = Cooccurrence(dim=3, min_count=1).fit([*X, "lonely"])
        assert np.isfinite(model.vectors_).all()
        assert not model.vector_of("lonely").any()
        model.trace("lonely").text()


# ---- what is kept of the counts -------------------------------------------------------------------------------


def test_the_strongest_are_kept():
    generator = np.random.default_rng(5)
    ids = np.minimum(generator.zipf(1.4, 4_000) - 1, 90).astype(np.int32)
    store = count(ids, 91, window=3)
    sums = row_sums(store)
    for row in range(91):
        assert sums[row] == pytest.approx(store.row(row)[1].sum(dtype=np.float64), rel=1e-9)
    whole, some = keep(store, sums), keep(store, sums, whole=10, each=5)
    assert whole.whole
    assert not some.whole
    for row in range(91):
        columns, values = store.row(row)
        assert np.array_equal(whole.row(row)[0], columns)
        scores = values * np.log(values.astype(np.float64) * sums.sum() / (sums[row] * sums[columns]))
        best = np.sort(np.argsort(-scores, kind="stable")[:5])
        assert some.row(row)[0].tolist() == columns[best].tolist()
        assert some.row(row)[1].tolist() == values[best].tolist()


def test_a_large_model_keeps_some(monkeypatch):
    monkeypatch.setattr(counting_kept.keep, "__kwdefaults__", {**counting_kept.keep.__kwdefaults__, "whole": 10})
    model = Cooccurrence(min_count=1, dim=4).fit(X)
    assert not model.cooccurrences_.whole
    assert len(model.trace("soup").arrays["counts"]) == counting_kept.EACH
    twin = Cooccurrence.restore(model.plain_params(), model.state())
    assert twin.trace("soup").to_plain() == model.trace("soup").to_plain()


# ---- the estimator --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_tiny_preset_tells_topics_apart(seed):
    texts, _ = vectors.toy(seed)
    assert vectors.toy_check(catalog.model("vectors/cooccurrence", "tiny").fit(texts)) > 0.2


def test_fewer_directions_than_asked_for_are_said():
    class Notes(Report):
        said = ""

        def note(self, sentence):
            self.said += sentence

    notes = Notes()
    model = Cooccurrence(dim=100, min_count=1, window=1, smoothing=1.0).fit([SENTENCE], report=notes)
    assert model.vectors_.shape == (7, 6), "the seventh singular value is 0"
    assert "6" in notes.said
    assert (np.diff(model.singular_values_) <= 1e-9).all()


def test_the_trace_is_the_way_of_a_word():
    model = Cooccurrence(min_count=1, dim=4).fit(X)
    found = model.trace("soup")
    names = list(found.arrays)
    assert names[:4] == ["columns", "counts", "weighed", "row"]
    assert found.arrays["vector"].shape == (4,)
    row = model.get_index("soup")
    expected = Weighing("ppmi", 1.0, 0.75).apply(
        found.arrays["counts"], row, found.arrays["columns"], model.cooccurrences_.sums
    )
    assert np.array_equal(found.arrays["weighed"], expected)
    assert found.html()
    small = Cooccurrence(min_count=1, dim=None, association="count", window=1).fit([SENTENCE])
    assert "goodbye" in small.trace("you").text()
    with pytest.raises(UsageError):
        model.trace("unheard")


@pytest.mark.parametrize(
    "settings",
    [
        {"dim": 0},
        {"window": 0},
        {"min_count": 0},
        {"weighting": "square"},
        {"association": "tfidf"},
        {"shift": 0},
        {"smoothing": -1},
        {"eigenvalue_weighting": float("nan")},
        {"steps": 0},
        {"seed": -1},
        {"tokenizer": "nonsense"},
    ],
)
def test_senseless_settings_are_refused(settings):
    with pytest.raises(UsageError):
        Cooccurrence(**settings).fit(X)


def test_what_cannot_be_counted(monkeypatch):
    with pytest.raises(UsageError, match="weights"):
        Cooccurrence(min_count=1).fit(X, sample_weight=[1.0] * len(X))
    with pytest.raises(DataError, match="two words"):
        Cooccurrence(min_count=1).fit(["alone", "alone"])
    with pytest.raises(DataError, match="chance"):
        Cooccurrence(min_count=1).fit(["same same same"])
    with pytest.raises(DataError, match="chance"):
        Cooccurrence(min_count=1, shift=1000.0).fit(X)
    with pytest.raises(DataError):
        Cooccurrence().fit([])
    with pytest.raises(UsageError):
        Cooccurrence().fit("one bare string")
    monkeypatch.setattr(estimator, "MOST_DENSE", 20)
    with pytest.raises(UsageError, match="dim=None"):
        Cooccurrence(min_count=1, dim=None).fit(X)


@pytest.mark.parametrize("look", [3, 9, 14])
def test_it_stops_when_asked(look, monkeypatch):
    monkeypatch.setattr(svd, "DENSE", 0)

    class Stop(Report):
        looks = 0

        def stopping(self):
            self.looks += 1
            return "interrupt" if self.looks == look else None

    with pytest.raises(Interrupted):
        Cooccurrence(min_count=1, dim=4).fit(X, report=Stop())


def test_a_state_makes_the_same_model_and_a_broken_one_none():
    model = Cooccurrence(min_count=1, dim=4).fit(X)
    twin = Cooccurrence.restore(model.plain_params(), model.state())
    assert twin.fingerprint() == model.fingerprint()
    breaks = [
        lambda state: state.arrays.update(vectors=state.arrays["vectors"][:-1]),
        lambda state: state.arrays.update(vectors=state.arrays["vectors"].astype(np.float64)),
        lambda state: state.arrays.update(vectors=np.full_like(state.arrays["vectors"], np.inf)),
        lambda state: state.arrays.update(singular_values=state.arrays["singular_values"][1:]),
        lambda state: state.arrays.update(counts=state.arrays["counts"][1:]),
        lambda state: state.arrays.update({"counts.sums": state.arrays["counts.sums"][1:]}),
        lambda state: state.arrays.update({"counts.starts": state.arrays["counts.starts"] + 1}),
        lambda state: state.arrays.pop("counts.values"),
        lambda state: state.data.pop("whole_counts"),
    ]
    for spoil in breaks:
        state = model.state()
        spoil(state)
        with pytest.raises((ValueError, KeyError)):
            Cooccurrence.restore(model.plain_params(), state)


def test_answering_needs_no_compiler(tmp_path):
    path = Cooccurrence(min_count=1, dim=4).fit(X).save(tmp_path / "m.erya")
    program = (
        "import sys, erya\n"
        f"model = erya.load({str(path)!r})\n"
        "model.most_similar('rain'); model.trace('rain').text()\n"
        "heavy = {'numba', 'scipy', 'sklearn', 'torch', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_room_is_whole():
    for name in ("card.toml", "README.md", "README.zh.md", "train.ipynb", "reference.py"):
        assert (HERE / name).is_file(), name


def test_the_docstrings_example_is_true():
    assert doctest.testmod(estimator).failed == 0
    assert doctest.testmod(estimator).attempted
