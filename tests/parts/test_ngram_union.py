"""Two lists of n-grams as one: every feature keeps its name, and counting sees what either list saw."""

from __future__ import annotations

import numpy as np
import pytest

from erya.parts.ngram_union import union, widened
from erya.parts.ngrams import Ngrams, Tokens

FIRST = [["see", "you", "soon"], ["see", "you"], ["b", "see"]]
SECOND = [["you", "soon", "again"], ["a", "see", "you"], ["again"]]


def learned(documents, word_ngrams=3, max_n=3, least=1):
    tokens = Tokens.of(documents)
    return Ngrams.learn(
        tokens, word_ngrams=word_ngrams, min_n=2, max_n=max_n, min_count=1, min_count_ngrams=least
    ), tokens


def test_every_feature_keeps_its_name():
    first, second = learned(FIRST)[0], learned(SECOND)[0]
    both, places, others = union(first, second)
    assert [both.name(place) for place in places.tolist()] == [first.name(feature) for feature in range(len(first))]
    assert [both.name(place) for place in others.tolist()] == [second.name(feature) for feature in range(len(second))]
    assert sorted({*places.tolist(), *others.tolist()}) == list(range(len(both)))
    assert len(set(places.tolist())) == len(first)


def test_the_union_is_the_list_of_all_texts_where_everything_is_counted():
    both, _, _ = union(learned(FIRST)[0], learned(SECOND)[0])
    whole, tokens = learned([*FIRST, *SECOND])
    assert both.words == whole.words
    assert both.pieces == whole.pieces
    for one, other in zip(both.keys, whole.keys, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(both.count(tokens).features, whole.count(tokens).features)


def test_rare_ones_join_with_the_texts_that_have_them_often_enough():
    known, _ = learned(FIRST, least=2)
    wider, places = widened(known, Tokens.of(SECOND), min_count=1, min_count_ngrams=2)
    names = {wider.name(feature) for feature in range(len(wider))}
    assert {"see you", "again", "a"} <= names
    assert "soon again" not in names
    assert [wider.name(place) for place in places.tolist()] == [known.name(feature) for feature in range(len(known))]


def test_an_empty_list_adds_nothing():
    first = learned(FIRST)[0]
    both, places, others = union(first, learned([[]])[0])
    assert len(both) == len(first)
    assert others.shape == (0,)
    np.testing.assert_array_equal(places, np.arange(len(first)))


def test_lists_that_are_counted_differently():
    with pytest.raises(ValueError, match="differently"):
        union(learned(FIRST)[0], learned(SECOND, word_ngrams=2)[0])
    with pytest.raises(ValueError, match="differently"):
        union(learned(FIRST)[0], learned(SECOND, max_n=4)[0])
