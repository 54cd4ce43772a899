"""What all sections of the report read: the document's rows with their names and colours, in the document's language."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from erya.board_table import score_names
from erya.drawing.markup import Say, cut, data, shown, speaker

NAME = 60  # characters of a model's name
FULL = 1040  # CSS pixels of the page's text on a desk
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """A compare document, ready to be shown."""

    document: dict[str, Any]
    say: Say
    names: dict[str, str]  # model → what it is called on the page; unique
    colors: dict[str, int]  # model → number of its series

    @classmethod
    def of(cls, document: dict[str, Any]) -> Facts:
        rows = document["rows"]
        called = {row["model"]: cut(str(row.get("name") or row["model"]), NAME) for row in rows}
        counts = Counter(called.values())
        names = {model: name if counts[name] == 1 else f"{name} ({model})" for model, name in called.items()}
        colors = {row["model"]: index for index, row in enumerate(rows)}
        return cls(document, speaker(document.get("language", "en")), names, colors)

    @property
    def rows(self) -> list[Row]:
        """All rows, best first."""
        found: list[Row] = self.document["rows"]
        return found

    @property
    def scored(self) -> list[Row]:
        """The rows that have scores."""
        return [row for row in self.rows if row.get("scores")]

    @property
    def recommended(self) -> Row | None:
        """The row that the advice takes."""
        wanted = self.document["advice"]["recommended"]
        return next((row for row in self.scored if row["model"] == wanted), None)

    @property
    def headline(self) -> str:
        """The name of the score that ranks."""
        return score_names(self.document)[0]

    @property
    def several(self) -> bool:
        """Whether rows have several labels, or none."""
        return bool(self.document["data"].get("target_kind") == "several")

    @property
    def measure(self) -> str:
        """What the score that ranks is called in a sentence."""
        if self.document.get("task") == "tag" and self.headline != "accuracy":
            return "F1"
        return self.say("micro F1", "微平均 F1") if self.several else self.say("accuracy", "准确率")

    @property
    def majority(self) -> float:
        """What always giving the same answer scores."""
        return float(self.document["baseline"]["majority"])

    def score(self, row: Row) -> dict[str, float]:
        """The score of a row that ranks: value, low, high."""
        found: dict[str, float] = row["scores"][self.headline]
        return found

    def pair(self, first: str, second: str) -> dict[str, Any] | None:
        """The test of two models, as if ``first`` had been named first."""
        for pair in self.document["pairs"]:
            if (pair["a"], pair["b"]) == (first, second):
                return dict(pair)
            if (pair["a"], pair["b"]) == (second, first):
                turned = {"difference": -pair["difference"], "low": -pair["high"], "high": -pair["low"]}
                return {**pair, "a": first, "b": second, **turned}
        return None

    def key(self, model: str) -> str:
        """The model's name with its colour beside it."""
        color = self.colors[model] % 8
        return f'<span class="key" style="--c:var(--s{color})"></span>{data(self.names[model])}'


def capital(word: str) -> str:
    """The word as a heading begins."""
    return word[:1].upper() + word[1:]


def section(name: str, title: str, lead: str, body: str) -> str:
    """A section with an anchor, a heading and a sentence on what it shows."""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{shown(title)}</h2>'
        f'<p class="lead">{shown(lead)}</p>{body}</section>'
    )


def listed(items: list[str], say: Say) -> str:
    """Names in a sentence: “a, b and c”."""
    if len(items) < 2:
        return "".join(items)
    return say(", ", "、").join(items[:-1]) + say(" and ", "和") + items[-1]
