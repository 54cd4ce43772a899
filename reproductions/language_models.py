"""Language models on three texts: the Penn Treebank's words, Shakespeare's letters, the Tang poems.

    python -m reproductions.language_models --budget 60                        # an hour of it; the next call goes on
    python -m reproductions.language_models --data ptb --rooms ngram lstm      # some cells
    python -m reproductions.language_models --characters 20000                 # does it run? keeps nothing

Each training is a cell, kept in ``results/language_models.json`` at once. A setting ``minutes`` ends a training early, at whatever it has
learned by then. Minutes are the processor's: one thread, whatever else the machine does. ``perplexity`` is per unit of the test text, the
end of a line among them; ``bits_per_character`` of the same text is what compares models with other units.
"""

from __future__ import annotations

import argparse
import gzip
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any, Literal, NamedTuple

from erya import catalog
from erya.budget_plan import Foreseen
from erya.mixture import Mixture
from erya.progress import Report
from erya.tasks import generate
from erya.text.documents import pieces
from erya.text.samples import sample_card
from reproductions import language_curves
from reproductions.cells import SHARED, Cells, fill, written
from reproductions.markdown import NOT_YET, footnote, table

Parts = tuple[list[str], list[str], list[str]]  # documents to learn from, for early stopping, for the score


class Text(NamedTuple):
    """A text with parts.

    Attributes:
        title: in English and in Chinese.
        parts: of the folder with all data sets.
        bundled: whether it comes with Erya.
    """

    title: tuple[str, str]
    parts: Callable[[Path], Parts]
    bundled: bool = False


def treebank(shared: Path) -> Parts:
    """One sentence a line, 10,000 words, the rest ``<unk>`` (Mikolov's cut)."""
    train, valid, test = (lines(shared / "ptb" / f"{part}.txt.gz") for part in ("train", "valid", "test"))
    return train, valid, test


def shakespeare(shared: Path) -> Parts:
    """The last tenth for the score, and for the curve (nanoGPT's cut)."""
    with gzip.open(shared / "tiny_shakespeare" / "input.txt.gz", "rt", encoding="utf-8") as file:
        text = file.read()
    end = int(0.9 * len(text))
    return [text[:end]], [text[end:]], [text[end:]]


def poems(shared: Path) -> Parts:
    """Poems that come with Erya."""
    folder = sample_card("poetry").folder
    train, dev, test = (lines(folder / f"tang.{part}.txt.gz") for part in ("train", "dev", "test"))
    return train, dev, test


def lines(path: Path) -> list[str]:
    """The documents of a file that has one a line."""
    return [piece.text for piece in pieces(path, "line")]


TEXTS = {
    "ptb": Text(("Penn Treebank, words", "宾州树库，词"), treebank),
    "tiny_shakespeare": Text(("Shakespeare, characters", "莎士比亚，字符"), shakespeare),
    "tang": Text(("Tang poems, characters", "全唐诗，字"), poems, bundled=True),
}
WORDS: dict[str, Any] = {"tokenizer": "whitespace"}
LETTERS: dict[str, Any] = {"tokenizer": "characters"}
LADDER: dict[str, Any] = {"minutes": 2.5}

# what is not as the model's default has it; a line is a room, and behind the + what is special; a change here is a new cell
SETTINGS: dict[str, dict[str, dict[str, Any]]] = {
    "ptb": {
        "ngram": WORDS | {"order": 5},
        "lstm+small": WORDS | {"preset": "small"},
        "lstm+medium": WORDS | {"preset": "medium", "minutes": 60},
        "lstm+awd": WORDS | {"preset": "awd", "minutes": 60},
    },
    "tiny_shakespeare": {
        "ngram": LETTERS | {"order": 7},
        "lstm": LETTERS | {"minutes": 3},
        "gpt+shakespeare": {"preset": "shakespeare"},
    },
    "tang": {
        "ngram": LETTERS | {"order": 5},
        "nnlm": LETTERS | LADDER,
        "nnlm+indirect": LETTERS | LADDER | {"direct": False},
        "nnlm+mixed": LETTERS | LADDER | {"mixed_with_order": 3},
        "rnn": LETTERS | LADDER,
        "gru": LETTERS | LADDER,
        "lstm": LETTERS | LADDER,
        "gpt": LETTERS | LADDER,
        "lstm+long": LETTERS | {"minutes": 15},
        "gpt+long": LETTERS | {"minutes": 15},
    },
}
PAPER = {"ptb": {"ngram": 141.2, "lstm+small": 114.5, "lstm+medium": 82.7, "lstm+awd": 58.8}}


@dataclass(frozen=True)
class Cell:
    """One training and its score."""

    data: str
    line: str
    settings: str  # as ``cells.written`` writes them
    seed: int

    @property
    def key(self) -> str:
        return f"{self.data} {self.line} {self.settings} seed={self.seed}"

    def __str__(self) -> str:
        return f"{self.data} {self.line} seed={self.seed}"


class Clock(Report):
    """Ends a training after some minutes and prints its curve.

    Args:
        minutes: after which training ends; None: when it is done.
        told: called with the curve after every epoch.
    """

    def __init__(
        self, minutes: float | None, told: Callable[[list[dict[str, float]]], None] = lambda curve: None
    ) -> None:
        self.told = told
        self.began, self.minutes = process_time(), minutes
        self.rows: list[dict[str, float]] = []
        self.steps = 0
        self.foreseen = Foreseen(None if minutes is None else 60 * minutes)

    def record(self, row: dict[str, Any]) -> None:
        """Keep what a curve is drawn from."""
        self.rows.append(
            {
                "epoch": row["epoch"],
                "minutes": round(self.spent() / 60, 2),
                "validation_loss": round(row.get("validation_loss", math.nan), 4),
            }
        )
        print(self.rows[-1], file=sys.stderr, flush=True)
        self.told(self.rows)

    def stopping(self) -> Literal["interrupt", "budget"] | None:
        """``budget`` when the minutes are over."""
        self.steps += 1
        self.foreseen.count(self.steps, self.spent())
        over = self.minutes is not None and self.spent() > 60 * self.minutes
        return "budget" if over or self.foreseen.over(self.steps) else None

    def planned_steps(self) -> int | None:
        """The rate has fallen when the minutes are over."""
        return self.foreseen.steps(self.steps)

    def spent(self) -> float:
        """Seconds of the processor since this began."""
        return process_time() - self.began


def measure(cell: Cell, characters: int | None = None, kept: Cells | None = None) -> dict[str, Any]:
    """Train and score one cell.

    Args:
        cell: what.
        characters: of each part no more than these.
        kept: takes the curve while the training goes on, so that one that is stopped has taught something; None: nothing does.

    Returns:
        ``perplexity`` and ``bits_per_character`` of the test text and ``validation_loss`` (nats a unit), ``minutes`` of training,
        ``parameters``, and the ``curve`` of networks. With ``mixed_with_order`` those of the network mixed with an n-gram, weights
        found on the held-out text, but ``parameters`` and ``curve``, which are the network's.
    """
    given = dict(SETTINGS[cell.data][cell.line])
    preset, minutes, beside = (given.pop(name, None) for name in ("preset", "minutes", "mixed_with_order"))
    room = cell.line.partition("+")[0]
    if room != "ngram":
        given["seed"] = cell.seed
    train, valid, test = (short(part, characters) for part in TEXTS[cell.data].parts(SHARED))
    clock = Clock(minutes) if kept is None else Clock(minutes, lambda curve: kept.begin(cell.key, {"curve": curve}))
    model: Any = catalog.model(f"generate/{room}", preset or "default", given)
    model.fit(train, validation=valid, report=clock)
    network = getattr(model, "network_", None)
    if beside is not None:
        counted: Any = catalog.model("generate/ngram", "default", {"order": beside, "tokenizer": given["tokenizer"]})
        model = Mixture.of([model, counted.fit(train)], valid)
    took = clock.spent() / 60
    found = model.surprisals(test)
    scores = generate.scores([found], resamples=1)
    return {
        "perplexity": scores["perplexity"].value,
        "bits_per_character": scores["bits_per_character"].value,
        "validation_perplexity": model.perplexity(valid),
        "minutes": took,
        "parameters": None if network is None else sum(weights.numel() for weights in network.parameters()),
        "curve": clock.rows,
        "seed": cell.seed,
    }


def short(part: list[str], characters: int | None) -> list[str]:
    """The first documents, or the beginning of the only one."""
    if characters is None:
        return part
    if len(part) == 1:
        return [part[0][:characters]]
    return part[: max(2, characters // 50)]


def grid(data: list[str] | None, rooms: list[str] | None) -> Iterator[Cell]:
    """Every cell, one seed each."""
    for name in data or SETTINGS:
        for line, given in SETTINGS[name].items():
            if not rooms or line in rooms or line.partition("+")[0] in rooms:
                yield Cell(name, line, written(given), 0)


# ---- the card ------------------------------------------------------------------------------------------------------

HEAD = {
    "en": ["model", "published", "test perplexity", "bits a character", "parameters", "minutes", "settings"],
    "zh": ["模型", "已发表", "测试困惑度", "每字比特", "参数", "分钟", "设置"],
}


def card(lang: str, room: str | None = None, kept: Cells | None = None, chosen: str | None = None) -> str:
    """One line a training: what the paper says, what came out here; a Markdown table for each text, or for the ``chosen`` one."""
    kept = Cells("language_models") if kept is None else kept
    parts, used = [], []
    for data, settings in SETTINGS.items():
        if chosen not in (None, data):
            continue
        rows = []
        for line in settings:
            if room in (None, line.partition("+")[0]):
                cell = next(grid([data], [line]))
                found = kept.cells.get(cell.key)
                used += [found] if found else []
                rows.append(_line(data, line, found, kept.begun.get(cell.key), lang))
        if rows:
            parts.append(f"**{TEXTS[data].title[lang == 'zh']}**\n\n{table(HEAD[lang], rows)}")
    if not used:
        return NOT_YET[lang] + "\n"
    return "\n".join(parts) + footnote(used, lang)


def _line(data: str, line: str, found: dict[str, Any] | None, begun: dict[str, Any] | None, lang: str) -> list[str]:
    settings = ", ".join(f"{name}={value}" for name, value in SETTINGS[data][line].items())
    paper = PAPER.get(data, {}).get(line)
    begin = [f"`{line.partition('+')[0]}`", "–" if paper is None else f"{paper:.1f}"]
    if found is None and begun is not None:
        last = begun["curve"][-1]
        perplexity = math.exp(last["validation_loss"])
        told = {
            "en": f"stopped; held-out text after {last['epoch']} epochs: {perplexity:.1f}",
            "zh": f"已中止；{last['epoch']} 遍之后验证文本 {perplexity:.1f}",
        }[lang]
        return [*begin, told, "", "", f"{last['minutes']:.1f}", settings]
    if found is None:
        return [*begin, NOT_YET[lang], "", "", "", settings]
    size = "–" if found["parameters"] is None else f"{found['parameters'] / 1e6:.1f} M"
    score, bits = f"{found['perplexity']:.2f}", f"{found['bits_per_character']:.3f}"
    return [*begin, score, bits, size, f"{found['minutes']:.1f}", settings]


def treebank_curves(kept: Cells) -> dict[str, list[dict[str, float]]]:
    """By name, of each measured training on the treebank what it was like after every epoch."""
    found = {}
    for line in SETTINGS["ptb"]:
        key = next(grid(["ptb"], [line])).key
        cell = kept.cells.get(key) or kept.begun.get(key)
        if cell:
            found[line.replace("+", " ")] = cell["curve"]
    return found


def main(argv: list[str] | None = None) -> None:
    """Measure what is missing and print the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=list(TEXTS))
    parser.add_argument("--rooms", nargs="+", help="rooms, or lines such as lstm+small")
    parser.add_argument("--budget", type=float, help="minutes after which no cell is begun")
    parser.add_argument("--characters", type=int, help="of each part: does it run? keeps nothing")
    asked = parser.parse_args(argv)
    data = [name for name in asked.data or TEXTS if TEXTS[name].bundled or SHARED.is_dir()]
    if not data:
        print(f"skipped: needs {SHARED}, which is not here")
        return
    kept = Cells("language_models")
    keep = asked.characters is None
    todo = list(grid(data, asked.rooms))
    fill(kept, todo, lambda cell: measure(cell, asked.characters, kept if keep else None), asked.budget, keep=keep)
    print(card("en", kept=kept))
    if keep:
        print(*(path.name for path in language_curves.write(treebank_curves(kept))), file=sys.stderr)
    print("python -m reproductions.cards writes this into the READMEs", file=sys.stderr)


if __name__ == "__main__":
    main()
