"""Evidence of n-grams: sums over documents, and shares laid over tokens and characters that lose nothing."""

from __future__ import annotations

import time

import numpy as np
import pytest

from erya.errors import Interrupted, UsageError
from erya.parts import ngram_evidence
from erya.parts.ngram_evidence import class_number, counted, evidence_of, explanation, laid_out, logits, tokenized
from erya.parts.ngrams import Counts, Ngrams, Tokens
from erya.progress import Report, quiet
from erya.text import Words

TEXTS = ["tea for two", "team talk", "two for tea and tea for two", "春风 spring", "e\u0301te\u0301 İstanbul"]


def learned(texts=TEXTS, **settings):
    settings = {"word_ngrams": 2, "min_n": 2, "max_n": 3, "min_count": 1, "min_count_ngrams": 1, **settings}
    return Ngrams.learn(Tokens.of(map(Words().tokens, texts)), **settings)


def weights_for(ngrams, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(classes, len(ngrams))).astype(np.float32), generator.normal(size=classes)


def values_of(counts):
    return counts.counts * 0.5


def test_logits_by_loops():
    """5 documents, 7 features, 3 classes, empty documents at both ends and between."""
    counts = Counts(np.array([0, 6, 2, 3, 4]), np.array([1, 2, 1, 1, 3]), np.array([0, 0, 2, 2, 5, 5]), 7)
    generator = np.random.default_rng(1)
    weights, bias, values = generator.normal(size=(3, 7)), generator.normal(size=3), generator.normal(size=5)
    expected = np.tile(bias, (5, 1))
    for row, feature, value in zip(counts.documents(), counts.features, values, strict=True):
        expected[row] += value * weights[:, feature]
    np.testing.assert_allclose(logits(counts, values, weights, bias), expected, atol=1e-12)
    nothing = Counts(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(3, np.int64), 7)
    assert logits(nothing, np.zeros(0), weights, bias).tolist() == [bias.tolist()] * 2


def test_counted_goes_through_all_documents(monkeypatch):
    monkeypatch.setattr(ngram_evidence, "DOCUMENTS_AT_ONCE", 2)
    ngrams = learned()
    blocks = list(counted(ngrams, Words(), TEXTS))
    assert [len(block) for block in blocks] == [2, 2, 1]
    together = ngrams.count(Tokens.of(map(Words().tokens, TEXTS)))
    assert np.concatenate([block.features for block in blocks]).tolist() == together.features.tolist()
    assert list(counted(ngrams, Words(), [])) == []


@pytest.mark.parametrize("text", [*TEXTS, "", "unknown", "TEA tea", ("tea for two", "team")])
def test_shares_lose_nothing(text):
    ngrams = learned()
    evidence = evidence_of(text, ngrams, Words(), *weights_for(ngrams), values_of)
    parts = np.random.default_rng(2).normal(size=len(evidence.features))
    by_token, spans, by_character = laid_out(evidence, parts)
    assert by_token.sum() == pytest.approx(parts.sum(), abs=1e-12)
    assert by_character.sum() == pytest.approx(parts.sum(), abs=1e-12)
    assert len(by_token) == len(evidence.tokens)
    assert len(spans) == len(by_character)
    assert "".join(evidence.shown[start:end] for start, end in spans) == "".join(
        evidence.shown[start:end] for start, end in evidence.spans
    )


def test_a_piece_is_laid_on_its_characters():
    ngrams = learned(["ab abcd"], word_ngrams=1, min_n=3, max_n=3)
    evidence = evidence_of("xx abcd", ngrams, Words(), *weights_for(ngrams), values_of)
    parts = np.array([{"…bcd…": 6.0, "abcd": 4.0}.get(name, 0.0) for name in evidence.names])
    by_token, spans, by_character = laid_out(evidence, parts)
    assert by_token.tolist() == [0, 10]
    assert spans == [(0, 1), (1, 2), (3, 4), (4, 5), (5, 6), (6, 7)]
    assert by_character.tolist() == [0, 0, 1, 3, 3, 3]


def test_an_ngram_is_shared_by_its_tokens():
    ngrams = learned(["good film good film"], max_n=0)
    evidence = evidence_of("good film , good film", ngrams, Words(), *weights_for(ngrams), values_of)
    parts = np.array([8.0 if name == "good film" else 0.0 for name in evidence.names])
    by_token, _, _ = laid_out(evidence, parts)
    assert by_token.tolist() == [2, 2, 0, 2, 2]


def test_marks_stay_with_their_characters():
    ngrams = learned()
    evidence = evidence_of("e\u0301te\u0301", ngrams, Words(), *weights_for(ngrams), values_of)
    _, spans, _ = laid_out(evidence, np.ones(len(evidence.features)))
    assert spans == [(0, 2), (2, 3), (3, 5)]


def test_one_very_long_word_is_no_trap():
    long = "ab" * 20_000
    ngrams = learned([long])
    started = time.process_time()
    evidence = evidence_of(long, ngrams, Words(), *weights_for(ngrams), values_of)
    laid_out(evidence, np.ones(len(evidence.features)))
    assert time.process_time() - started < 10  # a square of its length would take minutes


def test_explanation_adds_up_to_the_last_line():
    ngrams = learned()
    weights, bias = weights_for(ngrams)
    evidence = evidence_of(TEXTS[2], ngrams, Words(), weights, bias, values_of)
    shares = np.exp(evidence.logits) / np.exp(evidence.logits).sum()
    words = {"value": "value", "weight": "weight", "bias": "bias"}
    trace = explanation("classify/x", evidence, np.array([10, 20, 30]), shares, 20, words)
    table = trace.views[-1]
    numbers = [row[-1] for row in table.rows]
    assert sum(numbers[:-1]) == pytest.approx(numbers[-1], abs=1e-12)
    rival = max((0, 2), key=lambda number: shares[number])
    assert numbers[-1] == pytest.approx(np.log(shares[1] / shares[rival]), abs=1e-12)


def test_labels_by_name():
    assert class_number(np.array([3, 7]), 7) == class_number(np.array([3, 7]), "7") == 1
    with pytest.raises(UsageError, match="nine"):
        class_number(np.array([3, 7]), "nine")


def test_tokenized_can_be_interrupted():
    class Later(Report):
        asked = 0

        def stopping(self):
            self.asked += 1
            return "interrupt" if self.asked > 2 else "budget"

    assert len(tokenized(Words(), TEXTS, quiet)) == len(TEXTS)
    with pytest.raises(Interrupted):
        tokenized(Words(), ["tea"] * (2 * ngram_evidence.DOCUMENTS_AT_ONCE + 1), Later())
