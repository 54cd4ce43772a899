"""Many documents at once to rows: the same rows as with NumPy, whatever the texts hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.models.fasttext import estimator, reading, reference
from erya.models.fasttext.estimator import FastText
from erya.models.fasttext.features import END, Features
from erya.models.fasttext.reading import Reader
from erya.parts.ngrams import Tokens
from erya.tasks.classify import toy
from erya.text import token_numbers
from erya.text.tokenizers import Characters, ChineseWords, Whitespace, Words, tokens_of

SHAPES = [(1, 0, 0, 97), (3, 0, 0, 1009), (2, 1, 4, 1 << 24), (4, 2, 3, 1 << 31)]
TOKENIZERS = [Words(), Characters(), Whitespace(), ChineseWords()]
TEXTS = st.text(st.sampled_from("ab é好春🙂👩\u200d\u0301Σ<>.\ud800"), max_size=16)
DOCUMENTS = st.lists(TEXTS | st.tuples(TEXTS, TEXTS), max_size=12)


def plain(tokenizer, documents) -> Tokens:
    return Tokens.of([*tokens_of(tokenizer, document), END] for document in documents)


def empty(shape) -> Features:
    word_ngrams, min_n, max_n, buckets = shape
    return Features([], np.zeros(0, np.int64), word_ngrams=word_ngrams, min_n=min_n, max_n=max_n, buckets=buckets)


def same(left, right) -> None:
    assert left.rows.dtype == right.rows.dtype == np.int32
    assert left.rows.tolist() == right.rows.tolist()
    assert left.starts.tolist() == right.starts.tolist()


@pytest.mark.parametrize("tokenizer", TOKENIZERS[:3], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=25, deadline=None)
@given(documents=DOCUMENTS, new=DOCUMENTS)
def test_the_same_rows_as_with_numpy(tokenizer, shape, documents, new):
    names = ("word_ngrams", "min_n", "max_n", "buckets")
    counts = {"min_count": 1, "min_count_ngrams": 2}
    expected, rows = Features.learn(plain(tokenizer, documents), **dict(zip(names, shape, strict=True)), **counts)
    found, encoded, sizes = Reader.learn(tokenizer, documents, empty(shape), **counts)
    assert found.words == expected.words
    assert found.kept.tolist() == expected.kept.tolist()
    same(encoded, rows)
    assert sizes.tolist() == [len(tokens_of(tokenizer, document)) + 1 for document in documents]
    reader = Reader(expected, tokenizer)
    for some in (new, documents, new[::-1]):
        same(reader.encode(some), expected.encode(plain(tokenizer, some)))


def test_words_that_a_segmenter_finds():
    documents = ["我来到北京清华大学", "北京的大学", ("plain text", "北京")]
    features, encoded, _ = Reader.learn(
        ChineseWords(), documents, empty((2, 1, 2, 999)), min_count=1, min_count_ngrams=1
    )
    same(encoded, features.encode(plain(ChineseWords(), documents)))


def test_counting_by_sorting_is_counting(monkeypatch):
    documents = toy(0)[0]
    by_counters = Reader.learn(Words(), documents, empty((3, 2, 4, 5003)), min_count=2, min_count_ngrams=3)
    monkeypatch.setattr(reading, "MOST_COUNTERS", 1)
    by_sorting = Reader.learn(Words(), documents, empty((3, 2, 4, 5003)), min_count=2, min_count_ngrams=3)
    assert by_counters[0].kept.tolist() == by_sorting[0].kept.tolist()
    same(by_counters[1], by_sorting[1])


def test_some_documents_at_a_time(monkeypatch):
    documents = [*toy(0)[0], "", "a" * 3000]
    whole = Reader.learn(Words(), documents, empty((3, 2, 4, 5003)), min_count=1, min_count_ngrams=1)[1]
    monkeypatch.setattr(reading, "TOKENS_AT_ONCE", 5)
    same(Reader.learn(Words(), documents, empty((3, 2, 4, 5003)), min_count=1, min_count_ngrams=1)[1], whole)


def test_new_words_come_behind_and_old_ones_stay():
    first, _, _ = Reader.learn(Words(), ["b a", "b c"], empty((2, 0, 0, 99)), min_count=1, min_count_ngrams=1)
    both, encoded, _ = Reader.learn(
        Words(), ["d b d", "a x"], first, min_count=2, min_count_ngrams=1, more=["z", "b", "z"]
    )
    assert both.words == [*first.words, "d", "z"]
    assert set(first.kept.tolist()) < set(both.kept.tolist())
    expected = reference.features_of(["d", "b", "d", END], word_ngrams=2, min_n=0, max_n=0, buckets=99)
    number = {word: row for row, word in enumerate(both.words)}
    number |= {bucket: len(both.words) + place for place, bucket in enumerate(both.kept.tolist())}
    assert encoded.rows[: encoded.starts[1]].tolist() == [number[feature] for feature in expected if feature in number]


def test_forgotten_tokens_change_nothing(monkeypatch):
    features = FastText(max_n=3, min_n=1).fit(*toy(0)).features_
    reader, documents = Reader(features, Words()), [f"soup{number} rain zebra{number % 9} 🙂" for number in range(300)]
    before = reader.encode(documents)
    monkeypatch.setattr(token_numbers, "SPARE_WORDS", 10)
    same(reader.encode(documents), before)
    same(reader.encode(documents[::-1]), Features.encode(features, plain(Words(), documents[::-1])))


@pytest.mark.parametrize("settings", [{}, {"max_n": 4, "min_n": 2}, {"tokenizer": "characters"}])
def test_many_texts_are_answered_as_few_are(settings, monkeypatch):
    X, Y = toy(0)
    model = FastText(**settings).fit([*X, ("one", "two")], [*Y, "food"])
    texts = [*toy(1)[0], "", "???", "\ud800", ("a pair", "of texts"), "Σ ΟΔΟΣ", "好吃 " * 90]
    few = model.predict_proba(texts)
    monkeypatch.setattr(estimator, "MANY", 1)
    monkeypatch.setattr(estimator, "DOCUMENTS_AT_ONCE", 37)
    np.testing.assert_allclose(model.predict_proba(texts), few, atol=1e-6)
    alone = np.concatenate([model.predict_proba([text]) for text in texts])
    np.testing.assert_allclose(alone, few, atol=1e-6)
