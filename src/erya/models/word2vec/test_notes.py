"""The notes of this room say nothing that was typed from memory: each figure of the READMEs is computed again here.

Not here: what lies between the markers ``measured`` (``benchmarks/fill.py`` writes it), and the neighbours on Wikipedia, whose
text is not bundled; the notes give the command.
"""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import erya
from erya.models.word2vec import loop, shard_kernels
from erya.models.word2vec.estimator import Word2Vec
from erya.parts.counting import count
from erya.parts.huffman import huffman
from erya.parts.simd import padded
from erya.parts.thinning import keep_probabilities
from erya.text.corpus import encode
from erya.vectors import Cooccurrence

HERE = Path(__file__).parent
READMES = ["README.md", "README.zh.md"]
SENTENCE = "the cat sat on the mat and the dog sat on the log"
LEAST = 20  # occurrences of a word, and meetings of a pair, in the comparisons with counting


def text_of(readme):
    return (HERE / readme).read_text(encoding="utf-8")


def table(readme, name):
    """Rows of the table after ``<!-- table: name -->``, as lists of cells."""
    found = re.search(rf"<!-- table: {name} -->\n((?:\|.*\n)+)", text_of(readme))
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]
    return lines[2:]


@pytest.fixture(scope="module")
def snips():
    return erya.read("sample:snips").train.inputs


@pytest.fixture(scope="module")
def every_word(snips):
    return encode(snips, tokenizer="words", min_count=1)


# ---- both languages, every example --------------------------------------------------------------------------------


@pytest.mark.parametrize("readme", READMES)
def test_examples_answer_as_printed(readme):
    found = doctest.testfile(str(HERE / readme), module_relative=False, encoding="utf-8")
    assert found.attempted >= 12
    assert found.failed == 0


def test_both_languages_hold_the_same_numbers():
    """Tables, code and equations cell by cell; prose is written for itself."""
    for name in ("drawn", "depths", "shifted_pmi", "both", "bytes"):
        english, chinese = (table(readme, name) for readme in READMES)
        for one, other in zip(english, chinese, strict=True):
            assert len(one) == len(other)
            assert [re.findall(r"\d[\d.,]*", cell) for cell in one] == [re.findall(r"\d[\d.,]*", c) for c in other]
    headings = [len(re.findall(r"^##+ ", text_of(readme), re.MULTILINE)) for readme in READMES]
    assert headings[0] == headings[1]


@pytest.mark.parametrize("readme", READMES)
def test_names_in_the_table_of_symbols_are_in_the_code(readme):
    sources = [path.read_text(encoding="utf-8") for path in HERE.glob("*.py") if not path.name.startswith("test_")]
    rows = re.search(r"\| K \| `negative`(?:.*\n)+?\n", text_of(readme))[0].splitlines()
    names = [name for row in rows for cell in re.findall(r"`([^`]+)`", row) for name in re.findall(r"\w+", cell)]
    assert len(names) > 15
    for name in names:
        assert any(re.search(rf"\b{name}\b", source) for source in sources), name


# ---- what is drawn ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readme", READMES)
def test_shares_of_text_and_noise(readme, every_word):
    counts = every_word.counts
    keep = keep_probabilities(counts, 1e-3) / 2**32
    noise = counts**0.75 / (counts**0.75).sum()
    rows = table(readme, "drawn")
    assert len(rows) == 5
    for word, seen, share, kept, drawn in rows:
        row = every_word.words.index(word)
        assert int(seen) == counts[row]
        assert share == f"{100 * counts[row] / counts.sum():.3f} %"
        assert kept == f"{keep[row]:.3f}"
        assert drawn == f"{100 * noise[row]:.3f} %"
    assert f"{counts.sum():,}" in text_of(readme)
    assert (
        2.6 < 1 / ((np.sqrt(5) - 1) / 2) ** 2 < 2.65
    )  # √x + x = 1 for x = t/f: words of at most f = t/x are kept for certain


def test_alias_table_draws_the_noise():
    weights = np.array([50.0, 7.0, 1.0, 0.5]) ** 0.75
    made = loop.alias_table(weights)
    found = np.zeros(4)
    for column, (keep, other) in enumerate(zip(made.keep / 2**32, made.other, strict=True)):
        found[column] += keep / 4
        found[other] += (1 - keep) / 4
    np.testing.assert_allclose(found, weights / weights.sum(), atol=1e-8)


# ---- Huffman's tree -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readme", READMES)
def test_the_tree_that_is_drawn(readme):
    encoded = encode([SENTENCE], tokenizer="words", min_count=1)
    paths = huffman(encoded.counts)
    drawing = re.search(r"<!-- tree -->\n((?:    .*\n)+)", text_of(readme))[1]
    leaves = re.findall(r"─ (\w+) (\d+) +([01]+)$", drawing, re.MULTILINE)
    assert {word for word, _, _ in leaves} == set(encoded.words)
    for word, seen, code in leaves:
        row = encoded.words.index(word)
        assert int(seen) == encoded.counts[row]
        assert code == "".join(str(turn) for turn in paths.turns[paths.starts[row] : paths.starts[row + 1]])
    assert [code for _, _, code in leaves] == sorted(code for _, _, code in leaves)  # up is left
    lengths = np.diff(paths.starts)
    turns = int((lengths * encoded.counts).sum())
    assert f"{turns}/{encoded.counts.sum()} = {turns / encoded.counts.sum():.2f}" in text_of(readme)
    assert lengths[encoded.words.index("the")] == 2
    assert lengths[encoded.words.index("log")] == 4


@pytest.mark.parametrize("readme", READMES)
def test_depths_in_a_whole_vocabulary(readme, every_word):
    counts = every_word.counts
    lengths = np.diff(huffman(counts).starts)
    for rank, word, seen, turns, bits in table(readme, "depths"):
        row = int(rank) - 1
        assert word == every_word.words[row] or counts[row] == 1
        assert (int(seen), int(turns)) == (counts[row], lengths[row])
        assert bits == f"{-np.log2(counts[row] / counts.sum()):.2f}"
    text = text_of(readme)
    for figure in (f"{len(counts):,}", f"{np.log2(len(counts)):.2f}", f"{(lengths * counts).sum() / counts.sum():.2f}"):
        assert figure in text


# ---- counting and predicting --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def counted(snips):
    """P(c, t) as a dense matrix (V, V), P(t) (V,), and pairs that met often enough."""
    encoded = encode(snips, tokenizer="words", min_count=LEAST)
    store = count(np.array(encoded.ids), len(encoded.words), window=2, weighting="uniform", dtype=np.float64)
    dense = np.zeros((len(store), len(store)))
    for row in range(len(store)):
        columns, values = store.row(row)
        dense[row, columns] = values
    return encoded.words, dense / dense.sum(), encoded.counts / encoded.counts.sum(), dense >= LEAST


@pytest.mark.parametrize("loss", ["negative_sampling", "nce"])
def test_scores_are_logarithms_of_counts(loss, snips, counted):
    """Levy and Goldberg 2014: v·u = PMI − ln K; with NCE, ln P(t | c)."""
    words, joint, alone, often = counted
    model = Word2Vec(
        loss=loss, window=2, shrink_window=False, sample=0, smoothing=1.0, min_count=LEAST, epochs=20, tokenizer="words"
    ).fit(snips)
    assert model.words_ == words
    scores = (model.targets_ @ model.vectors_.T)[often]  # rows t, columns c; the pairs are symmetric
    expected = np.log(joint[often]) - np.log(np.broadcast_to(joint.sum(axis=0), joint.shape)[often])
    if loss == "negative_sampling":
        expected -= np.log(5) + np.log(np.broadcast_to(alone[:, None], joint.shape)[often])
    correlation = np.corrcoef(scores, expected)[0, 1]
    slope = np.polyfit(expected, scores, 1)[0]
    apart = np.abs(scores - expected).mean()
    for readme in READMES:
        (printed,) = [row[2:] for row in table(readme, "shifted_pmi") if row[0] == loss]
        assert correlation == pytest.approx(float(printed[0]), abs=0.008)
        assert [slope, apart] == pytest.approx([float(cell) for cell in printed[1:]], abs=0.02)
        assert f"{often.sum():,}" in text_of(readme)
        assert f" {len(words)} " in text_of(readme)
    if loss == "nce":
        sums = np.log(np.exp(model.targets_.astype(np.float64) @ model.vectors_.T).sum(axis=0))
        assert sums.mean() == pytest.approx(0.03, abs=0.02)


def test_neighbours_of_both(snips):
    both = {"min_count": LEAST, "window": 5, "dim": 50, "tokenizer": "words"}
    predicted = Word2Vec(epochs=20, learning_rate=0.05, **both).fit(snips)
    by_counts = Cooccurrence(**both).fit(snips)

    def near(model, word, topn):
        return {other for other, _ in model.most_similar(word, topn=topn)}

    agreed = np.mean([len(near(predicted, w, 10) & near(by_counts, w, 10)) for w in predicted.words_[:200]])
    assert agreed == pytest.approx(4.4, abs=0.25)
    assert round(10 * 10 / (len(predicted.words_) - 1), 1) == 0.2
    for readme in READMES:
        assert "4.4" in text_of(readme)
        for word, neighbours in table(readme, "both"):
            assert set(neighbours.split(", ")) <= near(predicted, word, 8) & near(by_counts, word, 8)


# ---- sizes --------------------------------------------------------------------------------------------------------


def test_nnlm_needs_more_multiplications():
    before, width, hidden, words, contexts, noise = 10, 100, 500, 36_493, 6, 5
    inside, outside = before * width * hidden, hidden * words
    for readme in READMES:
        text = text_of(readme)
        for figure in (
            inside + outside,
            inside,
            contexts * (1 + noise) * width,
            contexts * width + (1 + noise) * width,
        ):
            assert f"{figure:,}" in text
    assert contexts == 2 * np.mean(range(1, 6))  # the window's reach is drawn from 1 … 5


def test_bytes_for_each_word():
    settings = Word2Vec()
    noise, contexts, window = settings.negative, settings.window + 1, settings.window
    run = loop.Run(np.zeros(8, np.int32), np.full(40_000, 5), settings._plan(), np.zeros(0, np.int64))
    row = 4 * padded(settings.dim)
    at_once = run.settings.chunk
    touched = [contexts * (2 + noise), contexts + 1 + noise, contexts + 1 + noise]
    fetched = [2 + contexts * noise, 2 + noise, 2 + loop.POOLS + 2 * window / at_once]
    arena = run.desks.arena
    for readme in READMES:
        text = text_of(readme)
        for cells, rows, far in zip(table(readme, "bytes"), touched, fetched, strict=True):
            assert cells[1].endswith(f"= {rows}")
            assert cells[2].endswith(f"= {round(far, 2):g}")
            assert cells[3] == f"{2 * row * rows:,}"
            assert int(cells[4].replace(",", "")) == pytest.approx(2 * row * far, abs=1)
        assert f"C = {at_once}" in text
        assert f"S = {shard_kernels.SHARDS}" in text
        assert f" {shard_kernels.TOP} " in text
        assert f"{loop.FEWEST_APART:,}" in text
        assert f"{shard_kernels.SHARDS * at_once:,}" in text
        assert f"{padded(settings.dim)} " in text
        assert f"{row} " in text
        assert f"{arena.shape[1]} " in text
        assert f"{arena[0].nbytes / 1e3:.0f} kB" in text
        assert f"{arena[: shard_kernels.SHARDS].nbytes / 1e6:.1f} MB" in text


def test_defaults_that_the_notes_name():
    assert (Word2Vec().sample, Word2Vec().smoothing, Word2Vec().window, Word2Vec().negative) == (1e-3, 0.75, 5, 5)
    assert loop.LEAST_RATE == 1e-4
    plans = [Word2Vec(algorithm=algorithm)._plan().learning_rate for algorithm in ("skip_gram", "cbow")]
    assert plans == [0.025, 0.05]
