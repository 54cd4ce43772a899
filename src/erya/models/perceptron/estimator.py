"""The averaged structured perceptron: answer a sentence, compare, and correct the features of what was wrong.

Collins 2002. Scores, templates and decoding are those of the CRF (``parts/token_features.py``, ``feature_table.py``, ``crf.py``); the
learning is in ``kernels.py``: no probabilities, no sum over paths, no solver – and so no marginals either.

Not here: margins (MIRA), early updates for beams, ``partial_fit``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.errors import Interrupted
from erya.language import say
from erya.parts import settings, tagger_features, voting_tagger
from erya.parts.feature_table import Encoded, FeatureTable
from erya.parts.simd_double import whole
from erya.parts.token_features import chosen
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import tag

if TYPE_CHECKING:
    from erya.parts.crf import Chain
    from erya.trace import Trace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BLOCK = 20_000  # tokens between two looks at the report


class Perceptron(Model):
    """Averaged structured perceptron over feature templates.

    Args:
        templates: ``"auto"`` (by the tokens), ``"words"``, ``"characters"``, or templates such as ``"suffix3[0]"``, ``"word[-1]|word[0]"``.
        min_count: a feature seen fewer times is left out.
        hash_bits: None: every feature has weights of its own; n: 2^n rows of weights, shared by hash.
        epochs: how often all sentences are answered, each time in another order.
        constrained: whether answers keep to the rules of their scheme, in training too.
        lists: name → words, or several words with spaces between; what they hold is a feature ``listed[0]``.
        patterns: name → regular expression for a whole token; a feature ``pattern[0]``.
        scheme: ``"data"``, or the scheme to learn in; answers are in that of the data.
        tokenizer: for raw text; ``"auto"``: by the tokens given.
        seed: of the orders.

    Attributes:
        classes_: (C,) tags, sorted, in ``scheme_``.
        scheme_: what the model learned in.
        data_scheme_: of the answers.
        tokenizer_: the tokenizer used for raw text.
        features_: the R features.
        weights_: (R, W) float32, the first C columns are used; row 0 is nobody's.
        transitions_: (C, C) from tag to tag.
        curve_: a row an epoch: epoch, mistakes (share of tokens answered wrongly before the correction), validation_f1 if there is one.

    Example:
        >>> model = Perceptron().fit([["to", "Paris"], ["to", "go"]], [["O", "B-city"], ["O", "O"]])
        >>> model.predict([["go", "to", "Paris"]])
        [['O', 'O', 'B-city']]
    """

    id: ClassVar[str] = "tag/perceptron"

    def __init__(
        self,
        *,
        templates: str | Sequence[str] = "auto",
        min_count: int = 1,
        hash_bits: int | None = None,
        epochs: int = 10,
        constrained: bool = True,
        lists: dict[str, Sequence[str]] | None = None,
        patterns: dict[str, str] | None = None,
        scheme: str = "data",
        tokenizer: Any = "auto",
        seed: int = 0,
    ) -> None:
        self.templates = templates
        self.min_count = min_count
        self.hash_bits = hash_bits
        self.epochs = epochs
        self.constrained = constrained
        self.lists = lists
        self.patterns = patterns
        self.scheme = scheme
        self.tokenizer = tokenizer
        self.seed = seed

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Answer and correct, ``epochs`` times.

        Args:
            X: N lists of tokens, or texts.
            y: N lists of tags, one a token; for texts spans.
            sample_weight: N weights: what a mistake in the sentence counts.
            validation: ``(X, y)``: its score after each epoch goes into the curve.
            report: told about every epoch; a budget ends training with the average so far.

        Raises:
            DataError: no sentences, one tag only, lengths that differ.
            UsageError: a setting out of its range, a template that cannot be read.
            Interrupted: the report asked for it.
        """
        from erya.kernel_cache import announce
        from erya.models.perceptron import kernels

        self._check_settings()
        tokenizer = tag.tokenizer_for(self.tokenizer, X)
        examples = tag.examples(
            X, y, tokenizer=tokenizer, sample_weight=sample_weight, scheme=self.scheme, report=report
        )
        templates = tagger_features.with_own(chosen(self.templates, examples.sentences), self.lists, self.patterns)
        table, encoded = FeatureTable.learn(
            examples.sentences,
            templates,
            lists=self.lists,
            patterns=self.patterns,
            min_count=self.min_count,
            bits=self.hash_bits,
        )
        announce(report, [kernels.learn])
        self.classes_, self.scheme_, self.data_scheme_ = examples.classes, examples.scheme, examples.data_scheme
        self.tokenizer_, self.features_ = tokenizer, table
        self.curve_: list[dict[str, Any]] = []
        self._learn(encoded, examples, validation, report)
        return self

    def _learn(self, encoded: Encoded, examples: tag.Examples, validation: Any, report: Report) -> None:
        """All epochs; the average after each stands in ``weights_`` and ``transitions_``."""
        from erya.models.perceptron import kernels

        table, classes, random = self.features_, len(self.classes_), np.random.default_rng(self.seed)
        weights, late = np.zeros((table.rows, classes)), np.zeros((table.rows, classes))
        steps, late_steps = np.zeros((classes, classes)), np.zeros((classes, classes))
        features = table.unit_rows, table.bounds, table.places, encoded.types, encoded.joint
        sentences = encoded.begins, encoded.sizes, examples.starts, examples.tags, examples.weights
        passed, wish = 0, None
        for epoch in range(1, int(self.epochs) + 1):
            order, wrong, begun = random.permutation(len(examples)), 0, passed
            for block in _blocks(order, encoded.sizes):
                wrong += kernels.learn(
                    weights, late, steps, late_steps, self._rules(), *features, *sentences, block, passed
                )
                passed += len(block)
                done = (epoch - 1 + (passed - begun) / len(order)) / int(self.epochs)
                report.progress(epoch=epoch, epochs=int(self.epochs), done=done)
                wish = report.stopping()
                if wish == "interrupt":
                    raise Interrupted("interrupted", say("stopped; nothing was saved", "已停止；没有保存任何内容"))
                if wish == "budget":
                    break
            self._average(weights, late, steps, late_steps, passed)
            row = {"epoch": epoch, "mistakes": wrong / max(1, int(encoded.sizes[order[: passed - begun]].sum()))}
            if validation is not None:
                row["validation_f1"] = self.score(*validation)
            self.curve_.append(row)
            report.record(dict(row))
            if wish == "budget" or wrong == 0:
                return

    def _average(self, weights: Floats, late: Floats, steps: Floats, late_steps: Floats, passed: int) -> None:
        """The mean of the weights after each of ``passed`` sentences."""
        classes = len(self.classes_)
        self.weights_ = np.zeros((len(weights), whole(classes)), dtype=np.float32)
        self.weights_[:, :classes] = weights - late / passed
        self.transitions_ = steps - late_steps / passed
        self.__dict__.pop("_reader", None)

    def _rules(self) -> Floats:
        """(C + 2, C) what transitions, beginnings and ends cost that the scheme forbids."""
        classes = len(self.classes_)
        if not self.constrained:
            return np.zeros((classes + 2, classes))
        from erya.parts.crf import FORBIDDEN

        rules = tag.allowed(self.classes_.tolist(), self.scheme_)
        return np.where(np.vstack([rules.following, rules.first, rules.last]), 0.0, FORBIDDEN)

    def _check_settings(self) -> None:
        settings.whole("min_count", self.min_count)
        settings.whole("epochs", self.epochs)
        settings.whole("seed", self.seed, 0)
        settings.whole("hash_bits", self.hash_bits, optional=True)
        settings.require(self.hash_bits is None or self.hash_bits <= 26, "hash_bits", self.hash_bits, "≤ 26")

    # ---- answering --------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> list[tag.Tagging]:
        """The sequence of tags with most votes, of each sentence.

        Args:
            X: N lists of tokens, or texts.
        """
        from erya.parts import crf

        self._check_fitted()
        sentences, chain = tag.sentences(X, self.tokenizer_), self._chain()
        paths: list[Ints] = []
        for scores, starts in self._emissions(sentences):
            found = crf.viterbi(scores, starts, chain)[0]
            paths += np.split(found, starts[1:-1])
        return tag.answers(sentences, paths, self.classes_, self.scheme_, self.data_scheme_)

    def _chain(self) -> Chain:
        from erya.parts.crf import Chain

        chain = Chain(self.transitions_)
        if not self.constrained:
            return chain
        rules = tag.allowed(self.classes_.tolist(), self.scheme_)
        return chain.bent_to(rules.first, rules.following, rules.last)

    def _emissions(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[Floats, Ints]]:
        """Scores (L, C) and starts of some thousand tokens at a time."""
        if "_reader" not in self.__dict__:
            self._reader = tagger_features.Reader(self.features_, self.weights_, len(self.classes_))
        return self._reader.emissions(sentences)

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The lattice of one sentence: emissions, transitions, Viterbi step by step, runners-up, the path. Votes, no probabilities."""
        from erya.parts.lattice_views import lattice_trace

        self._check_fitted()
        (sentence,) = tag.sentences([x], self.tokenizer_)
        return lattice_trace(
            *(self.id, sentence, sentence.text, self.classes_.tolist(), self._scores(sentence), self._chain()),
            marginals=False,
        )

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Which features speak for the tags that were given, and from which tokens they come.

        Args:
            x: a text or a list of tokens.
            label: a tag, or a type such as ``"PER"``: what speaks for it where it leads most; None: for the path.

        Raises:
            UsageError: no such tag.
        """
        self._check_fitted()
        (sentence,) = tag.sentences([x], self.tokenizer_)
        return tagger_features.explanation(
            self.id,
            sentence,
            self.features_,
            self.weights_,
            self.classes_,
            self._chain(),
            self._scores(sentence),
            label,
        )

    def _scores(self, sentence: Sequence[str]) -> Floats:
        if not sentence:
            return np.zeros((0, len(self.classes_)))
        return next(iter(self._emissions([sentence])))[0]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_reader"}

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """Features, weights that are not zero, transitions, tags and tokenizer."""
        self._check_fitted()
        return voting_tagger.state(self)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
        """
        voting_tagger.set_state(self, state)
        self.__dict__.pop("_reader", None)


def _blocks(order: Ints, sizes: Ints) -> list[Ints]:
    """``order`` in pieces of about BLOCK tokens."""
    ends = np.cumsum(sizes[order])
    cuts = np.unique(np.searchsorted(ends, np.arange(BLOCK, ends[-1], BLOCK)) + 1)
    return np.split(order, cuts[cuts < len(order)])
