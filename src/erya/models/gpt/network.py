"""GPT: a Transformer's decoder that says what comes next; every unit looks at those before it, and at itself.

Radford et al. 2018, "Improving Language Understanding by Generative Pre-Training", in the form of Radford et al. 2019 (GPT-2): the norm
stands before each sublayer and once behind the last layer; first weights as there. Attention itself is in ``parts/attention.py``. Not
here: text, files, the training loop; biases of the softmax; dropout of the attention's weights.

    x_t = E[unit t] + P[t]                               t counts from the document's border, or from where the batch begins
    of each layer:  x ← x + Attention(N(x))              of t over places ≤ t of the same document
                    x ← x + gelu(N(x) W₁ + b₁) W₂ + b₂
    y   = N(x) Eᵀ                                        logits: the softmax uses the units' own vectors
    N(x) = γ (x − mean) / √(variance + ε) + β           ε = 10⁻⁵

    symbol    name            shape        what
    E         embedding       (V, D)       a vector for each unit, read and predicted
    P         positions       (C, D)       a vector for each place; no unit sees more than C
    x         states          (B, T, D)
    W₁ W₂     widen, narrow   (D, I) (I, D)
    γ β       gain, shift     (D,)

Shapes: B rows, T units, V vocabulary, D width, A heads, K width of a head, I inner width, C context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from erya.models.gpt.sublayers import LONGEST, Attended, Bent, Sight
from erya.parts.attention import MultiHeadAttention
from erya.parts.dropout import dropout
from erya.parts.softmax_loss import softmax_loss
from erya.parts.stream_batches import IGNORED, StreamBatch
from erya.text.unit_ids import UNKNOWN

IMPOSSIBLE = -1e9  # a logit whose share of any softmax is 0
FIRST = 0.02  # standard deviation of first weights (GPT-2)
Past = tuple[torch.Tensor, torch.Tensor]  # keys and values of one layer, (B, A, S, K) both


class Form(NamedTuple):
    """What the decoder looks like.

    Attributes:
        dim: D.
        layers: how many.
        heads: A, of each layer.
        inner_width: I.
        context: C.
        dropout: share dropped of the vectors and behind each sublayer, while learning.
        norm_epsilon: ε of the norms.
    """

    dim: int
    layers: int
    heads: int
    inner_width: int
    context: int
    dropout: float = 0.0
    norm_epsilon: float = 1e-5


class Norm(nn.Module):
    """N above (Ba, Kiros & Hinton 2016)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon
        self.gain = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """(…, D) → (…, D)."""
        return functional.layer_norm(vectors, self.gain.shape, self.gain, self.shift, self.epsilon)


class DecoderLayer(nn.Module):
    """Attention to what came before, then two matrices for each unit alone; around both a residual path."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self.attention = MultiHeadAttention(form.dim, form.heads)
        self.widen = nn.Parameter(torch.zeros(form.dim, form.inner_width))
        self.widen_bias = nn.Parameter(torch.zeros(form.inner_width))
        self.narrow = nn.Parameter(torch.zeros(form.inner_width, form.dim))
        self.narrow_bias = nn.Parameter(torch.zeros(form.dim))
        self.norm_attention = Norm(form.dim, form.norm_epsilon)
        self.norm_inner = Norm(form.dim, form.norm_epsilon)

    def forward(
        self, states: torch.Tensor, allowed: torch.Tensor | None, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """(B, T, D) → (B, T, D).

        Args:
            states: x.
            allowed: (B, 1, T, T) who may look at whom; None: each at itself and those before it.
            generator: of dropout; None: no dropout.
        """
        asking = self.norm_attention(states)
        found = self.looked(asking, self.attention.keys_and_values(asking), allowed, causal=allowed is None)
        states = states + dropout(found, self.form.dropout, generator)
        return states + dropout(self.inner(self.norm_inner(states)), self.form.dropout, generator)

    def looked(
        self, asking: torch.Tensor, past: Past, allowed: torch.Tensor | None, *, causal: bool = False
    ) -> torch.Tensor:
        """What the heads find, (B, T, D), when N(x) asks keys and values (B, A, S, K)."""
        context = functional.scaled_dot_product_attention(
            self.attention.queries(asking), *past, attn_mask=allowed, is_causal=causal
        )
        return context.transpose(1, 2).flatten(2) @ self.attention.output + self.attention.output_bias

    def inner(self, states: torch.Tensor) -> torch.Tensor:
        """gelu(x W₁ + b₁) W₂ + b₂."""
        bent = functional.gelu(states @ self.widen + self.widen_bias, approximate="tanh")
        return bent @ self.narrow + self.narrow_bias

    def learned(self, states: torch.Tensor, sight: Sight, generator: torch.Generator | None) -> torch.Tensor:
        """As ``forward``, (M, D) → (M, D), by ``sublayers.py``, which is faster where a gradient is wanted.

        Args:
            states: x of all rows, one below the other.
            sight: who looks at whom.
            generator: of dropout; None: no dropout.
        """
        before, norm, part = self.norm_attention, self.norm_inner, self.attention
        weights = (part.query, part.query_bias, part.key_value, part.key_value_bias, part.output, part.output_bias)
        states = Attended.apply(  # type: ignore[no-untyped-call]
            states, self._mask(states, generator), before.epsilon, sight, before.gain, before.shift, *weights
        )
        inner = (self.widen, self.widen_bias, self.narrow, self.narrow_bias)
        found: torch.Tensor = Bent.apply(  # type: ignore[no-untyped-call]
            states, self._mask(states, generator), norm.epsilon, norm.gain, norm.shift, *inner
        )
        return found

    def _mask(self, like: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor | None:
        """What dropout multiplies with."""
        if generator is None or not self.form.dropout:
            return None
        return dropout(torch.ones_like(like), self.form.dropout, generator).detach()


class GPT(nn.Module):
    """Units and places → layers → a softmax over all units.

    Args:
        vocabulary: V; unit 0 is the border between documents, unit 1 the unknown one.
        form: sizes and dropout.
        generator: where the first weights come from; None: zeros, for weights that are loaded.
        closed: whether no text has an unknown unit; its probability is then 0.
    """

    def __init__(
        self, vocabulary: int, form: Form, generator: torch.Generator | None = None, *, closed: bool = False
    ) -> None:
        super().__init__()
        self.form, self.closed = form, closed
        self.embedding = nn.Parameter(torch.zeros(vocabulary, form.dim))
        self.positions = nn.Parameter(torch.zeros(form.context, form.dim))
        self.layers = nn.ModuleList(DecoderLayer(form) for _ in range(form.layers))
        self.norm = Norm(form.dim, form.norm_epsilon)
        if generator is not None:
            self._start(generator)

    @torch.no_grad()
    def _start(self, generator: torch.Generator) -> None:
        """Small weights; what is added to the residual path smaller by the root of how often something is."""
        added = FIRST / (2 * self.form.layers) ** 0.5
        for name, values in self.named_parameters():
            if values.dim() == 2:
                last = name.endswith((".narrow", "attention.output"))
                values.normal_(0, added if last else FIRST, generator=generator)

    def begin_with(self, counts: NDArray[np.int64]) -> None:
        """Nothing: the softmax has no bias that could hold how frequent units are."""

    def begin(self, rows: int) -> tuple[()]:
        """Nothing is remembered from batch to batch: a batch is all that is seen."""
        return ()

    def steps(self) -> list[DecoderLayer]:
        """The layers, from the first one."""
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def compiled_parts(self) -> list[DecoderLayer]:
        """What is worth compiling where there is a GPU, see ``language_device.py``."""
        return self.steps()

    def loss(
        self, batch: StreamBatch, memory: tuple[()], generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, tuple[()]]:
        """The sum of −ln p over the batch's units, divided by its ``share``. With a generator, dropout is on."""
        resets = None if batch.resets is None else batch.resets.T
        states = self(batch.inputs.T, resets, generator).flatten(0, 1)
        targets = batch.targets.T.flatten()
        if batch.units < len(targets):
            there = targets != IGNORED
            states, targets = states[there], targets[there]
        return softmax_loss(states, self.embedding, self.bias(), targets) / batch.share, ()

    def bias(self) -> torch.Tensor:
        """What is added to the logits, (V,): nothing, or what leaves the unknown unit of a closed vocabulary no share."""
        found = self.embedding.new_zeros(len(self.embedding))
        if self.closed:
            found[UNKNOWN] = IMPOSSIBLE
        return found

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """(…, V) of what the softmax is given, (…, D)."""
        found = states @ self.embedding.T
        return found + self.bias() if self.closed else found

    def forward(
        self, inputs: torch.Tensor, resets: torch.Tensor | None = None, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """What the softmax is given, (B, T, D).

        Args:
            inputs: (B, T) units, T ≤ C.
            resets: (B, T) where a document begins, which sees nothing of what stands before it; None: nowhere.
            generator: of dropout; None: no dropout.
        """
        tokens = inputs.shape[1]
        places, allowed = seen(tokens, resets, inputs.device)
        states = dropout(self.entered(inputs, places), self.form.dropout, generator)
        here = inputs.device.type == "cpu" and not torch.is_autocast_enabled("cpu")  # what ``sublayers.py`` is made for
        if here and torch.is_grad_enabled() and tokens <= LONGEST:
            shape, states = states.shape, states.flatten(0, 1)
            sight = Sight(tokens, self.form.heads, (torch.arange(tokens) - places).expand(inputs.shape).flatten())
            for layer in self.steps():
                states = layer.learned(states, sight, generator)
            states = states.view(shape)
        else:
            for layer in self.steps():
                states = layer(states, allowed, generator)
        found: torch.Tensor = self.norm(states)
        return found

    def entered(self, inputs: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """X before the first layer, (B, T, D), of units (B, T) and their places, of a shape that broadcasts."""
        return functional.embedding(inputs, self.embedding) + functional.embedding(places, self.positions)

    def log_probabilities(self, texts: Sequence[NDArray[np.int32]]) -> list[NDArray[np.float64]]:
        """See ``asking.log_probabilities``."""
        from erya.models.gpt import asking

        return asking.log_probabilities(self, texts)

    def decoder(self) -> object:
        """See ``asking.CachingDecoder``."""
        from erya.models.gpt import asking

        return asking.CachingDecoder(self)


def seen(
    units: int, resets: torch.Tensor | None, device: torch.device | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Each unit's place in its document, (T,) or (B, T), and who may look at whom, (B, 1, T, T); None: at all before.

    Args:
        units: T.
        resets: (B, T) where a document begins; None: nowhere.
        device: of what is returned; None: the processor.
    """
    count = torch.arange(units, device=device)
    if resets is None:
        return count, None
    begins = torch.where(resets, count, 0).cummax(dim=1).values  # (B, T) where the document began, or the batch
    together = begins[:, :, None] == begins[:, None, :]
    return count - begins, (together & (count[:, None] >= count))[:, None]
