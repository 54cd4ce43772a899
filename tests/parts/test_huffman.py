"""Huffman's tree: no cheaper code exists, no word is the beginning of another, and ties fall the same way each time."""

from __future__ import annotations

import heapq
import itertools
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erya.parts.huffman import huffman

some_counts = st.lists(st.integers(0, 10_000), min_size=1, max_size=60)


def codes(counts):
    """The turns of each word as text."""
    paths = huffman(np.array(counts, dtype=np.int64))
    ends = paths.starts.tolist()
    return ["".join(map(str, paths.turns[ends[w] : ends[w + 1]].tolist())) for w in range(len(counts))]


def cheapest(counts):
    """The least Σ count × length, by the textbook: the sum of all merged weights."""
    heap, cost = list(counts), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        cost += merged
        heapq.heappush(heap, merged)
    return cost


@given(some_counts)
def test_no_code_is_cheaper(counts):
    assert sum(count * len(code) for count, code in zip(counts, codes(counts), strict=True)) == cheapest(counts)


@given(some_counts)
def test_no_code_is_the_beginning_of_another(counts):
    ordered = sorted(codes(counts))
    assert len(ordered) == 1 or all(not later.startswith(one) for one, later in itertools.pairwise(ordered))
    assert sum(2.0 ** -len(code) for code in ordered) == 1, "every turn leads somewhere"


@given(some_counts)
def test_rarer_words_are_deeper(counts):
    found = codes(counts)
    for one, code in zip(counts, found, strict=True):
        assert all(len(code) <= len(other) for count, other in zip(counts, found, strict=True) if count < one)


@given(some_counts)
def test_nodes_are_those_that_the_turns_reach(counts):
    """From the root V − 2: the same node and turn lead every word to the same next node."""
    paths = huffman(np.array(counts, dtype=np.int64))
    after = {}
    for word, (first, last) in enumerate(zip(paths.starts[:-1], paths.starts[1:], strict=True)):
        way = [*paths.nodes[first:last].tolist(), ("word", word)]
        if len(counts) > 1:
            assert way[0] == len(counts) - 2
        for node, turn, following in zip(way, paths.turns[first:last].tolist(), way[1:], strict=False):
            assert after.setdefault((node, turn), following) == following
    assert len(after) == 2 * (len(counts) - 1)


def test_a_known_tree():
    """Cormen et al., Introduction to Algorithms, figure 16.3: a 45, b 13, c 12, d 16, e 9, f 5."""
    assert codes([45, 13, 12, 16, 9, 5]) == ["0", "101", "100", "111", "1101", "1100"]


def test_one_word_needs_no_turn():
    paths = huffman(np.array([9]))
    assert paths.starts.tolist() == [0, 0]
    assert len(paths.nodes) == len(paths.turns) == 0


def test_two_words_need_one():
    paths = huffman(np.array([9, 4]))
    assert paths.nodes.tolist() == [0, 0]
    assert codes([9, 4]) == ["1", "0"], "left is lighter"


@pytest.mark.parametrize("counts", [[1] * 7, [2, 2, 1, 1, 1], [0, 0, 0]])
def test_ties_fall_the_same_way(counts):
    first, second = huffman(np.array(counts)), huffman(np.array(counts))
    assert all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_of_equal_words_the_last_ones_merge_first():
    assert codes([1, 1, 1, 1]) == ["11", "10", "01", "00"]
    assert [len(code) for code in codes([1, 1, 1])] == [1, 2, 2]


def test_a_large_vocabulary_takes_less_than_a_second():
    counts = (1e9 / np.arange(1, 100_001)).astype(np.int64)
    started = process_time()  # of this process alone: a busy machine is no failure
    paths = huffman(counts)
    assert process_time() - started < 1
    assert np.all(np.diff(np.diff(paths.starts)) >= 0)
