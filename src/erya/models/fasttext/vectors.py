"""fastText's word vectors: a word is the mean of its own vector and those of its character n-grams, so that new words have one, too.

Bojanowski, Grave, Joulin and Mikolov 2017, "Enriching Word Vectors with Subword Information". The mathematics is in
``subword_kernels.py`` (and, to be read first, in ``subword_reference.py``); blocks and checkpoints in ``subword_loop.py``.
Not here: reading text (``text/corpus.py``), questions to the vectors (``parts/word_queries.py``), the classifier (``estimator.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.contract import Model
from erya.errors import DivergedError
from erya.language import say
from erya.models.fasttext.features import hashes, pieces_of
from erya.parts import settings
from erya.parts.unknown_word import UnknownWordError
from erya.parts.word_queries import WordQueries
from erya.parts.word_state import words_counts_vectors
from erya.progress import Report, quiet
from erya.state import State, pack_strings
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.fasttext.original import Original
    from erya.models.fasttext.subword_loop import Plan, Run, Start, Subwords
    from erya.text.corpus import Encoded
    from erya.trace import Trace

ALGORITHMS = ("skip_gram", "cbow")
LOSSES = ("negative_sampling", "hierarchical_softmax")
MOST_BUCKETS = 1 << 31  # rows are numbered in 32 bits

Floats = NDArray[np.float32]


class FastTextVectors(Model, WordQueries):
    """Word vectors made of n-grams' vectors, by stochastic gradient descent on several threads.

    A word outside of the vocabulary has a vector if one of its n-grams occurs in a word of the vocabulary: their mean. ``in`` says
    whether it has; ``has_index_for`` says whether the word itself was seen often enough.

    Args:
        dim: D, the width of the vectors.
        window: how far a neighbour may be, in words; each window's width is drawn from 1 to this.
        algorithm: ``"skip_gram"``: a word predicts each neighbour; ``"cbow"``: all neighbours together predict the word.
        loss: ``"negative_sampling"`` or ``"hierarchical_softmax"``.
        negative: K, noise words for each prediction; not with hierarchical softmax.
        sample: frequent words are left out at random, those above this share of the text; 0: none.
        min_count: a word seen less often is not in the vocabulary.
        min_n: fewest characters of an n-gram, of which a mark before the word and one after it are two.
        max_n: most; 0: no n-grams.
        buckets: numbers that an n-gram's hash can take. Costs nothing: only those met in training are kept.
        epochs: passes over the text.
        learning_rate: of the first step, falling linearly.
        deterministic: same seed, same bits, for any number of threads. False: threads write without waiting.
        pretrained: a file of word vectors to begin with, in any format that Erya reads. Its width replaces ``dim``; a word of the
            vocabulary that it has begins with that vector as its own row, n-grams begin at random.
        tokenizer: a name or a tokenizer; ``"auto"``: words, or Chinese words.
        seed: fixes the first vectors and everything drawn.

    Attributes:
        words_: V words, most frequent first.
        counts_: (V,) how often each was seen.
        vectors_: (V, D) float32.
        input_: (V + K, D) float32: the words' own rows, then those of the n-grams' buckets.
        buckets_: (K,) ascending numbers of the buckets that have a row.
        targets_: (V, D) float32, the words as what is predicted; or (V − 1, D) the tree's inner nodes.
        tokenizer_: the tokenizer used.
        curve_: a row an epoch: epoch, step, loss, and for validation text validation_loss (nats; see ``Run.loss``).

    Example:
        >>> model = FastTextVectors(dim=8, min_count=1, epochs=2).fit(["you say goodbye and I say hello"])
        >>> "goodbyes" in model, model["goodbyes"].shape
        (True, (8,))
    """

    id: ClassVar[str] = "vectors/fasttext"

    def __init__(
        self,
        *,
        dim: int = 100,
        window: int = 5,
        algorithm: str = "skip_gram",
        loss: str = "negative_sampling",
        negative: int = 5,
        sample: float = 1e-4,
        min_count: int = 5,
        min_n: int = 3,
        max_n: int = 6,
        buckets: int = 2_000_000,
        epochs: int = 5,
        learning_rate: float = 0.05,
        deterministic: bool = True,
        pretrained: str | Path | None = None,
        tokenizer: Any = "auto",
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.window = window
        self.algorithm = algorithm
        self.loss = loss
        self.negative = negative
        self.sample = sample
        self.min_count = min_count
        self.min_n = min_n
        self.max_n = max_n
        self.buckets = buckets
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.deterministic = deterministic
        self.pretrained = pretrained
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
        from erya.models.fasttext import vector_starts  # Numba: only for training
        from erya.parts.more_text import held_out_ids
        from erya.text.corpus import encode

        self._check_settings(sample_weight)
        encoded = encode(X, tokenizer=self.tokenizer, min_count=self.min_count, report=report)
        start = None if self.pretrained is None else vector_starts.from_file(Path(self.pretrained), encoded, report)
        held_out = held_out_ids(validation, encoded.words, encoded.tokenizer)
        self._learn(encoded, encoded.counts, self._subwords(encoded, encoded.counts), held_out, start, report)
        return self

    def partial_fit(self, X: Any, y: Any = None, *, validation: Any = None, report: Report = quiet) -> Self:
        """Go on with more text: new words that reach ``min_count`` in it join the vocabulary, known words and n-grams go on learning.

        The learning rate begins anew. Counts are added up, so that subsampling and noise follow all text seen. A new word begins
        with its n-grams as they have been learned, and a random row of its own. With hierarchical softmax the tree changes with
        the counts, and its nodes' vectors begin anew.

        Args:
            X: as ``fit``; an iterable that can be read only once is kept in memory.
            y: ignored.
            validation, report: as ``fit``.

        Raises:
            DataError: no text, or no word that is known or frequent enough.
            UsageError, DivergedError, Interrupted: as ``fit``; settings that cannot change any more.
        """
        from erya.models.fasttext import vector_starts
        from erya.parts.more_text import grown, held_out_ids

        if not self.__sklearn_is_fitted__():
            return self.fit(X, validation=validation, report=report)
        self._check_settings(None)
        vector_starts.check_settings(self)
        more = grown(X, self.words_, self.counts_, self.tokenizer_, self.min_count, report)
        subwords = self._subwords(more.encoded, more.counts)
        start = vector_starts.from_before(self, more, subwords)
        held_out = held_out_ids(validation, more.encoded.words, more.encoded.tokenizer)
        self._learn(more.encoded, more.counts, subwords, held_out, start, report)
        return self

    def _subwords(self, encoded: Encoded, counts: NDArray[np.int64]) -> Subwords:
        from erya.models.fasttext.subword_loop import Subwords

        return Subwords.of(encoded.words, counts, self.min_n, self.max_n, self.buckets)

    def _learn(
        self,
        encoded: Encoded,
        counts: NDArray[np.int64],
        subwords: Subwords,
        held_out: NDArray[np.int32] | None,
        start: Start | None,
        report: Report,
    ) -> None:
        from erya.models.fasttext.subword_loop import Run

        try:
            dim = self.dim if start is None else start.vectors.shape[1]
            run = Run(encoded.ids, counts, subwords, self._plan(dim), held_out, start)
            saved = report.load_checkpoint()
            if saved is not None:
                run.resume(saved)
            try:
                run.finish(report)
            except DivergedError:
                self._take(encoded, counts, run)
                raise
            self._take(encoded, counts, run)
        finally:
            encoded.close()

    def _plan(self, dim: int) -> Plan:
        from erya.models.fasttext.subword_kernels import SHARDS
        from erya.models.fasttext.subword_loop import Plan

        threads = machine.threads()
        return Plan(
            dim=dim,
            window=self.window,
            negative=0 if self.loss == "hierarchical_softmax" else self.negative,
            cbow=self.algorithm == "cbow",
            sample=float(self.sample),
            epochs=self.epochs,
            learning_rate=float(self.learning_rate),
            seed=self.seed,
            deterministic=self.deterministic,
            threads=min(threads, SHARDS) if self.deterministic else threads,
        )

    def _check_settings(self, sample_weight: Any) -> None:
        for name in ("dim", "window", "epochs", "min_count", "negative"):
            settings.whole(name, getattr(self, name))
        settings.whole("seed", self.seed, 0)
        settings.whole("min_n", self.min_n, 0)
        settings.whole("max_n", self.max_n, 0)
        settings.require(self.window <= 1000, "window", self.window, "≤ 1000")
        settings.require(self.negative <= 1000, "negative", self.negative, "≤ 1000")
        settings.require(self.max_n <= 100, "max_n", self.max_n, "≤ 100")
        settings.require(self.max_n == 0 or self.min_n <= self.max_n, "min_n", self.min_n, f"≤ max_n={self.max_n}")
        good = isinstance(self.buckets, int | np.integer) and not isinstance(self.buckets, bool)
        settings.require(good and 0 < self.buckets < MOST_BUCKETS, "buckets", self.buckets, f"≥ 1, < {MOST_BUCKETS}")
        settings.number("sample", self.sample, 0, 1)
        settings.number("learning_rate", self.learning_rate, 0, 1e3, closed=False)
        for name, choices in (("algorithm", ALGORITHMS), ("loss", LOSSES)):
            settings.require(getattr(self, name) in choices, name, getattr(self, name), " | ".join(choices))
        path: Any = self.pretrained
        settings.require(path is None or isinstance(path, str | Path), "pretrained", path, "FILE")
        sentence = say("vectors are learned word by word: texts have no weights", "词向量逐词学习：文本不能带权重")
        settings.no_weights(sample_weight, sentence)

    def _take(self, encoded: Encoded, counts: NDArray[np.int64], run: Run) -> None:
        """What was learned, the buckets in ascending order."""
        order = np.argsort(run.subwords.kept)
        words = len(encoded.words)
        self.words_, self.counts_, self.tokenizer_ = encoded.words, counts, encoded.tokenizer
        self.vectors_ = run.subwords.means(run.input)
        self.input_ = np.concatenate([run.input[:words], run.input[words + order]])
        self.buckets_ = run.subwords.kept[order]
        self.targets_ = np.ascontiguousarray(run.targets)
        self.curve_ = run.curve

    # ---- a word's vector --------------------------------------------------------------------------------------

    def vector_of(self, word: str) -> Floats:
        """(D,) the vector of a word: of one outside of the vocabulary the mean of its n-grams that have one.

        Raises:
            UnknownWordError: none has; it names the nearest known words.
        """
        if word in self.key_to_index:
            return super().vector_of(word)
        rows = self.ngrams(word)[1]
        if not (rows >= 0).any():
            raise UnknownWordError(word, self.words_, self.key_to_index)
        return np.asarray(self.input_[rows[rows >= 0]].mean(axis=0), dtype=np.float32)

    def __contains__(self, key: object) -> bool:
        """Whether the word has a vector, its own or one made of n-grams."""
        return key in self.key_to_index or (isinstance(key, str) and bool((self.ngrams(key)[1] >= 0).any()))

    def ngrams(self, word: str) -> tuple[list[str], NDArray[np.int64]]:
        """The character n-grams of "<word>", and for each its row of ``input_``, −1 where it has none."""
        pieces = pieces_of(word, self.min_n, self.max_n)
        found = hashes(pieces).astype(np.int64) % self.buckets
        if not len(self.buckets_):
            return pieces, np.full(len(pieces), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.buckets_, found), len(self.buckets_) - 1)
        return pieces, np.where(self.buckets_[places] == found, len(self.words_) + places, -1)

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """A word's neighbours, and its n-grams: what each adds to the word's vector.

        Raises:
            UsageError: the word has no vector.
        """
        from erya.models.fasttext.vector_views import trace

        self._check_fitted()
        return trace(self, x)

    # ---- the original's files ---------------------------------------------------------------------------------

    def to_original(self) -> Original:
        """This model as the original program's, to be written as ``.bin`` or asked what that program is asked.

        Buckets without a row become rows of zeros: words have the same vectors; those outside of the vocabulary have vectors of
        the same direction.
        """
        from erya.models.fasttext.vector_exchange import to_original

        self._check_fitted()
        return to_original(self)

    @classmethod
    def from_original(cls, original: Original) -> Self:
        """The words, vectors and settings of a model that was trained by the original program, or for it.

        Raises:
            DataError: it is a classifier, or a word is not UTF-8.
        """
        from erya.models.fasttext.vector_exchange import from_original

        return from_original(cls, original)

    # ---- what was learned -------------------------------------------------------------------------------------

    def plain_params(self) -> dict[str, Any]:
        """The constructor's arguments as JSON data."""
        if not isinstance(self.pretrained, Path):
            return super().plain_params()
        plain: dict[str, Any] = type(self)(**{**self.get_params(), "pretrained": str(self.pretrained)}).plain_params()
        return plain

    def state(self) -> State:
        """Words, counts, vectors, all rows, buckets, targets; tokenizer and the curve."""
        self._check_fitted()
        arrays = {
            "vectors": self.vectors_,
            "input": self.input_,
            "buckets": self.buckets_,
            "targets": self.targets_,
            "counts": np.asarray(self.counts_),
            **pack_strings("words", self.words_),
        }
        return State(arrays, {"tokenizer": self.tokenizer_.to_plain(), "curve": self.curve_})

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        arrays, data = state.arrays, state.data
        words, counts, vectors = words_counts_vectors(arrays)
        input, kept, targets = arrays["input"], arrays["buckets"], arrays["targets"]
        if kept.dtype != np.int64 or kept.ndim != 1 or (np.diff(kept) <= 0).any():
            raise ValueError("the buckets are not ascending numbers")
        if len(kept) and not 0 <= int(kept[0]) <= int(kept[-1]) < self.buckets:
            raise ValueError("a bucket's number is beyond their number")
        if input.dtype != np.float32 or input.shape != (len(words) + len(kept), vectors.shape[1]):
            raise ValueError("the rows do not fit the words and the buckets")
        rows = len(words) - 1 if self.loss == "hierarchical_softmax" else len(words)
        if targets.dtype != np.float32 or targets.shape != (rows, vectors.shape[1]):
            raise ValueError("the targets do not fit the vectors")
        self.words_, self.counts_, self.vectors_ = words, counts, vectors
        self.input_, self.buckets_, self.targets_ = input, kept, targets
        self.tokenizer_, self.curve_ = tokenizers.from_plain(data["tokenizer"]), list(data["curve"])
