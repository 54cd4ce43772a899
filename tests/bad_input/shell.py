"""The real command line in a process of its own: what it wrote, how it ended, what it took, and its help tried out."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import erya

from .warm import Warm

SOURCES = Path(erya.__file__).resolve().parent.parent
MODEL = "classify/fasttext"
FAST = ("--preset", "tiny")
BLOCK = ("error: ", "错误：", "stopped", "已停止", "已中断")
PLACE, HELP = re.compile(r"  --> "), re.compile(r"  (help: |帮助：)")


@dataclass
class Ended:
    """How a command ended."""

    arguments: list[str]
    code: int
    out: str
    err: str
    peak: int  # bytes of memory, at most

    @property
    def document(self):
        return json.loads(self.out)

    @property
    def block(self) -> list[str]:
        """The lines of the error, the talk before it left out."""
        lines = self.err.splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith(BLOCK)]
        return lines[starts[-1] :] if starts else []

    @property
    def first(self) -> str:
        return self.block[0] if self.block else ""

    @property
    def place(self) -> str:
        return next((PLACE.sub("", line, count=1) for line in self.block if PLACE.match(line)), "")

    @property
    def help(self) -> str:
        return next((HELP.sub("", line, count=1) for line in self.block if HELP.match(line)), "")


def environment(home: Path, lang: str = "en", **more: str) -> dict[str, str]:
    """The caller's environment without what would change Erya's ways, and with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ERYA_", "LC_", "LANG"))}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        kept.pop(name, None)
    paths = [str(SOURCES), *[path for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path]]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        "ERYA_LANG": lang,
        "ERYA_THREADS": "1",
        "ERYA_REPORTS": str(home),
        "XDG_CONFIG_HOME": str(home),
        **more,
    }


class PeakWatch(threading.Thread):
    """Reads the peak memory of a process while it runs, where /proc tells.

    What ``wait4`` tells begins with the memory of the process that forked it: that of the tests, with torch in it.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.status = Path(f"/proc/{pid}/status")
        self.peak = 0

    def run(self) -> None:
        while True:
            try:
                lines = self.status.read_text(encoding="utf-8").splitlines()
            except OSError:
                return
            found = [line for line in lines if line.startswith("VmHWM:")]
            if not found:
                return  # ended, and not yet collected
            self.peak = int(found[0].split()[1]) * 1024  # only ever grows, but for the step from fork to exec
            time.sleep(0.02)


@dataclass
class Shell:
    """A folder in which commands run.

    Args:
        folder: where.
        home: another folder, where a bug would leave its report.
        warm: what processes are forked from; None: each begins with a fresh interpreter.
    """

    folder: Path
    home: Path
    warm: Warm | None = None

    def start(
        self, *arguments, lang="en", env=None, program=("-m", "erya"), fresh=False, **streams
    ) -> subprocess.Popen:
        """The command, running. It hears Ctrl-C even where whoever started the tests does not.

        Forked from the warm process, unless ``fresh``, or something is asked for that an interpreter looks at when it starts.
        """
        asked = all(name.startswith("ERYA_") for name in env or {})
        if self.warm is not None and asked and not fresh and program == ("-m", "erya") and "stdout" in streams:
            wanted = environment(self.home, lang, **(env or {}))
            return self.warm.start(list(map(str, arguments)), self.folder, wanted, **streams)
        return subprocess.Popen(
            [sys.executable, *program, *map(str, arguments)],
            cwd=self.folder,
            env=environment(self.home, lang, **(env or {})),
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            **streams,
        )

    def __call__(
        self, *arguments, lang="en", stdin=b"", env=None, timeout=120, program=("-m", "erya"), fresh=False
    ) -> Ended:
        """Run the command to its end. Whatever happens: no traceback, no bug report, no half-written file."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            process = self.start(
                *arguments, lang=lang, env=env, program=program, fresh=fresh, stdin=given, stdout=out, stderr=err
            )
            killer = threading.Timer(timeout, process.kill)
            killer.start()
            watch = PeakWatch(process.pid)
            watch.start()
            _, status, used = os.wait4(process.pid, 0)
            killer.cancel()
            watch.join()
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            peak = watch.peak or used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
            ended = Ended(
                list(map(str, arguments)),
                process.returncode,
                out.read().decode("utf-8"),
                err.read().decode("utf-8"),
                peak,
            )
        self.check(ended)
        return ended

    def check(self, ended: Ended) -> None:
        """What holds however a command ends."""
        assert "Traceback" not in ended.err + ended.out, ended.err
        assert ended.code != 70, ended.err
        assert not list(self.home.glob("erya-bug-*")), ended.err
        assert "\x1b" not in ended.err + ended.out
        self.check_no_strays()

    def check_no_strays(self) -> None:
        assert not [path for path in self.folder.rglob("*") if path.name.endswith(".erya-tmp")]

    def contents(self) -> dict[str, str]:
        """SHA-256 of every file in the folder; folders and links by kind."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file()
            else "other"
            for path in sorted(self.folder.rglob("*"))
        }

    def paste(self, command: str) -> int:
        """Paste a command from a help line into a real shell; ``erya`` is this one."""
        bin = self.home / "bin"
        bin.mkdir(exist_ok=True)
        (bin / "erya").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m erya "$@"\n', encoding="utf-8")
        (bin / "erya").chmod(0o755)
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env={**environment(self.home), "PATH": f"{bin}:{os.environ['PATH']}"},
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stderr
        return done.returncode


# ---- what a help line offers ------------------------------------------------------------------------------------


def with_option(ended: Ended) -> list[str]:
    """The arguments again, with the first option that the help names, in place of the one given or behind them."""
    found = re.search(r"(--[a-z][a-z0-9-]*)(?: ([\w.=/-]+))?", ended.help)
    assert found, ended.help
    option, value = found[1], found[2]
    arguments = list(ended.arguments)
    if option == "--set" and value is not None:
        old = next((word for word in arguments if word.partition("=")[0] == value.partition("=")[0]), None)
        if old is not None:
            arguments[arguments.index(old)] = value
            return arguments
    if option in arguments and value is not None:
        arguments[arguments.index(option) + 1] = value
        return arguments
    return [*arguments, option, *([value] if value is not None else [])]


def with_word(ended: Ended, wrong: str) -> list[str]:
    """The arguments again, with the word that was meant in place of the wrong one."""
    found = re.search(r"did you mean '([^']+)'", ended.help)
    assert found, ended.help
    return [word.replace(wrong, found[1]) if wrong in word else word for word in ended.arguments]


def command_in(ended: Ended) -> str:
    """The command that the help line offers: behind its arrow or colon, else the whole line."""
    return re.split(r"  →  |: |：", ended.help)[-1]


def weights_of(path: Path) -> str:
    """SHA-256 of the weights inside a model file or checkpoint."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return hashlib.sha256(archive.read("weights.safetensors")).hexdigest()
