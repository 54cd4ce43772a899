"""A filtering process as its caller sees it: orders go in, events come out."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import erya.errors
from erya.errors import EryaError, ResourceError, quoted
from erya.language import say

_ONE_THREAD = ("ERYA_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_MODULE = "erya.filtering.worker"

Event = dict[str, Any]


class Process:
    """A process that filters, and a thread that listens to it.

    Args:
        job: ``model`` (a path), ``settings`` and ``bad_rows``.
        events: gets ``(process, event)`` for whatever it says, and ``(process, None)`` when it has ended. An event with
            bytes has them under ``data``.
    """

    def __init__(self, job: dict[str, Any], events: queue.Queue[tuple[Process, Event | None]]) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  (closed in stop)
        self.process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=environment(),
        )
        self.listener = threading.Thread(target=self._listen, args=(events,), daemon=True)
        self.listener.start()
        self.send(job)

    def send(self, order: dict[str, Any], data: bytes | None = None) -> None:
        """An order, and the bytes it is about. That the process is gone is heard from the listener."""
        assert self.process.stdin is not None
        told = order if data is None else {**order, "length": len(data)}
        with contextlib.suppress(OSError):
            self.process.stdin.write(json.dumps(told).encode() + b"\n")
            if data:
                self.process.stdin.write(data)
            self.process.stdin.flush()

    def close(self) -> None:
        """No more orders."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def stop(self) -> None:
        """End it, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.close()
        self.listener.join()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()

    def check_end(self, source: str | None) -> None:
        """Raise unless it ended as it should.

        Args:
            source: what it was working on; None: it had nothing left to do.

        Raises:
            ResourceError: it was killed.
        """
        code = self.process.wait()
        if code == 0 and source is None:
            return
        last = self._last_words()
        if code > 0 and "MemoryError" not in last:
            raise RuntimeError(f"a filtering process ended with {code}: {last}")
        raise ResourceError(
            "worker-died",
            say("a filtering process was killed; was the memory full?", "一个过滤进程被终止，可能是内存不足"),
            where=quoted(source, 200) if source else None,
            help=say(
                "the same command continues; with less memory: --threads 1",
                "再次运行同一条命令即可继续；省内存：--threads 1",
            ),
        )

    def _last_words(self) -> str:
        """The end of what it wrote to its standard error."""
        self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - 4000))
        lines = self.errors.read().decode("utf-8", "replace").strip().splitlines()
        return quoted(lines[-1], 300) if lines else ""

    def _listen(self, events: queue.Queue[tuple[Process, Event | None]]) -> None:
        assert self.process.stdout is not None
        try:
            for line in self.process.stdout:
                event = json.loads(line)
                if "length" in event:
                    event["data"] = self.process.stdout.read(event["length"])
                events.put((self, event))
        except ValueError:  # killed in the middle of a word
            pass
        events.put((self, None))


def environment() -> dict[str, str]:
    """Of a filtering process: it finds this erya, speaks UTF-8 and computes on one thread."""
    root = str(Path(erya.errors.__file__).resolve().parent.parent)
    paths = [root, *[path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]]
    one = dict.fromkeys(_ONE_THREAD, "1")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", **one}


def rebuilt(event: Event) -> EryaError:
    """The error that a process met."""
    kinds = {kind.__name__: kind for kind in EryaError.__subclasses__()}
    kind = kinds.get(event["kind"], EryaError)
    return kind(event["code"], event["error"], where=event["where"], help=event["help"])
