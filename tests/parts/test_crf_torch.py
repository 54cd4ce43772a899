"""The torch twin against brute force and the compiled one, its gradient against autograd through time and against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erya.errors import DataError
from erya.parts import crf, crf_torch
from tests.parts.test_crf import LENGTHS, brute, lattice

TAGS = np.array([0, 3, 1, 2, 2, 0, 1, 1, 3])
STARTS = np.array([0, 3, 4, 4, 9])
WEIGHTS = np.array([1.0, 0.5, 1.0, 2.0])
RULES = [True, False, True, True], np.tri(4, dtype=bool), [True, True, True, False]


def twin(emissions, chain):
    return torch.from_numpy(emissions), crf_torch.Chain(
        *map(torch.from_numpy, (chain.transitions, chain.first, chain.last))
    )


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("tags", [1, 2, 4])
def test_everything_equals_brute_force(lengths, tags):
    emissions, starts, chain = lattice(lengths, tags, seed=tags)
    scores, held = twin(emissions, chain)
    told = crf_torch.posterior(scores, starts, held)
    entropies, best = crf_torch.entropy(scores, starts, held), crf_torch.through(scores, starts, held)
    path, score = crf_torch.viterbi(scores, starts, held)
    many, values = crf_torch.n_best(scores, starts, held, 3)
    for number in range(len(lengths)):
        rows = slice(starts[number], starts[number + 1])
        total, marginals, pairs, entropy, ranked = brute(emissions[rows], chain)
        assert float(told.log_partition[number]) == pytest.approx(total, abs=1e-10)
        assert float(entropies[number]) == pytest.approx(entropy, abs=1e-10)
        np.testing.assert_allclose(told.tags[rows], marginals, atol=1e-10)
        np.testing.assert_allclose(told.pairs[rows], pairs, atol=1e-10)
        np.testing.assert_allclose(best[rows].amax(dim=1), ranked[0][0], atol=1e-10)
        assert float(score[number]) == pytest.approx(ranked[0][0], abs=1e-10)
        assert tuple(path[rows].tolist()) == ranked[0][1]
        for rank in range(3):
            if rank < len(ranked):
                assert float(values[number, rank]) == pytest.approx(ranked[rank][0], abs=1e-10)
                assert tuple(many[rank, rows].tolist()) == ranked[rank][1]
            else:
                assert float(values[number, rank]) == -np.inf
                assert (many[rank, rows] == -1).all()


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("spread", [1.0, 100.0])
def test_twins_agree(held, spread):
    emissions, starts, chain = lattice([40, 1, 0, 300, 2], 4, spread=spread)
    scores, other = twin(emissions, chain)
    if held:
        chain, other = chain.held_to(*RULES), other.held_to(*RULES)
    told, found = crf.posterior(emissions, starts, chain, pairs=True), crf_torch.posterior(scores, starts, other)
    np.testing.assert_allclose(found.tags, told.tags, atol=1e-10)
    np.testing.assert_allclose(found.pairs, told.pairs, atol=1e-10)
    np.testing.assert_allclose(found.log_partition, told.log_partition, rtol=1e-12)
    np.testing.assert_allclose(crf_torch.log_partition(scores, starts, other), told.log_partition, rtol=1e-12)
    np.testing.assert_allclose(
        crf_torch.entropy(scores, starts, other), crf.entropy(emissions, starts, chain), atol=1e-8
    )
    np.testing.assert_allclose(
        crf_torch.through(scores, starts, other), crf.through(emissions, starts, chain), rtol=1e-12
    )
    for ours, theirs in zip(
        crf_torch.n_best(scores, starts, other, 5), crf.n_best(emissions, starts, chain, 5), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert (crf_torch.viterbi(scores, starts, other)[0].numpy() == crf.viterbi(emissions, starts, chain)[0]).all()


def ingredients(dtype=torch.float64):
    """Emissions (9, 4) of sentences of 3, 1, 0 and 5 tokens, and a chain, to be differentiated by."""
    emissions, _, chain = lattice([3, 1, 0, 5], 4, seed=3)
    parts = emissions, chain.transitions, chain.first, chain.last
    return [torch.tensor(part, dtype=dtype, requires_grad=True) for part in parts]


def test_the_gradient_is_that_of_autograd_through_time():
    parts, twins = ingredients(), ingredients()
    loss = crf_torch.loss(parts[0], STARTS, crf_torch.Chain(*parts[1:]), TAGS, weights=WEIGHTS)
    (3 * loss).backward()
    told = twins[0], STARTS, crf_torch.Chain(*twins[1:])
    each = crf_torch.log_partition(*told) - crf_torch.path_scores(*told, TAGS)
    other = torch.from_numpy(WEIGHTS) @ each
    (3 * other).backward()
    assert loss.item() == pytest.approx(other.item(), rel=1e-12)
    for mine, theirs in zip(parts, twins, strict=True):
        np.testing.assert_allclose(mine.grad, theirs.grad, atol=1e-10)


def test_the_gradient_is_that_of_differences():
    def total(*parts):
        return crf_torch.loss(parts[0], STARTS, crf_torch.Chain(*parts[1:]), TAGS, weights=WEIGHTS)

    assert torch.autograd.gradcheck(total, ingredients())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("held", [False, True])
def test_both_ways_to_loss_and_gradient_agree(dtype, tolerance, held):
    """What other devices take, here on the CPU, and the compiled one."""
    parts = [part.detach() for part in ingredients(dtype)]
    chain, tags = crf_torch.Chain(*parts[1:]), TAGS
    if held:
        following, ends = np.ones((4, 4), dtype=bool), np.ones(4, dtype=bool)
        following[0, 0], ends[3] = False, False
        chain, tags = chain.held_to(np.ones(4), following, ends), np.where(TAGS == 3, 2, TAGS)
    found, slopes = crf_torch.slope_batched(parts[0], STARTS, chain, tags, WEIGHTS)
    told, expected = crf_torch.slope_compiled(parts[0], STARTS, chain, tags, WEIGHTS)
    assert found.item() == pytest.approx(told.item(), rel=max(tolerance, 1e-6))
    for mine, theirs in zip(slopes, expected, strict=True):
        assert mine.dtype == theirs.dtype == dtype
        np.testing.assert_allclose(mine, theirs, atol=tolerance)


def test_what_is_impossible_is_said():
    parts = [part.detach() for part in ingredients()]
    scores, chain = parts[0], crf_torch.Chain(*parts[1:])
    nothing = chain.held_to(np.ones(4), np.zeros((4, 4)), np.ones(4))
    for ask in (crf_torch.posterior, crf_torch.viterbi, crf_torch.entropy):
        with pytest.raises(DataError, match="sentence 1"):
            ask(scores, STARTS, nothing)
    for slope in (crf_torch.slope_batched, crf_torch.slope_compiled):
        with pytest.raises(DataError, match="sentence 1"):
            slope(scores, STARTS, nothing, TAGS, WEIGHTS)
    assert crf_torch.log_partition(scores, STARTS, nothing).isinf().tolist() == [True, False, False, True]


def test_equal_scores_take_the_lower_tag():
    chain = crf_torch.Chain(torch.zeros(3, 3), torch.zeros(3), torch.zeros(3))
    paths, _ = crf_torch.n_best(torch.zeros(4, 3), np.array([0, 4]), chain, 3)
    told, _ = crf.n_best(np.zeros((4, 3)), np.array([0, 4]), crf.Chain(np.zeros((3, 3))), 3)
    assert paths.tolist() == told.tolist()
