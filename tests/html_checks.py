"""What every page must fulfil, as one parser: well-formed, nothing from outside, nothing that runs, names and anchors that fit."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "hr", "img"}
DRAWN = {"circle", "rect", "line", "path"}  # self-closing in SVG
FORBIDDEN = {"script", "img", "iframe", "object", "embed", "base", "form", "audio", "video", "source", "use", "image"}
ADDRESS = re.compile(r"(?:https?:)?//|url\(|@import", re.IGNORECASE)


class Page(HTMLParser):
    """Reads a page and keeps what the tests ask for; raises AssertionError at the first fault of form."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.anchors: list[str] = []
        self.labelled: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []  # visible text, without code, styles and data in <bdi>
        self.all_words: list[str] = []
        self.svgs: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_startendtag(self, tag, attributes):
        assert tag in DRAWN or tag in VOID, tag
        self._look(tag, attributes)

    def handle_starttag(self, tag, attributes):
        self._look(tag, attributes)
        if tag == "svg":
            self.svgs.append([])
        if tag not in VOID:
            self.open.append(tag)
        if "svg" in self.open and len(self.svgs[-1]) < 2:
            self.svgs[-1].append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, words):
        if "style" in self.open:
            assert not ADDRESS.search(words), words[:200]
            return
        self.all_words.append(words)
        if not {"bdi", "pre", "code", "title", "svg", "desc"} & set(self.open):
            self.words.append(words)

    def _look(self, tag, attributes):
        assert tag not in FORBIDDEN, tag
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        self.tags.append(tag)
        for name, value in attributes:
            value = value or ""
            self.attributes.append((tag, name, value))
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
                assert value.startswith(("#", "data:,")), (tag, name, value)
                if value.startswith("#"):
                    self.anchors.append(value[1:])
            if name == "style":
                assert not ADDRESS.search(value), value
            if name == "id":
                self.ids.append(value)
            if name in ("aria-labelledby", "for", "aria-describedby"):
                self.labelled.append(value)

    def check(self) -> Page:
        assert len(self.ids) == len(set(self.ids)), "an id is used twice"
        assert set(self.anchors) - {""} <= set(self.ids)
        assert set(self.labelled) <= set(self.ids)
        assert self.tags.count("h1") <= 1
        for beginning in self.svgs:
            assert beginning[1:2] == ["title"] or beginning[:1] == ["title"], beginning
        return self


def checked(text: str) -> Page:
    """The page, after it has passed every check of form and safety."""
    assert text.startswith("<!doctype html>")
    assert "Content-Security-Policy\" content=\"default-src 'none'" in text
    for (
        hidden
    ) in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff\x00\x07\x1b\x7f\u2028":
        assert hidden not in text, f"U+{ord(hidden):04X} went through"
    text.encode("utf-8")  # no lone surrogates
    return Page(text).check()
