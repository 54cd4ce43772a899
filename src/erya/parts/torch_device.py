"""Whether a device that was asked for is there."""

from __future__ import annotations

import torch

from erya.errors import ResourceError, UsageError, quoted
from erya.language import say


def check_device(name: str) -> None:
    """Whether ``name`` is a device to train on: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UsageError: it is the name of none.
        ResourceError: there is no such device here.
    """
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (
        ":" in name and not (kind == "cuda" and number.isdecimal() and number.isascii())
    ):
        raise UsageError(
            "unknown-device",
            say(f"there is no device named '{quoted(name, 40)}'", f"没有名为“{quoted(name, 40)}”的设备"),
            help=say("--device cpu   # or cuda", "--device cpu   # 或 cuda"),
        )
    if kind == "cpu":
        return
    if not torch.version.cuda:
        missing = say("this PyTorch was built without CUDA", "这个 PyTorch 不带 CUDA")
    elif not torch.cuda.is_available():
        missing = say("PyTorch finds no NVIDIA GPU or no driver for it", "PyTorch 没有找到 NVIDIA GPU 或其驱动程序")
    elif int(number or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        missing = say(f"the GPUs here are cuda:0 … cuda:{count - 1}", f"这里的 GPU 是 cuda:0 … cuda:{count - 1}")
    else:
        return
    raise ResourceError(
        "device-missing",
        say(f"device '{quoted(name, 40)}' is not there: {missing}", f"没有设备“{quoted(name, 40)}”：{missing}"),
        help="--device cpu",
    )
