"""Where a language network learns: on the processor; or on a GPU, there in half precision and compiled, where the network allows it.

Half precision is bfloat16 for products of matrices alone, by torch's autocast: weights, sums and the optimizer's memory stay float32
(Micikevicius et al. 2018, "Mixed Precision Training"; bfloat16 has float32's exponent, so that no loss need be scaled). What was
learned comes back to the processor, which answers questions.

No GPU was at hand when this was written: its parts are tested on the processor, which has bfloat16, autocast and the compiler, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch

from erya import machine
from erya.parts.stream_batches import StreamBatch
from erya.parts.torch_device import check_device

Memory = tuple[tuple[torch.Tensor, ...], ...]


class Place(NamedTuple):
    """Where, and how.

    Attributes:
        device: of weights and batches.
        half: whether products are bfloat16.
        compiler: torch's backend that a network's parts are compiled by; None: they are not.
    """

    device: torch.device = torch.device("cpu")
    half: bool = False
    compiler: str | None = None


def place_for(network: Any) -> Place:
    """The device that was asked for, with what it and the network can do.

    Args:
        network: its ``compiled_parts()``, if it has some, are the modules that are worth compiling; only such a network learns in half
            precision.

    Raises:
        UsageError: an unknown device.
        ResourceError: no such device.
    """
    name = machine.device()
    check_device(name)
    device = torch.device(name)
    if device.type != "cuda" or not hasattr(network, "compiled_parts"):
        return Place(device)
    half = torch.cuda.is_bf16_supported()
    return Place(device, half, "inductor" if find_spec("triton") else None)


@contextmanager
def placed(network: torch.nn.Module, place: Place) -> Iterator[None]:
    """Within it the network is there, and its parts are compiled at their first call."""
    network.to(place.device)
    parts = network.compiled_parts() if place.compiler is not None else []  # type: ignore[operator]
    for part in parts:
        part.compile(backend=place.compiler)
    try:
        yield
    finally:
        for part in parts:
            part._compiled_call_impl = None  # what torch's ``compile`` of a module sets; it has no way back
        network.to("cpu")


def moved(batch: StreamBatch, place: Place) -> StreamBatch:
    """The batch, there."""
    if place.device.type == "cpu":
        return batch
    resets = None if batch.resets is None else batch.resets.to(place.device)
    return replace(batch, inputs=batch.inputs.to(place.device), targets=batch.targets.to(place.device), resets=resets)


def remembered(memory: Memory, place: Place) -> Memory:
    """The memory, there."""
    return tuple(tuple(state.to(place.device) for state in states) for states in memory)


def precision(place: Place) -> torch.autocast:
    """The context in which a loss is found."""
    return torch.autocast(place.device.type, torch.bfloat16, enabled=place.half)
