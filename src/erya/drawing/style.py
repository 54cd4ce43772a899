"""The style sheet in one string: ``page.css`` with the colours of both themes."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from erya.drawing import palette


def rules(package: str, name: str) -> str:
    """A style sheet that lies in a package, without its comments and line ends."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)).strip()


@cache
def sheet() -> str:
    """The style that all pages share."""
    light = palette.variables(palette.LIGHT, palette.LIGHT_SERIES)
    dark = palette.variables(palette.DARK, palette.DARK_SERIES)
    ramps = "".join(
        f".erya .{sign}{step}{{background:var(--{sign}{step});color:var(--{sign}{step}t);fill:var(--{sign}{step})}}"
        for sign in "pn"
        for step in range(palette.STEPS + 1)
    )
    themes = f".erya{{color-scheme:light dark;{light}}}@media screen and (prefers-color-scheme:dark){{.erya{{{dark}}}}}"
    return themes + rules("erya.drawing", "page.css") + ramps
