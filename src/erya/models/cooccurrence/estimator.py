"""Word vectors by counting: co-occurrence counts, pointwise mutual information, the main directions of the matrix.

Church and Hanks 1990 (PMI), Deerwester et al. 1990 (SVD of counts), Levy, Goldberg and Dagan 2015, "Improving Distributional
Similarity with Lessons Learned from Word Embeddings" (shift, smoothing, weighting of the eigenvalues). To be read first:
``reference.py``. Counting is in ``parts/counting.py``, PMI in ``weighing.py``, the decomposition in ``svd.py``.
Not here: documents as contexts (LSA), asymmetric windows, counts from several machines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.contract import Model
from erya.errors import DataError, UsageError
from erya.language import say
from erya.models.cooccurrence.weighing import ASSOCIATIONS, Weighing
from erya.parts import settings
from erya.parts.counting_kept import keep, kept_from, row_sums
from erya.parts.word_queries import WordQueries
from erya.parts.word_state import words_counts_vectors
from erya.progress import Report, quiet
from erya.state import State, pack_strings
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.cooccurrence.svd import Sparse
    from erya.parts.counting_store import Cooccurrences
    from erya.trace import Trace

MOST_DENSE = 5_000  # words whose rows can be kept as they are (dim=None): 100 MB


class Cooccurrence(Model, WordQueries):
    """Word vectors from counts of neighbours: X, then PPMI, then U Σᵖ of its singular value decomposition.

    Args:
        dim: D, the width of the vectors. None: the rows themselves, V wide, for at most 5,000 words.
        window: how far a neighbour may be, in words.
        min_count: a word seen less often has no vector.
        max_size: the greatest number of words; None: no limit.
        weighting: ``"uniform"``: each neighbour counts 1; ``"distance"``: at distance d it counts 1/d.
        association: ``"ppmi"``, ``"pmi"`` (pairs that never met count 0) or ``"count"``.
        shift: k; ln k is taken away from every PMI (as skip-gram with k negatives does).
        smoothing: contexts' counts are raised to this power; below 1, rare contexts impress less.
        eigenvalue_weighting: p, the exponent of the singular values: 1, ½ or 0.
        steps: power iterations of the SVD; more come nearer to the exact one.
        tokenizer: a name or a tokenizer; ``"auto"``: words, or Chinese words.
        seed: fixes the random directions in which the SVD begins.

    Attributes:
        words_: V words, most frequent first.
        counts_: (V,) how often each was seen.
        vectors_: (V, D) float32; D is smaller than ``dim`` where the matrix has fewer directions.
        singular_values_: (D,) float64, falling; empty for ``dim=None``.
        cooccurrences_: what is kept of the counts: all, up to a million entries; else each word's 16 strongest.
        tokenizer_: the tokenizer used.
        curve_: a row a step of the SVD: epoch, loss (the share of the matrix's sum of squares that is not captured).

    Example:
        >>> model = Cooccurrence(min_count=1, window=1, association="count", dim=None)
        >>> model.fit(["You say goodbye and I say hello."]).similarity("you", "i")
        0.7071067811865475
    """

    id: ClassVar[str] = "vectors/cooccurrence"

    def __init__(
        self,
        *,
        dim: int | None = 100,
        window: int = 5,
        min_count: int = 5,
        max_size: int | None = None,
        weighting: str = "uniform",
        association: str = "ppmi",
        shift: float = 1.0,
        smoothing: float = 0.75,
        eigenvalue_weighting: float = 0.5,
        steps: int = 5,
        tokenizer: Any = "auto",
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.window = window
        self.min_count = min_count
        self.max_size = max_size
        self.weighting = weighting
        self.association = association
        self.shift = shift
        self.smoothing = smoothing
        self.eigenvalue_weighting = eigenvalue_weighting
        self.steps = steps
        self.tokenizer = tokenizer
        self.seed = seed

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Count, weigh, decompose.

        Args:
            X: a Path to text (a file, a folder, a pattern), an iterable of texts, or of token lists.
            y: ignored.
            sample_weight: must be None: counts are of words, not of documents.
            validation: ignored: nothing is fitted that could fit too well.
            report: told about the SVD's steps, asked whether to stop. There is no checkpoint: it starts anew, with the same bits.

        Raises:
            DataError: no text; no word is frequent enough; no word has a neighbour.
            UsageError: a setting out of its range; weights; ``dim=None`` for too many words.
            Interrupted: the report asked for it.
        """
        from erya.parts.counting import count  # Numba: only for training
        from erya.text.corpus import encode

        self._check_settings(sample_weight)
        encoded = encode(X, tokenizer=self.tokenizer, min_count=self.min_count, max_size=self.max_size, report=report)
        try:
            self._check_dense(len(encoded.words))
            store = count(encoded.ids, len(encoded.words), window=self.window, weighting=self.weighting, report=report)
        finally:
            encoded.close()
        try:
            if not len(store.columns):
                raise DataError(
                    "no-neighbours",
                    say("no line holds two words: there is nothing to count", "没有一行含有两个词：无可计数"),
                    help="--set min_count=1",
                )
            sums = row_sums(store)
            kept = keep(store, sums, report=report)
            matrix = _weighed(store, sums, self.weighing(), report)
        finally:
            store.close()
        vectors, values, curve = self._directions(matrix, report)
        self.words_, self.counts_, self.tokenizer_ = encoded.words, encoded.counts, encoded.tokenizer
        self.cooccurrences_, self.vectors_, self.singular_values_, self.curve_ = kept, vectors, values, curve
        return self

    def _directions(
        self, matrix: Sparse, report: Report
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], list[dict[str, Any]]]:
        from erya.models.cooccurrence.svd import Decomposer

        if self.dim is None:
            return matrix.dense().astype(np.float32), np.zeros(0), []
        symmetric = self.association == "count" or self.smoothing == 1
        decomposer = Decomposer(matrix, machine.threads(), report)
        left, values, curve = decomposer.left(min(self.dim, len(matrix)), self.steps, self.seed, symmetric)
        if not len(values):
            raise DataError(
                "nothing-left",
                say(
                    "no pair of words meets more often than by chance: every entry of the matrix is 0",
                    "没有哪两个词的相遇多于偶然：矩阵的每一格都是 0",
                ),
                help="--set shift=1 · --set association=pmi",
            )
        if len(values) < self.dim:
            report.note(
                say(
                    f"the matrix has {len(values)} directions, not {self.dim}: the vectors are so wide",
                    f"矩阵只有 {len(values)} 个方向，不到 {self.dim} 个：词向量取这么多维",
                )
            )
        weighed = left * (values**self.eigenvalue_weighting).astype(np.float32)
        return np.ascontiguousarray(weighed), values, curve

    def weighing(self) -> Weighing:
        """What becomes of a count."""
        return Weighing(self.association, float(self.shift), float(self.smoothing))

    def _check_dense(self, words: int) -> None:
        if self.dim is None and words > MOST_DENSE:
            raise UsageError(
                "too-wide",
                say(
                    f"dim=None keeps rows of {words} numbers for {words} words; that is done up to {MOST_DENSE}",
                    f"dim=None 会为 {words} 个词各存 {words} 个数；最多支持 {MOST_DENSE} 个词",
                ),
                help=f"--set dim=100 · --set max_size={MOST_DENSE}",
            )

    def _check_settings(self, sample_weight: Any) -> None:
        settings.whole("dim", self.dim, optional=True)
        for name in ("window", "min_count", "steps"):
            settings.whole(name, getattr(self, name))
        settings.whole("max_size", self.max_size, optional=True)
        settings.whole("seed", self.seed, 0)
        for name, choices in (("weighting", ("uniform", "distance")), ("association", ASSOCIATIONS)):
            settings.require(getattr(self, name) in choices, name, getattr(self, name), " | ".join(choices))
        settings.number("shift", self.shift, 0, 1e6, closed=False)
        settings.number("smoothing", self.smoothing, 0, 10)
        settings.number("eigenvalue_weighting", self.eigenvalue_weighting, 0, 10)
        sentence = say("vectors are learned from counts: texts have no weights", "词向量由计数学得：文本不能带权重")
        settings.no_weights(sample_weight, sentence)

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """One word: its row of counts, the same row weighed, its vector, its neighbours.

        Raises:
            UsageError: the word is not known.
        """
        from erya.models.cooccurrence.views import trace

        self._check_fitted()
        return trace(self, x)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Words, vectors, singular values, kept counts; tokenizer and the curve."""
        self._check_fitted()
        arrays = {
            "vectors": self.vectors_,
            "singular_values": self.singular_values_,
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
        values = arrays["singular_values"]
        if values.dtype != np.float64 or values.shape not in ((0,), (vectors.shape[1],)):
            raise ValueError("the singular values do not fit the vectors")
        if not (np.isfinite(vectors).all() and np.isfinite(values).all()):
            raise ValueError("there are values that are not finite")
        self.cooccurrences_ = kept_from(arrays, len(words), data["whole_counts"])
        self.words_, self.counts_, self.vectors_, self.singular_values_ = words, counts, vectors, values
        self.tokenizer_, self.curve_ = tokenizers.from_plain(data["tokenizer"]), list(data["curve"])


def _weighed(store: Cooccurrences, sums: NDArray[np.float64], weighing: Weighing, report: Report) -> Sparse:
    """The matrix to decompose: a copy of the counts, weighed, without its zeros."""
    from erya.models.cooccurrence import kernels
    from erya.models.cooccurrence.svd import Sparse
    from erya.parts.counting import stop_if_asked
    from erya.parts.lockstep import run_together

    matrix = Sparse(store.starts.copy(), np.array(store.columns), np.array(store.values, dtype=np.float32))
    if weighing.association == "count":
        return matrix
    rows, contexts = weighing.terms(sums)
    shift, positive, threads = float(np.log(weighing.shift)), weighing.association == "ppmi", machine.threads()
    pieces = matrix.pieces()
    for begin in range(0, len(pieces), threads):

        def work(thread: int, _: NDArray[np.int64]) -> None:
            if begin + thread < len(pieces):  # noqa: B023
                piece = pieces[begin + thread]  # noqa: B023
                kernels.weigh(matrix.starts, matrix.columns, matrix.values, rows, contexts, shift, positive, *piece)

        run_together(work, threads)
        stop_if_asked(report)
    fewer = np.zeros_like(matrix.starts)
    for piece in pieces:
        kernels.drop_zeros(matrix.starts, matrix.columns, matrix.values, fewer, *piece)
    end = int(fewer[-1])
    return Sparse(fewer, matrix.columns[:end], matrix.values[:end])
