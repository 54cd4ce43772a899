"""The course of the learning rate: ends, rise, and what the optimizer is really given."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erya.parts.epochs import Plan, learn
from erya.parts.falling_rate import SCHEDULES, share_of_rate
from erya.parts.token_batches import Corpus
from erya.progress import quiet


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_rises_and_falls_without_a_jump(schedule, warmup):
    course = [share_of_rate(schedule, warmup, done) for done in np.linspace(0, 1, 1001)]
    assert max(course) == 1
    assert min(course) >= 0
    steps = np.abs(np.diff(course))
    assert steps.max() <= max(0.0041 if warmup else 0.0, 0.0022)
    assert course[0] == (0 if warmup else 1)
    assert course[-1] == pytest.approx(1 if schedule == "constant" else 0)
    top = course.index(1)
    assert all(np.diff(course[:top]) > 0)
    assert all(np.diff(course[top:]) <= 0)


def test_halfway():
    assert share_of_rate("linear", 0.2, 0.6) == pytest.approx(0.5)
    assert share_of_rate("cosine", 0.2, 0.6) == pytest.approx(0.5)
    assert share_of_rate("cosine", 0.0, 0.25) == pytest.approx((2 + 2**0.5) / 4)
    assert share_of_rate("linear", 0.2, 0.1) == pytest.approx(0.5)


def test_it_may_end_above_nothing():
    assert share_of_rate("linear", 0.2, 1.0, 0.1) == pytest.approx(0.1)
    assert share_of_rate("cosine", 0.2, 0.6, 0.1) == pytest.approx(0.55)
    assert share_of_rate("cosine", 0.2, 0.1, 0.1) == pytest.approx(0.5)
    assert share_of_rate("constant", 0.2, 1.0, 0.1) == 1


class Slope(torch.nn.Module):
    """A network whose loss falls by as much as its one weight rises: what it moves in a step is the rate."""

    optimizer = "adadelta"

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))
        self.seen = []

    def loss(self, batch, generator=None):
        self.seen.append(self.weight.detach().clone())
        return -self.weight.sum()

    def forward(self, batch):
        raise NotImplementedError


def test_every_step_takes_the_rate_of_its_place():
    corpus = Corpus([[1]] * 8, 2, np.zeros(8, dtype=np.int64), np.ones(8))
    moved = {}
    for schedule in ("constant", "linear"):
        network = Slope()
        plan = Plan(1, 2, 2, 1.0, 0.0, None, None, 0, schedule)
        learn(network, corpus, None, plan, quiet)
        found = torch.stack([*network.seen, network.weight.detach()])[:, 0]
        moved[schedule] = np.diff(found.numpy())
    # eight steps of Adadelta on the same gradients: what differs is the rate alone
    np.testing.assert_allclose(moved["linear"], moved["constant"] * (1 - np.arange(8) / 8), rtol=1e-4)
