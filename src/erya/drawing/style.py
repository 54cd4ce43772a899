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


def alone(drawing: str) -> str:
    """A drawing as a file of its own: with its colours, light and dark, for a page that has none."""
    light = palette.variables(palette.LIGHT, palette.LIGHT_SERIES)
    dark = palette.variables(palette.DARK, palette.DARK_SERIES)
    rules = (
        f"svg{{{light}}}@media (prefers-color-scheme:dark){{svg{{{dark}}}}}"
        ".paper{fill:var(--sheet)}.grid{stroke:var(--rule)}.series{fill:none;stroke-width:2.25;stroke-linejoin:round}"
        ".solid{fill:var(--c)}"
        ".t{font:12px system-ui,sans-serif;fill:var(--ink)}.soft{fill:var(--soft)}"
    )
    return drawing.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        "<title>", f"<style>{rules}</style><title>", 1
    )
