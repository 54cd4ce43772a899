"""The n-gram list and its counts: by hand, against scikit-learn, and through every way in and out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from erya.parts import ngrams
from erya.parts.ngrams import Ngrams, Tokens, joined, pieces_of
from erya.state import State
from erya.text import SEPARATOR

DOCUMENTS = [
    ["see", "you", "soon"],
    ["see", "you", "see", "you"],
    [],
    ["soon", "you", "see"],
    ["you"],
]


def learned(documents, **settings):
    settings = {
        "word_ngrams": 2, "min_n": 0, "max_n": 0, "min_count": 1, "min_count_ngrams": 1, "copies": None, **settings
    }  # fmt: skip
    return Ngrams.learn(Tokens.of(documents), **settings)


def as_dicts(found, documents):
    counts = found.count(Tokens.of(documents))
    rows = [{} for _ in documents]
    for row, feature, count in zip(counts.documents(), counts.features, counts.counts, strict=True):
        rows[row][found.name(int(feature))] = int(count)
    return rows


def random_documents(seed=0, size=60, words="abcdefg", longest=11):
    generator = np.random.default_rng(seed)
    return [list(generator.choice(list(words), generator.integers(0, longest))) for _ in range(size)]


def test_by_hand():
    found = learned(DOCUMENTS)
    assert [found.name(feature) for feature in range(len(found))] == [
        "see", "soon", "you", "see you", "soon you", "you see", "you soon"
    ]  # fmt: skip
    assert as_dicts(found, DOCUMENTS) == [
        {"see": 1, "you": 1, "soon": 1, "see you": 1, "you soon": 1},
        {"see": 2, "you": 2, "see you": 2, "you see": 1},
        {},
        {"soon": 1, "you": 1, "see": 1, "soon you": 1, "you see": 1},
        {"you": 1},
    ]


@pytest.mark.parametrize("longest", [1, 2, 3, 5])
def test_equals_scikit_learn(longest):
    from sklearn.feature_extraction.text import CountVectorizer

    documents, others = random_documents(1), random_documents(2, words="abcdxyz")
    vectorizer = CountVectorizer(
        tokenizer=lambda tokens: tokens,
        preprocessor=lambda x: x,
        token_pattern=None,
        ngram_range=(1, longest),
        min_df=3,
    ).fit(documents)
    found = learned(documents, word_ngrams=longest, min_count=3, min_count_ngrams=3)
    names = vectorizer.get_feature_names_out()
    assert {found.name(feature) for feature in range(len(found))} == set(names)
    for rows in (documents, others):
        matrix = vectorizer.transform(rows).tocsr()
        expected = [
            {names[column]: int(matrix[row, column]) for column in matrix[row].indices} for row in range(len(rows))
        ]
        assert as_dicts(found, rows) == expected


def test_unknown_word_breaks_an_ngram_and_documents_do_not_touch():
    found = learned([["a", "b", "c"]], word_ngrams=3)
    assert as_dicts(found, [["a", "x", "b"], ["a"], ["b", "c"]]) == [
        {"a": 1, "b": 1},
        {"a": 1},
        {"b": 1, "c": 1, "b c": 1},
    ]


def test_rare_is_counted_in_documents_and_copies():
    documents = [["a", "a", "b"], ["b", "c"], ["c", "d"]]
    assert learned(documents, word_ngrams=1, min_count=2).words == ["b", "c"], "twice in one document is once"
    assert learned(documents, word_ngrams=1, min_count=2, copies=np.array([2.0, 1, 1])).words == ["a", "b", "c"]
    mixed = learned([*documents, ["a", "b"]], min_count=1, min_count_ngrams=2)
    assert [mixed.name(feature) for feature in range(len(mixed))] == ["a", "b", "c", "d", "a b"]


def test_pieces_by_hand():
    assert list(pieces_of("tea", 2, 4)) == [
        (0, "<t"), (1, "te"), (2, "ea"), (3, "a>"), (0, "<te"), (1, "tea"), (2, "ea>"), (0, "<tea"), (1, "tea>")
    ]  # fmt: skip
    assert [piece for _, piece in pieces_of("tea", 1, 1)] == ["t", "e", "a"], "the marks alone say nothing"
    assert [piece for _, piece in pieces_of("of", 4, 9)] == [], "<of> is the word itself"
    for no_pieces in ("x", "春", SEPARATOR, ""):
        assert list(pieces_of(no_pieces, 1, 9)) == []
    assert list(pieces_of("tea", 0, 0)) == []


def test_pieces_are_counted_within_words():
    documents = [["tea", "team", "a"], ["tea", "unseen"], []]
    found = learned(documents, min_n=2, max_n=4, min_count_ngrams=2)
    texts = [*documents, ["steam", "steam"]]
    counts = found.count(Tokens.of(texts))
    seen = [Counter() for _ in texts]
    for row, feature, count in zip(counts.documents(), counts.features, counts.counts, strict=True):
        if feature >= found.first_piece:
            seen[row][found.pieces[feature - found.first_piece]] += count
    for tokens, row in zip(texts, seen, strict=True):
        assert row == Counter(piece for word in tokens for _, piece in pieces_of(word, 2, 4) if piece in found.pieces)
    assert set(found.pieces) == {piece for _, piece in pieces_of("tea", 2, 4)}


def test_blocks_change_nothing(monkeypatch):
    documents = [["".join(word) for word in zip(tokens, tokens[::-1], strict=True)] for tokens in random_documents(3)]
    settings = {"word_ngrams": 3, "min_n": 1, "max_n": 3, "min_count_ngrams": 2}
    whole = learned(documents, **settings)
    counts = whole.count(Tokens.of(documents))
    monkeypatch.setattr(ngrams, "TOKENS_AT_ONCE", 7)
    parts = learned(documents, **settings)
    assert parts.pieces == whole.pieces
    recounted = parts.count(Tokens.of(documents))
    for name in ("features", "counts", "offsets", "width"):
        assert np.array_equal(getattr(counts, name), getattr(recounted, name)), name


def test_occurrences_are_the_counts():
    documents = [["see", "you", "see", "you"], ["you", "soon", "tea"]]
    found = learned(documents, word_ngrams=3, min_n=2, max_n=3)
    for tokens in documents:
        occurrences = found.occurrences(tokens)
        counts = found.count(Tokens.of([tokens]))
        expected = dict(zip(counts.features.tolist(), counts.counts.tolist(), strict=True))
        assert Counter(one.feature for one in occurrences) == expected
        for one in occurrences:
            if one.characters is None:
                assert joined(tokens[one.token : one.token + one.length]) == found.name(one.feature)
            else:
                start, end = one.characters
                assert tokens[one.token][start:end] == found.name(one.feature).strip("…")


def test_state_and_back():
    documents = [["tea", "time", "春", "风"], ["tea", "time", "\n", "\ud800"], ["春", "风"]]
    found = learned(documents, word_ngrams=3, min_n=2, max_n=3)
    again = Ngrams.from_state(found.state())
    assert [again.name(feature) for feature in range(len(again))] == [found.name(f) for f in range(len(found))]
    assert as_dicts(again, documents) == as_dicts(found, documents)
    assert "春风" in as_dicts(again, documents)[2]


@pytest.mark.parametrize(
    "damage",
    [
        lambda keys: keys[::-1],
        lambda keys: np.repeat(keys, 2),
        lambda keys: keys - 100,
        lambda keys: keys + 100,
        lambda keys: keys.astype(np.float64),
        lambda keys: keys[None],
    ],
    ids=["descending", "twice", "negative", "beyond", "floats", "two axes"],
)
def test_damaged_keys_are_refused(damage):
    state = learned(DOCUMENTS).state()
    state.arrays["ngrams.2"] = damage(state.arrays["ngrams.2"])
    with pytest.raises(ValueError, match=r"ngrams\.2"):
        Ngrams.from_state(state)


def test_missing_or_senseless_parts_are_refused():
    state = learned(DOCUMENTS).state()
    for name, value in (("word_ngrams", 10**9), ("min_n", -1), ("max_n", "3"), ("max_n", True)):
        with pytest.raises(ValueError, match="out of range"):
            Ngrams.from_state(State(state.arrays, state.data | {name: value}))
    with pytest.raises(KeyError):
        Ngrams.from_state(State(state.arrays, state.data | {"word_ngrams": 3}))


@pytest.mark.parametrize("documents", [[], [[]], [[], ["x"]]])
def test_nothing_to_count(documents):
    empty = learned([[]], word_ngrams=3, min_n=2, max_n=3)
    assert len(empty) == 0
    counts = empty.count(Tokens.of(documents))
    assert len(counts) == len(documents)
    assert counts.offsets.tolist() == [0] * (len(documents) + 1)


def test_names_of_pieces():
    found = learned([["tea"]], word_ngrams=1, min_n=2, max_n=2)
    assert [found.name(feature) for feature in range(len(found))] == ["tea", "t…", "…a", "…ea…", "…te…"]


def test_joined():
    assert joined(["play", "music"]) == "play music"
    assert joined(["春", "风"]) == "春风"
    assert joined(["听", "jazz", "乐"]) == "听jazz乐"
