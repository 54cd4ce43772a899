"""What every network that tags does alike; a room adds its settings and its network.

A room's class inherits this one, keeps an explicit keyword ``__init__`` (the settings are read from its signature) and gives
``_network``. torch is imported by the methods that need it, so that settings can be listed where it is not installed.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.errors import UsageError, quoted
from erya.language import say
from erya.parts import network_checks, pretrained_vectors
from erya.parts.falling_rate import SCHEDULES
from erya.parts.settings import gradient_settings, number, require, whole
from erya.parts.torch_mode import need_torch, torch_mode
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import tag
from erya.text.tokenizers import Tokenizer

if TYPE_CHECKING:
    from erya.parts.tagger_state import Learned
    from erya.parts.tagging_network import Body, TaggingNetwork
    from erya.parts.token_units import Lexicon
    from erya.trace import Trace

SPELLINGS = ("cnn", "lstm", "none")
VECTORS_MODES = ("non-static", "static")
OPTIMIZERS = ("adam", "sgd", "momentum")
MOST_LAYERS = 64


class NetworkTagger(Model):
    """Base of the networks that tag: words, characters and capitals → LSTMs from both ends → tags.

    Without ``validation`` and with ``patience`` set, a tenth of the training sentences is held out for early stopping.

    Attributes:
        classes_: (C,) the tags, sorted, in ``scheme_``.
        scheme_, data_scheme_: what was learned in, and what is answered in.
        tokenizer_: cuts raw text.
        lexicon_: numbers words, characters and pairs.
        dim_: D, the width of the word vectors.
        coverage_: of ``vectors``: the shares of the training's different ``words`` and running ``tokens`` that they know.
        network_: the torch module.
        curve_: one row an epoch, see ``epochs.learn``.
    """

    default_dim: ClassVar[int] = 100  # where neither ``dim`` nor ``vectors`` says another

    tokenizer: str | Tokenizer
    scheme: str
    dim: int | None
    hidden_width: int
    layers: int
    characters: str
    character_dim: int
    character_width: int
    character_window: int
    case_features: bool
    pair_dim: int
    lower_case: bool
    word_dropout: float
    dropout: float
    min_count: int
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    schedule: str
    warmup: float
    weight_decay: float
    clip_norm: float | None
    patience: int | None
    vectors: Any
    vectors_mode: str
    min_coverage: float
    extra_words: int
    seed: int

    classes_: NDArray[Any]
    scheme_: str
    data_scheme_: str
    tokenizer_: Tokenizer
    lexicon_: Lexicon
    dim_: int
    coverage_: dict[str, float]
    network_: Any
    curve_: list[dict[str, Any]]

    # ---- what a room writes -----------------------------------------------------------------------------------

    @abstractmethod
    def _network(self, body: Body, generator: Any = None) -> TaggingNetwork:
        """A new network.

        Args:
            body: its sizes.
            generator: where the first weights come from; None: none are needed, they will be loaded.
        """

    def _built(self, lexicon: Lexicon, dim: int, classes: NDArray[Any], scheme: str, generator: Any = None) -> Any:
        """A new network for a lexicon, vectors of width ``dim`` and these tags, as the settings have it."""
        from erya.parts.tagging_network import Body

        return self._network(
            Body(
                words=len(lexicon.words),
                dim=dim,
                classes=len(classes),
                hidden_width=self.hidden_width,
                layers=self.layers,
                spelling=self.characters,
                letters=len(lexicon.characters),
                character_dim=self.character_dim,
                character_width=self.character_width,
                character_window=self.character_window,
                case_features=self.case_features,
                pairs=len(lexicon.pairs),
                pair_dim=self.pair_dim,
                dropout=float(self.dropout),
                optimizer=self.optimizer,
                rules=tag.allowed(classes.tolist(), scheme),
            ),
            generator,
        )

    def _check_settings(self) -> None:
        """Raises UsageError where a setting is out of its range. A room adds its own behind ``super()._check_settings()``."""
        gradient_settings(self)
        whole("dim", self.dim, optional=True)
        for name in ("hidden_width", "layers", "character_dim", "character_width", "character_window"):
            whole(name, getattr(self, name))
        require(self.layers <= MOST_LAYERS, "layers", self.layers, f"≤ {MOST_LAYERS}")
        require(self.character_window % 2 == 1, "character_window", self.character_window, "1, 3, 5, …")
        even = self.characters != "lstm" or self.character_width % 2 == 0
        require(even, "character_width", self.character_width, say("even: two readers", "偶数：两个方向"))
        for name in ("pair_dim", "extra_words"):
            whole(name, getattr(self, name), 0)
        for name, choices in (
            ("characters", SPELLINGS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("vectors_mode", VECTORS_MODES),
            ("case_features", (False, True)),
            ("lower_case", (False, True)),
        ):
            given = getattr(self, name)
            good = isinstance(given, str | bool) and given in choices and type(given) is type(choices[0])
            require(good, name, given, " | ".join(map(str, choices)))
        number("word_dropout", self.word_dropout, 0, 1e6)
        number("warmup", self.warmup, 0, 1)
        number("min_coverage", self.min_coverage, 0, 1 + 1e-9)

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Learn vocabularies and weights; forget what an earlier ``fit`` learned.

        Args:
            X: N sentences: lists of tokens, or texts.
            y: N lists of tags; for a text a list of spans will do.
            sample_weight: N weights in the loss.
            validation: ``(X, y)`` for early stopping and the curve.
            report: told about steps and epochs, asked whether to stop, given checkpoints.

        Raises:
            DataError: no sentences, one tag, lengths that differ; vectors that cannot be read or do not fit the text.
            UsageError: a setting or weight out of range; a bare string.
            ResourceError: torch is not installed.
            DivergedError: loss or gradient stopped being finite.
            Interrupted: the report asked to stop.
        """
        self._check_settings()
        need_torch(self.id)
        network_checks.check_vectors(self)
        tokenizer = tag.tokenizer_for(self.tokenizer, X)
        examples = tag.examples(
            X, y, tokenizer=tokenizer, sample_weight=sample_weight, scheme=self.scheme, report=report
        )
        self._learn(examples, tokenizer, validation, report, None)
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        *,
        classes: Any = None,
        sample_weight: Any = None,
        validation: Any = None,
        report: Report = quiet,
    ) -> Self:
        """Go on with more sentences: the same vocabularies and tags, all weights go on learning; unfitted, begin as ``fit`` does.

        The learning rate begins at ``learning_rate`` again, and the optimizer's memory anew: ``epochs`` passes over the new
        sentences alone. ``curve_`` is that of the last call.

        Args:
            X: as ``fit``.
            y: as ``fit``; not every tag need occur.
            classes: in the first call, all tags that will occur, in any scheme; later nothing new.
            sample_weight: as ``fit``.
            validation: as ``fit``.
            report: as ``fit``.

        Raises:
            UsageError: a tag that the model does not know; as ``fit``.
            DataError, ResourceError, DivergedError, Interrupted: as ``fit``; the model is then as it was.
        """
        if not self.__sklearn_is_fitted__() and classes is None:
            return self.fit(X, y, sample_weight=sample_weight, validation=validation, report=report)
        self._check_settings()
        need_torch(self.id)
        before = self._learned() if self.__sklearn_is_fitted__() else None
        tokenizer = tag.tokenizer_for(self.tokenizer, X) if before is None else before.tokenizer
        known = self._tags_of(classes) if before is None else before.classes.tolist()
        if before is None:
            network_checks.check_vectors(self)
        elif classes is not None:  # of tags that tell spans, types count: an S- of a known type may never have occurred
            there = {self._kind(name) for name in known}
            self._check_tags([str(name) for name in classes if self._kind(str(name)) not in there], known)
        scheme = self.scheme if before is None else before.scheme
        examples = tag.examples(
            X, y, tokenizer=tokenizer, sample_weight=sample_weight, scheme=scheme, classes=known, report=report
        )
        if (examples.tags < 0).any():
            own = tag.examples(X, y, tokenizer=tokenizer, sample_weight=sample_weight, scheme=scheme)
            self._check_tags(own.classes.tolist(), known)
        self._learn(examples, tokenizer, validation, report, before)
        return self

    def _tags_of(self, classes: Any) -> list[str]:
        """The tags to learn, sorted: those that somebody named, or all that the setting ``scheme`` writes for their types."""
        names = sorted({str(name) for name in classes})
        if self.scheme in ("data", "none") or tag.scheme_of([names]) == "none":
            return names
        types = {name.partition("-")[2] for name in names if name != "O"}
        begun = [("B-" if kind else "B") + kind for kind in sorted(types)]
        inside = [("I-" if kind else "I") + kind for kind in sorted(types)]
        spans = [[first, *[more] * count] for first, more in zip(begun, inside, strict=True) for count in range(3)]
        written = {name for tags in tag.convert(spans, self.scheme) for name in tags}  # type: ignore[arg-type]
        return sorted(written | ({"O"} & set(names)))

    def _kind(self, name: str) -> str:
        """A tag's type; of tags that tell no spans the tag."""
        return name if self.scheme_ == "none" or name == "O" else name.partition("-")[2]

    def _check_tags(self, names: list[str], known: list[str]) -> None:
        new = next((name for name in names if name not in known), None)
        if new is not None:
            raise UsageError(
                "unknown-label",
                say(
                    f"this model has no tag '{quoted(new, 30)}', and cannot grow one",
                    f"这个模型没有标签“{quoted(new, 30)}”，也无法再添加",
                ),
                help=say("fit(X, y) with sentences of all tags", "用包含全部标签的句子重新 fit(X, y)"),
            )

    def _learn(
        self, examples: tag.Examples, tokenizer: Tokenizer, validation: Any, report: Report, before: Learned | None
    ) -> None:
        from erya.parts.tagger_training import trained

        given = None if before is not None or self.vectors is None else pretrained_vectors.opened(self.vectors)
        with torch_mode():
            learned = trained(self, examples, tokenizer, validation, report, before, given)
        for name in learned.__slots__:
            setattr(self, f"{name}_", getattr(learned, name))

    # ---- answering --------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> list[tag.Tagging]:
        """N lists of tags that know their sentence and its spans."""
        self._check_fitted()
        from erya.parts.tagger_answers import paths

        sentences = tag.sentences(X, self.tokenizer_)
        with torch_mode():
            found = paths(self.network_, sentences, self.lexicon_)
        return tag.answers(sentences, found, self.classes_, self.scheme_, self.data_scheme_)

    def predict_marginals(self, X: Any) -> list[NDArray[np.float64]]:
        """N arrays (T, C): the probability of each of ``classes_`` at each token; rows sum to 1."""
        self._check_fitted()
        from erya.parts.tagger_answers import marginals

        with torch_mode():
            return marginals(self.network_, tag.sentences(X, self.tokenizer_), self.lexicon_)

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The lattice of one sentence: the score of every tag at every token, the path through them, its runners-up."""
        self._check_fitted()
        from erya.parts.tagger_views import trace

        with torch_mode():
            return trace(self, tag.sentences([x], self.tokenizer_)[0])

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why these tags: what each token adds to the log odds of a span's tags, by hiding the token.

        Args:
            x: a text or a list of tokens.
            label: a type of span, or of tags that tell no spans a tag; None: every span that was found.

        Raises:
            UsageError: no such label.
        """
        self._check_fitted()
        from erya.parts.tagger_views import explain

        with torch_mode():
            return explain(self, tag.sentences([x], self.tokenizer_)[0], label)

    # ---- what was learned -------------------------------------------------------------------------------------

    def _learned(self) -> Learned:
        from erya.parts.tagger_state import Learned

        return Learned(**{name: getattr(self, f"{name}_") for name in Learned.__slots__})

    def state(self) -> State:
        """Weights, vocabularies, tags; tokenizer and the curve."""
        self._check_fitted()
        from erya.parts.tagger_state import to_state

        return to_state(self._learned())

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
            ResourceError: torch is not installed.
        """
        self._check_settings()
        need_torch(self.id)
        from erya.parts.tagger_state import from_state

        learned = from_state(state, self._built)
        for name in learned.__slots__:
            setattr(self, f"{name}_", getattr(learned, name))

    def plain_params(self) -> dict[str, Any]:
        """The constructor's arguments as JSON data. A model given as ``vectors`` is left out: what it gave stands in the weights."""
        params = self.get_params()
        if params["vectors"] is not None:
            params["vectors"] = str(self.vectors) if isinstance(self.vectors, str | Path) else None
        plain: dict[str, Any] = super(NetworkTagger, type(self)(**params)).plain_params()
        return plain

    def __sklearn_clone__(self) -> Self:
        """An unfitted twin for scikit-learn. The vectors are shared: a model of its own kind would be cloned unfitted."""
        params = self.get_params()
        twin = type(self)(
            **{name: value if name == "vectors" else copy.deepcopy(value) for name, value in params.items()}
        )
        if hasattr(self, "_metadata_request"):
            twin._metadata_request = copy.deepcopy(self._metadata_request)
        return twin
