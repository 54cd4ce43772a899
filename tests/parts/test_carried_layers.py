from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional

from erya.models.rnn.network import ElmanCell
from erya.parts.carried_layers import carry_on, zeros
from erya.parts.gru_cell import GRUCell
from erya.parts.lstm_cell import LSTMCell
from erya.parts.lstm_fused import carry_on as fused
from erya.parts.softmax_loss import BLOCK, CHUNK, SoftmaxLoss, log_probabilities

CELLS = [ElmanCell(), GRUCell(), LSTMCell()]
each_cell = pytest.mark.parametrize("cell", CELLS, ids=["rnn", "gru", "lstm"])


def weights(cell, dim=3, width=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(dim, 1, cell.blocks * width), (1, width, cell.blocks * width), (1, cell.blocks * width)]
    return [torch.randn(shape, generator=generator, dtype=torch.double).mul_(0.5).requires_grad_() for shape in shapes]


def states(cell, rows, width=5):
    return tuple(values.double() for values in zeros(cell, rows, width))


@each_cell
def test_the_gradient_is_the_slope(cell):
    given = weights(cell)
    inputs = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    places = torch.tensor([[0, 1], [2, 2], [3, 0], [1, 1], [0, 3]])
    resets = torch.zeros(5, 2, dtype=torch.bool)
    resets[0, 0] = resets[3, 1] = True
    before = tuple(torch.randn(1, 2, 5, dtype=torch.double) for _ in range(cell.states))

    def hidden(inputs, *given):
        return carry_on(cell, inputs, places, given, before, resets=resets)[0]

    assert torch.autograd.gradcheck(hidden, (inputs, *given))


@each_cell
def test_in_pieces_it_says_what_it_says_at_once_and_a_reset_forgets(cell):
    given, inputs = weights(cell), torch.randn(6, 3, dtype=torch.double)
    places = torch.randint(6, (9, 2), generator=torch.Generator().manual_seed(1))
    whole, last = carry_on(cell, inputs, places, given, states(cell, 2))
    found, carried = [], states(cell, 2)
    for piece in places.split(4):
        hidden, carried = carry_on(cell, inputs, piece, given, carried)
        assert not any(state.requires_grad for state in carried)
        found.append(hidden)
    torch.testing.assert_close(torch.cat(found), whole)
    torch.testing.assert_close(carried, last)
    resets = torch.zeros(9, 2, dtype=torch.bool)
    resets[5, 0] = True
    anew, _ = carry_on(cell, inputs, places, given, states(cell, 2), resets=resets)
    alone, _ = carry_on(cell, inputs, places[5:, :1], given, states(cell, 1))
    torch.testing.assert_close(anew[5:, :1], alone)
    torch.testing.assert_close(anew[:, 1], whole[:, 1])


@each_cell
def test_random_truncation_keeps_the_expectation_and_regular_truncation_does_not(cell):
    """Every way to cut a chain of 6 steps, each with its probability (Tallec & Ollivier 2017, proposition 1)."""
    steps, cut = 6, 1 / 3
    given, inputs = weights(cell), torch.randn(steps, 3, dtype=torch.double)
    places = torch.arange(steps)[:, None]
    target = torch.randn(steps, 1, 5, dtype=torch.double)

    def gradient(pieces, lift):
        carried, loss = states(cell, 1), torch.zeros((), dtype=torch.double)
        for start, end in pieces:
            hidden, carried = carry_on(cell, inputs, places[start:end], given, carried, lift=lift)
            loss = loss + ((hidden - target[start:end]) ** 2).sum()
        return torch.autograd.grad(loss, given[1])[0]

    full = gradient([(0, steps)], 1.0)
    mean = torch.zeros_like(full)
    for cuts in itertools.product([False, True], repeat=steps - 1):
        edges = [0, *(place + 1 for place, is_cut in enumerate(cuts) if is_cut), steps]
        probability = cut ** sum(cuts) * (1 - cut) ** (len(cuts) - sum(cuts))
        mean += probability * gradient(itertools.pairwise(edges), 1 / (1 - cut))
    torch.testing.assert_close(mean, full, rtol=1e-10, atol=1e-12)
    regular = gradient([(0, 3), (3, 6)], 1.0)
    assert (regular - full).norm() > 0.01 * full.norm()


@pytest.mark.parametrize("kind", [torch.double, torch.float])
def test_the_kernel_of_torch_takes_the_same_steps(kind):
    given = [value.detach().to(kind) for value in weights(LSTMCell())]
    inputs = torch.randn(7, 2, 3, dtype=kind, generator=torch.Generator().manual_seed(1))
    before = tuple(torch.randn(1, 2, 5, dtype=kind, generator=torch.Generator().manual_seed(2)) for _ in range(2))
    found = []
    for read in (
        lambda *all: carry_on(LSTMCell(), all[0], None, all[1:], before),
        lambda *all: fused(all[0], all[1:], before),
    ):
        own = [value.clone().requires_grad_() for value in (inputs, *given)]
        hidden, last = read(*own)
        assert not any(state.requires_grad for state in last)
        (hidden * torch.arange(5)).sum().backward()
        found.append([hidden, *last, *(value.grad for value in own)])
    torch.testing.assert_close(found[0], found[1])


def test_the_loss_is_cross_entropy_in_blocks_too(monkeypatch):
    generator = torch.Generator().manual_seed(2)
    given = [torch.randn(shape, generator=generator, dtype=torch.double) for shape in ((7, 3), (11, 3), (11,))]
    targets = torch.tensor([0, 10, 3, 3, 5, 9, 1])
    ours, theirs = ([value.clone().requires_grad_() for value in given] for _ in range(2))
    expected = functional.cross_entropy(theirs[0] @ theirs[1].T + theirs[2], targets, reduction="sum")
    (3 * expected).backward()
    for block, chunk in ((BLOCK, CHUNK), (30, CHUNK), (30, 50)):
        monkeypatch.setattr("erya.parts.softmax_loss.BLOCK", block)
        monkeypatch.setattr("erya.parts.softmax_loss.CHUNK", chunk)
        for value in ours:
            value.grad = None
        loss = SoftmaxLoss.apply(*ours, targets)
        (3 * loss).backward()
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close([value.grad for value in ours], [value.grad for value in theirs])
        torch.testing.assert_close(log_probabilities(*given, targets).sum(), -expected.detach())


def test_an_impossible_target_has_a_finite_loss():
    states = torch.tensor([[200.0]], requires_grad=True)
    loss = SoftmaxLoss.apply(states, torch.tensor([[1.0], [0.0]]), torch.zeros(2), torch.tensor([1]))
    assert float(loss.detach()) == pytest.approx(200)


@pytest.mark.parametrize("cell", [GRUCell(), LSTMCell()], ids=["gru", "lstm"])
@pytest.mark.parametrize("readers", [1, 2])
def test_the_kernels_of_a_cell_are_its_equations(cell, readers):
    """Float32 goes through the kernels, double does not."""
    rows, width = 3, 21  # no multiple of what a processor does at once
    shape = (readers, rows, width)
    generator = torch.Generator().manual_seed(3)
    sums, said = (torch.randn(*shape[:2], cell.blocks * width, generator=generator) * 3 for _ in range(2))
    before = tuple(torch.randn(shape, generator=generator) for _ in range(cell.states))
    d_after = tuple(torch.randn(shape, generator=generator) for _ in range(cell.states))
    found = []
    for kind in (torch.float, torch.double):
        kept: list[torch.Tensor] = []
        by_sums = torch.empty_like(sums, dtype=kind)
        after = cell.step(sums.to(kind, copy=True), said.to(kind), tuple(state.to(kind) for state in before), kept)
        by_said, direct = cell.back(tuple(state.to(kind) for state in d_after), kept, by_sums)
        found.append([*after, by_sums, by_said, *(values for values in direct if values is not None)])
    for fast, exact in zip(*found, strict=True):
        torch.testing.assert_close(fast.double(), exact, atol=2e-6, rtol=1e-5)


def test_the_kernels_pass_on_what_is_not_a_number():
    sums, state = torch.zeros(1, 2, 20), torch.zeros(1, 2, 5)
    sums[0, 1, 3] = torch.nan
    h, c = LSTMCell().step(sums, torch.zeros_like(sums), (state, state), None)
    assert c[0, 1, 3].isnan()
    assert h.isnan().flatten().nonzero().tolist() == [[8]]
