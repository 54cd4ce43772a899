"""word2vec: a word's vector is what predicts the words around it.

Mikolov, Chen, Corrado and Dean 2013, "Efficient Estimation of Word Representations in Vector Space" (skip-gram, CBOW), and Mikolov,
Sutskever, Chen, Corrado and Dean 2013, "Distributed Representations of Words and Phrases and their Compositionality" (negative
sampling, subsampling). The mathematics is in ``kernels.py`` (and, to be read first, in ``reference.py``); blocks and
checkpoints in ``loop.py``. Not here: reading text (``text/corpus.py``), questions to the vectors (``parts/word_queries.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.contract import Model
from erya.errors import DivergedError, ResourceError, UsageError, nearest, quoted
from erya.language import say
from erya.parts import settings
from erya.parts.word_queries import WordQueries
from erya.parts.word_state import words_counts_vectors
from erya.progress import Report, quiet
from erya.state import State, pack_strings
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.word2vec.loop import Plan, Run
    from erya.text.corpus import Encoded
    from erya.trace import Trace

ALGORITHMS = ("skip_gram", "cbow")
LOSSES = ("negative_sampling", "hierarchical_softmax", "nce")
RATES = {"skip_gram": 0.025, "cbow": 0.05}
WATCHED = 12  # words whose vectors are kept as they move, where the user names none
FIRST_WATCHED = 100  # the most frequent words are function words, which nobody wants to watch


class Word2Vec(Model, WordQueries):
    """Word vectors by predicting neighbours, with stochastic gradient descent on several threads.

    Args:
        dim: D, the width of the vectors.
        window: how far a neighbour may be, in words.
        algorithm: ``"skip_gram"``: each neighbour predicts the word by itself; ``"cbow"``: all of them together.
        loss: ``"negative_sampling"``, ``"nce"`` (noise-contrastive estimation) or ``"hierarchical_softmax"``.
        negative: K, noise words for each word; not with hierarchical softmax.
        sample: frequent words are left out at random, those above this share of the text; 0: none.
        smoothing: noise words are drawn by count to this power.
        cbow_mean: CBOW predicts from the mean of the neighbours' vectors; False: from their sum.
        shrink_window: draw each window's width from 1 to ``window``, so that near neighbours count more.
        min_count: a word seen less often has no vector.
        max_size: the greatest number of words; None: no limit.
        epochs: passes over the text.
        learning_rate: of the first step, falling linearly; None: 0.025 for skip-gram, 0.05 for CBOW.
        deterministic: same seed, same bits, for any number of threads. False: threads write without waiting.
        watch: words whose vectors are kept at some moments of the training, to be looked at; none named: some frequent ones.
        tokenizer: a name or a tokenizer; ``"auto"``: words, or Chinese words.
        seed: fixes the first vectors and everything drawn.

    Attributes:
        words_: V words, most frequent first.
        counts_: (V,) how often each was seen.
        vectors_: (V, D) float32.
        targets_: (V, D) float32, the words' other vectors, as what is predicted; or (V − 1, D) those of the tree's inner nodes.
        tokenizer_: the tokenizer used.
        watched_, moments_, snapshots_: words, shares of the training, and (moments, words, D) their vectors then.
        curve_: a row an epoch: epoch, step, loss, and for validation text validation_loss (nats; see ``Run.loss``).

    Example:
        >>> model = Word2Vec(dim=8, min_count=1, epochs=2).fit(["you say goodbye and I say hello"])
        >>> model.words_[0], model["say"].shape
        ('say', (8,))
    """

    id: ClassVar[str] = "vectors/word2vec"

    def __init__(
        self,
        *,
        dim: int = 100,
        window: int = 5,
        algorithm: str = "skip_gram",
        loss: str = "negative_sampling",
        negative: int = 5,
        sample: float = 1e-3,
        smoothing: float = 0.75,
        cbow_mean: bool = True,
        shrink_window: bool = True,
        min_count: int = 5,
        max_size: int | None = None,
        epochs: int = 5,
        learning_rate: float | None = None,
        deterministic: bool = True,
        watch: tuple[str, ...] = (),
        tokenizer: Any = "auto",
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.window = window
        self.algorithm = algorithm
        self.loss = loss
        self.negative = negative
        self.sample = sample
        self.smoothing = smoothing
        self.cbow_mean = cbow_mean
        self.shrink_window = shrink_window
        self.min_count = min_count
        self.max_size = max_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.deterministic = deterministic
        self.watch = watch
        self.tokenizer = tokenizer
        self.seed = seed

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Learn vectors from text.

        Args:
            X: a Path to text (a file, a folder, a pattern), an iterable of texts, or of token lists.
            y: ignored.
            sample_weight: must be None: the text is read word by word, not row by row.
            validation: other text, as ``X`` or as ``(X, None)``; its loss is measured after every epoch.
            report: told about epochs, asked whether to stop, given checkpoints.

        Raises:
            DataError: no text; no word is frequent enough.
            UsageError: a setting out of its range; weights.
            DivergedError: the learning rate is too high; the model is that of the last good step.
            Interrupted: the report asked for it.
        """
        from erya.parts.more_text import held_out_ids
        from erya.text.corpus import encode

        self._check_settings(sample_weight)
        encoded = encode(X, tokenizer=self.tokenizer, min_count=self.min_count, max_size=self.max_size, report=report)
        held_out = held_out_ids(validation, encoded.words, encoded.tokenizer)
        self._learn(encoded, encoded.counts, held_out, None, report)
        return self

    def partial_fit(self, X: Any, y: Any = None, *, validation: Any = None, report: Report = quiet) -> Self:
        """Go on with more text: new words that reach ``min_count`` in it join the vocabulary, known words go on learning.

        The learning rate begins anew. Counts are added up, so that subsampling and noise follow all text seen. A Huffman tree
        changes with the counts: with hierarchical softmax its nodes' vectors begin anew, the words' vectors stay.

        Args:
            X: as ``fit``; an iterable that can be read only once is kept in memory.
            y: ignored.
            validation, report: as ``fit``.

        Raises:
            DataError: no text, or no word that is known or frequent enough.
            UsageError, DivergedError, Interrupted: as ``fit``.
        """
        from erya.parts.more_text import grown, held_out_ids

        if not self.__sklearn_is_fitted__():
            return self.fit(X, validation=validation, report=report)
        self._check_settings(None)
        rows = len(self.words_) - (self.loss == "hierarchical_softmax")
        if self.dim != self.vectors_.shape[1] or rows != len(self.targets_):
            raise UsageError(
                "other-settings",
                say(
                    "dim and loss cannot change once a model is fitted",
                    "模型训练之后不能再改 dim 和 loss",
                ),
                help=f"set_params(dim={self.vectors_.shape[1]}), or fit(X)",
            )
        more = grown(X, self.words_, self.counts_, self.tokenizer_, self.min_count, report)
        start = self._grown(more.fresh, more.order)
        other = held_out_ids(validation, more.encoded.words, more.encoded.tokenizer)
        self._learn(more.encoded, more.counts, other, start, report)
        return self

    def _grown(self, fresh: int, order: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The matrices with random rows for new words, in the new order."""
        generator = np.random.default_rng([self.seed, 1 + len(self.words_)])
        width = self.vectors_.shape[1]
        rows = (generator.random((fresh, width), dtype=np.float32) - np.float32(0.5)) / np.float32(width)
        vectors = np.concatenate([self.vectors_, rows])[order]
        if self.loss == "hierarchical_softmax":
            return vectors, np.zeros((len(order) - 1, width), dtype=np.float32)
        return vectors, np.concatenate([self.targets_, np.zeros((fresh, width), dtype=np.float32)])[order]

    def _learn(
        self,
        encoded: Encoded,
        counts: NDArray[np.int64],
        held_out: NDArray[np.int32] | None,
        start: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
        report: Report,
    ) -> None:
        watched = self._watched(encoded.words)
        try:
            run = _run(encoded.ids, counts, self._plan(), watched, held_out, start)
            saved = report.load_checkpoint()
            if saved is not None:
                run.resume(saved)
            run.finish(report)
        except DivergedError:
            self._take(encoded, counts, run)
            raise
        finally:
            encoded.close()
        self._take(encoded, counts, run)

    def _watched(self, words: list[str]) -> NDArray[np.int64]:
        if self.watch:
            known = {word: row for row, word in enumerate(words)}
            for word in self.watch:
                if word not in known:
                    guess = nearest(word, words[:100_000])
                    raise UsageError(
                        "unknown-word",
                        say(f"watch: '{quoted(word, 40)}' is not known", f"watch：“{quoted(word, 40)}”不是已知的词"),
                        help=f"watch={quoted(guess)}" if guess else "",
                    )
            return np.array([known[word] for word in self.watch], dtype=np.int64)
        first = FIRST_WATCHED if len(words) >= 4 * FIRST_WATCHED else 0
        last = min(len(words), 20 * FIRST_WATCHED)
        return np.unique(np.geomspace(first + 1, max(last, first + 1), min(WATCHED, len(words))).astype(np.int64) - 1)

    def _plan(self) -> Plan:
        from erya.models.word2vec.loop import Plan
        from erya.models.word2vec.shard_kernels import SHARDS

        threads = machine.threads()
        return Plan(
            dim=self.dim,
            window=self.window,
            negative=0 if self.loss == "hierarchical_softmax" else self.negative,
            contrastive=self.loss == "nce",
            cbow=self.algorithm == "cbow",
            mean=self.cbow_mean and self.algorithm == "cbow",
            shrink=self.shrink_window,
            sample=float(self.sample),
            smoothing=float(self.smoothing),
            epochs=self.epochs,
            learning_rate=float(RATES[self.algorithm] if self.learning_rate is None else self.learning_rate),
            seed=self.seed,
            deterministic=self.deterministic,
            threads=min(threads, SHARDS) if self.deterministic else threads,
        )

    def _check_settings(self, sample_weight: Any) -> None:
        for name in ("dim", "window", "epochs", "min_count", "negative"):
            settings.whole(name, getattr(self, name))
        settings.whole("max_size", self.max_size, optional=True)
        settings.whole("seed", self.seed, 0)
        settings.require(self.window <= 1000, "window", self.window, "≤ 1000")
        settings.require(self.negative <= 1000, "negative", self.negative, "≤ 1000")
        settings.number("sample", self.sample, 0, 1)
        settings.number("smoothing", self.smoothing, -2, 2)
        settings.number("learning_rate", self.learning_rate, 0, 1e3, closed=False, optional=True)
        for name, choices in (("algorithm", ALGORITHMS), ("loss", LOSSES)):
            settings.require(getattr(self, name) in choices, name, getattr(self, name), " | ".join(choices))
        listed: Any = self.watch
        settings.require(not isinstance(listed, str), "watch", listed, '("king", "queen")')
        if machine.device() != "cpu":
            self._check_device(machine.device())
        sentence = say("vectors are learned word by word: texts have no weights", "词向量逐词学习：文本不能带权重")
        settings.no_weights(sample_weight, sentence)

    def _check_device(self, name: str) -> None:
        """Before any text is read: whether the device is there, and can train with this loss."""
        if find_spec("torch") is None:
            raise ResourceError(
                "device-missing",
                say(
                    f"device '{quoted(name, 40)}' needs PyTorch, which is not installed",
                    f"设备“{quoted(name, 40)}”需要 PyTorch，但当前环境没有安装",
                ),
                help=say(
                    'pip install "erya[neural]"   # works without: --device cpu',
                    'pip install "erya[neural]"   # 不装也可用：--device cpu',
                ),
            )
        from erya.parts.torch_device import check_device

        check_device(name)
        if self.loss == "hierarchical_softmax":
            raise UsageError(
                "device-unsupported",
                say(
                    f"hierarchical softmax trains on the CPU only, not on '{quoted(name, 40)}'",
                    f"层次 softmax 只能在 CPU 上训练，不支持“{quoted(name, 40)}”",
                ),
                help=say(
                    "--device cpu   # or: --set loss=negative_sampling",
                    "--device cpu   # 或：--set loss=negative_sampling",
                ),
            )

    def _take(self, encoded: Encoded, counts: NDArray[np.int64], run: Run) -> None:
        self.words_, self.counts_, self.tokenizer_ = encoded.words, counts, encoded.tokenizer
        self.vectors_, self.targets_ = np.ascontiguousarray(run.vectors), np.ascontiguousarray(run.targets)
        self.watched_ = [encoded.words[row] for row in run.watched.tolist()]
        self.moments_ = [moment / max(1, run.plan.epochs * run.blocks) for moment in run.moments]
        self.snapshots_ = np.array(run.snapshots, dtype=np.float32).reshape(-1, len(run.watched), run.plan.dim)
        self.curve_ = run.curve

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_output_word(self, context_words_list: Sequence[str], topn: int = 10) -> list[tuple[str, float]]:
        """Which words stand among these, with probabilities that sum to 1 over all V words.

        With negative sampling or NCE: a softmax over the words' scores, which the losses approach only roughly. With
        hierarchical softmax: the product of the turns' probabilities, exact. Unknown context words are left out.

        Raises:
            UsageError: no context word is known.
        """
        from erya.models.word2vec.answers import word_probabilities

        self._check_fitted()
        rows = [self.key_to_index[word] for word in context_words_list if word in self.key_to_index]
        if not rows:
            raise UsageError(
                "unknown-word",
                say("none of the context words is known", "上下文中没有一个已知的词"),
                help=" ".join(self.words_[:5]),
            )
        found = word_probabilities(self, rows)
        best = np.argsort(-found, kind="stable")[:topn]
        return [(self.words_[row], float(found[row])) for row in best.tolist()]

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """How a word is predicted: its neighbours, its path in the tree or its score against noise, and how vectors moved.

        Args:
            x: a word, predicted from its nearest neighbour; or several, as a list or with spaces between them: the last
                is predicted from those before it.

        Raises:
            UsageError: a word is not known.
        """
        from erya.models.word2vec.views import trace

        self._check_fitted()
        return trace(self, x)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Words, counts, both matrices, snapshots; tokenizer and the curve."""
        self._check_fitted()
        arrays = {
            "vectors": self.vectors_,
            "targets": self.targets_,
            "snapshots": self.snapshots_,
            "counts": np.asarray(self.counts_),
            **pack_strings("words", self.words_),
        }
        data = {
            "tokenizer": self.tokenizer_.to_plain(),
            "watched": list(self.watched_),
            "moments": list(self.moments_),
            "curve": self.curve_,
        }
        return State(arrays, data)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        arrays, data = state.arrays, state.data
        words, counts, vectors = words_counts_vectors(arrays)
        targets, snapshots = arrays["targets"], arrays["snapshots"]
        rows = len(words) - 1 if self.loss == "hierarchical_softmax" else len(words)
        if targets.dtype != np.float32 or targets.shape != (rows, vectors.shape[1]):
            raise ValueError("the targets do not fit the vectors")
        watched, moments = [str(word) for word in data["watched"]], [float(moment) for moment in data["moments"]]
        if snapshots.dtype != np.float32 or snapshots.shape != (len(moments), len(watched), vectors.shape[1]):
            raise ValueError("the snapshots do not fit the watched words")
        if not set(watched) <= set(words):
            raise ValueError("watched words that are not known")
        self.words_, self.counts_, self.vectors_, self.targets_ = words, counts, vectors, targets
        self.watched_, self.moments_, self.snapshots_ = watched, moments, snapshots
        self.tokenizer_, self.curve_ = tokenizers.from_plain(data["tokenizer"]), list(data["curve"])


def _run(
    ids: NDArray[np.int32],
    counts: NDArray[np.int64],
    plan: Plan,
    watched: NDArray[np.int64],
    held_out: NDArray[np.int32] | None,
    start: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
) -> Run:
    """The training, with kernels or, on another device than the CPU, with PyTorch. Numba, torch: only here."""
    if machine.device() != "cpu":
        from erya.models.word2vec.torch_run import TorchRun

        return TorchRun(ids, counts, plan, watched, held_out, start, device=machine.device())
    from erya.models.word2vec.loop import Run

    return Run(ids, counts, plan, watched, held_out, start)
