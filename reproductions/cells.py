"""The cells of a grid, kept in one JSON file: each is written as soon as it is measured, and never measured twice."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from erya.artefact import atomic_write
from erya.leaderboard import environment

FOLDER = Path(__file__).parent / "results"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


class Keyed(Protocol):
    """One training and its score."""

    @property
    def key(self) -> str:
        """What it is, with every setting that was given: another setting is another cell."""


class Cells:
    """Measured cells by key. A cell says its figures, the day, the minutes it took, versions and machine.

    Attributes:
        cells: those that are measured.
        begun: what is known of those that were stopped before their end; they are measured anew when asked for.

    Args:
        name: of the file, ``results/<name>.json``.
        folder: where it lies.
    """

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        self.path = folder / f"{name}.json"
        self.cells, self.begun = self._on_disk()

    def _on_disk(self) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        if not self.path.is_file():
            return {}, {}
        found = json.loads(self.path.read_text(encoding="utf-8"))
        return found["cells"], found.get("begun", {})

    def __contains__(self, key: str) -> bool:
        return key in self.cells

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self.cells[key]

    def __len__(self) -> int:
        return len(self.cells)

    def put(self, key: str, figures: dict[str, Any]) -> None:
        """Keep one cell, on disk before this returns; what another process has put there meanwhile stays."""
        self.cells, self.begun = self._on_disk()
        self.cells[key] = _dated(figures)
        self.begun.pop(key, None)
        self._write()

    def begin(self, key: str, figures: dict[str, Any]) -> None:
        """Keep what is known of a cell so far; where it is measured this changes nothing."""
        self.cells, self.begun = self._on_disk()
        if key not in self.cells:
            self.begun[key] = _dated(figures)
            self._write()

    def _write(self) -> None:
        found = {"cells": self.cells} | ({"begun": self.begun} if self.begun else {})
        ordered = {part: {name: cells[name] for name in sorted(cells)} for part, cells in found.items()}
        text = json.dumps(ordered, ensure_ascii=False, indent=1) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self.path, lambda file: file.write(text.encode("utf-8")))


def _dated(figures: dict[str, Any]) -> dict[str, Any]:
    return {**figures, "measured": datetime.now(UTC).date().isoformat(), "environment": environment()}


def fill(
    kept: Cells,
    todo: Sequence[Keyed],
    measure: Callable[[Any], dict[str, Any]],
    budget: float | None,
    *,
    keep: bool = True,
) -> None:
    """Measure the cells that are missing, in their order.

    Args:
        kept: what is measured; written after each cell.
        todo: the grid; a cell has a ``key`` (``Keyed``) and, as ``str``, a shorter name.
        measure: one cell; gives at least its ``headline`` and ``minutes``.
        budget: minutes after which no cell is begun; None: all are.
        keep: False: measure them all, and keep nothing.
    """
    began = monotonic()
    missing = [cell for cell in todo if not keep or cell.key not in kept]
    print(f"{len(todo)} cells, {len(todo) - len(missing)} of them measured before", file=sys.stderr)
    for cell in missing:
        if budget is not None and monotonic() - began > 60 * budget:
            print("the budget is used up; the next call goes on from here", file=sys.stderr)
            break
        if keep and cell.key in kept:
            continue  # another process was faster
        figures = measure(cell)
        if keep:
            kept.put(cell.key, figures)
        print(f"{cell!s:60s} {headline(figures):6.2f} {figures['minutes']:6.2f} min", file=sys.stderr, flush=True)


def headline(figures: dict[str, Any]) -> float:
    """The score of a cell: of language models ``perplexity``; in percent ``f1`` where spans were looked for, else ``accuracy``."""
    return float(next(figures[name] for name in ("perplexity", "f1", "accuracy") if name in figures))


def written(settings: dict[str, Any]) -> str:
    """Settings as a key has them: JSON, sorted, without spaces."""
    return json.dumps(settings, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
