"""Why a network answers as it does, asked from inside: integrated gradients over the word vectors of one text.

Sundararajan, Taly & Yan 2017, "Axiomatic Attribution for Deep Networks", equation 1, with a text of zero vectors x' = 0 (of the same
length) as the baseline. The share of number i of a text's word vectors x in the logit F is

    (xᵢ − x'ᵢ) · ∫₀¹ ∂F(x' + α (x − x')) / ∂xᵢ dα

and a token's share is the sum over the D numbers of its vector. All shares together are F(x) − F(x') (their completeness); the
integral is a sum over some points (Gauss–Legendre), so that a difference remains: it is stated in the trace.

What it does not say: the way from nothing to the text leads through texts that nobody would write, and shares depend on it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from erya.language import say
from erya.parts.held_out import pieces
from erya.parts.network_answers import TOKENS_AT_ONCE
from erya.parts.occlusion import class_number, drawn
from erya.parts.token_batches import TokenBatch
from erya.tasks import classify
from erya.text.tokenizers import located
from erya.trace import TokenHeat, Trace

if TYPE_CHECKING:
    from erya.parts.network_classifier import NetworkClassifier

Floats = NDArray[np.float64]


def integrated_gradients(model: NetworkClassifier, document: classify.Document, label: Any, steps: int) -> Trace:
    """What each token adds to the logit of a label, beginning from a text of zero vectors.

    Of a text that the model reads in windows: the same of the windows, weighted as the answer weights them.

    Args:
        model: a fitted one.
        document: one text or pair.
        label: one of its classes; None: the most probable one.
        steps: points of the integral.

    Returns:
        Arrays: contributions (T,), difference (1,) = F(x) − F(x'), error (1,) = what the contributions lack of it,
        probabilities (C,).

    Raises:
        UsageError: no such label.
    """
    shown, tokens, spans = located(model.tokenizer_, document)
    logits = model._logits([tokens])  # (1, C)
    chosen = int(logits[0].argmax()) if label is None else class_number(model.classes_, label)
    tables = list(model._tables())
    values, difference = np.zeros(len(tokens)), 0.0
    start = 0
    for ids in pieces(model.vocabulary_.ids(tokens), model.most_tokens) if tokens else []:
        weight, end = len(ids) / len(tokens), start + len(ids)
        found, change = token_shares(model.network_, tables, ids, chosen, steps)
        values[start:end] = weight * found
        difference, start = difference + weight * change, end
    error = difference - float(values.sum())
    probabilities = model._probabilities(logits)[0]
    name = str(model.classes_[chosen])
    note = say(
        f"share of the logit over a text of zero vectors: {difference:.4g} in all, the shares sum to it up to {abs(error):.2g}",
        f"相对于全零向量文本的得分份额：合计 {difference:.4g}，各份额之和与它相差 {abs(error):.2g}",
    )
    heat = TokenHeat(say(f"what speaks for “{name}”", f"支持“{name}”的依据"), shown, spans, values, note)
    return Trace(
        model=model.id,
        input=shown,
        arrays={
            "contributions": values,
            "difference": np.array([difference]),
            "error": np.array([error]),
            "probabilities": probabilities,
        },
        views=drawn(heat, tokens, say("part of the logit", "得分份额"), model.classes_, probabilities),
    )


def token_shares(network: Any, tables: list[str], ids: list[int], chosen: int, steps: int) -> tuple[Floats, float]:
    """Each token's share of a logit, (T,), and the difference F(x) − F(x') that they should sum to.

    The network looks its word vectors up in a table. Here every place of every point of the integral has a row of its own in
    a table made for the purpose: row 1 + s T + t is α_s times the vector of token t. So the gradient by that table is
    the gradient by place, whatever the network does with its vectors.

    Args:
        network: see ``NetworkClassifier._network``.
        tables: names of its parameters that hold word vectors.
        ids: T ≥ 1 tokens.
        chosen: the class.
        steps: points of the integral.
    """
    vectors = {name: getattr(network, name).detach()[torch.tensor(ids)] for name in tables}  # (T, D) each
    network = _of_these_tokens(network, ids)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    points, weights = (nodes + 1) / 2, weights / 2
    at_once = max(1, TOKENS_AT_ONCE // len(ids))
    totals = {name: torch.zeros_like(vector) for name, vector in vectors.items()}
    for first in range(0, steps, at_once):
        some = slice(first, first + at_once)
        for name, gradient in _gradients(network, vectors, points[some], weights[some], chosen).items():
            totals[name] += gradient
    shares = sum((vectors[name].double() * totals[name].double()).sum(dim=1) for name in tables)
    with torch.no_grad():
        ends = _forward(network, _scaled(vectors, np.array([0.0, 1.0])), 2, len(ids))[:, chosen].double()
    found: Floats = torch.as_tensor(shares).numpy()
    return found, float(ends[1] - ends[0])


def _of_these_tokens(network: Any, ids: list[int]) -> Any:
    """The network itself, or where it knows more of tokens than vectors (``of_tokens``), a twin that knows it of these T alone."""
    known = getattr(network, "of_tokens", ())
    if not known:
        return network
    twin = copy.copy(network)
    twin._parameters = {name: one for name, one in network._parameters.items() if name not in known}
    vars(twin).update({name: getattr(network, name).detach()[torch.tensor(ids)] for name in known})
    return twin


def _gradients(
    network: Any, vectors: dict[str, torch.Tensor], points: Floats, weights: Floats, chosen: int
) -> dict[str, torch.Tensor]:
    """Σ over some points of weight · ∂F/∂x at α x, (T, D) for each table."""
    length = len(next(iter(vectors.values())))
    tables = {name: table.requires_grad_() for name, table in _scaled(vectors, points).items()}
    with torch.enable_grad():
        logits = _forward(network, tables, len(points), length)  # (S, C)
        total = (logits[:, chosen] * torch.from_numpy(weights).to(logits.dtype)).sum()
        gradients: tuple[torch.Tensor | None, ...] = torch.autograd.grad(
            total, list(tables.values()), allow_unused=True
        )
    found = {}
    for (name, vector), gradient in zip(vectors.items(), gradients, strict=True):
        if gradient is None:
            found[name] = torch.zeros_like(vector)
            continue
        dense = gradient.to_dense() if gradient.is_sparse else gradient
        found[name] = dense[1:].view(len(points), length, -1).sum(dim=0)
    return found


def _scaled(vectors: dict[str, torch.Tensor], points: Floats) -> dict[str, torch.Tensor]:
    """Tables (1 + S T, D): the padding, and the vectors (T, D) times each of S numbers."""
    found = {}
    for name, vector in vectors.items():
        factors = torch.from_numpy(points).to(vector.dtype)
        rows = (factors[:, None, None] * vector).flatten(0, 1)
        found[name] = torch.cat([vector.new_zeros(1, vector.shape[1]), rows])
    return found


def _forward(network: Any, tables: dict[str, torch.Tensor], texts: int, length: int) -> torch.Tensor:
    """Logits (S, C) of S texts of T tokens each, whose vectors stand in the tables one behind the other."""
    twin = copy.copy(network)  # the same weights in another module: the network itself stays as it is
    twin._parameters = {name: one for name, one in network._parameters.items() if name not in tables}
    vars(twin).update(tables)
    for name in getattr(network, "of_tokens", ()):
        known = getattr(network, name)  # (T, …), the same at every point, and not scaled
        setattr(twin, name, torch.cat([torch.zeros_like(known[:1]), *[known] * texts]))
    places = 1 + torch.arange(texts * length).view(texts, length)
    batch = TokenBatch(
        np.arange(texts, dtype=np.int64),
        torch.arange(1 + texts * length),
        places,
        torch.full((texts,), length, dtype=torch.int64),
    )
    logits: torch.Tensor = twin(batch)
    return logits
