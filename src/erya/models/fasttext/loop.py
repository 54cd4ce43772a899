"""The training loop of fastText: epochs cut into short blocks, so that progress, Ctrl-C, checkpoints and divergence are seen to
between blocks. Everything that the next block needs lies in arrays and plain numbers (``Run.state``).

The mathematics is in ``kernels.py``; text and labels stay in ``estimator.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DivergedError, Interrupted
from erya.kernel_cache import announce
from erya.language import say
from erya.models.fasttext import kernels
from erya.models.fasttext.features import Encoded
from erya.parts.lockstep import run_together
from erya.parts.pace import Pace
from erya.parts.simd import CACHE_LINE, aligned
from erya.progress import Report
from erya.state import Arrays, State

FIRST_BLOCK_ROWS = 20_000  # before the speed is known

Floats = NDArray[np.float32]
Validate = Callable[[Floats, Floats], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: settings that are checked and resolved."""

    dim: int
    epochs: int
    learning_rate: float
    batch_size: int
    seed: int
    deterministic: bool
    patience: int | None
    threads: int


class Run:
    """One training, from its first block to its last.

    Args:
        documents: N encoded documents.
        targets: (N,) class numbers.
        weights: (N,) a mean of 1.
        rows: R, the number of input rows.
        classes: C.
        plan: the settings.
    """

    def __init__(
        self,
        documents: Encoded,
        targets: NDArray[np.int64],
        weights: Floats,
        rows: int,
        classes: int,
        plan: Plan,
    ) -> None:
        self.documents, self.targets, self.weights, self.plan = documents, targets, weights, plan
        self.epoch, self.position = 0, 0
        self.totals = np.zeros(2)  # weighted loss and weight of this epoch so far
        self.curve: list[dict[str, Any]] = []
        self.best: tuple[Floats, Floats] | None = None
        self.best_epoch = 0
        self.broken = False

        width = -(-plan.dim // CACHE_LINE) * CACHE_LINE
        self.parameters = kernels.Parameters(aligned(rows, width), aligned(classes, width))
        # like the original: small random rows below, zeros above, so that the first answer is a shrug
        generator = np.random.default_rng([plan.seed, 0])
        self.input[:] = (2 * generator.random((rows, plan.dim), dtype=np.float32) - 1) / plan.dim
        slots = max(plan.batch_size, plan.threads)
        longest = int(np.diff(documents.starts).max(initial=0))
        self.scratch = kernels.Scratch(
            aligned(slots, width),
            np.zeros((slots, classes), dtype=np.float32),
            aligned(slots, width),
            np.zeros(slots),
            np.zeros((plan.threads, longest + 1), dtype=np.int32),
        )
        rows_each = max(1, len(documents.rows) // max(1, len(targets)))
        self.pace = Pace(max(1, FIRST_BLOCK_ROWS // rows_each), plan.threads, plan.deterministic)
        self.order = self._order()

    @property
    def input(self) -> Floats:
        """(R, D) what is learned for each feature, without the padding."""
        return self.parameters.input[:, : self.plan.dim]

    @property
    def output(self) -> Floats:
        """(C, D) what is learned for each class."""
        return self.parameters.output[:, : self.plan.dim]

    def _order(self) -> NDArray[np.int64]:
        """This epoch's order: a function of seed and epoch, so that a resumed training needs no random state."""
        return np.random.default_rng([self.plan.seed, 1 + self.epoch]).permutation(len(self.targets))

    # ---- a block ----------------------------------------------------------------------------------------------

    def block(self) -> None:
        """Train on the next documents of this epoch; sets ``broken`` where a step would not have been finite."""
        plan, first = self.plan, self.position
        threads = self.pace.next_threads()
        wanted = -(-self.pace.amount // plan.batch_size) * plan.batch_size  # a block ends where a batch ends
        last = min(len(self.targets), first + wanted)
        started = perf_counter()
        reached = self._steps(first, last, threads)
        self.pace.measured(last - first, last - first, threads, perf_counter() - started)
        self.broken, self.position = reached < last, reached

    def _steps(self, first: int, last: int, threads: int) -> int:
        corpus = kernels.Corpus(self.documents.rows, self.documents.starts, self.targets, self.weights, self.order)
        schedule = kernels.Schedule(self.epoch, self.plan.epochs, float(self.plan.learning_rate))
        if self.plan.deterministic:
            step, totals = kernels.train_in_step, np.tile(self.totals, (threads, 1))  # thread 0 keeps the sums
        else:
            step, totals = kernels.train_lock_free, np.zeros((threads, CACHE_LINE))
        reached = [first] * threads

        def work(thread: int, control: NDArray[np.int64]) -> None:
            reached[thread] = step(
                corpus, self.parameters, self.scratch, schedule, totals[thread], first, last, control, thread, threads
            )

        run_together(work, threads)
        self.totals = totals[0].copy() if self.plan.deterministic else self.totals + totals[:, :2].sum(axis=0)
        return min(reached)

    def warm_up(self, report: Report) -> None:
        """Compile the kernel, or fetch it from the cache, by training on nothing."""
        announce(report, [kernels.train_in_step if self.plan.deterministic else kernels.train_lock_free])
        self._steps(0, 0, 1)

    # ---- the whole --------------------------------------------------------------------------------------------

    def finish(self, report: Report, validate: Validate | None) -> None:
        """Train to the end, from wherever this run stands.

        Raises:
            DivergedError: a loss or step was not finite; the parameters are those of the last good step.
            Interrupted: the report asked to stop; a checkpoint was saved.
        """
        self.warm_up(report)
        while self.epoch < self.plan.epochs:
            before, started = self.position, perf_counter()
            self.block()
            if self.broken:
                raise self._diverged()
            seconds = max(perf_counter() - started, 1e-6)
            rows = self.documents.starts[-1] / max(1, len(self.targets)) * (self.position - before)
            number = self.epoch + 1
            if self.position == len(self.targets):
                self._close_epoch(report, validate)
            report.progress(
                epoch=number,
                epochs=self.plan.epochs,
                done=(self.epoch * len(self.targets) + self.position) / (self.plan.epochs * len(self.targets)),
                loss=self._mean_loss(),
                tokens_per_second=float(rows / seconds),
                score=self.curve[-1].get("validation_accuracy") if self.curve else None,
            )
            wish = report.stopping()
            if wish == "interrupt":
                report.save_checkpoint(self.state())
                raise Interrupted("interrupted", say("stopped; the state is saved", "已停止；当前状态已保存"))
            if wish == "budget" and self.epoch < self.plan.epochs:
                self._end_early(report, validate)
            elif report.checkpoint_due():
                report.save_checkpoint(self.state())
        if self.best is not None:
            self.input[:], self.output[:] = self.best

    def _mean_loss(self) -> float | None:
        if self.totals[1] > 0:
            return float(self.totals[0] / self.totals[1])
        return self.curve[-1]["loss"] if self.curve else None

    def _close_epoch(self, report: Report, validate: Validate | None) -> None:
        """Write the curve's row, keep the best parameters, go on to the next epoch – or to the end."""
        self._record(report, validate)
        self.epoch, self.position, self.totals = self.epoch + 1, 0, np.zeros(2)
        if self.plan.patience is not None and validate is not None:
            standing = [(row["validation_accuracy"], -row["validation_loss"]) for row in self.curve]
            if standing[-1] > max(standing[:-1], default=(-1.0, 0.0)):
                self.best, self.best_epoch = (self.input.copy(), self.output.copy()), self.epoch
            if self.epoch - self.best_epoch >= self.plan.patience:
                self.epoch = self.plan.epochs
        if self.epoch < self.plan.epochs:
            self.order = self._order()

    def _record(self, report: Report, validate: Validate | None) -> None:
        row: dict[str, Any] = {"epoch": self.epoch + 1, "loss": self._mean_loss()}
        if self.position < len(self.targets):
            row["documents"] = self.position  # of this epoch: where the budget ended it
        if validate is not None:
            row.update(validate(self.input, self.output))
        self.curve.append(row)
        report.record(dict(row))

    def _end_early(self, report: Report, validate: Validate | None) -> None:
        """The budget is spent: what is learned so far is the result."""
        if self.position:
            self._record(report, validate)
        self.best, self.epoch = None, self.plan.epochs

    def _diverged(self) -> DivergedError:
        rate = self.plan.learning_rate
        return DivergedError(
            "diverged",
            say(
                f"training diverged in epoch {self.epoch + 1} after {self.position} documents "
                f"(learning_rate={rate:g}); the model is that of the last good step",
                f"训练发散：第 {self.epoch + 1} 轮，第 {self.position} 篇文档之后"
                f"（learning_rate={rate:g}）；模型停在最后一个正常的步骤",
            ),
            help=f"--set learning_rate={rate / 10:g}",
        )

    # ---- checkpoints ------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Everything that the next block needs, besides the data and the settings."""
        arrays: Arrays = {"input": self.input.copy(), "output": self.output.copy(), "totals": self.totals.copy()}
        if self.best is not None:
            arrays |= {"best_input": self.best[0], "best_output": self.best[1]}
        data = {
            "epoch": self.epoch,
            "position": self.position,
            "best_epoch": self.best_epoch,
            "curve": [dict(row) for row in self.curve],
        }
        return State(arrays, data)

    def resume(self, state: State) -> None:
        """Go on where ``state`` was saved. Raises ValueError where it does not fit this data and these settings."""
        for name, mine in (("input", self.input), ("output", self.output), ("totals", self.totals)):
            if state.arrays[name].shape != mine.shape or state.arrays[name].dtype != mine.dtype:
                raise ValueError(f"the checkpoint's {name} does not fit the data")
            mine[...] = state.arrays[name]
        if "best_input" in state.arrays:
            self.best = np.array(state.arrays["best_input"]), np.array(state.arrays["best_output"])
        self.epoch, self.position = int(state.data["epoch"]), int(state.data["position"])
        if not (0 <= self.epoch <= self.plan.epochs and 0 <= self.position <= len(self.targets)):
            raise ValueError("the checkpoint stands outside the training")
        self.best_epoch = int(state.data["best_epoch"])
        self.curve = [dict(row) for row in state.data["curve"]]
        self.order = self._order()
