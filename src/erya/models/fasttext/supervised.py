"""Supervised training on encoded lines: epochs cut into short blocks, so that progress, Ctrl-C, checkpoints and divergence are seen
to between blocks. What the next block needs lies in the parameters and a few numbers (``Run.state``).

The mathematics is in ``loss_kernels.py``, the threads in ``train_kernels.py``. Text stays in ``dictionary.py``.

A learning rate that is too high does not end a training: where a step would have been beyond all sense, the rate is halved, the last
checkpoint is restored (without one, the beginning) and training goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, DivergedError, Interrupted, UsageError
from erya.kernel_cache import announce
from erya.language import say
from erya.models.fasttext import loss_kernels as losses
from erya.models.fasttext import train_kernels as kernels
from erya.models.fasttext.line_collection import LARGE, Block, file_of, read_block
from erya.models.fasttext.tree_kernels import LabelPaths, label_paths, label_tree
from erya.parts.chance import AliasTable, alias_table
from erya.parts.lockstep import run_together
from erya.parts.pace import Pace
from erya.parts.simd import LANES, aligned, padded
from erya.progress import Report, quiet
from erya.state import Arrays, State

LOSSES = {
    "hs": losses.HIERARCHICAL,
    "ns": losses.NEGATIVE,
    "softmax": losses.SOFTMAX,
    "ova": losses.ONE_VS_ALL,
}
SMOOTHING = 0.5  # noise labels are drawn as often as count^0.5
LARGEST_BATCH = 8  # lines; with 16, one-vs-all learns worse
BATCH_SCORES = 1 << 22  # of a batch, which many labels make smaller
BLOCK_ROWS = 1 << 20  # where they lie in a file
# from LARGE rows of all lines on their order is drawn for TOGETHER lines at a time,
TOGETHER = 32  # because neighbours share rows, which are then at hand: a third faster
LISTEN = 8  # the loss is measured at every 8th line, where measuring it takes time
FIRST_BLOCK_ROWS = 1 << 20  # before the speed is known
HALVINGS = 24  # of the learning rate, until training is given up

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
Validate = Callable[[Floats, Floats], dict[str, float]]  # (R, D) and (C, D) as they stand → scores of the curve's row


class Encoded(Protocol):
    """What is read of ``dictionary.Lines``."""

    @property
    def rows(self) -> NDArray[np.int32]: ...
    @property
    def starts(self) -> Numbers: ...
    @property
    def labels(self) -> NDArray[np.int32]: ...
    @property
    def label_starts(self) -> Numbers: ...
    @property
    def tokens(self) -> Numbers: ...


class Start(NamedTuple):
    """Vectors to begin with.

    Attributes:
        rows: (K,) which input rows they are.
        vectors: (K, D).
        output: (C, D) the labels' vectors, or None: zeros.
        stays: which of ``rows`` stay as they are, where the plan freezes; None: all.
    """

    rows: NDArray[np.int64]
    vectors: Floats
    output: Floats | None = None
    stays: NDArray[np.int64] | None = None

    @property
    def frozen(self) -> NDArray[np.int64]:
        """The rows that stay, where the plan freezes."""
        return self.rows if self.stays is None else self.stays


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: settings that are checked and resolved.

    Attributes:
        dim: D.
        epochs: passes over the lines.
        learning_rate: of the first line; falls linearly with the tokens, to 0.
        loss: ``"hs"``, ``"ns"``, ``"softmax"`` or ``"ova"``, as the original calls them.
        negative: labels drawn as noise, for ``"ns"``.
        seed: fixes first vectors, the order of the lines, labels drawn.
        deterministic: same seed, same bits, for any number of threads.
        threads: the most there are.
        shuffle: a fresh order of the lines for every epoch (of many lines: of short runs of them); False: as they stand, as
            the original.
        freeze: the vectors of ``Start`` stay as they are.
        batch: lines whose steps are taken at the same parameters, in step; many labels make it smaller. One-vs-all learns worse
            with 16.
        patience: training ends when this many epochs brought nothing for the validation data; None: never.
    """

    dim: int = 100
    epochs: int = 5
    learning_rate: float = 0.1
    loss: str = "softmax"
    negative: int = 5
    seed: int = 0
    deterministic: bool = True
    threads: int = 1
    shuffle: bool = True
    freeze: bool = False
    batch: int = LARGEST_BATCH
    patience: int | None = None


def train(
    lines: Encoded,
    rows: int,
    labels: int,
    label_counts: Numbers,
    plan: Plan,
    report: Report = quiet,
    start: Start | None = None,
    weights: Floats | None = None,
    shares: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Learn the vectors of words, n-grams and labels from encoded lines.

    Args:
        lines: N lines. Where they have fewer input rows than there are, ``lines.rows`` is renumbered while training runs, and put
            back; nobody else may read it meanwhile.
        rows: R, the number of input rows, those that do not occur among them.
        labels: C.
        label_counts: (C,) in the order of the dictionary: fixes the tree and the noise.
        plan: the settings.
        report: told about blocks and epochs, asked whether to stop, given checkpoints.
        start: vectors to begin with; others are drawn, uniform in ±1/D.
        weights: (N,) a line's steps are taken so many times as large.
        shares: (number of labels in ``lines``,) the part of its line that each label has: softmax then learns all labels of a line, by
            their shares, and one-vs-all aims at the share instead of 1.

    Returns:
        (R, D) input rows and (C, D) output rows. A row that does not occur has what chance or ``start`` gave to it.

    Raises:
        DataError: no labels, or no line with both a label and a word.
        UsageError: shares where the loss draws one label.
        DivergedError: no learning rate was low enough.
        Interrupted: the report asked for it; a checkpoint was saved.
    """
    run = Run(lines, rows, labels, label_counts, plan, start, weights, shares)
    try:
        saved = report.load_checkpoint()
        if saved is not None:
            run.resume(saved)
        run.finish(report)
    finally:
        run.put_back()
    return run.result()


class Run:
    """One training, from its first block to its last; the arguments are those of ``train``."""

    def __init__(
        self,
        lines: Encoded,
        rows: int,
        labels: int,
        label_counts: Numbers,
        plan: Plan,
        start: Start | None = None,
        weights: Floats | None = None,
        shares: Floats | None = None,
    ) -> None:
        _check(lines, labels, label_counts, plan, shares)
        self.lines, self.rows, self.labels, self.plan, self.start = lines, rows, labels, plan, start
        self.weights = np.zeros(0, np.float32) if weights is None else np.ascontiguousarray(weights, dtype=np.float32)
        self.shares = np.zeros(0, np.float32) if shares is None else np.ascontiguousarray(shares, dtype=np.float32)
        self.count = len(lines.starts) - 1
        self.width = padded(plan.dim)
        self.met: NDArray[np.int32] | None = None  # (rows that occur,) their numbers, where rows are renumbered
        self.numbers = np.zeros(0, np.int32)
        self.free = rows
        if len(lines.rows) < rows or (plan.freeze and start is not None):
            self._renumber()
        self.file = file_of(lines.rows) if self.met is None else None  # renumbered rows are read where they lie
        trained = rows if self.met is None else len(self.met)
        self.parameters = losses.Parameters(
            _side_by_side(trained, plan.dim), aligned(labels + losses.GROUP, self.width)
        )
        self.targets = _targets(label_counts, plan)
        batch = max(1, min(plan.batch, BATCH_SCORES // labels)) if plan.deterministic else 1
        self.settings = losses.Settings(
            loss=LOSSES[plan.loss],
            classes=labels,
            negative=plan.negative,
            free=self.free,
            rows=trained,
            batch=batch,
            listen=1 if plan.loss == "softmax" or self.count < 1000 * LISTEN else LISTEN,
            seed=plan.seed,
        )
        slots = batch if plan.deterministic else plan.threads
        self.desks = _desks(slots, plan, self.settings, self.targets, self.width, self._most_rows(batch))
        self.draw()

        rows_each = max(1, len(lines.rows) // max(1, self.count))
        self.pace = Pace(max(1, FIRST_BLOCK_ROWS // rows_each), plan.threads, choice=True)
        self.epoch, self.position, self.halved = 0, 0, 0
        self.totals = np.zeros(2)  # weighted loss and weight of this epoch so far
        self.curve: list[dict[str, Any]] = []
        self.saved: State | None = None
        self.best: tuple[Floats, Floats] | None = None  # what answered the validation data best, and after which epoch
        self.best_epoch = 0
        self.broken = False
        self.data = self._data()
        self._train = kernels.train_in_step if plan.deterministic else kernels.train_lock_free

    @property
    def rate(self) -> float:
        """The learning rate of the first step, halved as often as training diverged."""
        return float(self.plan.learning_rate * 0.5**self.halved)

    # ---- rows -------------------------------------------------------------------------------------------------

    def _renumber(self) -> None:
        """Only rows that occur take part, in the order in which they are met; those that stay as they are come last."""
        self.numbers = np.full(self.rows, -1, dtype=np.int32)
        found = np.empty(min(self.rows, len(self.lines.rows)), dtype=np.int32)
        count = kernels.number_rows(self.lines.rows, self.numbers, found)
        self.met = found[:count]
        if self.plan.freeze and self.start is not None:
            stays = np.zeros(self.rows, dtype=np.bool_)
            stays[self.start.frozen] = True
            order = np.argsort(stays[self.met], kind="stable")
            place = np.empty(count, dtype=np.int32)
            place[order] = np.arange(count, dtype=np.int32)
            self.lines.rows[:] = place[self.lines.rows]
            self.met = np.ascontiguousarray(self.met[order])
            self.numbers[self.met] = np.arange(count, dtype=np.int32)
            self.free = int(count - stays[self.met].sum())

    def put_back(self) -> None:
        """Give the lines their own numbers of rows again."""
        if self.met is not None and len(self.met):
            np.take(self.met, self.lines.rows, out=self.lines.rows, mode="clip")

    def draw(self) -> None:
        """The parameters as they are at first: input rows from chance or ``start``, output rows 0 or from ``start``."""
        self._draw(
            self.parameters.input, np.zeros(0, np.int32) if self.met is None else self.met, np.zeros(0, np.int32)
        )
        self.parameters.output[:] = 0
        start, dim = self.start, self.plan.dim
        if start is not None:
            if self.met is None:
                self.parameters.input[start.rows, :dim] = start.vectors
            else:
                places = self.numbers[start.rows]
                self.parameters.input[places[places >= 0], :dim] = start.vectors[places >= 0]
            if start.output is not None:
                self.parameters.output[: self.labels, :dim] = start.output

    def _draw(self, matrix: Floats, rows: NDArray[np.int32], met: NDArray[np.int32]) -> None:
        threads = self.plan.threads
        ends = np.linspace(0, len(matrix), threads + 1).astype(np.int64).tolist()

        def work(thread: int, control: NDArray[np.int64]) -> None:
            kernels.draw_rows(matrix, self.plan.dim, rows, ends[thread], ends[thread + 1], self.plan.seed, met)

        run_together(work, threads)

    def result(self) -> tuple[Floats, Floats]:
        """(R, D) and (C, D). Ends the run: its input rows are closed up where they lie."""
        dim = self.plan.dim
        output = np.ascontiguousarray(self.parameters.output[: self.labels, :dim])
        if self.met is not None:
            return self._whole(self.met), output
        return self.parameters.input, output

    def _whole(self, met: NDArray[np.int32]) -> Floats:
        """(R, D) with the rows that did not take part."""
        whole = np.empty((self.rows, self.plan.dim), dtype=np.float32)
        self._draw(whole, np.zeros(0, np.int32), self.numbers)
        if self.start is not None:
            whole[self.start.rows] = self.start.vectors
        whole[met] = self.parameters.input[:, : self.plan.dim]
        return whole

    def vectors(self) -> tuple[Floats, Floats]:
        """(R, D) and (C, D) as they stand now, to be looked at."""
        input = self.parameters.input[:, : self.plan.dim] if self.met is None else self._whole(self.met)
        return input, self._learned()[1]

    def _learned(self) -> tuple[Floats, Floats]:
        """Views of what training changes, without padding."""
        dim = self.plan.dim
        return self.parameters.input[:, :dim], self.parameters.output[: self.labels, :dim]

    # ---- a block ----------------------------------------------------------------------------------------------

    def _data(self) -> losses.Data:
        """The lines in this epoch's order: a function of seed and epoch, so that a resumed training needs no random state."""
        lines, order = self.lines, np.arange(self.count, dtype=np.int32)
        if self.plan.shuffle:
            generator = np.random.default_rng([self.plan.seed, 1 + self.epoch])
            together = 1 if len(lines.rows) < LARGE else TOGETHER
            runs = np.arange(-(-self.count // together) * together).reshape(-1, together)
            generator.shuffle(runs)
            order = runs.ravel()[runs.ravel() < self.count].astype(np.int32)
        done = np.zeros(self.count + 1, dtype=np.int64)
        np.cumsum(lines.tokens[order], out=done[1:])
        rows, starts, ends = self._block_room()
        return losses.Data(rows, starts, ends, lines.labels, lines.label_starts, self.shares, self.weights, order, done)

    def _block_room(self) -> Block:
        """All rows; where they lie in a file, room for a block's."""
        if self.file is None:
            return Block(self.lines.rows, self.lines.starts[:-1], self.lines.starts[1:])
        return Block(np.zeros(0, np.int32), np.zeros(self.count, np.int64), np.zeros(self.count, np.int64))

    def _bring(self, first: int, last: int) -> None:
        """Read the rows of a block's lines, where they lie in a file."""
        if self.file is not None and last > first:
            data = self.data
            found = read_block(
                self.file, self.lines.starts, data.order[first:last], Block(data.rows, data.starts, data.ends)
            )
            self.data = data._replace(rows=found.rows)

    def block(self) -> None:
        """Train on the next lines of this epoch; sets ``broken`` where a step would have been beyond all sense."""
        first, batch = self.position, self.settings.batch
        threads = self.pace.next_threads()
        amount = self.pace.amount
        if self.file is not None:
            amount = max(1, min(amount, BLOCK_ROWS * self.count // len(self.lines.rows)))
        wanted = -(-amount // batch) * batch  # a block ends where a batch ends
        last = min(self.count, first + wanted)
        started = perf_counter()
        self._bring(first, last)
        reached = self._steps(first, last, threads)
        self.pace.measured(last - first, last - first, threads, perf_counter() - started)
        if not self.broken:
            self.position = reached

    def _steps(self, first: int, last: int, threads: int) -> int:
        schedule = kernels.Schedule(self.epoch, self.plan.epochs, self.rate)
        totals = np.zeros((threads, LANES))
        if self.plan.deterministic:
            totals[0, :2] = self.totals  # one sum, wherever blocks end
        bounds = self._bounds(first, last, threads)
        reached = [first] * threads

        def work(thread: int, control: NDArray[np.int64]) -> None:
            reached[thread] = self._train(
                self.data,
                self.targets,
                self.parameters,
                self.settings,
                schedule,
                self.desks,
                totals,
                bounds,
                control,
                thread,
                threads,
            )

        run_together(work, threads)
        ends = [last] * threads if self.plan.deterministic else bounds[1:].tolist()
        self.broken = any(place < end for place, end in zip(reached, ends, strict=True))
        found = totals[:, :2].sum(axis=0)
        self.totals = found if self.plan.deterministic else self.totals + found
        return last

    def _bounds(self, first: int, last: int, threads: int) -> Numbers:
        """(threads + 1,) where each thread's lines begin: about as many tokens for each."""
        done = self.data.done
        wanted = done[first] + (done[last] - done[first]) * np.arange(threads + 1) // threads
        bounds: Numbers = np.searchsorted(done[first : last + 1], wanted).astype(np.int64) + first
        bounds[0], bounds[-1] = first, last
        return bounds

    def _most_rows(self, batch: int) -> int:
        """The most rows that ``batch`` lines together can have, in whatever order."""
        sizes = np.diff(self.lines.starts)
        if len(sizes) > batch:
            sizes = np.partition(sizes, len(sizes) - batch)[-batch:]
        return int(sizes.sum())

    def warm_up(self, report: Report) -> None:
        """Compile the kernels, or fetch them from the cache, by training on nothing."""
        announce(report, [self._train])
        self._steps(self.position, self.position, 1)

    # ---- the whole --------------------------------------------------------------------------------------------

    def finish(self, report: Report, validate: Validate | None = None) -> None:
        """Train to the end, from wherever this run stands.

        Args:
            report: told about blocks and epochs, asked whether to stop, given checkpoints.
            validate: scores the vectors after every epoch: ``validation_loss`` and ``validation_accuracy`` or
                ``validation_micro_f1``. With patience, what scored best is the result.

        Raises:
            DivergedError: no learning rate was low enough.
            Interrupted: the report asked to stop; a checkpoint was saved.
        """
        self.warm_up(report)
        while self.epoch < self.plan.epochs:
            before, number, started = self.position, self.epoch + 1, perf_counter()
            self.block()
            if self.broken:
                self._halve(report)
                continue
            seconds = max(perf_counter() - started, 1e-6)
            tokens = int(self.data.done[self.position] - self.data.done[before])
            share = self.data.done[self.position] / max(1, self.data.done[-1])
            if self.position == self.count:
                self._close_epoch(report, validate)
            report.progress(
                epoch=number,
                epochs=self.plan.epochs,
                done=float((number - 1 + share) / self.plan.epochs),
                loss=self._mean_loss(),
                tokens_per_second=tokens / seconds,
                score=_score(self.curve[-1]) if self.curve else None,
            )
            wish = report.stopping()
            if wish == "interrupt":
                report.save_checkpoint(self.state())
                raise Interrupted("interrupted", say("stopped; the state is saved", "已停止；当前状态已保存"))
            if wish == "budget" and self.epoch < self.plan.epochs:
                if self.position:
                    self._record(report, validate)
                break
            if report.checkpoint_due():
                self.saved = self.state()
                report.save_checkpoint(self.saved)
        if self.best is not None:
            for mine, best in zip(self._learned(), self.best, strict=True):
                mine[:] = best

    def _mean_loss(self) -> float | None:
        if self.totals[1] > 0:
            return float(self.totals[0] / self.totals[1])
        return self.curve[-1]["loss"] if self.curve else None

    def _close_epoch(self, report: Report, validate: Validate | None) -> None:
        """Write the curve's row, go on to the next epoch – or to the end, where patience is at its end."""
        self._record(report, validate)
        self.epoch, self.position, self.totals = self.epoch + 1, 0, np.zeros(2)
        patience = self.plan.patience
        if validate is not None and patience is not None and self.epoch - self.best_epoch >= patience:
            self.epoch = self.plan.epochs
        if self.epoch < self.plan.epochs and self.plan.shuffle:
            self.data = self._data()

    def _record(self, report: Report, validate: Validate | None) -> None:
        row: dict[str, Any] = {"epoch": self.epoch + 1, "loss": self._mean_loss()}
        if self.position < self.count:
            row["lines"] = self.position  # of this epoch: where the budget ended it
        if validate is not None:
            row |= validate(*self.vectors())
            if self.plan.patience is not None and _standing(row) > max(map(_standing, self.curve), default=(-1.0, 0.0)):
                input, output = self._learned()
                self.best, self.best_epoch = (input.copy(), output.copy()), self.epoch + 1
        self.curve.append(row)
        report.record(dict(row))

    def _halve(self, report: Report) -> None:
        """Half the learning rate, from the last checkpoint; from the beginning where there is none, or where it has failed before."""
        rate, epoch = self.rate, self.epoch + 1
        halved = self.halved + 1
        if halved > HALVINGS:
            raise DivergedError(
                "diverged",
                say(
                    f"training diverged in epoch {epoch}, even with learning rate {rate:g}",
                    f"训练在第 {epoch} 轮发散，学习率降到 {rate:g} 也一样",
                ),
                help=f"--set learning_rate={rate / 1000:g}",
            )
        where = say("the beginning", "开头") if self.saved is None else say("the last checkpoint", "上一个检查点")
        report.note(
            say(
                f"training diverged in epoch {epoch}; learning rate {rate:g} halved to {rate / 2:g}, going on from {where}",
                f"训练在第 {epoch} 轮发散；学习率由 {rate:g} 减半为 {rate / 2:g}，从{where}继续",
            )
        )
        if self.saved is not None:
            self.resume(self.saved)
            self.saved = None
        else:
            self.draw()
            self.epoch, self.position, self.totals, self.curve = 0, 0, np.zeros(2), []
            self.best, self.best_epoch = None, 0
            self.data = self._data()
        self.halved, self.broken = halved, False

    # ---- checkpoints ------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Everything that the next block needs, besides the data and the settings."""
        input, output = self._learned()
        arrays: Arrays = {"input": input.copy(), "output": output.copy(), "totals": self.totals.copy()}
        if self.best is not None:
            arrays |= {"best_input": self.best[0], "best_output": self.best[1]}
        data = {
            "epoch": self.epoch,
            "position": self.position,
            "halved": self.halved,
            "best_epoch": self.best_epoch,
            "curve": [dict(row) for row in self.curve],
        }
        return State(arrays, data)

    def resume(self, state: State) -> None:
        """Go on where ``state`` was saved. Raises ValueError where it does not fit this data and these settings."""
        input, output = self._learned()
        for name, mine in (("input", input), ("output", output), ("totals", self.totals)):
            if state.arrays[name].shape != mine.shape or state.arrays[name].dtype != mine.dtype:
                raise ValueError(f"the checkpoint's {name} does not fit the data")
            mine[...] = state.arrays[name]
        epoch, position, halved = (int(state.data[name]) for name in ("epoch", "position", "halved"))
        if not (0 <= epoch <= self.plan.epochs and 0 <= position <= self.count and 0 <= halved <= HALVINGS):
            raise ValueError("the checkpoint stands outside the training")
        self.epoch, self.position, self.halved = epoch, position, halved
        self.best_epoch, self.best = int(state.data.get("best_epoch", 0)), None
        if "best_input" in state.arrays:
            self.best = np.array(state.arrays["best_input"]), np.array(state.arrays["best_output"])
            if self.best[0].shape != input.shape or self.best[1].shape != output.shape:
                raise ValueError("the checkpoint's best epoch does not fit the data")
        self.curve = [dict(row) for row in state.data["curve"]]
        self.data = self._data()


def _score(row: dict[str, Any]) -> float | None:
    """The number by which epochs are compared."""
    found: float | None = row.get("validation_accuracy", row.get("validation_micro_f1"))
    return found


def _standing(row: dict[str, Any]) -> tuple[float, float]:
    score = _score(row)
    return (-1.0 if score is None else score, -float(row["validation_loss"]))


def _check(lines: Encoded, labels: int, label_counts: Numbers, plan: Plan, shares: Floats | None) -> None:
    if labels < 1 or not len(lines.labels):
        raise DataError(
            "no-labels",
            say("no line has a label", "没有一行带有标签"),
            help=say("the lines need __label__… words", "每行要有 __label__… 开头的词"),
        )
    if len(label_counts) != labels or plan.loss not in LOSSES:
        raise ValueError(f"{len(label_counts)} counts for {labels} labels; loss {plan.loss!r}")
    useful = (np.diff(lines.starts) > 0) & (np.diff(lines.label_starts) > 0)
    if not bool(useful.any()):
        raise DataError(
            "nothing-to-learn", say("no line has both a label and a known word", "没有一行同时有标签和已知的词")
        )
    if shares is not None and plan.loss in ("hs", "ns"):
        raise UsageError(
            "shares-with-drawn-label",
            say(
                f"loss {plan.loss} learns one label of a line; shares need softmax or ova",
                f"损失 {plan.loss} 每次只学一个标签；标签份额需要 softmax 或 ova",
            ),
            help="--set loss=softmax",
        )


def _targets(label_counts: Numbers, plan: Plan) -> losses.Targets:
    paths = LabelPaths(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8))
    noise = AliasTable(np.zeros(0, np.uint32), np.zeros(0, np.int32))
    if plan.loss == "hs":
        paths = label_paths(label_tree(label_counts.astype(np.int64)))
    if plan.loss == "ns":
        noise = alias_table(np.maximum(label_counts, 1).astype(np.float64) ** SMOOTHING)
    return losses.Targets(paths, noise)


def _side_by_side(rows: int, dim: int) -> Floats:
    """Zeros (rows, dim), row after row: padded to LANES they would take much more memory where ``dim`` is small."""
    return aligned(1, padded(rows * dim + LANES))[0, : rows * dim].reshape(rows, dim)


def _desks(
    slots: int, plan: Plan, settings: losses.Settings, targets: losses.Targets, width: int, most_rows: int
) -> losses.Desks:
    if plan.loss == "hs":
        most = int(np.diff(targets.paths.starts).max(initial=0))
    else:
        most = plan.negative + 1 if plan.loss == "ns" else settings.classes
    if plan.loss in ("hs", "ns"):
        numbers = np.full((slots, padded(most + losses.GROUP)), settings.classes, dtype=np.int64)
    else:
        numbers = np.arange(settings.classes + losses.GROUP).reshape(1, -1)
    return losses.Desks(
        hidden=aligned(slots, width),
        gradient=aligned(slots, width),
        errors=aligned(slots, padded(most) + 2 * LANES),
        targets=numbers,
        stream=np.zeros((slots, LANES), dtype=np.uint64),
        counts=np.zeros((slots, LANES), dtype=np.int64),
        losses=np.zeros((slots, LANES)),
        owned=np.zeros((plan.threads, 2, most_rows + 1 if plan.deterministic else 1), dtype=np.int32),
    )
