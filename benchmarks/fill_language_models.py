"""The language models' tables of the READMEs, from ``benchmarks/results/language_models.json``. ``fill.py`` calls these by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from benchmarks.tables import footnote, table

Row = dict[str, Any]


def _found(part: str) -> tuple[dict[str, Any], Any] | None:
    document = results_file.read("language_models")
    return None if document is None or part not in document else (document, document[part])


def _way(row: Row, lang: str) -> str:
    if row["smoothing"] == "uniform":
        return {"en": "the uniform guess", "zh": "均匀地猜"}[lang]
    if row["smoothing"] == "add_k":
        return f"add {row['k']:g}"
    return {"kneser_ney": "Kneser-Ney", "mle": {"en": "shares of counts (MLE)", "zh": "频率（MLE）"}[lang]}[
        row["smoothing"]
    ]


def _perplexity(row: Row, lang: str) -> str:
    if row["test"] is None:
        share = f"{row['test_impossible']:.1%}"
        return {"en": f"∞ ({share} of the units impossible)", "zh": f"∞（{share} 的单元概率为 0）"}[lang]
    return f"{row['test']:,.2f}"


def smoothing(room: str, lang: str) -> str | None:
    """Perplexity by order and smoothing."""
    found = _found("treebank")
    if found is None:
        return None
    document, rows = found
    head = {"en": ["smoothing", "order", "n-grams", "perplexity"], "zh": ["平滑", "阶", "n 元组数", "困惑度"]}[lang]
    cells = [
        [_way(row, lang), str(row["order"] or "–"), f"{row['ngrams']:,}", _perplexity(row, lang)]
        for row in sorted(rows, key=lambda row: (row["order"], row["smoothing"], -row.get("k", 0)))
        if not row.get("prune")
    ]
    return table(head, cells) + footnote(document, lang)


def pruning(room: str, lang: str) -> str | None:
    """What leaving out rare n-grams costs."""
    found = _found("treebank")
    if found is None:
        return None
    document, rows = found
    chosen = [row for row in rows if row["smoothing"] == "kneser_ney" and row["order"] == 5]
    head = {
        "en": ["prune", "n-grams", "perplexity", "said by order 1", "2", "3", "4", "5"],
        "zh": ["prune", "n 元组数", "困惑度", "由 1 阶说出", "2", "3", "4", "5"],
    }[lang]
    cells = [
        [
            ",".join(map(str, row["prune"])) or "–",
            f"{row['ngrams']:,}",
            _perplexity(row, lang),
            *(f"{share:.1%}" for share in row["test_orders"][:5]),
        ]
        for row in chosen
    ]
    return table(head, cells) + footnote(document, lang)


def poems(room: str, lang: str) -> str | None:
    """Bits per character of the poems by order."""
    found = _found("poems")
    if found is None:
        return None
    document, rows = found
    head = {"en": ["order", "n-grams", "bits a character"], "zh": ["阶", "n 元组数", "每字符比特数"]}[lang]
    baseline = {"en": "letters counted one by one", "zh": "逐字计频"}[lang]
    cells = [
        [
            str(row["order"] or baseline),
            f"{row['ngrams']:,}" if row["order"] else "",
            f"{row['bits_per_character']:.3f}",
        ]
        for row in rows
    ]
    return table(head, cells) + footnote(document, lang)


def speed(room: str, lang: str) -> str | None:
    """Tokens a second, ours and nltk's."""
    found = _found("speed")
    if found is None:
        return None
    document, told = found
    names = {
        "learning": {"en": "5-grams counted and smoothed", "zh": "统计并平滑五元组"},
        "learning_reading_included": {"en": "the same, reading the packed text included", "zh": "同上，含读入压缩文本"},
        "scoring": {"en": "scoring", "zh": "打分"},
        "scoring_reading_included": {"en": "the same, reading included", "zh": "同上，含读入"},
    }
    head = {
        "en": [
            "tokens a second",
            "Erya, of a processor's second",
            "nltk.lm",
            "ratio",
            "Erya, by the wall clock",
            "ratio",
        ],
        "zh": ["每秒词元数", "Erya（处理器时间）", "nltk.lm", "倍数", "Erya（墙钟时间）", "倍数"],
    }[lang]
    cells = []
    for name, title in names.items():
        row = [title[lang]]
        for clock in ("processor", "wall"):
            row.append(f"{told['erya'][clock][name]:,.0f}")
            theirs = told["nltk"].get(clock, {}).get(name)
            if clock == "processor":
                row.append(f"{theirs:,.0f}" if theirs else "")
            row.append(f"{told['ratio'][clock][name]:,.0f} ×" if theirs else "")
        cells.append(row)
    return table(head, cells) + footnote(document, lang)


RENDERERS: dict[str, Callable[[str, str], str | None]] = {
    "ngram_smoothing": smoothing,
    "ngram_pruning": pruning,
    "ngram_poems": poems,
    "ngram_speed": speed,
}
