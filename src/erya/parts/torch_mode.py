"""How the rooms use torch: whether it is there, on how many threads, with the same bits every time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from erya import machine
from erya.errors import ResourceError
from erya.language import say

# Read once, when torch is first imported. By default torch's threads spin while they wait for one another; where anything else
# runs on the machine they spin on processors that the others need, and training takes five times as long (seen: 98 s, not 18 s).
# A short spin before they sleep keeps nearly all of the speed on a machine that has nothing else to do.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS: the same bits every time


def need_torch(model: str, *, anywhere: bool = False) -> None:
    """Raises ResourceError where torch is not installed, or where another device than the CPU is asked for. Imports nothing.

    Args:
        model: its id.
        anywhere: whether it learns on other devices, too.
    """
    if find_spec("torch") is None:
        raise ResourceError(
            "extra-missing",
            say(f"{model} needs PyTorch, which is not installed", f"{model} 需要 PyTorch，但当前环境没有安装"),
            help=say(
                'pip install "erya[neural]"   # works without: classify/fasttext',
                'pip install "erya[neural]"   # 不装也可用：classify/fasttext',
            ),
        )
    if machine.device() != "cpu" and not anywhere:
        raise ResourceError(
            "device-missing",
            say(
                f"this version of Erya runs {model} on the CPU only, not on '{machine.device()}'",
                f"这个版本的 Erya 只在 CPU 上运行 {model}，不支持 '{machine.device()}'",
            ),
            help="--device cpu",
        )


@contextmanager
def torch_mode() -> Iterator[None]:
    """Within it torch uses Erya's threads and only such operations as give the same bits again; then all is as before.

    ERYA_THREADS has the word. Without it torch keeps its own number where that is smaller than the machine's: whoever runs
    several fits side by side (scikit-learn's n_jobs) has told torch to take fewer, and two teams of threads that share the
    same processors spend most of their time waiting for each other.
    """
    import torch

    deterministic: Any = torch.utils.deterministic

    # not use_deterministic_algorithms: it does the same, and imports torch's compiler first, which takes 0.8 s
    threads, strict = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    fill = deterministic.fill_uninitialized_memory
    asked = machine.threads()
    try:
        torch.set_num_threads(asked if os.environ.get("ERYA_THREADS") else min(asked, threads))
        # on a GPU some operations have no such form, and say so
        torch.set_deterministic_debug_mode("error" if machine.device() == "cpu" else "warn")
        deterministic.fill_uninitialized_memory = False  # costs time, and shows bugs, not differences
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(strict)
        deterministic.fill_uninitialized_memory = fill
