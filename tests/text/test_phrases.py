"""Phrases against a naive count in plain Python."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import Interrupted, UsageError
from erya.progress import Report
from erya.text.corpus import encode
from erya.text.corpus_reading import Limits
from erya.text.phrases import Phrases, learn_phrases

COMMON = frozenset({"of", "the"})
LINES = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "of", "the"]), max_size=25), min_size=1, max_size=8)


def candidates(line, common):
    """Two words that are not common, and the common ones between them, six at most."""
    for place, word in enumerate(line):
        if word in common:
            continue
        for end in range(place + 1, min(place + 8, len(line))):
            if line[end] not in common:
                yield tuple(line[place : end + 1])
                break


def naive(lines, *, min_count, threshold, scoring, common):
    words = Counter(word for line in lines for word in line)
    pairs = Counter(pair for line in lines for pair in candidates(line, common))
    tokens, different = sum(words.values()), len(pairs) + len(words.keys() - common)
    found = {}
    for pair, count in pairs.items():
        first, last = words[pair[0]], words[pair[-1]]
        if count < min_count:
            continue
        if scoring == "original":
            score = (count - min_count) / first / last * different
        elif count == tokens:
            score = 1.0
        else:
            score = math.log(count / tokens / (first / tokens * last / tokens)) / -math.log(count / tokens)
        if score > threshold:
            found[pair] = score
    return found


@pytest.mark.parametrize(("scoring", "threshold"), [("original", 0.3), ("npmi", 0.05)])
@pytest.mark.parametrize("common", [frozenset(), COMMON], ids=["plain", "common"])
@settings(max_examples=60)
@given(lines=LINES, threads=st.integers(1, 3), min_count=st.integers(1, 3))
def test_counts_and_scores_are_the_naive_ones(scoring, threshold, common, lines, threads, min_count):
    lines = [*lines, ["a"]]
    found = learn_phrases(
        lines, min_count=min_count, threshold=threshold, scoring=scoring, common_words=common, threads=threads
    )
    expected = naive(lines, min_count=min_count, threshold=threshold, scoring=scoring, common=common)
    assert dict(zip(found.words, found.scores, strict=True)) == pytest.approx(expected)
    assert list(found.scores) == sorted(found.scores, reverse=True)


@settings(max_examples=100)
@given(lines=LINES, twice=st.booleans(), spill=st.sampled_from([3, 1000]), order=st.sampled_from(["count", "word"]))
def test_encode_joins_as_apply_does(lines, twice, spill, order):
    lines = [*lines, ["a"]]
    first = Phrases(
        (("a", "b"), ("c", "of", "the", "d"), ("b", "b"), ("a", "zebra")), (4.0, 3.0, 2.0, 1.0), "_", COMMON
    )
    second = Phrases((("a_b", "c"),), (1.0,), "+")
    passes = [first, second] if twice else [first]
    applied = lines
    for phrases in passes:
        applied = [phrases.apply(line) for line in applied]
    found = encode(lines, min_count=1, order=order, phrases=passes, _limits=Limits(spill=spill))
    expected = encode(applied, min_count=1, order=order)
    assert found.words == expected.words
    assert found.counts.tolist() == expected.counts.tolist()
    assert found.ids.tolist() == expected.ids.tolist()


def test_phrases_cross_no_line():
    assert encode([["new"], ["york"]], min_count=1, phrases=Phrases((("new", "york"),), (1.0,))).words == [
        "new",
        "york",
    ]


def test_a_vocabulary_with_phrases():
    joins = Phrases((("new", "york"),), (1.0,))
    found = encode(["New York is new"], vocabulary=["new_york", "is"], phrases=joins)
    assert (found.words, found.counts.tolist(), found.ids.tolist()) == (["new_york", "is"], [1, 1], [0, 1, -1])


def test_two_passes_find_longer_phrases():
    lines = ["i saw new york times today", "the new york times said", "new york times", "today i said the times"] * 5
    first = learn_phrases(lines, min_count=2, threshold=1.0)
    assert ("new", "york") in first.words
    second = learn_phrases(encode(lines, min_count=1, phrases=first), min_count=2, threshold=0.5)
    assert ("new_york", "times") in second.words
    assert "new_york_times" in encode(lines, min_count=1, phrases=[first, second]).words


def test_data_and_back():
    phrases = Phrases((("a", "of", "b"),), (1.5,), "-", frozenset({"of"}))
    assert Phrases.from_plain(json.loads(json.dumps(phrases.to_plain()))) == phrases
    assert phrases.apply(["x", "a", "of", "b", "of"]) == ["x", "a-of-b", "of"]


@pytest.mark.parametrize(
    "plain",
    [None, {}, {"phrases": [["a"]], "scores": [1], "delimiter": "_", "common_words": []},
     {"phrases": [["a", 1]], "scores": [1], "delimiter": "_", "common_words": []},
     {"phrases": [["a", "b"]], "scores": [], "delimiter": "_", "common_words": []}],
)  # fmt: skip
def test_hostile_data_is_refused(plain):
    with pytest.raises(ValueError, match=r"phrases|score"):
        Phrases.from_plain(plain)


def test_settings_that_make_no_sense():
    for bad in ({"scoring": "pmi"}, {"min_count": 0}, {"delimiter": ""}):
        with pytest.raises(UsageError):
            learn_phrases(["a b"], **bad)


def test_it_stops_when_asked():
    class Stop(Report):
        def stopping(self):
            return "interrupt"

    corpus = encode(["a b"], min_count=1)
    with pytest.raises(Interrupted):
        learn_phrases(corpus, report=Stop())


def test_a_table_that_is_full_grows_and_forgets(monkeypatch):
    generator = np.random.default_rng(0)
    lines = [[f"w{number}" for number in generator.integers(0, 3000, 40)] + ["x", "y"] for _ in range(3000)]
    whole = learn_phrases(lines, min_count=50, threshold=0)
    monkeypatch.setattr("erya.text.phrases._MOST", 16 * 1000)
    pruned = learn_phrases(lines, min_count=50, threshold=0, threads=2)
    assert whole.words == pruned.words == (("x", "y"),)
    assert learn_phrases(lines, min_count=50, threshold=0, threads=1) == pruned
