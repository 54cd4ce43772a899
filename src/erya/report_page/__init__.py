"""The report of a comparison: one page for whoever must decide, drawn from the ``erya.compare/1`` document alone."""

from __future__ import annotations

from typing import Any

from erya import charts
from erya.drawing.markup import shown
from erya.drawing.style import rules
from erya.report_page import (
    answers,
    closing,
    confidence,
    differences,
    errors,
    mistakes,
    ranking,
    tags,
    texts,
    tradeoff,
    verdict,
    words,
)
from erya.report_page.facts import Facts


def render(document: dict[str, Any]) -> str:
    """The self-contained HTML page; the same document gives the same bytes.

    Args:
        document: of schema ``erya.compare/1``; its ``language`` (``"en"`` or ``"zh"``) is the page's.
    """
    facts = Facts.of(document)
    pages = {"vectors": words.page, "tag": tags.page, "generate": texts.page}
    head, sections = pages.get(str(document.get("task")), _labels_page)(facts)
    foot = facts.say(
        "Made by Erya on this computer; nothing on this page was sent or fetched.",
        "由 Erya 在本机生成；本页没有发送或获取任何数据。",
    )
    body = f'<div class="report">{head}<main>{sections}</main><footer class="soft">{shown(foot)}</footer></div>'
    source = document["data"]["source"]
    title = facts.say(f"Models compared on {source} · Erya", f"{source} 模型比较 · Erya 尔雅")
    return charts.page(title, body, document.get("language", "en"), style=rules("erya.report_page", "report.css"))


def _labels_page(facts: Facts) -> tuple[str, str]:
    """Head and sections of a comparison on rows with labels."""
    sections = "".join(
        [
            ranking.ranking(facts),
            tradeoff.tradeoff(facts),
            differences.differences(facts),
            ranking.chance(facts),
            answers.labels(facts),
            answers.confusion(facts),
            answers.confused(facts),
            mistakes.mistakes(facts),
            errors.errors(facts),
            confidence.calibration(facts),
            confidence.curves(facts),
            closing.about_data(facts),
            closing.next_steps(facts),
            closing.environment(facts),
        ]
    )
    return verdict.header(facts, sections), sections
