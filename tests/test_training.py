from __future__ import annotations

import numpy as np
import pytest
import torch

from erya.errors import DivergedError
from erya.training import descend, pack, unpack


class Points:
    """A batch of points for a line to be laid through."""

    def __init__(self, inputs, targets):
        self.inputs, self.targets = inputs, targets
        self.token_count = len(inputs)


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.zeros(3))
        self.height = torch.nn.Parameter(torch.zeros(1))

    def loss(self, batch, generator=None):
        noise = 0 if generator is None else torch.randn(len(batch.inputs), generator=generator)
        return ((batch.inputs @ self.slope + self.height + noise - batch.targets) ** 2).mean()


def batches(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        inputs = torch.randn(7, 3, generator=generator)
        yield Points(inputs, inputs @ torch.tensor([1.0, -2.0, 3.0]) + 0.5)


def test_descends_to_the_line():
    line = Line()
    steps = list(descend(line, torch.optim.SGD(line.parameters(), 0.1), batches(200)))
    assert len(steps) == 200
    assert steps[0].loss > 1 > 1e-6 > steps[-1].loss
    assert all(step.tokens == 7 and step.seconds > 0 and step.norm >= 0 for step in steps)
    torch.testing.assert_close(line.slope.detach(), torch.tensor([1.0, -2.0, 3.0]), atol=1e-3, rtol=0)


def test_one_step_an_item():
    line = Line()
    walk = descend(line, torch.optim.SGD(line.parameters(), 0.1), batches(5))
    assert not line.slope.any()
    next(walk)
    after_one = line.slope.detach().clone()
    assert after_one.any()
    next(walk)
    assert not torch.equal(after_one, line.slope)


def test_a_long_gradient_is_shortened_and_its_length_told():
    line = Line()
    step = next(descend(line, torch.optim.SGD(line.parameters(), 1.0), batches(1), clip_norm=0.25))
    assert step.norm > 0.25
    moved = torch.cat([line.slope.detach(), line.height.detach()])
    assert float(moved.norm()) == pytest.approx(0.25, rel=1e-5)
    short, free = Line(), Line()
    next(descend(short, torch.optim.SGD(short.parameters(), 0.1), batches(1), clip_norm=1e6))
    next(descend(free, torch.optim.SGD(free.parameters(), 0.1), batches(1)))
    assert torch.equal(short.slope, free.slope)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_bad_number_stops_before_the_weights_change(bad):
    def some():
        yield from batches(3)
        yield Points(torch.full((7, 3), bad), torch.zeros(7))

    line = Line()
    optimizer = torch.optim.Adam(line.parameters(), 0.1)
    taken, before = 0, None
    with pytest.raises(DivergedError, match=r"step 14 .*step 13") as caught:  # noqa: PT012
        for _ in descend(line, optimizer, some(), steps_before=10):
            taken += 1
            before = pack(line, optimizer)
    assert caught.value.exit == 6
    assert taken == 3
    after = pack(line, optimizer)
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[name], before[name]) for name in before)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.SGD, torch.optim.Adagrad, torch.optim.RMSprop])
def test_what_is_packed_continues_with_the_same_bits(kind):
    def fresh():
        line = Line()
        return line, kind(line.parameters(), 0.05), torch.Generator().manual_seed(4)

    everything = list(batches(20, seed=2))
    line, optimizer, generator = fresh()
    whole = list(descend(line, optimizer, everything, generator=generator))
    first, first_optimizer, first_generator = fresh()
    list(descend(first, first_optimizer, everything[:9], generator=first_generator))
    arrays = pack(first, first_optimizer, first_generator)
    list(descend(first, first_optimizer, everything[9:12], generator=first_generator))  # a copy is not moved on
    second, second_optimizer, second_generator = fresh()
    unpack(arrays, second, second_optimizer, second_generator)
    rest = list(descend(second, second_optimizer, everything[9:], generator=second_generator))
    assert [step.loss for step in rest] == [step.loss for step in whole[9:]]
    assert torch.equal(second.slope, line.slope)


def test_a_checkpoint_of_another_network_is_refused():
    line = Line()
    optimizer = torch.optim.Adam(line.parameters(), 0.1)
    list(descend(line, optimizer, batches(1)))
    arrays = pack(line, optimizer)
    with pytest.raises(ValueError, match="slope"):
        unpack({**arrays, "network.slope": np.zeros(4, dtype=np.float32)}, line, optimizer)
    with pytest.raises(ValueError, match="slope"):
        unpack({**arrays, "network.slope": np.zeros(3)}, line, optimizer)
    del arrays["network.height"]
    with pytest.raises(KeyError):
        unpack(arrays, line, optimizer)
