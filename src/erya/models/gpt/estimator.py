"""GPT: its settings, its network, its trace. The mathematics is in ``network.py``.

How such a network is trained and asked is in ``parts/language_network.py``. GPT-2 folders
of Hugging Face: ``hugging_face.py``. Not here: more than one processor.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from erya.errors import UsageError
from erya.parts.language_network import NetworkLanguageModel
from erya.parts.settings import number, require, whole
from erya.parts.torch_mode import need_torch, torch_mode
from erya.state import Arrays, State
from erya.text.unit_ids import SPECIALS, UnitVocabulary
from erya.text.units import ByteUnits

if TYPE_CHECKING:
    from erya.models.gpt import network
    from erya.progress import Report
    from erya.text.unit_ids import Stream
    from erya.text.units import Units
    from erya.trace import Trace

MOST_LAYERS = 64


def whole_alphabet(units: Units, vocabulary: UnitVocabulary) -> bool:
    """Whether every text is made of units that are known: pieces of bytes, all of them in the vocabulary."""
    if not isinstance(units, ByteUnits):
        return False
    return set(units.subwords.to_plain()["learned"]["vocab"]) <= set(vocabulary.units[len(SPECIALS) :])


class GPT(NetworkLanguageModel):
    """A decoder: every unit looks at those before it, several heads wide and some layers deep, and a softmax says what comes next.

    Args:
        dim: D, width of a unit's vector and of everything above it.
        layers: of the decoder.
        heads: A, of each layer; they divide D.
        inner_width: I, between the two matrices behind the attention; None: 4 · D.
        norm_epsilon: ε, what is added to the variance by which a norm divides.
        dropout: share of the vectors' numbers, and of what each sublayer adds, that is dropped while learning.
        tokenizer: ``"auto"``, ``"characters"``, ``"words"``, ``"whitespace"``, ``"bpe"`` or an object, see ``text.units``.
        documents: of files: ``"auto"``, ``"line"``, ``"paragraph"`` or ``"file"``.
        min_count: rarer units count as unknown.
        max_vocabulary: the most units that are known; None: all.
        context: C, the most units that are seen at once, in learning, scoring and writing.
        sampling: ``"random"``: pieces of C units in random order; ``"sequential"``: in rows.
        over_borders: whether a unit sees those of the document before its own, while learning.
        batch_size: B, pieces a step.
        epochs: at most.
        steps: gradient steps that end the training instead; None: ``epochs`` do.
        optimizer: ``"adam"``, ``"sgd"``, ``"momentum"`` or ``"averaged_sgd"``, see ``sgd.py``.
        learning_rate: its greatest.
        schedule: of the learning rate: ``"constant"``, or falling to the end: ``"linear"`` or ``"cosine"``.
        warmup: share of the training over which the learning rate first rises from 0.
        final_rate: share of its greatest at which a falling learning rate ends.
        rate_decay: what the rate is multiplied with for every epoch behind ``decay_after``.
        decay_after: epochs.
        weight_decay: shrinks the matrices at each step, as in AdamW; biases and gains are left alone.
        beta2: of Adam: how much of the mean square gradient is kept at each step.
        clip_norm: longer gradients are shortened to this; None: never.
        patience: epochs without a lower held-out loss after which training ends; None: no early stopping.
        seed: of first weights, order, dropout and held-out documents.

    Attributes:
        network_: the torch module, see ``network.py``; the others are those of every ``NetworkLanguageModel``.
    """

    id: ClassVar[str] = "generate/gpt"

    def __init__(
        self,
        *,
        dim: int = 96,
        layers: int = 2,
        heads: int = 4,
        inner_width: int | None = None,
        norm_epsilon: float = 1e-5,
        dropout: float = 0.0,
        tokenizer: str | Units = "auto",
        documents: str = "auto",
        min_count: int = 1,
        max_vocabulary: int | None = None,
        context: int = 64,
        sampling: str = "random",
        over_borders: bool = False,
        batch_size: int = 8,
        epochs: int = 10,
        steps: int | None = None,
        optimizer: str = "adam",
        learning_rate: float = 0.0015,
        schedule: str = "cosine",
        warmup: float = 0.05,
        final_rate: float = 0.0,
        rate_decay: float = 1.0,
        decay_after: int = 0,
        weight_decay: float = 0.0,
        beta2: float = 0.999,
        clip_norm: float | None = 1.0,
        patience: int | None = 3,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.layers = layers
        self.heads = heads
        self.inner_width = inner_width
        self.norm_epsilon = norm_epsilon
        self.dropout = dropout
        self.tokenizer = tokenizer
        self.documents = documents
        self.min_count = min_count
        self.max_vocabulary = max_vocabulary
        self.context = context
        self.sampling = sampling
        self.over_borders = over_borders
        self.batch_size = batch_size
        self.epochs = epochs
        self.steps = steps
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup = warmup
        self.final_rate = final_rate
        self.rate_decay = rate_decay
        self.decay_after = decay_after
        self.weight_decay = weight_decay
        self.beta2 = beta2
        self.clip_norm = clip_norm
        self.patience = patience
        self.seed = seed

    def _network(self, vocabulary: int, generator: Any = None) -> network.GPT:
        from erya.models.gpt import network

        inner_width = 4 * self.dim if self.inner_width is None else self.inner_width
        sizes = (self.dim, self.layers, self.heads, inner_width, self.context)
        form = network.Form(*sizes, float(self.dropout), float(self.norm_epsilon))
        return network.GPT(vocabulary, form, generator, closed=whole_alphabet(self.units_, self.vocabulary_))

    def _learn(self, stream: Stream, validation: Stream | None, report: Report) -> None:
        from erya.kernel_cache import announce
        from erya.models.gpt.gelu_kernels import bend

        announce(report, [bend])
        super()._learn(stream, validation, report)

    def _check_settings(self) -> None:
        super()._check_settings()
        for name in ("dim", "layers", "heads"):
            whole(name, getattr(self, name))
        whole("inner_width", self.inner_width, optional=True)
        number("norm_epsilon", self.norm_epsilon, 0, 1)
        require(self.layers <= MOST_LAYERS, "layers", self.layers, f"≤ {MOST_LAYERS}")
        require(self.dim % self.heads == 0, "heads", self.heads, f"{self.dim} / heads: 1, 2, 3, …")

    # ---- what is saved ------------------------------------------------------------------------------------------------

    def _text_state(self) -> tuple[Arrays, dict[str, Any]]:
        arrays, data = super()._text_state()
        if isinstance(self.units_, ByteUnits):  # 50,000 pieces are more than the manifest of a file may hold
            data = {"tokenizer": self.units_.subwords.to_plain()}
        return arrays, data

    def _set_text_state(self, arrays: Arrays, data: dict[str, Any]) -> None:
        if "tokenizer" in data:
            data = {"units": {"units": "bpe", "subwords": data["tokenizer"]}}
        super()._set_text_state(arrays, data)

    @classmethod
    def from_folder(cls, folder: str | Path) -> GPT:
        """A GPT-2 as Hugging Face's ``transformers`` writes it, see ``hugging_face.py``: the same logits.

        Args:
            folder: with ``config.json``, ``model.safetensors`` (or its parts) and the tokenizer's files.

        Raises:
            ModelFileError: a file is missing, damaged or hostile; a GPT-2 of a kind that is not known here.
            ResourceError: torch is not installed.
        """
        from erya.models.gpt import hugging_face
        from erya.parts import foreign_tensors

        need_torch(cls.id)
        path = Path(folder)
        settings, cutter, vocabulary, weights = hugging_face.read(path)
        model = cls(**settings)
        model.units_, model.vocabulary_ = cutter, vocabulary
        arrays, data = model._text_state()
        try:
            model.set_state(State({**arrays, **weights}, {**data, "curve": []}))
        except (ValueError, UsageError) as problem:
            raise foreign_tensors.damaged(path, str(problem)) from problem
        return model

    def to_folder(self, folder: str | Path) -> list[str]:
        """Write a folder that ``transformers`` opens as ``GPT2LMHeadModel``; what is lost is answered, in words.

        Raises:
            UsageError: not fitted; units that are neither pieces of bytes nor characters; something else is in the folder.
            ResourceError: the disk is full or closed.
        """
        from erya.models.gpt import hugging_face_writing

        self._check_fitted()
        return hugging_face_writing.write(Path(folder), self)

    def trace(self, x: Any) -> Trace:
        """One text: who looks at whom in each head, what was expected at each unit, what it cost. Of a long text the last C units."""
        self._check_fitted()
        from erya.models.gpt.views import trace

        with torch_mode():
            return trace(self, x)
