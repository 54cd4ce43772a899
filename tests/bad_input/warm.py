"""Processes of the command line that begin warm: forked from one that has imported everything, so that a hundred starts cost
seconds.

A fork is a process like any other: its own memory, signals, exit status and death by ``kill -9``. What it cannot show is how the
interpreter itself starts – the locale, closed streams, how little is imported and how much memory that takes; such tests ask for
a fresh one. Linux alone: elsewhere all processes are fresh.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER: orphans below this process become its children, so that it can wait for them
SERVER = """
import importlib, io, json, os, signal, socket, sys

for name in ("numpy", "erya.cli.app", "erya.cli.train", "erya.cli.predict", "erya.cli.check", "erya.runs", "erya.training"):
    try:
        importlib.import_module(name)
    except ImportError:  # torch is not installed
        pass
from erya.cli.app import run

asked = socket.socket(fileno=int(sys.argv[1]))
while True:
    data, streams, *_ = socket.recv_fds(asked, 1 << 20, 3)
    if not data:
        break
    order = json.loads(data)
    reading, writing = os.pipe()
    middle = os.fork()
    if middle:
        for stream in (*streams, writing):
            os.close(stream)
        os.waitpid(middle, 0)  # only now is the child an orphan, and whoever asked its parent
        asked.sendall(os.read(reading, 64))
        os.close(reading)
        continue
    child = os.fork()
    if child:
        os.write(writing, b"%d\\n" % child)
        os._exit(0)
    os.close(reading)
    os.close(writing)
    asked.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    if order["session"]:
        os.setsid()
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["erya", *order["arguments"]]
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(open(number, mode + "b", buffering=-1, closefd=False), encoding="utf-8", line_buffering=number == 2)
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    code = 70
    try:
        code = run(order["arguments"])
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass
        os._exit(code)
"""


class Forked(subprocess.Popen[bytes]):
    """A warm process, as ``Popen`` has it.

    Args:
        pid: of the process, which is this one's child.
        arguments: what it was asked.
        pipes: the ends of its pipes that are read here, by the name of the stream.
    """

    def __init__(self, pid: int, arguments: list[str], pipes: dict[str, Any]) -> None:
        self.pid, self.args = pid, arguments
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = None, pipes.get("stdout"), pipes.get("stderr")
        self.encoding = self.errors = self.text_mode = self.pipesize = None
        self.universal_newlines = False
        self._input, self._communication_started, self._child_created = None, False, True
        self._sigint_wait_secs = 0.25
        self._waitpid_lock = threading.Lock()
        self._closed_child_pipe_fds = True


class Warm:
    """The process that is forked from; it ends with this one."""

    def __init__(self, environment: dict[str, str]) -> None:
        if ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError("this process cannot wait for orphans")
        self._asking, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(theirs.fileno())], pass_fds=[theirs.fileno()], env=environment
        )
        theirs.close()
        weakref.finalize(self, self._asking.close)

    def start(
        self,
        arguments: list[str],
        cwd: Path,
        environment: dict[str, str],
        *,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any,
        stderr: Any,
        start_new_session: bool = False,
    ) -> Forked:
        """Fork a process that runs the command line; streams as ``Popen`` takes them: files, numbers, DEVNULL; the last two also PIPE."""
        pipes: dict[str, Any] = {}
        streams, ours = [], []
        for name, given in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
            if given == subprocess.PIPE:
                read, write = os.pipe()
                pipes[name] = os.fdopen(read, "rb")
                streams.append(write)
                ours.append(write)
            elif given == subprocess.DEVNULL:
                streams.append(os.open(os.devnull, os.O_RDWR))
                ours.append(streams[-1])
            else:
                streams.append(given if isinstance(given, int) else given.fileno())
        order = {"arguments": arguments, "cwd": str(cwd), "env": environment, "session": start_new_session}
        socket.send_fds(self._asking, [json.dumps(order).encode()], streams)
        for stream in ours:
            os.close(stream)
        told = b""
        while not told.endswith(b"\n"):
            some = self._asking.recv(64)
            assert some, "the warm process is gone"
            told += some
        return Forked(int(told), ["erya", *arguments], pipes)
