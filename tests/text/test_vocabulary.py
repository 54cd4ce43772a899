"""Vocabularies and batches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import UsageError
from erya.text import Vocabulary, bucketed, mask, padded

TOKENS = st.text(st.sampled_from("ab很👍\n\0\ud800"), max_size=3)


def test_order_is_specials_then_count_then_token():
    vocabulary = Vocabulary.build([["b", "a", "c"], ["c", "b"], ["c", "d"]])
    assert vocabulary.tokens == ["[PAD]", "[UNK]", "c", "b", "a", "d"]
    assert vocabulary.counts.tolist() == [0, 0, 3, 2, 1, 1]
    assert vocabulary.ids(["c", "nobody", "d"]) == [2, 1, 5]
    assert len(vocabulary) == 6
    assert "c" in vocabulary
    assert "z" not in vocabulary


def test_bounds():
    lists = [["a"] * 3, ["b"] * 2, ["c"], ["d"]]
    assert Vocabulary.build(lists, min_count=2).tokens[2:] == ["a", "b"]
    assert Vocabulary.build(lists, max_size=5).tokens == ["[PAD]", "[UNK]", "a", "b", "c"]
    with pytest.raises(UsageError):
        Vocabulary.build(lists, max_size=2)


def test_without_an_unknown_token_the_unknown_are_left_out():
    vocabulary = Vocabulary.build([["a", "b"]], specials=())
    assert vocabulary.ids(["a", "z", "b"]) == [0, 1]
    assert vocabulary.unknown is None


def test_text_that_looks_like_a_special_token_is_not_counted_twice():
    vocabulary = Vocabulary.build([["[PAD]", "[UNK]", "a"]])
    assert vocabulary.tokens == ["[PAD]", "[UNK]", "a"]


@settings(deadline=None)
@given(st.lists(st.lists(TOKENS, max_size=6), max_size=6), st.integers(1, 3))
def test_arrays_and_back(lists, min_count):
    vocabulary = Vocabulary.build(lists, min_count=min_count)
    arrays = vocabulary.to_arrays("words")
    again = Vocabulary.from_arrays("words", arrays)
    assert again.tokens == vocabulary.tokens
    assert again.specials == vocabulary.specials
    assert np.array_equal(again.counts, vocabulary.counts)
    for tokens in lists:
        assert again.ids(tokens) == vocabulary.ids(tokens)
        assert [token if token in vocabulary else "[UNK]" for token in tokens] == [
            vocabulary.tokens[number] for number in vocabulary.ids(tokens)
        ]
    assert Vocabulary.build(reversed(lists), min_count=min_count).tokens == vocabulary.tokens


def hostile(**changes):
    arrays = Vocabulary.build([["a", "b"]]).to_arrays("v")
    return arrays | {f"v.{name}": value for name, value in changes.items()}


@pytest.mark.parametrize(
    "arrays",
    [
        hostile(specials=np.array([9])),
        hostile(specials=np.array([-1])),
        hostile(specials=np.array([2.0])),
        hostile(specials=np.array([2, 2])),
        hostile(counts=np.array([1, 2])),
        hostile(counts=np.array([0, 0, -1, 1])),
        hostile(counts=np.zeros((4, 1), dtype=np.int64)),
        hostile(offsets=np.array([0, 2**62, 5, 10, 12])),
        hostile(bytes=np.frombuffer(b"[PAD][PAD]ab", dtype=np.uint8), offsets=np.array([0, 5, 10, 11, 12])),
        hostile(bytes=np.frombuffer(b"[PAD][UNK]\xff\xfe", dtype=np.uint8)),
    ],
)
def test_hostile_arrays_are_refused(arrays):
    with pytest.raises(ValueError, match=r"\S"):
        Vocabulary.from_arrays("v", arrays)


def test_missing_arrays_are_refused():
    with pytest.raises(KeyError):
        Vocabulary.from_arrays("v", {})


# ---- batches -----------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), max_size=50), st.integers(1, 7), st.none() | st.integers(1, 60), st.booleans())
def test_every_sequence_is_in_one_batch_and_batches_keep_their_bounds(lengths, batch_size, max_tokens, mixed):
    generator = np.random.default_rng(0) if mixed else None
    batches = bucketed(lengths, batch_size, generator, max_tokens=max_tokens)
    assert sorted(index for batch in batches for index in batch.tolist()) == list(range(len(lengths)))
    for batch in batches:
        assert batch.dtype == np.int64
        assert 1 <= len(batch) <= batch_size
        if max_tokens is not None and len(batch) > 1:
            assert len(batch) * max(lengths[index] for index in batch) <= max_tokens
    ordered = sorted(
        batches, key=lambda batch: (min(lengths[index] for index in batch), max(lengths[index] for index in batch))
    )
    for before, after in itertools.pairwise(ordered):
        assert max(lengths[index] for index in before) <= min(lengths[index] for index in after)


def test_batches_are_mixed_by_the_generator_alone():
    lengths = [3] * 40 + [5] * 40

    def order(seed):
        return [batch.tolist() for batch in bucketed(lengths, 8, np.random.default_rng(seed))]

    assert order(1) == order(1) != order(2)
    assert [batch[0] for batch in bucketed(lengths, 8, None)] == [0, 8, 16, 24, 32, 40, 48, 56, 64, 72]


def test_batches_that_cannot_be():
    for arguments in ((0, None), (3, 0)):
        with pytest.raises(UsageError):
            bucketed([1, 2], arguments[0], None, max_tokens=arguments[1])


def test_padded():
    ids, lengths = padded([[5, 6, 7], [], [8]], pad=9)
    assert ids.tolist() == [[5, 6, 7], [9, 9, 9], [8, 9, 9]]
    assert lengths.tolist() == [3, 0, 1]
    assert ids.dtype == lengths.dtype == np.int64
    assert mask(lengths, 3).tolist() == [[True] * 3, [False] * 3, [True, False, False]]
    assert padded([[1]], width=4)[0].tolist() == [[1, 0, 0, 0]]
    assert padded([])[0].shape == (0, 0)
    assert padded([[], []])[0].shape == (2, 0)
