"""Markdown tables, and the line below one that says where its figures come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]) + "\n"


def footnote(document: dict[str, Any], lang: str, others: Mapping[str, str] | None = None) -> str:
    """Day, machine and versions of a measurement; ``others``: versions of the programs beside ours."""
    where = document["environment"]
    versions = f"erya {where['erya']}, Python {where['python']}, NumPy {where['numpy']}"
    if others is None:
        versions += f", torch {where['torch']}"
    versions += "".join(f", {name} {version}" for name, version in (others or {}).items())
    if lang == "zh":
        return f"\n测于 {document['measured']}，{where['processor']}，{where['threads']} 线程；{versions}。\n"
    return f"\nMeasured {document['measured']} on {where['processor']}, {where['threads']} threads; {versions}.\n"
