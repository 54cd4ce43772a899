"""The cells of a grid, kept in one JSON file: each is written as soon as it is measured, and never measured twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from erya.artefact import atomic_write
from erya.leaderboard import environment

FOLDER = Path(__file__).parent / "results"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


class Cells:
    """Measured cells by key. A cell says its figures, the day, the minutes it took, versions and machine.

    Args:
        name: of the file, ``results/<name>.json``.
        folder: where it lies.
    """

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        self.path = folder / f"{name}.json"
        self.cells: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            self.cells = json.loads(self.path.read_text(encoding="utf-8"))["cells"]

    def __contains__(self, key: str) -> bool:
        return key in self.cells

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self.cells[key]

    def __len__(self) -> int:
        return len(self.cells)

    def put(self, key: str, figures: dict[str, Any]) -> None:
        """Keep one cell, on disk before this returns."""
        day = datetime.now(UTC).date().isoformat()
        self.cells[key] = {**figures, "measured": day, "environment": environment()}
        ordered = {name: self.cells[name] for name in sorted(self.cells)}
        text = json.dumps({"cells": ordered}, ensure_ascii=False, indent=1) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self.path, lambda file: file.write(text.encode("utf-8")))
