"""Where a benchmark leaves its figures: one JSON file each, with the seed, versions and machine they belong to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from erya.artefact import atomic_write
from erya.leaderboard import environment

FOLDER = Path(__file__).parent / "results"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def write(name: str, figures: dict[str, Any]) -> Path:
    """Write ``results/<name>.json``; the day is the measurement's, the machine is this one."""
    document = {"measured": datetime.now(UTC).date().isoformat(), "environment": environment(), **figures}
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    atomic_write(path, lambda file: file.write(text.encode("utf-8")))
    return path


def read(name: str) -> dict[str, Any] | None:
    """The figures of one benchmark, or None where it has not run."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def part_of(name: str, part: str) -> tuple[dict[str, Any], Any] | None:
    """The figures of one benchmark, and one part of them; None where that was not measured."""
    document = read(name)
    return None if document is None or part not in document else (document, document[part])
