"""What every network that classifies text does alike; a room adds its settings, its network and its trace.

A room's class inherits this one, keeps an explicit keyword ``__init__`` (the settings are read from its signature) and gives
``_network``, ``_check_settings`` and ``trace``. What a network must be is said at ``_network``. torch is imported by the
methods that need it, so that settings can be listed where it is not installed.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from erya.contract import Model
from erya.parts import label_thresholds, network_checks, pretrained_vectors
from erya.parts.falling_rate import SCHEDULES
from erya.parts.long_texts import read_in_windows
from erya.parts.settings import gradient_settings, number, require, whole
from erya.parts.torch_mode import need_torch, torch_mode
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers
from erya.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from erya.parts.network_state import Learned
    from erya.parts.network_text import OneText
    from erya.trace import Trace

KINDS: tuple[classify.Kind, ...] = ("one", "several", "soft")


class NetworkClassifier(Model):
    """Base of the networks that classify text: one label, several labels or shares of labels; single texts or pairs.

    Settings that every room has, under these names: ``tokenizer min_count epochs batch_size learning_rate weight_decay
    clip_norm patience class_weight dropout seed``; those that have defaults below may be left out by a room that has no use
    for them. Without ``validation`` and with ``patience`` set, a tenth of the training rows is held out for early stopping.

    Attributes:
        classes_: (C,) the labels, sorted.
        several_: whether texts have several labels.
        thresholds_: (C,) the probability from which each label is answered, learnt on held-out texts (0.5 where none were held
            out); (0,) where texts have one label.
        tokenizer_, vocabulary_: how text becomes ids.
        dim_: D, the width of the word vectors.
        coverage_: of ``vectors``: the shares of the training's different ``words`` and running ``tokens`` that they know.
        network_: the torch module.
        curve_: one row an epoch, see ``epochs.learn``.
    """

    state_version: ClassVar[int] = 2  # 1 knew one label a text and vectors that begin random
    default_dim: ClassVar[int] = 128  # where neither ``dim`` nor ``vectors`` says another
    most_tokens: ClassVar[int] = 100_000  # that the network reads at once; a longer text is read in windows
    explain_methods: ClassVar[tuple[str, ...]] = ("occlusion", "integrated_gradients")
    vectors_modes: ClassVar[tuple[str, ...]] = ("non-static", "static")

    # settings that a room may leave out
    dim: int | None = None
    vectors: Any = None
    vectors_mode: str = "non-static"
    min_coverage: float = 0.2
    extra_words: int = 20_000
    label_smoothing: float = 0.0
    schedule: str = "constant"
    warmup: float = 0.0

    # settings that every room has
    tokenizer: str | tokenizers.Tokenizer
    min_count: int
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    clip_norm: float | None
    patience: int | None
    class_weight: str | dict[Any, float] | None
    dropout: float
    seed: int

    classes_: classify.Labels
    several_: bool
    thresholds_: NDArray[np.float64]
    tokenizer_: tokenizers.Tokenizer
    vocabulary_: Vocabulary
    dim_: int
    coverage_: dict[str, float]
    network_: Any
    curve_: list[dict[str, Any]]

    # ---- what a room writes -----------------------------------------------------------------------------------

    @abstractmethod
    def _network(self, vocabulary: int, dim: int, classes: int, generator: Any = None) -> Any:
        """A new network, as the settings have it.

        It is a torch module without buffers. ``network(batch, generator=None)`` gives logits (B, C) of a ``TokenBatch`` – with a
        generator, dropout is on – and ``network.loss(batch, generator=None)`` is ``network_loss.mean_loss`` of them.
        Its word vectors are a parameter of its own (not of a module within) named ``embedding``, (V, D), looked up with
        ``batch.tokens`` and nothing else; row 0 is the padding and stays zero. A parameter named ``output_bias``, (C,), begins
        as the labels' log odds where a text has several labels.

        Args:
            vocabulary: V.
            dim: D.
            classes: C.
            generator: where the first weights come from; None: none are needed, they will be loaded.
        """

    def _introduce(self, network: Any, vocabulary: Vocabulary) -> None:
        """Tell a new network what it must know of the vocabulary besides its size; a room may have something to say.

        It must stay with the network, as a parameter that does not learn (``requires_grad=False``), so that it is saved.
        """

    def _check_settings(self) -> None:
        """Raises UsageError where a setting is out of its range. A room adds its own behind ``super()._check_settings()``."""
        gradient_settings(self)
        whole("dim", self.dim, optional=True)
        whole("extra_words", self.extra_words, 0)
        number("label_smoothing", self.label_smoothing, 0, 1)
        require(self.schedule in SCHEDULES, "schedule", self.schedule, " | ".join(SCHEDULES))
        number("warmup", self.warmup, 0, 1)
        number("min_coverage", self.min_coverage, 0, 1 + 1e-9)
        modes = self.vectors_modes
        require(self.vectors_mode in modes, "vectors_mode", self.vectors_mode, " | ".join(modes))

    def _tables(self) -> dict[str, bool]:
        """The network's parameters that hold word vectors, (V, D) each, and whether training moves them.

        A room without any leaves integrated gradients out of its ``explain_methods``.
        """
        return {"embedding": self.vectors_mode != "static"}

    # ---- learning ---------------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> Self:
        """Learn tokenizer, vocabulary and weights; forget what an earlier ``fit`` learned.

        Args:
            X: N texts or pairs of texts.
            y: N labels; or lists of labels, an empty one among them; or dicts ``{label: share}``.
            sample_weight: N weights in the loss.
            validation: ``(X, y)`` for early stopping, the curve, and of several labels the thresholds.
            report: told about steps and epochs, asked whether to stop, given checkpoints.

        Raises:
            DataError: no rows, one class, lengths that differ; vectors that cannot be read or do not fit the text.
            UsageError: a setting or weight out of range; a bare string.
            ResourceError: torch is not installed.
            DivergedError: loss or gradient stopped being finite.
            Interrupted: the report asked to stop.
        """
        self._check_settings()
        need_torch(self.id)
        network_checks.check_vectors(self)
        examples = classify.examples(X, y, sample_weight=sample_weight, class_weight=self.class_weight, kinds=KINDS)
        self._learn(examples, validation, report, None)
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
        """Go on with more texts: the same vocabulary and labels, all weights go on learning; unfitted, begin as ``fit`` does.

        The learning rate begins at ``learning_rate`` again and goes by ``schedule``, and Adam's memory begins anew: ``epochs``
        passes over the new texts alone. To change a model little, set fewer epochs or a lower rate. Of several labels
        the thresholds stay, unless texts are held out. ``curve_`` is that of the last call.

        Args:
            X: as ``fit``.
            y: as ``fit``, and of the same kind; not every label need occur.
            classes: in the first call, all labels that will occur; later nothing new.
            sample_weight: as ``fit``.
            validation: as ``fit``.
            report: as ``fit``.

        Raises:
            UsageError: a label that the model does not know; targets of another kind; as ``fit``.
            DataError, ResourceError, DivergedError, Interrupted: as ``fit``; the model is then as it was.
        """
        self._check_settings()
        need_torch(self.id)
        before = self._learned() if self.__sklearn_is_fitted__() else None
        if before is None:
            network_checks.check_vectors(self)
        else:
            network_checks.check_labels(before.classes, y, classes)
        known = classes if before is None else before.classes
        examples = classify.examples(
            X, y, sample_weight=sample_weight, class_weight=self.class_weight, kinds=KINDS, classes=known
        )
        self._learn(examples, validation, report, before)
        return self

    def _learn(self, examples: classify.Examples, validation: Any, report: Report, before: Learned | None) -> None:
        from erya.parts import network_training

        if before is not None:
            network_checks.check_unchanged(self, before, examples)
        given = None if before is not None or self.vectors is None else pretrained_vectors.opened(self.vectors)
        dim = self.dim or self.default_dim if given is None else pretrained_vectors.width(given, self.dim)
        with torch_mode():
            self._take(network_training.trained(self, examples, validation, report, before, given, dim))

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each label; rows sum to 1, unless texts have several labels."""
        self._check_fitted()
        token_lists = list(tokenizers.token_lists(self.tokenizer_, classify.documents(X)))
        return self._probabilities(self._logits(token_lists))

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable label of each text; of several labels tuples of those that reach their thresholds."""
        return label_thresholds.decided(self, self.predict_proba(X))

    def _probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        from erya.parts.answer_shares import independent, probabilities

        return independent(logits) if self.several_ else probabilities(logits)

    def _logits(self, token_lists: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """(N, C); of a text of more than ``most_tokens`` the mean over its windows, by their tokens."""
        from erya.parts.network_answers import logits
        from erya.parts.network_windows import Windows

        windows = Windows([self.vocabulary_.ids(tokens) for tokens in token_lists], self.most_tokens)
        if windows.long:
            read_in_windows(windows.long, self.most_tokens)
        with torch_mode():
            return windows.means(logits(self.network_, windows.corpus(len(self.vocabulary_)), len(self.classes_)))

    # ---- looking inside ---------------------------------------------------------------------------------------

    def _read(self, x: Any) -> OneText:
        """One text or pair, as a trace needs it; of a text of more than ``most_tokens`` the first window."""
        from erya.parts.network_text import OneText

        self._check_fitted()
        return OneText.of(self, classify.documents([x])[0])

    def explain(self, x: Any, label: Any = None, method: str = "occlusion", *, steps: int = 64) -> Trace:
        """Why this label: what each token adds to it.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the most probable one.
            method: ``"occlusion"``: what the label's log odds lose when the token is left out, see ``occlusion.py``;
                ``"integrated_gradients"``: the token's share of the label's logit over that of a text of zero vectors, see
                ``network_gradients.py``.
            steps: of integrated gradients: the more, the nearer do the shares sum to the difference.

        Raises:
            UsageError: no such label or method.
        """
        self._check_fitted()
        require(method in self.explain_methods, "method", method, " | ".join(self.explain_methods))
        document = classify.documents([x])[0]
        if method == "integrated_gradients":
            need_torch(self.id)
            from erya.parts.network_gradients import integrated_gradients

            whole("steps", steps)
            with torch_mode():
                return integrated_gradients(self, document, label, steps)
        from erya.parts.answer_shares import log_softmax
        from erya.parts.occlusion import occlusion

        def answer(token_lists: Sequence[Sequence[str]]) -> NDArray[np.float64]:
            logits = self._logits(token_lists)
            return logits if self.several_ else log_softmax(logits)

        return occlusion(self.id, self.tokenizer_, document, self.classes_, label, answer, several=self.several_)

    # ---- what was learned -------------------------------------------------------------------------------------

    def _learned(self) -> Learned:
        from erya.parts.network_state import Learned

        return Learned(**{name: getattr(self, f"{name}_") for name in Learned.__slots__})

    def _take(self, learned: Learned) -> None:
        for name in learned.__slots__:
            setattr(self, f"{name}_", getattr(learned, name))

    def state(self) -> State:
        """Weights, vocabulary, thresholds; classes, tokenizer and the curve."""
        self._check_fitted()
        from erya.parts.network_state import to_state

        return to_state(self._learned())

    @classmethod
    def upgrade(cls, state: State, version: int) -> State:
        """Version 1 held one label a text."""
        from erya.parts.network_state import upgraded

        return upgraded(state)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: shapes, numbers or values that do not fit one another.
            ResourceError: torch is not installed.
        """
        self._check_settings()
        need_torch(self.id)
        from erya.parts.network_state import from_state

        self._take(from_state(state, self._network))

    def plain_params(self) -> dict[str, Any]:
        """The constructor's arguments as JSON data. A model given as ``vectors`` is left out: what it gave stands in the weights."""
        params = self.get_params()
        if params.get("vectors") is not None:
            params["vectors"] = str(self.vectors) if isinstance(self.vectors, str | Path) else None
        plain: dict[str, Any] = super(NetworkClassifier, type(self)(**params)).plain_params()
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
