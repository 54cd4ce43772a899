"""A GPT as a classifier, from its first weights or fine-tuned: its settings and its trace. The mathematics is in ``fine_tuning.py``.

How such a network is trained and asked is in ``parts/network_classifier.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from erya import artefact
from erya.errors import ModelFileError, UsageError, quoted
from erya.language import say
from erya.models.gpt.estimator import GPT, MOST_LAYERS
from erya.parts.network_classifier import NetworkClassifier
from erya.parts.settings import number, require, whole
from erya.parts.torch_mode import torch_mode
from erya.progress import Report
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers
from erya.text.tokenizers import SEPARATOR
from erya.text.unit_tokens import UnitTokens
from erya.text.vocabulary import PADDING, UNKNOWN, Vocabulary

if TYPE_CHECKING:
    from erya.models.gpt import fine_tuning
    from erya.parts.network_state import Learned
    from erya.parts.onnx_graph import Graph
    from erya.trace import Trace

SIZES = {"dim": 128, "layers": 4, "heads": 4, "inner_width": 0, "context": 128}  # where nobody says others; 0: 4 · D


class GPTClassifier(NetworkClassifier):
    """A decoder reads the text, and what it knows behind the last unit goes to a softmax; a trained GPT can be what it begins as.

    A text of more units than fit into the context is read in windows.

    Args:
        pretrained: what it begins as: the file of a ``generate/gpt``, a GPT-2 folder of Hugging Face, or such a model that is open;
            its units, vocabulary and weights are copied, so that the file is not needed again. None: random weights.
        auxiliary: λ: how much the language model's loss on the same texts counts beside that of the labels; 0.5 in the paper. On few texts
            at a high learning rate it harms, see README.md.
        frozen_layers: the weights of so many layers, and of the vectors below them, stay as ``pretrained`` has them; as many as there
            are: it only extracts features.
        dim: D, width of everything; None, here and for the other sizes: that of ``pretrained``, else 128.
        layers: of the decoder; else 4.
        heads: A, of each layer; they divide D; else 4.
        inner_width: I, between the two matrices behind the attention; else 4 · D.
        context: the most units that are read at once, the border before the text counted; else 128.
        dropout: share of the numbers dropped of the vectors, behind each sublayer and of the last state, while learning.
        tokenizer: name or object, see ``text.tokenizers.make``; not looked at where there is ``pretrained``, which has its own.
        min_count: rarer tokens count as unknown; of ``pretrained`` likewise not looked at.
        epochs: at most.
        batch_size: texts a step.
        learning_rate: of Adam. Of a large pretrained model a tenth of this or less, or it forgets.
        schedule: of the learning rate: ``"constant"``, or falling to 0 by the last of ``epochs``: ``"linear"`` or ``"cosine"``.
        warmup: share of the training over which the learning rate first rises from 0.
        weight_decay: shrinks the matrices at each step, as in AdamW.
        clip_norm: longer gradients are shortened to this; None: never.
        patience: epochs without a better held-out accuracy after which training ends; None: no early stopping.
        label_smoothing: ε, the share of the aim that is spread evenly over all labels.
        class_weight: None, ``"balanced"`` or ``{label: weight}``.
        seed: of first weights, order, dropout and held-out rows.

    Attributes:
        network_: the torch module, see ``fine_tuning.py``; the others are those of every ``NetworkClassifier``.
    """

    id: ClassVar[str] = "classify/gpt"
    explain_methods: ClassVar[tuple[str, ...]] = ("occlusion",)
    _form: Any = None  # while it learns or is restored: the form of that network, and whether its vocabulary is closed

    def __init__(
        self,
        *,
        pretrained: Any = None,
        auxiliary: float = 0.0,
        frozen_layers: int = 0,
        dim: int | None = None,
        layers: int | None = None,
        heads: int | None = None,
        inner_width: int | None = None,
        context: int | None = None,
        dropout: float = 0.1,
        tokenizer: str | tokenizers.Tokenizer = "auto",
        min_count: int = 2,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 0.001,
        schedule: str = "linear",
        warmup: float = 0.1,
        weight_decay: float = 0.01,
        clip_norm: float | None = 1.0,
        patience: int | None = 3,
        label_smoothing: float = 0.0,
        class_weight: str | dict[Any, float] | None = None,
        seed: int = 0,
    ) -> None:
        self.pretrained = pretrained
        self.auxiliary = auxiliary
        self.frozen_layers = frozen_layers
        self.dim = dim
        self.layers = layers
        self.heads = heads
        self.inner_width = inner_width
        self.context = context
        self.dropout = dropout
        self.tokenizer = tokenizer
        self.min_count = min_count
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.patience = patience
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.seed = seed

    @property
    def most_tokens(self) -> int:  # type: ignore[override]
        """Units of a window: one less than the context, for the border before them."""
        return int(self._shape()[0].context) - 1

    def _shape(self) -> tuple[Any, bool]:
        """The decoder's form, and whether its vocabulary is closed."""
        from erya.models.gpt.network import Form

        if self._form is not None:
            found: tuple[Any, bool] = self._form
            return found
        if "network_" in vars(self):
            return self.network_.decoder.form, self.network_.decoder.closed
        dim, layers, heads, inner_width, context = (
            other if getattr(self, name) is None else int(getattr(self, name)) for name, other in SIZES.items()
        )
        return Form(dim, layers, heads, inner_width or 4 * dim, context, float(self.dropout)), False

    def _network(self, vocabulary: int, dim: int, classes: int, generator: Any = None) -> fine_tuning.ClassifyingGPT:
        from erya.models.gpt.fine_tuning import ClassifyingGPT

        form, closed = self._shape()
        return ClassifyingGPT(
            vocabulary,
            classes,
            form._replace(dim=dim),
            closed=closed,
            auxiliary=float(self.auxiliary),
            frozen=self.frozen_layers,
            generator=generator,
        )

    def _tables(self) -> dict[str, bool]:
        return {}  # the units' vectors are the decoder's

    def _check_settings(self) -> None:
        super()._check_settings()
        number("auxiliary", self.auxiliary, 0, 1e6)
        for name in ("layers", "heads", "inner_width"):
            whole(name, getattr(self, name), optional=True)
        whole("context", self.context, 2, optional=True)
        whole("frozen_layers", self.frozen_layers, 0)
        require((self.layers or 1) <= MOST_LAYERS, "layers", self.layers, f"≤ {MOST_LAYERS}")
        if self.pretrained is None:
            dim, heads = self.dim or SIZES["dim"], self.heads or SIZES["heads"]
            require(int(dim or 1) % int(heads or 1) == 0, "heads", heads, f"{dim} / heads: 1, 2, 3, …")

    # ---- learning ---------------------------------------------------------------------------------------------

    def _learn(self, examples: classify.Examples, validation: Any, report: Report, before: Learned | None) -> None:
        try:
            if before is not None:
                self._form = before.network.decoder.form, before.network.decoder.closed
            elif self.pretrained is None:
                require(self.frozen_layers == 0, "frozen_layers", self.frozen_layers, "0 (pretrained=None)")
                self._form = self._from_settings()
            else:
                before = self._begun(examples)
            super()._learn(examples, validation, report, before)
        finally:
            vars(self).pop("_form", None)

    def _from_settings(self) -> tuple[Any, bool]:
        """The form that the settings ask for."""
        return type(self)(**self.get_params())._shape()

    def _begun(self, examples: classify.Examples) -> Learned:
        """What ``pretrained`` is before it sees a label: its weights, and a small random matrix on top."""
        import torch

        from erya.models.gpt.network import FIRST
        from erya.parts.network_state import Learned
        from erya.parts.network_training import begin_seldom
        from erya.parts.token_batches import Goals

        model = opened(self.pretrained)
        decoder = model.network_
        form = decoder.form._replace(dropout=float(self.dropout))
        for name in SIZES:
            given, own = getattr(self, name), getattr(form, name)
            require(
                given in (None, own), name, given, say(f"{own}, as pretrained has it", f"{own}（与 pretrained 相同）")
            )
        require(self.frozen_layers <= form.layers, "frozen_layers", self.frozen_layers, f"≤ {form.layers}")
        specials = (PADDING, UNKNOWN)
        named = [f"{unit} " if unit in specials else unit for unit in model.vocabulary_.units[len(specials) :]]
        tokens = [*specials, *named]
        paired = any(not isinstance(document, str) for document in examples.documents)
        more = [SEPARATOR] if paired and SEPARATOR not in tokens else []
        vocabulary = Vocabulary([*tokens, *more], specials=len(specials))
        self._form = form, decoder.closed
        generator = torch.Generator().manual_seed(self.seed)
        with torch_mode(), torch.no_grad():
            network = self._network(len(vocabulary), form.dim, len(examples.classes), generator)
            weights = dict(decoder.named_parameters())
            rows = torch.empty(len(more), form.dim).normal_(0, FIRST, generator=generator)
            for name, parameter in network.decoder.named_parameters():
                parameter.copy_(torch.cat([weights[name], rows]) if name == "embedding" else weights[name])
        several = examples.kind == "several"
        thresholds = np.full(len(examples.classes) if several else 0, 0.5)
        if several:
            goals = (examples.starts, examples.labels, examples.shares)
            begin_seldom(network.output_bias, Goals(*goals, len(examples.classes), several=True))
        cutter = UnitTokens(model.units_)
        return Learned(network, vocabulary, cutter, examples.classes, several, thresholds, form.dim)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """As every network that classifies, and the decoder's sizes."""
        found = super().state()
        form, closed = self._shape()
        found.data["decoder"] = {**form._asdict(), "closed": closed}
        return found

    def set_state(self, state: State) -> None:
        """The inverse of ``state``; raises as every network that classifies."""
        from erya.models.gpt.network import Form

        told = dict(state.data["decoder"])
        closed = told.pop("closed")
        form = Form(**told)
        for name in ("dim", "layers", "heads", "inner_width", "context"):
            whole(name, getattr(form, name))
        for name, value in (("dropout", form.dropout), ("norm_epsilon", form.norm_epsilon)):
            number(name, value, 0, 1)
        if type(closed) is not bool or form.layers > MOST_LAYERS or form.dim % form.heads or form.context < 2:
            raise ValueError("the decoder's sizes make no sense")
        if form.dim != state.data["dim"]:
            raise ValueError("the decoder has another width")
        self._form = form, closed
        try:
            super().set_state(state)
        finally:
            vars(self).pop("_form", None)

    def plain_params(self) -> dict[str, Any]:
        """The constructor's arguments as JSON data; a model given as ``pretrained`` is left out: its weights are here."""
        if isinstance(self.pretrained, str | None):
            return super().plain_params()
        name = str(self.pretrained) if isinstance(self.pretrained, Path) else None
        plain: dict[str, Any] = type(self)(**{**self.get_params(), "pretrained": name}).plain_params()
        return plain

    def __sklearn_clone__(self) -> Self:
        """An unfitted twin; a model given as ``pretrained`` is shared, since it would be cloned unfitted."""
        model = self.pretrained
        try:
            self.pretrained = None
            twin = super().__sklearn_clone__()
        finally:
            self.pretrained = model
        twin.pretrained = model
        return twin

    def onnx_logits(self, graph: Graph) -> str:
        """Adds the network to an ONNX graph; the name of its logits."""
        from erya.models.gpt import onnx_graph
        from erya.parts.onnx_graph import weights_of

        return onnx_graph.logits(graph, weights_of(self.network_), self.network_.decoder.form)

    def trace(self, x: Any) -> Trace:
        """The way of one text: who looks at whom in each head, and what the last unit looks at, whose state decides."""
        text = self._read(x)
        from erya.models.gpt.classifier_views import trace

        with torch_mode():
            return trace(self.network_, text)


def opened(pretrained: Any) -> GPT:
    """The GPT to begin as.

    Args:
        pretrained: the path of a ``generate/gpt`` file or of a GPT-2 folder, or a fitted ``GPT``.

    Raises:
        ModelFileError: the file is missing, damaged or hostile.
        UsageError: something else, or a model of another kind.
    """
    if isinstance(pretrained, GPT):
        pretrained._check_fitted()
        return pretrained
    if not isinstance(pretrained, str | Path):
        raise _no_gpt(repr(pretrained))
    path = Path(pretrained)
    if path.is_dir():
        return GPT.from_folder(path)
    content = artefact.load(path)
    if content.model != GPT.id:
        raise _no_gpt(f"{path} ({content.model})")
    try:
        return GPT.restore(content.params, content.state, content.state_version)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as problem:
        raise ModelFileError(
            "model-nonsense",
            say(
                f"{quoted(path)} is whole, but its contents make no sense: {problem}",
                f"{quoted(path)} 是完整的，但内容自相矛盾：{problem}",
            ),
            where="weights.safetensors",
        ) from problem


def _no_gpt(given: str) -> UsageError:
    return UsageError(
        "bad-setting",
        say(f"pretrained={quoted(given)}: no generate/gpt", f"pretrained={quoted(given)}：不是 generate/gpt"),
        help="erya train generate/gpt TEXTS -o gpt.erya",
    )
