"""How to run: threads and device. Recorded in what is trained, never restored from it."""

from __future__ import annotations

import os

from erya.errors import UsageError
from erya.language import say


def threads() -> int:
    """Worker threads to use: ERYA_THREADS, else the processors this process may run on.

    Raises:
        UsageError: ERYA_THREADS is not a positive number.
    """
    asked = os.environ.get("ERYA_THREADS", "")
    if asked:
        if not asked.isdigit() or int(asked) < 1:
            raise UsageError(
                "bad-threads",
                say(f"ERYA_THREADS={asked!r} is not a positive number", f"ERYA_THREADS={asked!r} 不是正整数"),
                help=say("unset it, or: ERYA_THREADS=2", "取消设置，或：ERYA_THREADS=2"),
            )
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def device() -> str:
    """The torch device: ERYA_DEVICE, else ``"cpu"``. Only neural models and word2vec ask; a GPU is used when it is asked for."""
    return os.environ.get("ERYA_DEVICE", "") or "cpu"
