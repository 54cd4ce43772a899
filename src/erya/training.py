"""The gradient loop of all networks, and what a checkpoint of it holds.

``for step in descend(network, optimizer, batches): …`` takes one gradient step an item. Validation, early stopping, curves and
checkpoints are ordinary lines of the caller; there are no callbacks and there is no trainer. Rooms that do not learn by
gradient steps (counting, solvers, kernels of their own) bring their own loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, TypeVar

import numpy as np
import torch

from erya.errors import DivergedError
from erya.language import say
from erya.state import Arrays


class Batch(Protocol):
    """What the loop itself wants to know of a batch."""

    @property
    def token_count(self) -> int:
        """Tokens in it, padding not counted."""


SomeBatch = TypeVar("SomeBatch", bound=Batch, contravariant=True)


class Network(Protocol[SomeBatch]):
    """What the loop asks of a network: a torch module with a loss."""

    def loss(self, batch: SomeBatch, generator: torch.Generator | None = None) -> torch.Tensor:
        """The number to bring down. With a generator, dropout is on."""

    def named_parameters(self) -> Iterator[tuple[str, torch.nn.Parameter]]:
        """What is learned, by name."""


@dataclass(frozen=True, slots=True)
class Step:
    """One gradient step that was taken.

    Attributes:
        loss: of the batch, before the step.
        norm: length of the gradient, before it was clipped.
        tokens: in the batch, padding not counted.
        seconds: that the step took.
    """

    loss: float
    norm: float
    tokens: int
    seconds: float


def descend(
    network: Network[SomeBatch],
    optimizer: torch.optim.Optimizer,
    batches: Iterable[SomeBatch],
    *,
    clip_norm: float | None = None,
    generator: torch.Generator | None = None,
    steps_before: int = 0,
) -> Iterator[Step]:
    """Take one gradient step for each batch, and say how it went.

    Args:
        network: what learns; its ``loss`` is brought down.
        optimizer: over the network's parameters.
        batches: drawn one at a time, as the steps are.
        clip_norm: a longer gradient is shortened to this length (Pascanu, Mikolov & Bengio 2013); None: never.
        generator: for dropout; None: no dropout.
        steps_before: steps taken earlier, so that the error names the right one.

    Raises:
        DivergedError: the loss or the gradient is not finite. The step is not taken: the weights are those of the step before.
    """
    for number, batch in enumerate(batches, steps_before + 1):
        began = perf_counter()
        optimizer.zero_grad()
        loss = network.loss(batch, generator)
        loss.backward()  # type: ignore[no-untyped-call]
        gradients = _gradients(network)
        norm = _norm(gradients)
        if not (math.isfinite(float(loss.detach())) and math.isfinite(norm)):
            raise _diverged(number, float(loss.detach()), norm, optimizer)
        if clip_norm is not None and norm > clip_norm:
            torch._foreach_mul_(gradients, clip_norm / norm)
        optimizer.step()
        yield Step(float(loss.detach()), norm, batch.token_count, perf_counter() - began)


def _gradients(network: Network[SomeBatch]) -> list[torch.Tensor]:
    """The numbers of every gradient; of a sparse one, those of the rows that it has."""
    found = [parameter.grad for _, parameter in network.named_parameters() if parameter.grad is not None]
    return [gradient._values() if gradient.is_sparse else gradient for gradient in found]


def _norm(gradients: list[torch.Tensor]) -> float:
    if not gradients:
        return 0.0
    return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))


def _diverged(number: int, loss: float, norm: float, optimizer: torch.optim.Optimizer) -> DivergedError:
    rate = float(optimizer.param_groups[0]["lr"])
    what, was = (say("the loss", "损失"), loss) if not math.isfinite(loss) else (say("the gradient", "梯度"), norm)
    return DivergedError(
        "diverged",
        say(
            f"{what} became {was} at step {number} (learning_rate={rate:g}); "
            f"the weights are those of step {number - 1}, the last good one",
            f"第 {number} 步时{what}变成了 {was}（learning_rate={rate:g}）；权重停在最后一个正常的第 {number - 1} 步",
        ),
        help=f"--set learning_rate={rate / 10:g}",
    )


# ---- checkpoints -------------------------------------------------------------------------------------------------


def pack(
    network: Network[SomeBatch], optimizer: torch.optim.Optimizer, generator: torch.Generator | None = None
) -> Arrays:
    """Copies of all that the next step depends on: weights, the optimizer's memory, the state of the dice.

    Returns:
        ``network.NAME``, ``optimizer.KEY.NAME`` for every tensor the optimizer keeps of a parameter, ``generator``.
    """
    arrays: Arrays = {}
    for name, parameter in network.named_parameters():
        arrays[f"network.{name}"] = _copied(parameter)
        for key, value in optimizer.state[parameter].items():
            if not isinstance(value, torch.Tensor):
                raise TypeError(f"the optimizer keeps a {type(value).__name__} ({key}), which no checkpoint can hold")
            arrays[f"optimizer.{key}.{name}"] = _copied(value)
    if generator is not None:
        arrays["generator"] = _copied(generator.get_state())
    return arrays


def unpack(
    arrays: Arrays,
    network: Network[SomeBatch],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator | None = None,
) -> None:
    """Put back what ``pack`` took: the next step gives the same bits.

    Raises:
        KeyError: an array is missing.
        ValueError: an array does not fit the network or the optimizer.
    """
    for name, parameter in network.named_parameters():
        with torch.no_grad():
            parameter.copy_(_fitting(name, arrays[f"network.{name}"], parameter))
        kept = optimizer.state[parameter]
        # an optimizer of torch's own begins its memory at its first step: what is not there yet is taken as it comes
        keys = {
            *kept,
            *(key.split(".")[1] for key in arrays if key.startswith("optimizer.") and key.endswith(f".{name}")),
        }
        for key in sorted(keys):
            array = arrays[f"optimizer.{key}.{name}"]
            found = _fitting(name, array, kept[key]) if key in kept else torch.from_numpy(np.array(array))
            kept[key] = found.to(parameter.device)
    if generator is not None:
        generator.set_state(torch.from_numpy(np.array(arrays["generator"])))


def _copied(tensor: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    return tensor.detach().cpu().numpy().copy()


def _fitting(name: str, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]], like: torch.Tensor) -> torch.Tensor:
    found = torch.from_numpy(np.array(array))
    if found.shape != like.shape or found.dtype != like.dtype:
        raise ValueError(f"{name}: {tuple(found.shape)} {found.dtype} does not fit {tuple(like.shape)} {like.dtype}")
    return found
