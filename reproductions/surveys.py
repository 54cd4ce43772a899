"""A survey: many models on some data sets, the same folds and seeds for all. Its settings stand in the script that makes one.

A cell is one training: data set, model, every setting that is not the preset's, seed, fold. All of it is in the cell's key, so a
changed setting is a new cell, and the old one stays in the file; the card shows what the script's settings say now.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from reproductions.cells import SHARED, Cells, fill, headline, written
from reproductions.markdown import NOT_YET, footnote, share, table
from reproductions.sources import Parts, Source, cut
from reproductions.training import measured

SEEDS = 3  # that an entry has when it is whole; of ten folds each is trained once
WITHOUT_SEED = (
    "crf",
    "gbdt",
    "hmm",
    "knn",
    "logistic_regression",
    "naive_bayes",
    "svm",
)  # nothing in them is random: one training is all


@dataclass(frozen=True)
class Cell:
    """One training and its score."""

    data: str
    room: str
    settings: str  # as ``cells.written`` writes them
    seed: int
    fold: int | None  # None: the source's own test split

    @property
    def key(self) -> str:
        fold = "test" if self.fold is None else str(self.fold)
        return f"{self.data} {self.room} {self.settings} seed={self.seed} fold={fold}"

    def __str__(self) -> str:
        return self.key


@dataclass(frozen=True)
class Survey:
    """What is compared with what.

    Attributes:
        name: of the script and of its results.
        sources: the data sets.
        settings: by data set and model, what is not as the preset has it; ``preset`` may be among them. A model may be there twice, the
            second time with what is special about it: ``"lstm+vectors"``.
        paper: published scores in percent by data set and model.
        task: of the models.
        needs: SHA-256 by name of the files that settings name, see ``--files``.
        why: by data set, where those come from and why ours differ: a sentence in English, one in Chinese.
    """

    name: str
    sources: Mapping[str, Source]
    settings: Mapping[str, Mapping[str, dict[str, Any]]]
    paper: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    task: str = "classify"
    needs: Mapping[str, str] = field(default_factory=dict)
    why: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def cells(
        self, data: list[str] | None = None, rooms: list[str] | None = None, seeds: int | None = None, folds: int = 10
    ) -> Iterator[Cell]:
        """The grid, first seeds first. A model without a seed is trained once; of folds, one seed is enough."""
        for seed in range(SEEDS if seeds is None else seeds):
            for fold in range(folds):
                for name in data or self.settings:
                    source = self.sources[name]
                    if fold >= max(1, source.folds):
                        continue
                    for room, given in self.settings[name].items():
                        if seed < self.seeds(name, room, seeds) and (not rooms or room in rooms):
                            yield Cell(name, room, written(given), seed, fold if source.folds else None)

    def seeds(self, data: str, room: str, asked: int | None = None) -> int:
        """How many trainings an entry has on each fold."""
        if room_of(room) in WITHOUT_SEED:
            return 1
        return asked if asked is not None else 1 if self.sources[data].folds else SEEDS

    def wanted(self, data: str, room: str) -> int:
        """How many trainings an entry has when it is whole."""
        return self.seeds(data, room) * max(1, self.sources[data].folds)

    def measure(self, cell: Cell, rows: int | None = None, files: Path | None = None) -> dict[str, Any]:
        """Train and score one cell, see ``training.measured``. ``rows``: of each part no more than these; ``files``: where those are that
        the settings name.
        """
        given = dict(self.settings[cell.data][cell.room])
        for name, value in given.items():
            if isinstance(value, str) and value in self.needs:
                given[name] = self._file(value, files)
        room = room_of(cell.room)
        if room not in WITHOUT_SEED:
            given["seed"] = cell.seed
        preset = given.pop("preset", "default")
        parts = cut(_parts(self.sources[cell.data], cell.fold), rows)
        return measured(f"{self.task}/{room}", preset, given, parts) | {"seed": cell.seed}

    def _file(self, name: str, folder: Path | None) -> str:
        """Where a file lies that is the one that the settings mean. Raises SystemExit where it is another, or there is none."""
        path = None if folder is None else folder / name
        if path is None or not path.is_file():
            raise SystemExit(f"{name} is needed: --files FOLDER")
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.needs[name]:
            raise SystemExit(f"{path} is another file: its SHA-256 begins with {found[:12]}")
        return str(path)

    # ---- the card --------------------------------------------------------------------------------------------------

    def entry(self, kept: Cells, data: str, room: str) -> list[dict[str, Any]]:
        """The cells of a model with the settings that it has now."""
        begin = f"{data} {room} {written(self.settings[data][room])} seed="
        return [cell for key, cell in kept.cells.items() if key.startswith(begin)]

    def card(self, lang: str, room: str | None = None, kept: Cells | None = None) -> str:
        """Paper, here, difference for all models, or one of them: a Markdown table for each data set."""
        kept = Cells(self.name) if kept is None else kept
        parts, used = [], []
        for data, settings in self.settings.items():
            lines = []
            for one in settings:
                if room in (None, room_of(one)):
                    found = self.entry(kept, data, one)
                    used += found
                    lines.append(self._line(data, one, found, lang))
            if lines:
                parts.append(f"**{self.sources[data].title[lang == 'zh']}**\n\n{table(HEAD[lang], lines)}")
                if data in self.why:
                    parts.append(self.why[data][lang == "zh"] + "\n")
        if not used:
            return NOT_YET[lang] + "\n"
        return "\n".join(parts) + footnote(used, lang)

    def _line(self, data: str, room: str, found: list[dict[str, Any]], lang: str) -> list[str]:
        paper = self.paper.get(data, {}).get(room)
        given = self.settings[data][room]
        settings = ", ".join(f"{name}={value}" for name, value in given.items()) or DEFAULTS[lang]
        said = "–" if paper is None else f"{paper:.1f}"
        if not found:
            return [f"`{room}`", said, NOT_YET[lang], "", "", "", settings]
        mean = statistics.mean(headline(cell) for cell in found)
        low, high = (extreme(headline(cell) for cell in found) for extreme in (min, max))
        return [
            f"`{room}`",
            said,
            f"{mean:.2f}" if len(found) == 1 else f"{mean:.2f} ({low:.1f} – {high:.1f})",
            "" if paper is None else f"{mean - paper:+.1f}",
            share(len(found), self.wanted(data, room), lang),
            f"{statistics.mean(cell['minutes'] for cell in found):.1f}",
            settings,
        ]

    # ---- the command -----------------------------------------------------------------------------------------------

    def main(self, description: str | None, argv: list[str] | None = None) -> None:
        """Measure what is missing and print the card."""
        rooms = sorted({room for settings in self.settings.values() for room in settings})
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--data", nargs="+", choices=list(self.settings))
        parser.add_argument("--rooms", nargs="+", choices=rooms)
        parser.add_argument("--seeds", type=int, help=f"default: {SEEDS}; 1 where there are folds")
        parser.add_argument("--folds", type=int, default=10, help="the first so many")
        parser.add_argument("--budget", type=float, help="minutes after which no cell is begun")
        parser.add_argument("--rows", type=int, help="of each part: does it run? keeps nothing")
        if self.needs:
            parser.add_argument("--files", type=Path, help=f"folder that holds {', '.join(self.needs)}")
        asked = parser.parse_args(argv)
        files = asked.files if self.needs else None
        data = [name for name in asked.data or self.settings if self.sources[name].bundled or SHARED.is_dir()]
        if not data:
            print(f"skipped: needs {SHARED}, which is not here")
            return
        kept = Cells(self.name)
        todo = list(self.cells(data, asked.rooms, asked.seeds, asked.folds))
        fill(kept, todo, lambda cell: self.measure(cell, asked.rows, files), asked.budget, keep=asked.rows is None)
        print(self.card("en", kept=kept))
        print("python -m reproductions.cards writes this into the READMEs", file=sys.stderr)


def room_of(name: str) -> str:
    """The model of a line such as ``"lstm+vectors"``."""
    return name.partition("+")[0]


HEAD = {
    "en": ["model", "published", "here", "difference", "trainings", "minutes each", "settings"],
    "zh": ["模型", "已发表", "本机", "差", "训练次数", "每次分钟", "设置"],
}
DEFAULTS = {"en": "defaults", "zh": "默认"}


@lru_cache(maxsize=2)
def _parts(source: Source, fold: int | None) -> Parts:
    return source.parts(SHARED, fold)
