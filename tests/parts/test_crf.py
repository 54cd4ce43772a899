"""The bricks against brute force over all paths of small lattices, against numerical gradients, and at the ends of the numbers."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erya.errors import DataError
from erya.parts import crf, crf_kernels
from erya.parts.crf import Chain

LENGTHS = [[1], [2, 1, 3], [0, 4, 0, 1, 5], []]


def lattice(lengths, tags, seed=0, spread=2.0):
    random = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    emissions = spread * random.normal(size=(starts[-1], tags))
    chain = Chain(*[spread * random.normal(size=shape) for shape in ((tags, tags), tags, tags)])
    return emissions, starts, chain


def paths_of(emissions, chain):
    """All paths of one sentence with their scores, by the definition."""
    length, tags = emissions.shape
    found = []
    for path in product(range(tags), repeat=length):
        score = sum(emissions[place, tag] for place, tag in enumerate(path))
        score += sum(chain.transitions[before, after] for before, after in pairwise(path))
        if path:
            score += chain.first[path[0]] + chain.last[path[-1]]
        found.append((score, path))
    return found


def brute(emissions, chain):
    """ln Z, marginals, pairs, entropy, sorted paths of one sentence."""
    found = paths_of(emissions, chain)
    scores = np.array([score for score, _ in found])
    total = np.logaddexp.reduce(scores)
    shares = np.exp(scores - total)
    tags, pairs = np.zeros(emissions.shape), np.zeros((*emissions.shape, len(chain)))
    for share, (_, path) in zip(shares, found, strict=True):
        for place, tag in enumerate(path):
            tags[place, tag] += share
            if place:
                pairs[place, path[place - 1], tag] += share
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(shares > 0, shares * np.log(shares), 0.0).sum()
    return total, tags, pairs, entropy, sorted(found, key=lambda item: -item[0])


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("tags", [1, 2, 3, 5])
def test_everything_equals_brute_force(lengths, tags):
    emissions, starts, chain = lattice(lengths, tags, seed=tags)
    told = crf.posterior(emissions, starts, chain, pairs=True)
    partition, entropies = crf.log_partition(emissions, starts, chain), crf.entropy(emissions, starts, chain)
    alpha, beta = crf.forward(emissions, starts, chain), crf.backward(emissions, starts, chain)
    best = crf.through(emissions, starts, chain)
    path, score = crf.viterbi(emissions, starts, chain)
    many, scores = crf.n_best(emissions, starts, chain, 4)
    for number in range(len(lengths)):
        rows = slice(starts[number], starts[number + 1])
        total, marginals, pairs, entropy, ranked = brute(emissions[rows], chain)
        assert partition[number] == pytest.approx(total, abs=1e-10)
        assert told.log_partition[number] == pytest.approx(total, abs=1e-10)
        assert entropies[number] == pytest.approx(entropy, abs=1e-10)
        np.testing.assert_allclose(told.tags[rows], marginals, atol=1e-10)
        np.testing.assert_allclose(told.pairs[rows], pairs, atol=1e-10)
        np.testing.assert_allclose(np.exp(alpha[rows] + beta[rows] - total), marginals, atol=1e-10)
        assert score[number] == pytest.approx(ranked[0][0], abs=1e-10)
        assert tuple(path[rows]) == ranked[0][1]
        for rank in range(4):
            if rank < len(ranked):
                assert scores[number, rank] == pytest.approx(ranked[rank][0], abs=1e-10)
                assert tuple(many[rank, rows]) == ranked[rank][1]
            else:
                assert scores[number, rank] == -np.inf
                assert (many[rank, rows] == -1).all()
        for place, tag in np.ndindex(emissions[rows].shape):
            of_tag = max(value for value, way in ranked if way[place] == tag)
            assert best[rows][place, tag] == pytest.approx(of_tag, abs=1e-10)
    np.testing.assert_allclose(told.steps, told.pairs.sum(axis=0), atol=1e-10)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 4), max_size=4), st.integers(1, 4), st.integers(0, 10**6), st.sampled_from([0.1, 3.0, 60.0])
)
def test_brute_force_everywhere(lengths, tags, seed, spread):
    emissions, starts, chain = lattice(lengths, tags, seed, spread)
    told = crf.posterior(emissions, starts, chain)
    path, score = crf.viterbi(emissions, starts, chain)
    for number in range(len(lengths)):
        rows = slice(starts[number], starts[number + 1])
        total, marginals, _, _, ranked = brute(emissions[rows], chain)
        assert told.log_partition[number] == pytest.approx(total, rel=1e-12, abs=1e-10)
        np.testing.assert_allclose(told.tags[rows], marginals, atol=1e-10)
        assert score[number] == pytest.approx(ranked[0][0], rel=1e-12, abs=1e-10)
        assert crf.path_scores(emissions[rows], np.array([0, lengths[number]]), chain, path[rows]) == pytest.approx(
            score[number], rel=1e-12, abs=1e-10
        )


def test_gradient_equals_differences():
    emissions, starts, chain = lattice([3, 0, 4, 1], 3, seed=5)
    tags, weights = np.array([0, 2, 1, 1, 0, 0, 2, 1]), np.array([1.0, 1.0, 0.5, 2.0])
    told = crf.slope(emissions, starts, chain, tags, weights=weights)

    def loss(arrays):
        parts = Chain(*arrays[1:])
        scores = crf.path_scores(arrays[0], starts, parts, tags)
        return float(weights @ (crf.log_partition(arrays[0], starts, parts) - scores))

    arrays = [emissions, chain.transitions, chain.first, chain.last]
    assert told.loss == pytest.approx(loss(arrays), abs=1e-10)
    for which, gradient in enumerate([told.emissions, told.transitions, told.first, told.last]):
        for place in np.ndindex(arrays[which].shape):
            moved = [[array.copy() for array in arrays] for _ in range(2)]
            moved[0][which][place] += 1e-5
            moved[1][which][place] -= 1e-5
            assert gradient[place] == pytest.approx((loss(moved[0]) - loss(moved[1])) / 2e-5, abs=1e-8)


def test_weights_count_sentences():
    emissions, starts, chain = lattice([2, 3], 3)
    alone = [
        crf.posterior(emissions[rows], [0, size], chain).steps for rows, size in ((slice(0, 2), 2), (slice(2, 5), 3))
    ]
    together = crf.posterior(emissions, starts, chain, weights=[0.5, 2.0]).steps
    np.testing.assert_allclose(together, 0.5 * alone[0] + 2 * alone[1], atol=1e-12)


# ---- prohibitions -------------------------------------------------------------------------------------------------


def rules():
    """O, B, I: no I at the beginning, none after O."""
    following = np.ones((3, 3), dtype=bool)
    following[0, 2] = False
    return np.array([True, True, False]), following, np.ones(3, dtype=bool)


def test_decoding_within_the_rules():
    emissions, starts, chain = lattice([4, 2, 5], 3, seed=9)
    emissions[:, 2] += 20  # I, I, I …
    assert (crf.viterbi(emissions, starts, chain)[0] == 2).all()
    held = chain.held_to(*rules())
    path, score = crf.viterbi(emissions, starts, held)
    told = crf.posterior(emissions, starts, held, pairs=True)
    for number in range(3):
        rows = slice(starts[number], starts[number + 1])
        legal = [(value, way) for value, way in paths_of(emissions[rows], held) if value > -np.inf]
        assert tuple(path[rows]) == max(legal)[1]
        assert score[number] == pytest.approx(max(legal)[0])
        assert told.log_partition[number] == pytest.approx(
            np.logaddexp.reduce([value for value, _ in legal]), abs=1e-10
        )
    assert (told.tags[starts[:-1], 2] == 0).all()
    assert (told.pairs[:, 0, 2] == 0).all()
    np.testing.assert_allclose(told.tags.sum(axis=1), 1, atol=1e-10)
    assert np.isfinite(crf.entropy(emissions, starts, held)).all()


def test_impossible_rules_are_an_error():
    emissions, starts, chain = lattice([2, 3], 3)
    nothing = chain.held_to(np.ones(3), np.zeros((3, 3)), np.ones(3))
    for ask in (crf.viterbi, crf.posterior, crf.entropy):
        with pytest.raises(DataError, match="sentence 1: the rules leave no sequence"):
            ask(emissions, starts, nothing)
    assert (crf.log_partition(emissions, starts, nothing) == -np.inf).all()
    assert (crf.n_best(emissions, starts, nothing, 2)[0] == -1).all()
    crf.viterbi(emissions[:1], [0, 1], nothing)  # one token needs no transition
    known = np.ones(emissions.shape, dtype=bool)
    known[3] = False
    with pytest.raises(DataError, match="sentence 2"):
        crf.viterbi(crf.barred(emissions, known), starts, chain)
    with pytest.raises(DataError, match="sentence 1"):
        crf.slope(emissions, starts, chain.held_to(np.zeros(3), np.ones((3, 3)), np.ones(3)), np.zeros(5, dtype=int))


def test_known_tags_are_kept():
    emissions, starts, chain = lattice([5], 4, seed=2)
    known = np.ones(emissions.shape, dtype=bool)
    known[2] = [False, False, False, True]
    path, _ = crf.viterbi(crf.barred(emissions, known), starts, chain)
    legal = [(score, way) for score, way in paths_of(emissions, chain) if way[2] == 3]
    assert tuple(path) == max(legal)[1]


# ---- the ends of the numbers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e3, 1e5, 1e150])
def test_large_scores(scale):
    """Where scaled probabilities leave float64 the logarithms answer."""
    emissions, starts, chain = lattice([6, 3], 3, seed=4)
    emissions, chain = emissions * scale, Chain(chain.transitions * scale, chain.first, chain.last)
    told = crf.posterior(emissions, starts, chain)
    path, score = crf.viterbi(emissions, starts, chain)
    np.testing.assert_allclose(told.log_partition, score, rtol=1e-12)
    np.testing.assert_allclose(told.tags[np.arange(9), path], 1.0, atol=1e-9)
    assert np.isfinite(told.steps).all()


def test_rules_against_strong_emissions():
    """What the emissions want is forbidden, and what is allowed underflows: the sentence is answered by logarithms."""
    emissions = np.tile([0.0, -900.0, 900.0], (4, 1))
    held = Chain(np.zeros((3, 3))).held_to([True, True, False], [[1, 1, 0], [1, 1, 0], [1, 1, 0]], np.ones(3))
    told = crf.posterior(emissions, [0, 4], held)
    assert told.log_partition[0] == pytest.approx(0.0, abs=1e-9)
    np.testing.assert_allclose(told.tags[:, 0], 1.0)


def test_ten_thousand_tokens():
    emissions, starts, chain = lattice([10_000, 1], 4, seed=1)
    told = crf.posterior(emissions, starts, chain)
    np.testing.assert_allclose(told.tags.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(told.log_partition, crf.log_partition(emissions, starts, chain), rtol=1e-12)
    path, score = crf.viterbi(emissions, starts, chain)
    np.testing.assert_allclose(crf.path_scores(emissions, starts, chain, path), score, rtol=1e-12)
    reached, back, again, total = crf.viterbi_steps(emissions[:10_000], chain)
    assert (again == path[:10_000]).all()
    assert total == pytest.approx(score[0])
    assert (back[0] == -1).all()
    assert (back[np.arange(1, 10_000), again[1:]] == again[:-1]).all()
    assert reached[0] == pytest.approx(emissions[0] + chain.first)


def test_equal_scores_take_the_lower_tag():
    path, _ = crf.viterbi(np.zeros((3, 4)), [0, 3], Chain(np.zeros((4, 4))))
    assert path.tolist() == [0, 0, 0]


def test_exponentials():
    values = np.concatenate([np.linspace(-708, 709, 5001), [0.0, -0.0, 1e-300, -np.inf, -709.5, 709.9, 1e308]])
    found = values.copy()
    crf_kernels.exponentials(found, np.empty(len(found), np.int64))
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(found, np.where(values < -708, 0.0, np.exp(np.minimum(values, 710))), rtol=1e-15)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none(bad):
    emissions, starts, chain = lattice([2], 3)
    emissions[1, 1] = bad
    with pytest.raises(ValueError, match="NaN"):
        crf.viterbi(emissions, starts, chain)
    with pytest.raises(ValueError, match="NaN"):
        Chain([[bad]])


def test_shapes_that_do_not_fit():
    emissions, starts, chain = lattice([2], 3)
    with pytest.raises(ValueError, match="for 3 tags"):
        crf.viterbi(emissions[:, :2], starts, chain)
    for cut in ([0, 1], [1, 2], [0, 3, 2], []):
        with pytest.raises(ValueError, match="starts"):
            crf.viterbi(emissions, cut, chain)
    with pytest.raises(ValueError, match="do not fit"):
        Chain(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="tags"):
        crf.path_scores(emissions, starts, chain, [0, 3])


def test_ragged_and_padded():
    batch = np.arange(2 * 4 * 3, dtype=np.float64).reshape(2, 4, 3)
    rows, starts = crf.ragged(batch, [3, 1])
    assert starts.tolist() == [0, 3, 4]
    assert (rows == np.concatenate([batch[0, :3], batch[1, :1]])).all()
    again = crf.padded(rows, starts, fill=-1)
    assert again.shape == (2, 3, 3)
    assert (again[1, 1:] == -1).all()
    assert (again[0] == batch[0, :3]).all()
    with pytest.raises(ValueError, match="lengths"):
        crf.ragged(batch, [5, 1])


def test_single_precision_comes_in():
    emissions, starts, chain = lattice([3, 2], 3)
    small = crf.posterior(emissions.astype(np.float32), starts, chain)
    np.testing.assert_allclose(small.tags, crf.posterior(emissions, starts, chain).tags, atol=1e-6)


def test_ways_that_underflow_but_end_well():
    """Tags may only fall: the way that stays high is e^-1000 halfway, and the only one that is worth something at the end."""
    emissions = np.zeros((60, 3))
    emissions[:30, 2], emissions[30:, 2], emissions[30:, :2] = -30.0, 30.0, -30.0
    chain = Chain(np.zeros((3, 3))).held_to([True] * 3, np.tri(3), [True] * 3)
    told = crf.posterior(emissions, [0, 60], chain)
    assert told.log_partition[0] == pytest.approx(crf.log_partition(emissions, [0, 60], chain)[0], rel=1e-12)
    np.testing.assert_allclose(told.tags.sum(axis=1), 1.0, atol=1e-9)
    assert told.tags[:, 2].min() > 0.1


def test_one_score_far_below_the_others():
    """The second tag is 900 worse at one token, and the transitions into it 200 better at every other: not lost, but the best."""
    emissions = np.zeros((9, 2))
    emissions[0, 1] = -900.0
    chain = Chain([[0.0, -300.0], [0.0, 0.0]])
    told = crf.posterior(emissions + [[0.0, 200.0]] * 9, [0, 9], chain)
    assert told.log_partition[0] == pytest.approx(crf.log_partition(emissions + [[0.0, 200.0]] * 9, [0, 9], chain)[0])
    np.testing.assert_allclose(told.tags.sum(axis=1), 1.0, atol=1e-9)
