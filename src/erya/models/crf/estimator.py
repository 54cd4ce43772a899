"""A linear-chain conditional random field: features vote for tags, tags for their neighbours, and the best path wins.

Lafferty, McCallum and Pereira 2001. For a sentence x of T tokens with tags y

    p(y | x) = exp( Σ_t Σ_f w[f, y_t] + Σ_t a[y_{t−1}, y_t] ) / Z(x)        f: the features seen at token t

Which features there are, templates say (``parts/token_features.py``); how they are numbered, ``parts/feature_table.py``; loss and gradient,
``objective.py`` and ``kernels.py``; how the weights are found, ``solver.py``; Z, paths and marginals, ``parts/crf.py``.

Not here: features of pairs of tags and words together, ``partial_fit`` (the solver wants all sentences at once).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya import machine
from erya.contract import Model
from erya.errors import DivergedError, Interrupted
from erya.language import say
from erya.parts import settings, tagger_features, voting_tagger
from erya.parts.feature_table import FeatureTable
from erya.parts.token_features import chosen
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import tag

if TYPE_CHECKING:
    from erya.models.crf.objective import Objective
    from erya.parts.crf import Chain
    from erya.trace import Trace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DERIVED = ("_reader", "_chains")


class CRF(Model):
    """Conditional random field over feature templates, trained by L-BFGS.

    Args:
        templates: ``"auto"`` (words or characters, by the tokens), ``"words"``, ``"characters"``, ``"chunks"``, or some of one's
            own, such as ``"suffix3[0]"``, ``"word[-1]|word[0]"``.
        min_count: a feature seen fewer times is left out.
        hash_bits: None: every feature has weights of its own; n: 2^n rows of weights, shared by hash.
        all_pairs: whether a feature has a weight for every tag, not only for those it was seen with in training.
        l1: strength of the penalty l1 · Σ |w|; above 0 most weights become exactly 0.
        l2: strength of the penalty l2/2 · ‖w‖²; CRFsuite's c2 is half of it.
        steps: most steps of the solver.
        tolerance: the solver is done when ten steps take less than this share of the loss.
        constrained: whether answers keep to the rules of their scheme (no ``I-`` without its ``B-``).
        lists: name → words, or several words with spaces between; what they hold is a feature ``listed[0]``.
        patterns: name → regular expression for a whole token; a feature ``pattern[0]``.
        scheme: ``"data"``, or the scheme to learn in: ``"iob2"``, ``"bioes"`` …; answers are in that of the data.
        tokenizer: for raw text; ``"auto"``: by the tokens given.

    Attributes:
        classes_: (C,) tags, sorted, in ``scheme_``.
        scheme_: what the model learned in.
        data_scheme_: of the answers.
        tokenizer_: the tokenizer used for raw text.
        features_: the R features.
        weights_: (R, W) float32, the first C columns are used; row 0 is nobody's.
        transitions_: (C, C) from tag to tag.
        curve_: a row a step: epoch, loss.

    Example:
        >>> model = CRF().fit([["to", "Paris"], ["to", "go"]], [["O", "B-city"], ["O", "O"]])
        >>> model.predict([["go", "to", "Paris"]])
        [['O', 'O', 'B-city']]
    """

    id: ClassVar[str] = "tag/crf"

    def __init__(
        self,
        *,
        templates: str | Sequence[str] = "auto",
        min_count: int = 1,
        hash_bits: int | None = None,
        all_pairs: bool = False,
        l1: float = 0.0,
        l2: float = 1.0,
        steps: int = 100,
        tolerance: float = 1e-4,
        constrained: bool = True,
        lists: dict[str, Sequence[str]] | None = None,
        patterns: dict[str, str] | None = None,
        scheme: str = "data",
        tokenizer: Any = "auto",
    ) -> None:
        self.templates = templates
        self.min_count = min_count
        self.hash_bits = hash_bits
        self.all_pairs = all_pairs
        self.l1 = l1
        self.l2 = l2
        self.steps = steps
        self.tolerance = tolerance
        self.constrained = constrained
        self.lists = lists
        self.patterns = patterns
        self.scheme = scheme
        self.tokenizer = tokenizer

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Find the weights under which the true tags are most probable.

        Args:
            X: N lists of tokens, or texts.
            y: N lists of tags, one a token; for texts spans.
            sample_weight: N weights; a sentence of weight 2 is that sentence twice.
            validation: not used: the penalties do what early stopping would.
            report: told about every step; a budget ends training with the weights so far.

        Raises:
            DataError: no sentences, one tag only, lengths that differ.
            UsageError: a setting out of its range, a template that cannot be read.
            Interrupted: the report asked for it.
        """
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
        from erya.kernel_cache import announce
        from erya.models.crf import lattice_kernels
        from erya.models.crf.objective import Objective

        announce(report, [lattice_kernels.lattices])
        classes = len(examples.classes)
        objective = Objective(table, encoded, examples.tags, examples.weights, classes, all_pairs=self.all_pairs)
        weights, curve = self._minimized(objective, int(encoded.sizes.sum()), report)
        self.classes_, self.scheme_, self.data_scheme_ = examples.classes, examples.scheme, examples.data_scheme
        self.tokenizer_, self.features_, self.curve_ = tokenizer, table, curve
        self.weights_ = objective.weight_rows(weights)
        self.transitions_ = objective.chain(weights).transitions.copy()
        self._forget()
        return self

    def _minimized(self, objective: Objective, tokens: int, report: Report) -> tuple[Floats, list[dict[str, Any]]]:
        """The weights, and a row a step."""
        import time

        from erya.models.crf.solver import minimized

        start, curve = np.zeros(len(objective.counted)), []
        found, begun = start, time.perf_counter()
        l1, l2 = float(self.l1), float(self.l2)
        with objective.threads(machine.threads()):
            steps = minimized(
                lambda weights: objective(weights, l2),
                start,
                l1=l1,
                l1_on=objective.size,
                tolerance=self.tolerance,
                curvature=objective.curvature(l2),
                each=objective.each,
            )
            for step in steps:
                if not np.isfinite(step.loss):
                    raise DivergedError("diverged", say("the loss is not finite", "损失不是有限值"))
                found = step.weights
                row = {"epoch": step.number, "loss": step.loss / tokens}
                curve.append(row)
                report.record(dict(row))
                speed = step.number * tokens / max(1e-9, time.perf_counter() - begun)
                done = 1.0 if step.done else min(1.0, step.number / self.steps)
                report.progress(
                    epoch=step.number, epochs=self.steps, done=done, loss=row["loss"], tokens_per_second=speed
                )
                wish = report.stopping()
                if wish == "interrupt":
                    raise Interrupted("interrupted", say("stopped; nothing was saved", "已停止；没有保存任何内容"))
                if wish == "budget" or step.number >= self.steps:
                    break
        return found, curve

    def _check_settings(self) -> None:
        settings.whole("min_count", self.min_count)
        settings.whole("steps", self.steps)
        settings.number("l1", self.l1, 0, 1e12)
        settings.number("l2", self.l2, 0, 1e12)
        settings.number("tolerance", self.tolerance, 0, 1)
        settings.whole("hash_bits", self.hash_bits, optional=True)
        settings.require(self.hash_bits is None or self.hash_bits <= 26, "hash_bits", self.hash_bits, "≤ 26")

    # ---- answering --------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> list[tag.Tagging]:
        """The most probable sequence of tags of each sentence.

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

    def predict_marginals(self, X: Any) -> list[Floats]:
        """For each sentence (T, C) p(tag at a token | sentence), within the rules where these hold; rows sum to 1."""
        from erya.parts import crf

        self._check_fitted()
        found: list[Floats] = []
        chain = self._chain()
        for scores, starts in self._emissions(tag.sentences(X, self.tokenizer_)):
            shares = crf.posterior(scores, starts, chain).tags
            found += [shares[low:high] for low, high in pairwise(starts.tolist())]
        return found

    def _chain(self) -> Chain:
        from erya.parts.crf import Chain

        if self.__dict__.get("_chains", (None, None))[0] != self.constrained:
            chain = Chain(self.transitions_)
            if self.constrained:
                rules = tag.allowed(self.classes_.tolist(), self.scheme_)
                chain = chain.bent_to(rules.first, rules.following, rules.last)
            self._chains = (self.constrained, chain)
        return self._chains[1]

    def _emissions(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[Floats, Ints]]:
        """Scores (L, C) and starts of some thousand tokens at a time."""
        if "_reader" not in self.__dict__:
            self._reader = tagger_features.Reader(self.features_, self.weights_, len(self.classes_))
        return self._reader.emissions(sentences)

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The lattice of one sentence: emissions, transitions, Viterbi step by step, marginals, runners-up, the path."""
        from erya.parts.lattice_views import lattice_trace

        self._check_fitted()
        (sentence,) = tag.sentences([x], self.tokenizer_)
        return lattice_trace(
            self.id, sentence, sentence.text, self.classes_.tolist(), self._scores(sentence), self._chain()
        )

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Which features speak for the tags that were given, and from which tokens they come.

        Args:
            x: a text or a list of tokens.
            label: a tag, or a type such as ``"PER"``: what speaks for it where it is most probable; None: for the path.

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
        return {name: value for name, value in self.__dict__.items() if name not in DERIVED}

    def _forget(self) -> None:
        """What was made of learned things, and is made anew when it is asked for."""
        for name in DERIVED:
            self.__dict__.pop(name, None)

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
        self._forget()
