"""Runs jobs in fresh processes, in turns, and measures each from outside: wall seconds and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.vectors_figures import OURS, medians, ratios

ROOT = Path(__file__).resolve().parents[1]
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ERYA_THREADS")

# A small process starts the measured one and waits for it: peak memory, as Linux tells it, begins at what the parent used
LAUNCH = """
import json, os, subprocess, sys, time
job = json.loads(sys.argv[1])
source, target, complaints = open(job["stdin"], "rb"), open(job["stdout"], "wb"), open(job["stderr"], "wb")
began = time.perf_counter()
process = subprocess.Popen(job["argv"], stdin=source, stdout=target, stderr=complaints, cwd=job["cwd"])
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - began
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps([seconds, usage.ru_maxrss * unit, os.waitstatus_to_exitcode(status)]))
"""

BUSY = 0.05  # from here on a cell says that the machine does something else, too


@dataclass(frozen=True, slots=True)
class Stage:
    """One process of a job: its command, where it reads and writes, how many threads its libraries may use."""

    argv: Sequence[str]
    threads: int = 1
    stdin: Path = Path(os.devnull)
    stdout: Path | None = None


@dataclass(frozen=True, slots=True)
class Ran:
    """How a stage went; ``said`` is the JSON object in its last line, if there is one."""

    seconds: float
    peak_rss_bytes: int
    said: dict[str, Any]


def whole(stages: Sequence[Ran]) -> dict[str, float]:
    """All stages together, and what the last one said."""
    figures = {key: value for key, value in stages[-1].said.items() if isinstance(value, int | float)}
    return {
        "seconds": sum(stage.seconds for stage in stages),
        "peak_rss_bytes": max(stage.peak_rss_bytes for stage in stages),
        **figures,
    }


@dataclass(frozen=True, slots=True)
class Runner:
    """One side of a comparison: its processes, and the figures that follow from how they went."""

    name: str
    stages: Sequence[Stage]
    figures: Callable[[Sequence[Ran]], dict[str, float]] = whole


@dataclass(frozen=True, slots=True)
class Cell:
    """One comparison. ``runners`` makes its sides for a corpus; ``compared`` names the figures, in seconds, to divide."""

    name: str
    settings: Mapping[str, Any]
    runners: Callable[[Path], list[Runner]]
    compared: Sequence[str] = field(default=("seconds",))


class Failed(Exception):
    """A process did not end well; ``tail`` is the end of what it complained."""

    def __init__(self, why: str, tail: str) -> None:
        super().__init__(why)
        self.tail = tail


def run(stage: Stage, folder: Path) -> Ran:
    """Run one process to its end.

    Raises:
        Failed: its exit status is not 0.
    """
    output, complaints = stage.stdout or folder / "stdout.txt", folder / "stderr.txt"
    job = {
        "argv": [str(part) for part in stage.argv],
        "stdin": str(stage.stdin),
        "stdout": str(output),
        "stderr": str(complaints),
        "cwd": str(ROOT),
    }
    environment = dict(os.environ) | dict.fromkeys(POOLS, str(stage.threads))
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), *filter(None, [environment.get("PYTHONPATH")])])
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCH, json.dumps(job)]
    answer = subprocess.run(launcher, env=environment, capture_output=True, text=True, check=True).stdout
    seconds, peak, status = json.loads(answer)
    if status:
        tail = complaints.read_text(encoding="utf-8", errors="replace")[-800:].strip()
        raise Failed(f"{Path(stage.argv[0]).name} ended with status {status}", tail)
    return Ran(seconds, peak, {} if stage.stdout else _said(output))


def _said(output: Path) -> dict[str, Any]:
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if lines and lines[-1].startswith("{"):
        found: dict[str, Any] = json.loads(lines[-1])
        return found
    return {}


def measure(cell: Cell, corpus: Path, tiny: Path, rounds: int, folder: Path) -> dict[str, Any]:
    """All runners of a cell in turns, A B C A B C …, after each has run once.

    That first time peers read a tiny corpus, ours the real one: what is compiled depends on how large a corpus is, too.

    Returns:
        settings, runs (every figure of every round), median, ratio by figure, and why a runner is missing, if one is.
    """
    failed: dict[str, str] = {}
    others = busy()
    if others > BUSY:
        print(f"  {others:.0%} of this machine are busy with something else", flush=True)
    for ours, other in zip(cell.runners(corpus), cell.runners(tiny), strict=True):
        _once(ours if ours.name.startswith(OURS) else other, folder, failed)
    runs: dict[str, list[dict[str, float]]] = {}
    for number in range(rounds):
        for runner in cell.runners(corpus):
            if runner.name in failed:
                continue
            figures = _once(runner, folder, failed)
            if figures is not None:
                runs.setdefault(runner.name, []).append(figures)
                shown = "  ".join(f"{name} {figures[name]:.2f}" for name in cell.compared if name in figures)
                print(f"  {cell.name:12s} {number + 1}/{rounds} {runner.name:22s} {shown}", flush=True)
    runs = {name: one for name, one in runs.items() if name not in failed}
    return {
        "settings": dict(cell.settings),
        "busy_before": round(others, 3),
        "runs": runs,
        "median": medians(runs),
        "ratio": {figure: ratios(runs, figure) for figure in cell.compared},
        **({"failed": failed} if failed else {}),
    }


def busy(wait: float = 1.0) -> float:
    """The share of the processors' time that others use while this process sleeps; 0 where Linux does not say."""
    source = Path("/proc/stat")
    if not source.is_file():
        return 0.0
    both = []
    for pause in (0.0, wait):
        time.sleep(pause)
        both.append([int(number) for number in source.read_text(encoding="ascii").splitlines()[0].split()[1:9]])
    spent = [after - before for before, after in zip(*both, strict=True)]
    return 1 - (spent[3] + spent[4]) / max(1, sum(spent))  # idle, and waiting for a disk


def _once(runner: Runner, folder: Path, failed: dict[str, str]) -> dict[str, float] | None:
    try:
        return runner.figures([run(stage, folder) for stage in runner.stages])
    except Failed as problem:
        failed[runner.name] = str(problem)
        print(f"  {runner.name} left out: {problem}: {problem.tail}", flush=True)
        return None
