"""What a network answers to a corpus, and its weights as plain arrays."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from erya.parts.token_batches import Corpus, TokenBatch
from erya.state import Arrays

TEXTS_AT_ONCE = 256
TOKENS_AT_ONCE = 32_768  # padding counted: bounds the memory, whatever the lengths


class Classifier(Protocol):
    """A network whose answer to a batch are logits."""

    def __call__(self, batch: TokenBatch) -> torch.Tensor:
        """Logits (B, C)."""


def logits(network: Classifier, corpus: Corpus, classes: int) -> NDArray[np.float64]:
    """(N, C) in the order of the corpus, computed in batches of like length."""
    found = np.zeros((len(corpus), classes))
    with torch.no_grad():
        for batch in corpus.in_order(TEXTS_AT_ONCE, TOKENS_AT_ONCE):
            found[batch.rows] = network(batch).double().numpy()
    return found


def log_softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log probabilities (N, C): the logits less the logarithm of the sum of their exponentials."""
    shifted = values - values.max(axis=1, keepdims=True, initial=-np.inf)
    shares: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shares


def probabilities(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, C) rows that sum to 1, from logits."""
    shares = np.exp(log_softmax(values))
    answer: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return answer


def evaluate(network: Classifier, corpus: Corpus, classes: int) -> dict[str, float]:
    """Weighted accuracy and log loss (nats) of a corpus with targets.

    A target of −1 is a class that the network does not have: a wrong answer, and left out of the loss.
    """
    assert corpus.targets is not None
    targets = corpus.targets.numpy()
    weights = np.ones(len(targets)) if corpus.weights is None else corpus.weights.double().numpy()
    shares = log_softmax(logits(network, corpus, classes))
    known = targets >= 0
    losses = -shares[known, targets[known]]
    return {
        "validation_accuracy": float(np.average(shares.argmax(axis=1) == targets, weights=weights)),
        "validation_loss": float(np.average(losses, weights=weights[known])) if known.any() else 0.0,
    }


def weights_of(network: torch.nn.Module) -> Arrays:
    """Copies of a network's weights by name, ``network.NAME``."""
    return {f"network.{name}": value.detach().numpy().copy() for name, value in network.named_parameters()}


def set_weights(network: torch.nn.Module, arrays: Arrays) -> None:
    """Give a network the weights of ``weights_of``; one that was made on torch's ``meta`` device takes no memory before.

    Raises:
        KeyError: one is missing.
        ValueError: a shape or type does not fit, or a number is not finite.
    """
    found: dict[str, torch.Tensor] = {}
    for name, parameter in network.named_parameters():
        array = arrays[f"network.{name}"]
        if array.dtype != np.float32 or array.shape != tuple(parameter.shape):
            raise ValueError(f"{name}: {array.dtype} {array.shape} does not fit {tuple(parameter.shape)}")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")
        found[name] = torch.from_numpy(np.array(array))  # a copy: arrays of a file are read-only
    network.load_state_dict(found, assign=True)
