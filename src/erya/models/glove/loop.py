"""GloVe's training loop: epochs cut into rounds of tiles, so that progress, Ctrl-C, checkpoints and divergence are seen to
between them. Everything that the next round needs, besides the counts, lies in arrays and plain numbers (``Run.state``).

The mathematics is in ``kernels.py``; text stays in ``estimator.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import announce
from erya.models.glove import kernels
from erya.models.glove.tiles import entries_of
from erya.parts.block_runs import Block, train_blocks
from erya.parts.counting_store import Cooccurrences
from erya.parts.lockstep import ABORT, run_together
from erya.parts.pace import Pace
from erya.parts.simd import aligned, padded
from erya.progress import Report, quiet
from erya.state import State

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: settings that are checked and resolved."""

    dim: int
    epochs: int
    learning_rate: float
    x_max: float
    alpha: float
    clip: float
    seed: int
    deterministic: bool
    threads: int


class Run:
    """One training, from its first round to its last.

    Args:
        store: X, for V words.
        plan: the settings.
        digest: of the corpus: a checkpoint of another one is refused.
        report: asked whether to stop while the entries are laid out.
    """

    def __init__(self, store: Cooccurrences, plan: Plan, digest: str = "", report: Report = quiet) -> None:
        self.plan, self.digest = plan, digest
        self.entries, self.groups, self.size = entries_of(
            store, x_max=plan.x_max, alpha=plan.alpha, seed=plan.seed, threads=plan.threads, report=report
        )
        self.epoch, self.round = 0, 0
        self.losses = np.zeros((self.groups, self.groups))  # of this epoch's tiles so far
        self.curve: list[dict[str, Any]] = []
        self.pace = Pace(1, max(1, min(plan.threads, self.groups)), plan.deterministic)
        self.parameters = first_parameters(len(store), plan)

    @property
    def words(self) -> Floats:
        """(V, D) the words' vectors."""
        return self.parameters.words[:, : self.plan.dim]

    @property
    def contexts(self) -> Floats:
        """(V, D) the contexts' vectors."""
        return self.parameters.contexts[:, : self.plan.dim]

    # ---- some rounds ------------------------------------------------------------------------------------------

    def rounds(self) -> bool:
        """Train on the next rounds of this epoch. False: a step would not have been finite."""
        first, last = self.round, min(self.groups, self.round + self.pace.amount)
        threads, started, before = self.pace.next_threads(), perf_counter(), self._seen()
        sound = self._steps(first, last, threads)
        self.round = last
        self.pace.measured(last - first, self._seen() - before, threads, perf_counter() - started)
        return sound

    def _steps(self, first: int, last: int, threads: int) -> bool:
        plan = self.plan
        settings = kernels.Settings(self.groups, self.size, self.epoch, float(plan.clip))
        train = kernels.train_in_step if plan.deterministic else kernels.train_lock_free
        tickets = np.zeros(self.groups + 1, dtype=np.int64)
        controls = []

        def work(thread: int, control: NDArray[np.int64]) -> None:
            if thread == 0:
                controls.append(control)
            train(self.entries, self.parameters, settings, self.losses, tickets, first, last, control, thread, threads)

        run_together(work, threads)
        return not any(control[ABORT] for control in controls)

    # ---- the whole --------------------------------------------------------------------------------------------

    def finish(self, report: Report) -> None:
        """Train to the end, from wherever this run stands.

        Raises:
            DivergedError: a step was not finite; the parameters are those of the last good step.
            Interrupted: the report asked to stop; a checkpoint was saved.
        """
        announce(report, [kernels.train_in_step if self.plan.deterministic else kernels.train_lock_free])
        self._steps(0, 0, 1)
        for _ in train_blocks(self, report):
            pass

    def block(self) -> Block:
        """Train on the next rounds of this epoch."""
        before, number = self.round, self.epoch + 1
        sound = self.rounds()
        return Block(number, len(self.entries.columns) * (self.round - before) / self.groups, sound)

    def done_share(self) -> float:
        """How much of the whole training is done."""
        return (self.epoch * self.groups + self.round) / (self.plan.epochs * self.groups)

    def inside_epoch(self) -> bool:
        """Whether an epoch has begun and not ended."""
        return 0 < self.round < self.groups

    def mean_loss(self) -> float | None:
        """Of the last epoch: an epoch's is known when it ends."""
        return self.curve[-1]["loss"] if self.curve else None

    def close_epoch(self, report: Report) -> None:
        """Write the curve's row, go on to the next epoch. The tiles' losses are added in one fixed order."""
        row: dict[str, Any] = {"epoch": self.epoch + 1, "loss": float(self.losses.sum() / max(1, self._seen()))}
        if self.round < self.groups:
            row["entries"] = self._seen()
        self.curve.append(row)
        report.record(dict(row))
        self.epoch, self.round = self.epoch + 1, 0
        self.losses[:] = 0

    def _seen(self) -> int:
        """Entries of this epoch that have been trained on."""
        tiles = np.arange(self.groups)
        lengths = np.diff(self.entries.starts[:: self.size]).reshape(self.groups, self.groups)
        return sum(int(lengths[tiles, (tiles + turn + self.epoch) % self.groups].sum()) for turn in range(self.round))

    # ---- checkpoints ------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Everything that the next round needs, besides the counts and the settings."""
        return State(
            {
                "words": self.parameters.words.copy(),
                "contexts": self.parameters.contexts.copy(),
                "losses": self.losses.copy(),
            },
            {
                "epoch": self.epoch,
                "round": self.round,
                "digest": self.digest,
                "curve": [dict(row) for row in self.curve],
            },
        )

    def resume(self, state: State) -> None:
        """Go on where ``state`` was saved. Raises ValueError where it does not fit this data and these settings."""
        if state.data["digest"] != self.digest:
            raise ValueError("the checkpoint was made from another corpus")
        mine: dict[str, NDArray[Any]] = {
            "words": self.parameters.words,
            "contexts": self.parameters.contexts,
            "losses": self.losses,
        }
        for name, array in mine.items():
            saved = state.arrays[name]
            if saved.shape != array.shape or saved.dtype != array.dtype or not np.isfinite(saved).all():
                raise ValueError(f"the checkpoint's {name} does not fit the data")
            array[...] = saved
        self.epoch, self.round = int(state.data["epoch"]), int(state.data["round"])
        if not (0 <= self.epoch <= self.plan.epochs and 0 <= self.round < self.groups):
            raise ValueError("the checkpoint stands outside the training")
        self.curve = [dict(row) for row in state.data["curve"]]


def first_parameters(words: int, plan: Plan) -> kernels.Parameters:
    """Small random vectors and biases, as in the original: uniform, of width 1/D. Laid out as ``kernels.py`` says."""
    dim, width = plan.dim, padded(plan.dim + 2)
    generator = np.random.default_rng([plan.seed, 0])
    found = []
    for bias, one in ((dim, dim + 1), (dim + 1, dim)):
        rows = aligned(words, 2 * width)
        rows[:, :dim] = (generator.random((words, dim), dtype=np.float32) - 0.5) / dim
        rows[:, bias] = (generator.random(words, dtype=np.float32) - 0.5) / dim
        rows[:, one] = 1
        rows[:, width:] = kernels.FIXED
        rows[:, width : width + dim] = 1 / plan.learning_rate**2
        rows[:, width + bias] = 1
        found.append(rows)
    return kernels.Parameters(*found)
