"""The training loop of word2vec: epochs cut into short blocks, so that progress, Ctrl-C, checkpoints and divergence are seen to
between blocks. What the next block needs lies in the parameters and a few numbers (``Run.state``).

The mathematics is in ``kernels.py``, the threads in ``shard_kernels.py``; text stays in ``estimator.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import announce
from erya.models.word2vec import shard_kernels as shards
from erya.models.word2vec.kernels import GROUP, SIDE, Hands
from erya.parts.block_runs import Block, train_blocks
from erya.parts.chance import AliasTable, alias_table, start_stream
from erya.parts.huffman import Paths, huffman
from erya.parts.lockstep import run_together
from erya.parts.pace import Pace
from erya.parts.simd import LANES, aligned, apart, padded
from erya.parts.thinning import keep_probabilities, kept_shares, subsample
from erya.progress import Report
from erya.state import Arrays, State

LONGEST_BLOCK = 1 << 18  # tokens; a block of the default settings takes some tenths of a second on one thread
SHORTEST_BLOCK = 1 << 12
LARGEST_CHUNK = 64
POOLS = 3  # noise words drawn for each word of a turn; with one alone, skip-gram learns similarity a little worse
MOST_STEPS = 0.2
MOST_ROOT_STEPS = 6.4
FEWEST_APART = 1000  # words; where there are fewer, lock-free threads would meet at the same rows all the time
MEASURED = 64  # words of a turn where the loss is measured
LEAST_RATE = 1e-4  # of the first step's rate: the last step's
SNAPSHOTS = 12

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: settings that are checked and resolved."""

    dim: int
    window: int
    negative: int  # 0: hierarchical softmax
    contrastive: bool  # noise-contrastive estimation
    cbow: bool
    mean: bool
    shrink: bool
    sample: float
    smoothing: float
    epochs: int
    learning_rate: float
    seed: int
    deterministic: bool
    threads: int


class Run:
    """One training, from its first block to its last.

    Args:
        ids: (T,) word numbers, −1 at the end of a line.
        counts: (V,) how often each word occurs.
        plan: the settings.
        watched: numbers of the words whose vectors are kept at SNAPSHOTS moments.
        held_out: ids of other text, whose loss is measured after every epoch.
        start: vectors (V, D) and targets' vectors to go on from; None: a fresh start.
    """

    def __init__(
        self,
        ids: Ids,
        counts: NDArray[np.int64],
        plan: Plan,
        watched: NDArray[np.int64],
        held_out: Ids | None = None,
        start: tuple[Floats, Floats] | None = None,
    ) -> None:
        self.ids, self.plan, self.watched, self.held_out = ids, plan, watched, held_out
        size = len(counts)
        paths = huffman(counts) if not plan.negative else _no_paths()
        turns, chunk = _round(counts, plan)
        if not plan.deterministic and size >= FEWEST_APART:
            chunk = max(1, min(LARGEST_CHUNK, turns * chunk // plan.threads))
        self.settings = shards.Settings(
            words=size,
            window=plan.window,
            negative=plan.negative,
            pool=max((1 if plan.cbow else POOLS) * chunk, 2 * plan.negative),  # CBOW steps once a word, not once a pair
            chunk=chunk,
            shards=turns,
            cbow=plan.cbow,
            mean=plan.mean,
            shrink=plan.shrink,
            seed=plan.seed,
            direct=not plan.deterministic and size >= FEWEST_APART,
        )
        self.sampling = _sampling(counts, plan, paths)
        self.keep = keep_probabilities(counts, plan.sample)
        targets = size if plan.negative else max(0, size - 1)
        aside = shards.side_rows(plan.window) if self.settings.direct else 0  # rows a thread needs besides
        self.parameters = aligned(size + targets + plan.threads * aside, padded(plan.dim))
        self.target_count = targets
        if start is not None:
            self.parameters[:size, : plan.dim], self.parameters[size : size + targets, : plan.dim] = start
        else:
            generator = np.random.default_rng([plan.seed, 0])
            self.parameters[:size, : plan.dim] = (generator.random((size, plan.dim), dtype=np.float32) - 0.5) / plan.dim
        self.desks = _desks(self.settings, paths, padded(plan.dim), plan)
        longest = int(np.diff(paths.starts).max(initial=0)) if not plan.negative else plan.negative + 1
        sides = [size + targets + thread * aside if aside else 0 for thread in range(plan.threads)]
        self.hands = [_hands(plan.window, longest, self.desks.keys.shape[1], side) for side in sides]

        self.block_tokens = _block_tokens(plan)
        self.blocks = max(1, -(-len(ids) // self.block_tokens))  # of an epoch
        self.kept = np.empty(min(self.block_tokens, max(1, len(ids))), dtype=np.int32)
        self.done = 0  # blocks, of all epochs
        self.totals = np.zeros(2)  # loss and words it was measured at, this epoch so far
        self.curve: list[dict[str, Any]] = []
        self.moments: list[int] = []  # blocks done when each snapshot was taken
        self.snapshots: list[Floats] = []
        self.broken = False
        self.pace = Pace(
            1, plan.threads, choice=True
        )  # in step no bit depends on it; lock-free, no two runs are alike anyway
        self._train = shards.train_lock_free if self.settings.direct else shards.train_in_step

    @property
    def vectors(self) -> Floats:
        """(V, D) the words' vectors, without the padding."""
        return self.parameters[: self.settings.words, : self.plan.dim]

    @property
    def targets(self) -> Floats:
        """(V, D) the words as targets, or (V − 1, D) the tree's inner nodes."""
        first = self.settings.words
        return self.parameters[first : first + self.target_count, : self.plan.dim]

    # ---- a block ----------------------------------------------------------------------------------------------

    def block(self) -> Block:
        """Train on the next block; sets ``broken`` where a step would not have been finite."""
        number, epoch = self.done % self.blocks, self.done // self.blocks + 1
        ids = self.ids[number * self.block_tokens : (number + 1) * self.block_tokens]
        stream = np.zeros(1, dtype=np.uint64)
        start_stream(stream, self.plan.seed, self.done, -1)
        size = subsample(ids, self.keep, self.kept, stream)
        whole = self.plan.epochs * self.blocks
        rates = self._rate(self.done / whole), self._rate((self.done + 1) / whole)
        threads, started = self.pace.next_threads(), perf_counter()
        self.totals += self._steps(size, rates, threads)
        self.pace.measured(1, size, threads, perf_counter() - started)
        if not self.broken:
            self.done += 1
        return Block(epoch, len(ids), not self.broken)

    def _rate(self, share: float) -> float:
        return self.plan.learning_rate * max(LEAST_RATE, 1 - share)

    def _steps(self, size: int, rates: tuple[float, float], threads: int) -> NDArray[np.float64]:
        train = self._train
        totals = np.zeros((max(shards.SHARDS, threads), LANES))  # a cache line and more each
        reached = [0] * threads

        def work(thread: int, control: NDArray[np.int64]) -> None:
            reached[thread] = train(
                self.kept,
                size,
                self.done,
                rates,
                self.settings,
                self.sampling,
                self.parameters,
                self.desks,
                self.hands[thread],
                totals,
                control,
                thread,
                threads,
            )

        run_together(work, threads)
        self.broken = min(reached) < size
        summed: NDArray[np.float64] = totals[:, :2].sum(axis=0)
        return summed

    def warm_up(self, report: Report) -> None:
        """Compile the kernel, or fetch it from the cache, by training on nothing."""
        announce(report, [self._train, subsample])
        self._steps(0, (0.0, 0.0), 1)

    # ---- the whole --------------------------------------------------------------------------------------------

    def finish(self, report: Report) -> None:
        """Train to the end, from wherever this run stands.

        Raises:
            DivergedError: a step was not finite; the parameters are those of the last good step.
            Interrupted: the report asked to stop; a checkpoint was saved.
        """
        self.warm_up(report)
        moments = _moments(self.plan.epochs * self.blocks)
        if self.done == 0 and not self.moments:
            self._keep_snapshot()
        for _ in train_blocks(self, report):
            if self.done in moments:
                self._keep_snapshot()
        if self.done not in self.moments:
            self._keep_snapshot()

    def done_share(self) -> float:
        """How much of the whole training is done."""
        return self.done / (self.plan.epochs * self.blocks)

    def inside_epoch(self) -> bool:
        """Whether an epoch has begun and not ended."""
        return self.done % self.blocks != 0

    def mean_loss(self) -> float | None:
        """Of this epoch so far, or of the last one."""
        if self.totals[1] > 0:
            return float(self.totals[0] / self.totals[1])
        return self.curve[-1]["loss"] if self.curve else None

    def close_epoch(self, report: Report) -> None:
        """Write the row of the curve."""
        row: dict[str, Any] = {"epoch": -(-self.done // self.blocks), "step": self.done, "loss": self.mean_loss()}
        if self.held_out is not None:
            row["validation_loss"] = self.loss(self.held_out)
        self.curve.append(row)
        report.record(dict(row))
        self.totals = np.zeros(2)

    def loss(self, ids: Ids) -> float:
        """The mean loss of a word and one of its contexts (CBOW: of a word and all of them), in nats.

        Over all words of ``ids``, none left out by subsampling; noise words and windows are drawn with a seed of their own, so
        that two models of one vocabulary are measured on the very same task.
        """
        totals = np.zeros(2)
        settings = _measuring(self.settings)
        desks, hands = self.desks, self.hands[0]._replace(side=0)
        size = len(self.kept)
        for first in range(0, len(ids), size):
            part = np.ascontiguousarray(ids[first : first + size])
            shards.measure(part, len(part), settings, self.sampling, self.parameters, desks, hands, totals)
        return float(totals[0] / totals[1]) if totals[1] else math.nan

    def _keep_snapshot(self) -> None:
        self.moments.append(self.done)
        self.snapshots.append(self.vectors[self.watched].copy())

    # ---- checkpoints ------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Everything that the next block needs, besides the data and the settings."""
        arrays: Arrays = {
            "vectors": self.vectors.copy(),
            "targets": self.targets.copy(),
            "totals": self.totals.copy(),
            "snapshots": np.array(self.snapshots, dtype=np.float32).reshape(-1, len(self.watched), self.plan.dim),
        }
        data = {"done": self.done, "moments": list(self.moments), "curve": [dict(row) for row in self.curve]}
        return State(arrays, data)

    def resume(self, state: State) -> None:
        """Go on where ``state`` was saved. Raises ValueError where it does not fit this data and these settings."""
        for name, mine in (("vectors", self.vectors), ("targets", self.targets), ("totals", self.totals)):
            if state.arrays[name].shape != mine.shape or state.arrays[name].dtype != mine.dtype:
                raise ValueError(f"the checkpoint's {name} do not fit the data")
            mine[...] = state.arrays[name]
        self.done = int(state.data["done"])
        if not 0 <= self.done <= self.plan.epochs * self.blocks:
            raise ValueError("the checkpoint stands outside the training")
        self.moments = [int(moment) for moment in state.data["moments"]]
        self.snapshots = [np.array(one) for one in state.arrays["snapshots"]]
        self.curve = [dict(row) for row in state.data["curve"]]


def _round(counts: NDArray[np.int64], plan: Plan) -> tuple[int, int]:
    """Turns of a round, and words of a turn.

    All changes of a round are added, so that no row may move far in one: the most frequent word's expected occurrences times
    the rate stay below MOST_STEPS. A tree's root takes part in every word, but moves less: measured, rounds of 1,024 words
    diverge at the usual rate, rounds of 512 do not, and 256 learn as well as single words.
    """
    rate = plan.learning_rate
    words = MOST_STEPS / (rate * float(kept_shares(counts, plan.sample).max()))
    if not plan.negative:
        words = min(words, MOST_ROOT_STEPS / rate)
    words = int(np.clip(words, 1, shards.SHARDS * LARGEST_CHUNK))
    turns = min(shards.SHARDS, words)
    return turns, words // turns


def _measuring(settings: shards.Settings) -> shards.Settings:
    """As ``settings``, but drawing alike whatever the rate and the seed of the training."""
    return settings._replace(seed=0, direct=False, chunk=MEASURED, pool=max(MEASURED, 2 * settings.negative))


def _block_tokens(plan: Plan) -> int:
    """A function of the settings alone, since the random numbers and the bits depend on where blocks end."""
    work = plan.dim * plan.window * (1 + (plan.negative or 12)) / (100 * 5 * 6) / (plan.window if plan.cbow else 1)
    return int(np.clip(LONGEST_BLOCK / max(work, 1), SHORTEST_BLOCK, LONGEST_BLOCK))


def _moments(whole: int) -> set[int]:
    """When snapshots are taken: blocks done, evenly on a logarithmic scale."""
    return {round(math.exp(math.log(whole) * step / (SNAPSHOTS - 2))) for step in range(SNAPSHOTS - 1)}


def _sampling(counts: NDArray[np.int64], plan: Plan, paths: Paths) -> shards.Sampling:
    if not plan.negative:
        return shards.Sampling(
            AliasTable(np.zeros(0, np.uint32), np.zeros(0, np.int32)), np.zeros(0, np.float32), paths
        )
    weights = np.maximum(counts, 1) ** plan.smoothing
    offsets = np.zeros(0, dtype=np.float32)
    if plan.contrastive:
        offsets = np.log(plan.negative * weights / weights.sum()).astype(np.float32)
    return shards.Sampling(alias_table(weights), offsets, paths)


def _no_paths() -> Paths:
    return Paths(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint8))


def _desks(settings: shards.Settings, paths: Paths, width: int, plan: Plan) -> shards.Desks:
    desks = max(shards.SHARDS, plan.threads)
    chunk = max(settings.chunk, MEASURED)
    rows = SIDE + 2 * settings.window + chunk + 2 * settings.window
    if settings.negative:
        rows += chunk + max(settings.pool, _measuring(settings).pool)
    else:  # a turn's words can need no more nodes than their paths have, or than there are
        rows += min(chunk * int(np.diff(paths.starts).max(initial=0)), max(0, settings.words - 1))
    return shards.Desks(
        arena=aligned(desks * rows, width).reshape(desks, rows, width),
        keys=np.full((desks, rows), -1, dtype=np.int64),
        used=np.zeros((desks, LANES), dtype=np.int64),
        place_of=np.full((desks, 0 if settings.negative else settings.words), -1, dtype=np.int32),
        places=np.arange(rows),
    )


def _hands(window: int, longest: int, rows: int, side: int) -> Hands:
    groups = max(1, -(-longest // GROUP))
    slots = apart(GROUP * groups, np.int64)
    slots[:] = LANES * (np.arange(GROUP * groups) // GROUP) + np.arange(GROUP * groups) % GROUP
    return Hands(
        contexts=apart(2 * window + 1, np.int64),
        old=apart(2 * window, np.int64),
        one=apart(1, np.int64),
        targets=apart(GROUP * groups + 1, np.int64),
        slots=slots,
        scores=aligned(2 * window, LANES * groups),
        goals=apart(3 * LANES * groups, np.float32).reshape(3, -1),
        owned=apart(rows + 1, np.int64),
        stream=apart(1, np.uint64),
        side=side,
    )
