"""The loop of blocks: progress, curve, stopping, checkpoints and divergence, on a training that only counts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from erya.errors import DivergedError, Interrupted
from erya.parts.block_runs import Block, train_blocks
from erya.progress import Report
from erya.state import State


@dataclass
class Plan:
    epochs: int = 3
    learning_rate: float = 0.5


class Counting:
    """Three epochs of four blocks; ``breaks_at`` names the block that goes wrong."""

    def __init__(self, breaks_at=None, done=0):
        self.plan, self.done, self.breaks_at, self.rows = Plan(), done, breaks_at, []

    def block(self):
        epoch = self.done // 4 + 1
        if self.done == self.breaks_at:
            return Block(epoch, 10, sound=False)
        self.done += 1
        return Block(epoch, 10)

    def done_share(self):
        return self.done / 12

    def inside_epoch(self):
        return self.done % 4 != 0

    def mean_loss(self):
        return 1 / (1 + len(self.rows))

    def close_epoch(self, report):
        self.rows.append(self.done)

    def state(self):
        return State({}, {"done": self.done})


class Listening(Report):
    def __init__(self, wish=None, after=None, due=()):
        self.wish, self.after, self.due, self.told, self.saved = wish, after, due, [], []

    def progress(self, **figures):
        self.told.append(figures)

    def stopping(self):
        return self.wish if len(self.told) == self.after else None

    def checkpoint_due(self):
        return len(self.told) in self.due

    def save_checkpoint(self, state):
        self.saved.append(state.data["done"])


def test_every_block_is_told_and_every_epoch_closed_once():
    run, report = Counting(), Listening(due=(2, 7))
    assert [block.epoch for block in train_blocks(run, report)] == [1] * 4 + [2] * 4 + [3] * 4
    assert run.rows == [4, 8, 12]
    assert [one["epoch"] for one in report.told] == [1] * 4 + [2] * 4 + [3] * 4
    assert [one["done"] for one in report.told] == [number / 12 for number in range(1, 13)]
    assert all(one["tokens_per_second"] > 0 for one in report.told)
    assert report.saved == [2, 7]


def test_it_goes_on_where_it_stood():
    run = Counting(done=6)
    assert len(list(train_blocks(run, Listening()))) == 6
    assert run.rows == [8, 12]
    assert not list(train_blocks(run, Listening()))


@pytest.mark.parametrize(("after", "rows"), [(6, [4, 6]), (8, [4, 8]), (12, [4, 8, 12])])
def test_a_spent_budget_closes_the_epoch_and_ends(after, rows):
    run, report = Counting(), Listening("budget", after)
    assert len(list(train_blocks(run, report))) == after
    assert run.rows == rows


def test_an_interrupt_saves_what_stands():
    run, report = Counting(), Listening("interrupt", 5)
    with pytest.raises(Interrupted):
        list(train_blocks(run, report))
    assert report.saved == [5]
    assert run.done == 5
    assert run.rows == [4]


def test_divergence_names_the_epoch_and_a_lower_rate():
    run, report = Counting(breaks_at=5), Listening(due=range(100))
    with pytest.raises(DivergedError, match="epoch 2") as caught:
        list(train_blocks(run, report))
    assert "learning_rate=0.05" in str(caught.value.help)
    assert report.saved == [1, 2, 3, 4, 5]  # the last good state


def test_what_a_caller_does_after_a_block_is_in_its_checkpoint():
    run, report, seen = Counting(), Listening(due=(3,)), []
    for _ in train_blocks(run, report):
        seen.append((run.done, len(report.saved), len(report.told)))
    assert seen[2] == (3, 0, 2)
    assert seen[3] == (4, 1, 3)
