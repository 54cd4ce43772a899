"""Texts of a fixed form: so many Han characters here, this sign there, as in a regulated poem."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, quoted
from erya.language import say
from erya.text.tokenizers import HAN

NAMED = {
    "五言绝句": "5，5。5，5。",
    "七言绝句": "7，7。7，7。",
    "五言律诗": "5，5。5，5。5，5。5，5。",
    "七言律诗": "7，7。7，7。7，7。7，7。",
}


class Form:
    """A number stands for so many Han characters, everything else for itself: ``"5，5。5，5。"``.

    Args:
        form: as above, or the name of one: ``"五言绝句"``, ``"七言律诗"`` …
        units: V strings, the vocabulary: units of one character each are used.
        end: the unit that ends a text.

    Raises:
        UsageError: an empty form, or a sign that the model does not know.
    """

    def __init__(self, form: str, units: Sequence[str], end: int) -> None:
        self.form = NAMED.get(form, form)
        self.slots: list[str | None] = []  # None: a Han character
        for number, sign in re.findall(r"(\d{1,4})|(\D)", self.form):
            self.slots += [None] * int(number) if number else [sign]
        if not self.slots:
            raise UsageError(
                "bad-form", say("the form is empty", "格式为空"), help="--form " + " ".join(["5，5。5，5。", *NAMED])
            )
        self.end = end
        self.units = list(units)
        self._index = {unit: place for place, unit in enumerate(self.units)}
        self._han = np.array([len(unit) == 1 and re.match(f"[{HAN}]", unit) is not None for unit in self.units])
        missing = [slot for slot in self.slots if slot is not None and slot not in self._index]
        if missing or not self._han.any():
            what = quoted(missing[0]) if missing else say("Han characters", "汉字")
            raise UsageError(
                "bad-form",
                say(
                    f"the model does not write {what} alone, which the form asks for",
                    f"格式要求单独写出 {what}，而模型不会",
                ),
                help=say("forms are for models of characters", "格式只适用于以字为单位的模型"),
            )

    def check(self, prefix: str) -> None:
        """Raises UsageError where a prefix does not fit the form."""
        for place, character in enumerate(prefix):
            slot = self.slots[place] if place < len(self.slots) else ""
            fits = re.match(f"[{HAN}]", character) is not None if slot is None else character == slot
            if not fits:
                raise UsageError(
                    "bad-form",
                    say(
                        f"{quoted(character)} does not fit place {place + 1} of the form {self.form}",
                        f"{quoted(character)} 不合格式 {self.form} 的第 {place + 1} 位",
                    ),
                )

    def allowed(self, ids: list[int]) -> NDArray[np.bool_]:
        """Which units may come behind ``ids``: (V,)."""
        if len(ids) < len(self.slots):
            slot = self.slots[len(ids)]
            if slot is None:
                return self._han
            wanted = self._index[slot]
        else:
            wanted = self.end
        mask = np.zeros(len(self.units), dtype=bool)
        mask[wanted] = True
        return mask
