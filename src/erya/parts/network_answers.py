"""What a network answers to a corpus, and its weights as plain arrays."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from erya.parts import label_thresholds
from erya.parts.answer_shares import log_softmax
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


def evaluate(network: Classifier, corpus: Corpus, classes: int) -> dict[str, float]:
    """How good a network's answers to a corpus with targets are, weighted: ``validation_accuracy`` and ``validation_loss``.

    The loss is that of ``network_loss.mean_loss``, in nats. A target of −1 is a class that the network does not have: a wrong
    answer, and left out of the loss. Of shares of labels the accuracy is the mean share of the answered label. Of
    several labels there is ``validation_micro_f1`` instead, at the one threshold that makes it largest.
    """
    found = logits(network, corpus, classes)
    weights = np.ones(len(corpus)) if corpus.weights is None else corpus.weights.double().numpy()
    if corpus.goals is not None:
        goals = corpus.goals.dense(np.arange(len(corpus)))
        return _several(found, goals, corpus.goals.missing) if corpus.goals.several else _shares(found, goals, weights)
    assert corpus.targets is not None
    targets = corpus.targets.numpy()
    shares = log_softmax(found)
    known = targets >= 0
    losses = -shares[known, targets[known]]
    return {
        "validation_accuracy": float(np.average(shares.argmax(axis=1) == targets, weights=weights)),
        "validation_loss": float(np.average(losses, weights=weights[known])) if known.any() else 0.0,
    }


def _shares(found: NDArray[np.float64], goals: NDArray[np.float32], weights: NDArray[np.float64]) -> dict[str, float]:
    hits = goals[np.arange(len(found)), found.argmax(axis=1)]
    losses = -(goals * log_softmax(found)).sum(axis=1)
    return {
        "validation_accuracy": float(np.average(hits, weights=weights)),
        "validation_loss": float(np.average(losses, weights=weights)),
    }


def _several(found: NDArray[np.float64], goals: NDArray[np.float32], missing: int) -> dict[str, float]:
    truth = goals > 0
    threshold = label_thresholds.best(found.ravel(), truth.ravel()) if truth.any() else 0.0
    answered = found >= threshold
    right = int((answered & truth).sum())
    losses = np.logaddexp(0.0, found) - goals * found
    return {
        "validation_micro_f1": 2 * right / max(1, int(answered.sum()) + int(truth.sum()) + missing),
        "validation_loss": float(losses.mean()),
    }


def weights_of(network: torch.nn.Module) -> Arrays:
    """Copies of a network's weights by name, ``network.NAME``."""
    return {f"network.{name}": value.detach().cpu().numpy().copy() for name, value in network.named_parameters()}


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
