"""GloVe: word vectors whose products are the logarithms of co-occurrence counts.

Pennington, Socher and Manning 2014, "GloVe: Global Vectors for Word Representation". The mathematics is in ``kernels.py`` (and,
to be read first, in ``reference.py``); counting in ``parts/counting.py``, the order of the steps in ``tiles.py`` and ``loop.py``.
Not here: the original's four programs and their files; asymmetric windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from erya import machine
from erya.contract import Model
from erya.errors import DataError, DivergedError
from erya.language import say
from erya.parts import settings
from erya.parts.counting_kept import Kept, keep, kept_from, row_sums
from erya.parts.word_queries import WordQueries
from erya.parts.word_state import words_counts_vectors
from erya.progress import Report, quiet
from erya.state import State, pack_strings
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.glove.loop import Plan, Run
    from erya.text.corpus import Encoded
    from erya.trace import Trace


class GloVe(Model, WordQueries):
    """Word vectors from a weighted least-squares fit of ln X, X the co-occurrence counts, by AdaGrad on several threads.

    Args:
        dim: D, the width of the vectors.
        window: how far a neighbour may be, in words; at distance d it counts 1/d.
        epochs: passes over the entries of X.
        learning_rate: of AdaGrad's first step.
        x_max: a count from which an entry has its full weight. The original's 100 is for billions of words; in some ten
            million few counts reach it.
        alpha: below ``x_max`` the weight is (x / x_max) to this power.
        clip: no component of a gradient is further from 0.
        add_contexts: whether a word's vector is the sum of its vector as a word and as a context (the paper's choice).
        min_count: a word seen less often has no vector.
        max_size: the greatest number of words; None: no limit.
        deterministic: same seed, same bits, for any number of threads. False: threads write without waiting.
        tokenizer: a name or a tokenizer; ``"auto"``: words, or Chinese words.
        seed: fixes the first vectors and the order of the steps.

    Attributes:
        words_: V words, most frequent first.
        counts_: (V,) how often each was seen.
        vectors_: (V, D) float32, one a word: see ``add_contexts``.
        contexts_: (V, D) float32, the words' vectors as contexts.
        biases_: (2, V) float32: of words, of contexts.
        cooccurrences_: what is kept of the counts: see ``parts/counting_kept.py``.
        tokenizer_: the tokenizer used.
        curve_: a row an epoch: epoch, loss (the mean of ½ f(X) error² over the entries).

    Example:
        >>> GloVe(dim=4, min_count=1, epochs=2).fit(["you say goodbye and I say hello"]).words_[0]
        'say'
    """

    id: ClassVar[str] = "vectors/glove"

    def __init__(
        self,
        *,
        dim: int = 100,
        window: int = 10,
        epochs: int = 15,
        learning_rate: float = 0.05,
        x_max: float = 10.0,
        alpha: float = 0.75,
        clip: float = 100.0,
        add_contexts: bool = True,
        min_count: int = 5,
        max_size: int | None = None,
        deterministic: bool = True,
        tokenizer: Any = "auto",
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.window = window
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.x_max = x_max
        self.alpha = alpha
        self.clip = clip
        self.add_contexts = add_contexts
        self.min_count = min_count
        self.max_size = max_size
        self.deterministic = deterministic
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
            sample_weight: must be None: counts are of words, not of documents.
            validation: ignored: what an entry of another text's counts should weigh, the model does not say.
            report: told about epochs, asked whether to stop, given checkpoints.

        Raises:
            DataError: no text; no word is frequent enough; no word has a neighbour.
            UsageError: a setting out of its range; weights.
            DivergedError: the learning rate is too high; the model is that of the last good step.
            Interrupted: the report asked for it.
        """
        from erya.models.glove.loop import Run  # Numba: only for training
        from erya.parts.counting import count
        from erya.text.corpus import encode

        self._check_settings(sample_weight)
        encoded = encode(X, tokenizer=self.tokenizer, min_count=self.min_count, max_size=self.max_size, report=report)
        try:
            store = count(encoded.ids, len(encoded.words), window=self.window, report=report)
        finally:
            encoded.close()
        if not len(store.columns):
            raise DataError(
                "no-neighbours",
                say("no line holds two words: there is nothing to learn from", "没有一行含有两个词：无从学习"),
                help="--set min_count=1",
            )
        try:
            run = Run(store, self._plan(), encoded.digest, report)
            kept = keep(store, row_sums(store), report=report)
        finally:
            store.close()
        saved = report.load_checkpoint()
        if saved is not None:
            run.resume(saved)
        try:
            run.finish(report)
        except DivergedError:
            self._take(encoded, kept, run)
            raise
        self._take(encoded, kept, run)
        return self

    def _plan(self) -> Plan:
        from erya.models.glove.loop import Plan

        return Plan(
            dim=self.dim,
            epochs=self.epochs,
            learning_rate=float(self.learning_rate),
            x_max=float(self.x_max),
            alpha=float(self.alpha),
            clip=float(self.clip),
            seed=self.seed,
            deterministic=self.deterministic,
            threads=machine.threads(),
        )

    def _check_settings(self, sample_weight: Any) -> None:
        for name in ("dim", "window", "epochs", "min_count"):
            settings.whole(name, getattr(self, name))
        settings.whole("seed", self.seed, 0)
        settings.whole("max_size", self.max_size, optional=True)
        settings.number("learning_rate", self.learning_rate, 0, 1e6, closed=False)
        settings.number("x_max", self.x_max, 0, 1e12, closed=False)
        settings.number("alpha", self.alpha, 0, 10)
        settings.number("clip", self.clip, 0, 1e12, closed=False)
        sentence = say("vectors are learned from counts: texts have no weights", "词向量由计数学得：文本不能带权重")
        settings.no_weights(sample_weight, sentence)

    def _take(self, encoded: Encoded, kept: Kept, run: Run) -> None:
        dim = self.dim
        self.words_, self.counts_, self.tokenizer_ = encoded.words, encoded.counts, encoded.tokenizer
        self.cooccurrences_ = kept
        self.contexts_ = np.ascontiguousarray(run.contexts)
        self.vectors_ = run.words + run.contexts if self.add_contexts else np.ascontiguousarray(run.words)
        self.biases_ = np.stack([run.parameters.words[:, dim], run.parameters.contexts[:, dim + 1]])
        self.curve_ = run.curve

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """One word: its counts, the model's guess of them, its neighbours. Two words: the ratio of their co-occurrences.

        Args:
            x: a word; or two words, as a list or with a space between them.

        Raises:
            UsageError: a word is not known.
        """
        from erya.models.glove.views import trace

        self._check_fitted()
        return trace(self, x)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Words, vectors, contexts, biases, kept counts; tokenizer and the curve."""
        self._check_fitted()
        arrays = {
            "vectors": self.vectors_,
            "contexts": self.contexts_,
            "biases": self.biases_,
            "counts": np.asarray(self.counts_),
            **self.cooccurrences_.state(),
            **pack_strings("words", self.words_),
        }
        data = {
            "tokenizer": self.tokenizer_.to_plain(),
            "whole_counts": self.cooccurrences_.whole,
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
        contexts, biases = arrays["contexts"], arrays["biases"]
        if (
            contexts.dtype != np.float32
            or contexts.shape != vectors.shape
            or biases.dtype != np.float32
            or biases.shape != (2, len(words))
        ):
            raise ValueError("the contexts or biases do not fit the vectors")
        if not all(np.isfinite(array).all() for array in (vectors, contexts, biases)):
            raise ValueError("there are values that are not finite")
        self.cooccurrences_ = kept_from(arrays, len(words), data["whole_counts"])
        self.words_, self.counts_, self.vectors_, self.contexts_, self.biases_ = (
            words,
            counts,
            vectors,
            contexts,
            biases,
        )
        self.tokenizer_, self.curve_ = tokenizers.from_plain(data["tokenizer"]), list(data["curve"])
