"""The training of vectors with n-grams: epochs cut into short blocks, so that progress, Ctrl-C, checkpoints and divergence are
seen to between blocks. What the next block needs lies in the parameters and a few numbers (``Run.state``).

The mathematics is in ``subword_kernels.py``; text stays in ``vectors.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.kernel_cache import announce
from erya.models.fasttext import subword_kernels as kernels
from erya.models.fasttext.features import END
from erya.parts.block_runs import Block, train_blocks
from erya.parts.chance import AliasTable, alias_table, start_stream
from erya.parts.huffman import Paths, huffman
from erya.parts.lockstep import run_together
from erya.parts.pace import Pace
from erya.parts.simd import LANES, aligned, apart, padded
from erya.parts.thinning import keep_probabilities, kept_shares, subsample
from erya.progress import Report
from erya.state import Arrays, State

LONGEST_BLOCK = 1 << 17  # tokens; a block of the default settings takes some tenths of a second on one thread
SHORTEST_BLOCK = 1 << 11
LARGEST_CHUNK = 32
CBOW_SHARDS = 4  # a turn of CBOW gathers the words around its own, too: fewer, longer turns take a fifth off the time of short rounds
NOISE = 6  # times K: noise words of a word in skip-gram; they stand for those of all its contexts, about as many
POOL = 5  # noise words drawn for each word of a turn
NOISE_POWER = 0.5  # noise words are drawn by count to this power, as the original does; word2vec has 0.75
MOST_STEPS = 0.2
MOST_ROOT_STEPS = 0.8
FEWEST_APART = 1000  # words; where there are fewer, lock-free threads would meet at the same rows all the time
MEASURED = 32  # words of a turn where the loss is measured
LEAST_RATE = 1e-4  # of the first step's rate: the last step's

Floats = NDArray[np.float32]
Ids = NDArray[np.int32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train: settings that are checked and resolved."""

    dim: int
    window: int
    negative: int  # 0: hierarchical softmax
    cbow: bool
    sample: float
    epochs: int
    learning_rate: float
    seed: int
    deterministic: bool
    threads: int


@dataclass(frozen=True, slots=True)
class Start:
    """What a training begins with, instead of chance.

    Attributes:
        rows: (n,) of the input: words, then V + the places of buckets in ``Subwords.kept``.
        vectors: (n, D).
        targets: (V, D) or (V − 1, D); None: zeros.
    """

    rows: Integers
    vectors: Floats
    targets: Floats | None = None


@dataclass(frozen=True, slots=True)
class Subwords:
    """Which rows each of V words owns.

    Attributes:
        starts: (V + 1,) word w owns ``rows[starts[w]:starts[w + 1]]``.
        rows: (P,) w itself, and for each of its n-grams V + the place of its bucket in ``kept``.
        kept: (K,) the buckets that occur, the most frequent first.
    """

    starts: Integers
    rows: Ids
    kept: Integers

    @classmethod
    def of(cls, words: Sequence[str], counts: Integers, min_n: int, max_n: int, buckets: int) -> Subwords:
        """The rows of words with character n-grams of ``min_n`` to ``max_n`` characters.

        Args:
            words: V words.
            counts: (V,) how often each occurs: what is used most gets neighbouring rows.
            min_n, max_n: fewest and most characters; ``max_n`` 0: none.
            buckets: the number of buckets an n-gram's hash can fall into.
        """
        marked = [b"" if word == END else f"<{word}>".encode("utf-8", "surrogatepass") for word in words]
        ends = np.zeros(len(words) + 1, dtype=np.int64)
        np.cumsum([len(one) for one in marked], out=ends[1:])
        data = np.frombuffer(b"".join(marked), dtype=np.uint8)
        sizes = np.zeros(len(words), dtype=np.int64)
        kernels.cut(data, ends, min_n, max_n, buckets, sizes, np.zeros(0, dtype=np.int64))
        found = np.zeros(int(sizes.sum()), dtype=np.int64)
        if len(found):
            kernels.cut(data, ends, min_n, max_n, buckets, sizes, found)
        kept, numbers = np.unique(found, return_inverse=True)
        used = np.bincount(numbers, weights=np.repeat(counts, sizes).astype(np.float64), minlength=len(kept))
        order = np.argsort(-used, kind="stable")
        place = np.empty(len(kept), dtype=np.int64)
        place[order] = np.arange(len(kept))
        starts = np.zeros(len(words) + 1, dtype=np.int64)
        np.cumsum(sizes + 1, out=starts[1:])
        rows = np.empty(int(starts[-1]), dtype=np.int32)
        rows[starts[:-1]] = np.arange(len(words))
        is_piece = np.ones(len(rows), dtype=bool)
        is_piece[starts[:-1]] = False
        rows[is_piece] = len(words) + place[numbers]
        kernels.deal(starts, rows)
        return cls(starts, rows, kept[order])

    def means(self, input: Floats) -> Floats:
        """(V, D) each word's vector: the mean of its rows of ``input``."""
        found = np.empty((len(self.starts) - 1, input.shape[1]), dtype=np.float32)
        kernels.average(input, self.starts, self.rows, found)
        return found


class Run:
    """One training, from its first block to its last.

    Args:
        ids: (T,) word numbers, −1 at the end of a line.
        counts: (V,) how often each word occurs.
        subwords: which rows each word owns.
        plan: the settings.
        held_out: ids of other text, whose loss is measured after every epoch.
        start: vectors to begin with; other rows are drawn.
    """

    def __init__(
        self,
        ids: Ids,
        counts: Integers,
        subwords: Subwords,
        plan: Plan,
        held_out: Ids | None = None,
        start: Start | None = None,
    ) -> None:
        self.ids, self.plan, self.subwords, self.held_out = ids, plan, subwords, held_out
        size = len(counts)
        paths = _no_paths() if plan.negative else huffman(counts)
        turns, chunk = _round(counts, subwords, plan)
        direct = not plan.deterministic and size >= FEWEST_APART
        if direct:
            chunk = LARGEST_CHUNK
        noise = plan.negative * (1 if plan.cbow else NOISE)
        self.settings = kernels.Settings(
            words=size,
            inputs=size + len(subwords.kept),
            window=plan.window,
            negative=plan.negative,
            noise=noise,
            pool=max(noise, POOL * chunk) if noise else 0,
            chunk=chunk,
            shards=turns,
            cbow=plan.cbow,
            seed=plan.seed,
            direct=direct,
        )
        splits = np.zeros((size, plan.threads + 1), dtype=np.int64)
        kernels.split(subwords.starts, subwords.rows, splits)
        self.pieces = kernels.Pieces(subwords.starts, subwords.rows, splits)
        self.sampling = _sampling(counts, plan, paths)
        self.keep = keep_probabilities(counts, plan.sample)
        self.target_count = size if plan.negative else max(0, size - 1)
        rows = self.settings.inputs + self.target_count
        self.parameters = aligned(rows + plan.threads, padded(plan.dim))
        generator = np.random.default_rng([plan.seed, 0])
        for first in range(0, self.settings.inputs, 1 << 14):
            block = self.input[first : first + (1 << 14)]
            block[:] = (2 * generator.random(block.shape, dtype=np.float32) - 1) / np.float32(plan.dim)
        if start is not None:
            self.input[start.rows] = start.vectors
            if start.targets is not None:
                self.targets[:] = start.targets
        longest = _most_targets(plan, self.settings, paths)
        self.desks = _desks(self.settings, longest, padded(plan.dim), plan)
        self.hands = [_hands(self.settings, longest, rows + thread) for thread in range(plan.threads)]

        self.block_tokens = _block_tokens(plan)
        self.blocks = max(1, -(-len(ids) // self.block_tokens))  # of an epoch
        self.kept = np.empty(min(self.block_tokens, max(1, len(ids))), dtype=np.int32)
        self.done = 0  # blocks, of all epochs
        self.totals = np.zeros(2)  # loss and words it was measured at, this epoch so far
        self.curve: list[dict[str, Any]] = []
        self.broken = False
        self.pace = Pace(1, plan.threads, choice=True)  # in step no bit depends on it; lock-free, no two runs are alike
        self._train = kernels.train_lock_free if direct else kernels.train_in_step

    @property
    def input(self) -> Floats:
        """(V + K, D) the rows of words and of buckets, without the padding."""
        return self.parameters[: self.settings.inputs, : self.plan.dim]

    @property
    def targets(self) -> Floats:
        """(V, D) the words as targets, or (V − 1, D) the tree's inner nodes."""
        first = self.settings.inputs
        return self.parameters[first : first + self.target_count, : self.plan.dim]

    # ---- a block ----------------------------------------------------------------------------------------------

    def block(self) -> Block:
        """Train on the next block; sets ``broken`` where a score is beyond all sense."""
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
        totals = np.zeros((max(kernels.SHARDS, threads), LANES))  # a cache line and more each
        reached = [0] * threads

        def work(thread: int, control: NDArray[np.int64]) -> None:
            reached[thread] = train(
                self.kept,
                size,
                self.done,
                rates,
                self.settings,
                self.pieces,
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
            DivergedError: a score was beyond all sense; the parameters are those of the last good step.
            Interrupted: the report asked to stop; a checkpoint was saved.
        """
        self.warm_up(report)
        for _ in train_blocks(self, report):
            pass

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
        """The mean loss of one prediction, in nats: of a context by a word, or of a word by its contexts (CBOW).

        Over all words of ``ids``, none left out by subsampling; noise words and windows are drawn with a seed of their own, so
        that two models of one vocabulary are measured on the very same task.
        """
        totals = np.zeros(2)
        settings = self.settings._replace(seed=0, direct=False, chunk=min(self.settings.chunk, MEASURED))
        size = len(self.kept)
        for first in range(0, len(ids), size):
            part = np.ascontiguousarray(ids[first : first + size])
            kernels.measure(
                part,
                len(part),
                settings,
                self.pieces,
                self.sampling,
                self.parameters,
                self.desks,
                self.hands[0],
                totals,
            )
        return float(totals[0] / totals[1]) if totals[1] else math.nan

    # ---- checkpoints ------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Everything that the next block needs, besides the data and the settings."""
        arrays: Arrays = {
            "input": self.input.copy(),
            "targets": self.targets.copy(),
            "totals": self.totals.copy(),
            "kept": self.subwords.kept.copy(),
        }
        return State(arrays, {"done": self.done, "curve": [dict(row) for row in self.curve]})

    def resume(self, state: State) -> None:
        """Go on where ``state`` was saved. Raises ValueError where it does not fit this data and these settings."""
        if not np.array_equal(state.arrays["kept"], self.subwords.kept):
            raise ValueError("the checkpoint's n-grams are not those of the data")
        for name, mine in (("input", self.input), ("targets", self.targets), ("totals", self.totals)):
            if state.arrays[name].shape != mine.shape or state.arrays[name].dtype != mine.dtype:
                raise ValueError(f"the checkpoint's {name} do not fit the data")
            mine[...] = state.arrays[name]
        self.done = int(state.data["done"])
        if not 0 <= self.done <= self.plan.epochs * self.blocks:
            raise ValueError("the checkpoint stands outside the training")
        self.curve = [dict(row) for row in state.data["curve"]]


def _round(counts: Integers, subwords: Subwords, plan: Plan) -> tuple[int, int]:
    """Turns of a round, and words of a turn.

    All moves of a round are added, so that no vector may move far in one. A vector moves wherever one of its rows does: how
    often, in a word of text, is the mean over its rows of how often each occurs. For the word where that is highest, these
    moves times the rate stay below MOST_STEPS. A tree's root takes part in every prediction, but moves less.
    """
    shares = kept_shares(counts, plan.sample)
    sizes = np.diff(subwords.starts)
    occurs = np.bincount(subwords.rows, weights=np.repeat(shares, sizes))
    touched = np.add.reduceat(occurs[subwords.rows], subwords.starts[:-1]) / sizes
    rate = plan.learning_rate * ((plan.window + 1) if plan.cbow else 1)  # each word is in so many others' hidden vector
    words = MOST_STEPS / (rate * float(touched.max()))
    if not plan.negative:
        words = min(words, MOST_ROOT_STEPS / plan.learning_rate)
    words = int(np.clip(words, 1, kernels.SHARDS * LARGEST_CHUNK))
    turns = min(CBOW_SHARDS if plan.cbow else kernels.SHARDS, words)
    return turns, words // turns


def _block_tokens(plan: Plan) -> int:
    """A function of the settings alone, since the random numbers and the bits depend on where blocks end."""
    work = plan.dim * plan.window * (1 + (plan.negative or 12)) / (100 * 5 * 6) / (plan.window if plan.cbow else 1)
    return int(np.clip(LONGEST_BLOCK / max(work, 1), SHORTEST_BLOCK, LONGEST_BLOCK))


def _sampling(counts: Integers, plan: Plan, paths: Paths) -> kernels.Sampling:
    if not plan.negative:
        return kernels.Sampling(AliasTable(np.zeros(0, np.uint32), np.zeros(0, np.int32)), paths)
    return kernels.Sampling(alias_table(np.maximum(counts, 1) ** NOISE_POWER), paths)


def _no_paths() -> Paths:
    return Paths(np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.uint8))


def _most_targets(plan: Plan, settings: kernels.Settings, paths: Paths) -> int:
    """Of a word: its contexts, or itself, and noise words; or all nodes on their ways."""
    words = 1 if plan.cbow else 2 * plan.window
    if plan.negative:
        return words + settings.noise
    return max(1, min(words * int(np.diff(paths.starts).max(initial=0)), settings.words - 1))


def _desks(settings: kernels.Settings, longest: int, width: int, plan: Plan) -> kernels.Desks:
    desks = max(kernels.SHARDS, plan.threads)
    seats = settings.chunk + (2 * settings.window if settings.cbow else 0)
    rows = 2 * seats + (settings.chunk + 1 if settings.cbow else 0)
    noted = settings.chunk * longest
    return kernels.Desks(
        arena=aligned(desks * rows, width).reshape(desks, rows, width),
        words=np.full((desks, seats), -1, dtype=np.int32),
        notes=np.zeros((desks, LANES), dtype=np.int64),
        targets=np.zeros((desks, noted), dtype=np.int32),
        places=np.zeros((desks, noted), dtype=np.int32),
        errors=np.zeros((desks, noted), dtype=np.float32),
    )


def _hands(settings: kernels.Settings, longest: int, spare: int) -> kernels.Hands:
    group = kernels.GROUP
    groups = max(1, -(-longest // group))
    slots = apart(group * groups, np.int64)
    slots[:] = LANES * (np.arange(group * groups) // group) + np.arange(group * groups) % group
    return kernels.Hands(
        noise=apart(settings.pool, np.int32),
        turn=apart(1, np.int64),
        contexts=apart(2 * settings.window + 1, np.int64),
        targets=apart(group * groups, np.int64),
        slots=slots,
        scores=aligned(1, LANES * groups),
        goals=aligned(2, LANES * groups),
        seen=apart(settings.words, np.int64),
        clock=apart(1, np.int64),
        owned=apart(settings.chunk * longest + 1, np.int64),
        stream=apart(1, np.uint64),
        spare=spare,
    )
