"""The units of a language model as a classifier's tokenizer: the same cut, so that the same vectors can be looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from erya.errors import quoted
from erya.text import units
from erya.text.tokenizers import Span


@dataclass(frozen=True, slots=True)
class UnitTokens:
    """A ``Tokenizer`` that cuts as some ``Units`` do; nothing is lowered, white space is kept."""

    units: units.Units

    @property
    def name(self) -> str:
        """``"units"``."""
        return "units"

    def tokens(self, text: str) -> list[str]:
        """The units of ``text``."""
        return self.units.cut(text)

    def spans(self, text: str) -> list[Span]:
        """Where they stand in ``text``."""
        return self.units.spans(text)

    def to_plain(self) -> dict[str, Any]:
        """``{"kind": "units", "algorithm": …, "units": …}``."""
        return {"kind": "units", "algorithm": self.units.name, "units": self.units.to_plain()}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> UnitTokens:
        """The inverse of ``to_plain``. Raises ValueError where it is none."""
        if set(plain) != {"kind", "algorithm", "units"}:
            raise ValueError(f"unknown tokenizer: {quoted(plain)}")
        return cls(units.from_plain(plain["units"]))
