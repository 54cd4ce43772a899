"""The loop of trainings whose steps are kernels: block by block, and between two blocks all that a caller may want.

``for block in train_blocks(run, report): …`` trains on one block an item, as ``erya.training.descend`` takes one gradient step:
what a room does besides after a block are ordinary lines of the caller. Progress, curve, checkpoints, Ctrl-C, a spent budget and
divergence are seen to here; what a block is, the room alone knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from erya.errors import DivergedError, Interrupted
from erya.language import say
from erya.progress import Report
from erya.state import State


@dataclass(frozen=True, slots=True)
class Block:
    """A block that was trained on.

    Attributes:
        epoch: which epoch it belongs to, from 1.
        units: of the data, words or entries, that it went over: speed is told in these.
        sound: False: a step would have been beyond all sense; it was not taken.
    """

    epoch: int
    units: float
    sound: bool = True


class Plan(Protocol):
    """What the loop wants to know of the settings."""

    @property
    def epochs(self) -> int:
        """Passes over the data."""

    @property
    def learning_rate(self) -> float:
        """Of the first step."""


class BlockRun(Protocol):
    """A training that stands between two blocks."""

    @property
    def plan(self) -> Plan:
        """The settings."""

    def block(self) -> Block:
        """Train on the next block."""

    def done_share(self) -> float:
        """How much of the whole training is done; 1: all."""

    def inside_epoch(self) -> bool:
        """Whether an epoch has begun and not ended."""

    def mean_loss(self) -> float | None:
        """Of this epoch so far, or of the last one."""

    def close_epoch(self, report: Report) -> None:
        """Write the row of the curve."""

    def state(self) -> State:
        """Everything that the next block needs, besides the data and the settings."""


def train_blocks(run: BlockRun, report: Report) -> Iterator[Block]:
    """Train to the end, from wherever ``run`` stands, or until a budget is spent; yields after each block.

    Raises:
        DivergedError: a step was beyond all sense; the parameters are those of the last good step.
        Interrupted: the report asked to stop; a checkpoint was saved.
    """
    while run.done_share() < 1:
        began = perf_counter()
        block = run.block()
        if not block.sound:
            raise diverged(block.epoch, run.plan.learning_rate)
        yield block
        if not run.inside_epoch():
            run.close_epoch(report)
        report.progress(
            epoch=block.epoch,
            epochs=run.plan.epochs,
            done=run.done_share(),
            loss=run.mean_loss(),
            tokens_per_second=block.units / max(perf_counter() - began, 1e-6),
        )
        wish = report.stopping()
        if wish == "interrupt":
            report.save_checkpoint(run.state())
            raise Interrupted("interrupted", say("stopped; the state is saved", "已停止；当前状态已保存"))
        if wish == "budget" and run.done_share() < 1:
            if run.inside_epoch():
                run.close_epoch(report)
            return
        if report.checkpoint_due():
            report.save_checkpoint(run.state())


def diverged(epoch: int, rate: float) -> DivergedError:
    """What is said of a training that went beyond all sense."""
    return DivergedError(
        "diverged",
        say(
            f"training diverged in epoch {epoch} (learning_rate={rate:g}); the model is that of the last good step",
            f"训练在第 {epoch} 轮发散（learning_rate={rate:g}）；模型停在最后一个正常的步骤",
        ),
        help=f"--set learning_rate={rate / 10:g}",
    )
