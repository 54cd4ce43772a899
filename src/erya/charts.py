"""A page that stands alone: no network, no script, light and dark, English or Chinese.

``page`` is the shell around a report or a trace, ``fragment`` the same look for a notebook's cell. What goes inside comes
from ``erya.drawing``: ``palette`` the colours, ``markup`` safe text and tables, ``svg`` and ``plots`` the drawings.
"""

from __future__ import annotations

from erya.drawing.markup import plain
from erya.drawing.palette import DARK, LIGHT
from erya.drawing.style import sheet

# Even if something slipped through: a browser that reads this asks nobody for anything, and runs nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(title: str, body: str, lang: str = "en", *, style: str = "") -> str:
    """A whole HTML document in one string.

    Args:
        title: of the window; any text.
        body: markup, made of safe text.
        lang: ``"en"`` or ``"zh"``.
        style: further rules, under ``.erya``.
    """
    return (
        f'<!doctype html><html lang="{_tag(lang)}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="generator" content="Erya">'
        f'<link rel="icon" href="data:,"><title>{plain(title)}</title>'
        f"<style>{_ground()}{sheet()}{style}</style></head>"
        f'<body class="erya">{body}</body></html>\n'
    )


def fragment(body: str, lang: str = "en") -> str:
    """The same for a place inside another page, such as a notebook's output."""
    return f'<style>{sheet()}</style><div class="erya erya-cell" lang="{_tag(lang)}">{body}</div>'


def _ground() -> str:
    """What lies behind the page where the page ends."""
    light, dark = LIGHT["paper"], DARK["paper"]
    return (
        f"body{{margin:0}}@media screen{{html{{background:{light}}}}}"
        f"@media screen and (prefers-color-scheme:dark){{html{{background:{dark}}}}}"
    )


def _tag(lang: str) -> str:
    return "zh-Hans" if lang.startswith("zh") else "en"
