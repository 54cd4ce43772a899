"""n-gram models: the next unit depends on the n − 1 before it, and on nothing else.

Markov 1913; Shannon 1948; modified Kneser-Ney: Kneser and Ney 1995, Chen and Goodman 1998. What is counted is in ``counting.py``, what
becomes of counts in ``smoothing.py``, how the model lies in memory in ``tree.py``; ``reference.py`` says the same in dictionaries.

Not here: classes of words, skipped words, caches, pruning by entropy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.errors import Interrupted
from erya.language import say
from erya.parts import settings
from erya.parts.language_model import LanguageModel
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import generate
from erya.text import documents, unit_ids
from erya.text.unit_ids import Stream

if TYPE_CHECKING:
    from erya.models.ngram.tree import Tree
    from erya.trace import Trace

Floats = NDArray[np.float64]
Ids = NDArray[np.int32]
METHODS = ("kneser_ney", "add_k", "mle")
HIGHEST = 100  # order


class NGram(LanguageModel):
    """Language model of n-grams.

    Args:
        order: n: how many units an n-gram has; 1 looks at nothing before.
        smoothing: ``"kneser_ney"`` – modified, interpolated –, ``"add_k"``, or ``"mle"``, shares of counts, which find
            impossible what was never read.
        k: of ``"add_k"``: what is added to every count.
        prune: of ``"kneser_ney"``: n-grams that were seen no more often than this are left out, a threshold for each order from the
            first on; the last one holds for all higher orders; they never fall, and the first is 0.
        tokenizer: what units are, see ``text.units``: ``"auto"``, ``"characters"``, ``"words"``, ``"whitespace"``, ``"bpe"``.
        documents: what a document of a file is: ``"auto"``, ``"line"``, ``"paragraph"``, ``"file"``.
        min_count: rarer units are unknown.
        max_vocabulary: at most so many units are known; None: all.

    There is no ``partial_fit``: new text changes discounts and in how many contexts every n-gram was seen, and the counts behind
    that are not kept – they would double the file, and counting anew is a second for each million units.

    Attributes:
        units_: what cuts texts.
        vocabulary_: the V units.
        tree_: n-grams with probabilities and back-off weights.
        discounts_: of each order D₁, D₂, D₃₊; empty of other kinds of smoothing.

    Example:
        >>> model = NGram(order=3, tokenizer="characters").fit(["abab", "abab", "abc"])
        >>> [unit for unit, _ in model.next_units("abc", 2)]
        ['', 'b']
    """

    id: ClassVar[str] = "generate/ngram"

    def __init__(
        self,
        *,
        order: int = 5,
        smoothing: str = "kneser_ney",
        k: float = 0.01,
        prune: tuple[int, ...] = (),
        tokenizer: Any = "auto",
        documents: str = "auto",
        min_count: int = 1,
        max_vocabulary: int | None = None,
    ) -> None:
        self.order = order
        self.smoothing = smoothing
        self.k = k
        self.prune = prune
        self.tokenizer = tokenizer
        self.documents = documents
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary

    def _check_settings(self) -> None:
        settings.whole("order", self.order)
        settings.require(self.order <= HIGHEST, "order", self.order, f"≤ {HIGHEST}")
        settings.require(self.smoothing in METHODS, "smoothing", self.smoothing, " / ".join(METHODS))
        settings.number("k", self.k, 0, 1e9, closed=False)
        settings.require(isinstance(self.prune, tuple | list), "prune", self.prune, "0,0,1 …")
        for threshold in self.prune:
            settings.whole("prune", threshold, 0)
        rises = list(self.prune) == sorted(self.prune) and len(self.prune) <= self.order
        rule = say("one threshold an order, rising, the first 0", "每阶一个阈值，不降，第一个为 0")
        settings.require(rises and not any(self.prune[:1]), "prune", self.prune, rule)
        needless = any(self.prune) and self.smoothing != "kneser_ney"
        settings.require(not needless, "prune", self.prune, say("empty without kneser_ney", "空（仅用于 kneser_ney）"))

    # ---- learning ---------------------------------------------------------------------------------------------

    def _learn(self, stream: Stream, validation: Stream | None, report: Report) -> None:
        from erya.kernel_cache import announce
        from erya.models.ngram import counting, kernels, smoothing, tree

        announce(report, [kernels.nodes_of, kernels.discount, kernels.score])
        order = int(self.order)

        def between(done: int) -> None:
            report.progress(epoch=1, epochs=1, done=0.9 * done / order)
            if report.stopping() == "interrupt":
                raise Interrupted("interrupted", say("stopped between two orders", "在两阶之间停止"))

        orders = counting.count(stream.ids, len(self.vocabulary_), order, between)
        if self.smoothing == "kneser_ney":
            smoothed = smoothing.kneser_ney(orders, [int(threshold) for threshold in self.prune])
        elif self.smoothing == "add_k":
            smoothed = smoothing.add_k(orders, float(self.k))
        else:
            smoothed = smoothing.mle(orders)
        self.discounts_ = [list(one.discounts) for one in smoothed if one.discounts is not None]
        self.tree_: Tree = tree.build(orders, smoothed)
        row = {"epoch": 1, "ngrams": int(self.tree_.sizes.sum())}
        if validation is not None:
            report.record({**row, "validation_loss": -float(self.tree_.score(validation.ids)[0].mean())})
        else:
            report.record(row)
        report.progress(epoch=1, epochs=1, done=1.0)

    # ---- answering --------------------------------------------------------------------------------------------

    def _log_probabilities(self, texts: Sequence[Ids]) -> list[Floats]:
        logs, _ = self.tree_.score(_joined(texts))
        ends = np.cumsum([len(ids) + 1 for ids in texts])
        return np.split(logs, ends[:-1])

    def perplexity(self, X: Any) -> float:
        """Per unit, ends counted; comparable among models with the same units alone.

        Args:
            X: N documents, or a Path or a list of Paths, as ``fit`` takes them: read, and scored, as one stream.

        Raises:
            UsageError: something else than texts.
            DataError: no text, or a file that cannot be read.
        """
        self._check_fitted()
        stream = unit_ids.encode(documents.pieces(X, self.documents), self.units_, self.vocabulary_)
        logs, _ = self.tree_.score(stream.ids)
        bits = np.clip(-logs / math.log(2), 0.0, generate.IMPOSSIBLE).mean()
        return min(2.0 ** float(bits), generate.WORST) if bits < 1000 else generate.WORST

    def _decoder(self) -> Contexts:
        return Contexts(self.tree_)

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The back-off path of each unit: which n-gram said it, what the longer contexts cost, and what each order says.

        Arrays, for T units and the end: ``ids`` (T + 1,); ``order`` (T + 1,), of the n-gram that said it; ``orders``
        (T + 1, n), ln p by the model cut to 1 … n units; ``back_off`` (T + 1,), the sum of the logarithms of the weights;
        ``log_probability`` (T + 1,).

        Raises:
            UsageError: ``x`` is no text.
        """
        from erya.models.ngram.views import trace

        self._check_fitted()
        (text,) = self._texts([x])
        return trace(self, text)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Units, vocabulary, the tree."""
        self._check_fitted()
        arrays, data = self._text_state()
        return State({**arrays, **self.tree_.arrays()}, {**data, "discounts": self.discounts_})

    def set_state(self, state: State) -> None:
        """See ``Model``."""
        from erya.models.ngram.tree import Tree

        self._set_text_state(state.arrays, state.data)
        self.tree_ = Tree.from_arrays(state.arrays, len(self.vocabulary_))
        discounts = [[float(one) for one in three] for three in state.data["discounts"]]
        if any(len(three) != 3 for three in discounts):
            raise ValueError("discounts come in threes")
        self.discounts_ = discounts

    # ---- other programs' files ----------------------------------------------------------------------------------

    def write_arpa(self, path: str | Path) -> list[str]:
        """Write the model in ARPA format (SRILM, KenLM and others read it), atomically.

        Returns:
            What such a file does not hold, in words.

        Raises:
            DataError: units that the format cannot tell apart.
        """
        from erya.models.ngram import arpa

        self._check_fitted()
        return arpa.write(Path(path), self.tree_, self.vocabulary_, self.units_)

    @classmethod
    def from_arpa(cls, path: str | Path, *, tokenizer: Any = "auto", report: Report = quiet) -> Self:
        """A model from a file in ARPA format, packed or not.

        Args:
            path: the file.
            tokenizer: what cuts texts; ``"auto"``: as the file beside it says (``.tokenizer.json``), else by the looks of its units.
            report: told how far it is.

        Raises:
            DataError: the file is missing, damaged, hostile, or no ARPA at all; nothing of it is used.
        """
        from erya.models.ngram import arpa_reading

        tree, vocabulary, cutter = arpa_reading.read(Path(path), tokenizer, report)
        model = cls(order=max(1, len(tree.sizes)), tokenizer=cutter.name)
        model.units_, model.vocabulary_, model.tree_, model.discounts_ = cutter, vocabulary, tree, []
        return model


def _joined(texts: Sequence[Ids]) -> Ids:
    """Documents as one stream, a border first and one behind each."""
    border = np.zeros(1, dtype=np.int32)
    return np.concatenate([border, *(part for ids in texts for part in (ids, border))])


class Contexts:
    """The n-gram model asked step by step, see ``decoding.Decoder``: its memory are contexts, numbers of nodes."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def start(self, prefixes: Sequence[Sequence[int]]) -> tuple[list[int], Floats]:
        """(B,) contexts, and (B, V) ln p."""
        return self._told([self._tree.walk(self._tree.start(), prefix) for prefix in prefixes])

    def step(self, memory: list[int], rows: Sequence[int], ids: Sequence[int]) -> tuple[list[int], Floats]:
        """The same behind one more unit each."""
        return self._told([self._tree.walk(memory[row], [unit]) for row, unit in zip(rows, ids, strict=True)])

    def _told(self, contexts: list[int]) -> tuple[list[int], Floats]:
        return contexts, self._tree.distributions(contexts)
