"""The language models' tables of the READMEs, from ``results/language_{models,networks}.json``. ``fill.py`` calls these by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from benchmarks.tables import footnote, table

Row = dict[str, Any]


def _found(part: str, name: str = "language_models") -> tuple[dict[str, Any], Any] | None:
    return results_file.part_of(name, part)


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


JOBS = {  # of a room: job, what it is
    "lstm": (
        ("lstm_small", {"en": "2 × 200, 20 steps of 20 rows, V 10,000", "zh": "2 × 200，20 行各 20 步，词表 1 万"}),
        ("lstm_medium", {"en": "2 × 650, 35 steps of 20 rows, V 10,000", "zh": "2 × 650，20 行各 35 步，词表 1 万"}),
    ),
    "nnlm": (("nnlm", {"en": "the default, on the poems", "zh": "默认设置，唐诗"}),),
    "gpt": (
        (
            "gpt",
            {"en": "4 layers, 128 wide, 12 pieces of 64 characters", "zh": "4 层，宽 128，每步 12 段、每段 64 字符"},
        ),
        ("generation", {"en": "256 characters written, default sizes", "zh": "生成 256 个字符，默认规模"}),
    ),
}
WHO = {
    "erya": {"en": "Erya", "zh": "Erya"},
    "torch": {"en": "a plain torch loop", "zh": "普通 torch 循环"},
    "nanoGPT": {"en": "nanoGPT, its model and loop", "zh": "nanoGPT 的模型与循环"},
    "without a cache": {"en": "Erya, without a cache", "zh": "Erya，不用缓存"},
}


def networks(room: str, lang: str) -> str | None:
    """Units a second of a room's network and of those beside it."""
    found = _found("networks", "language_networks")
    if found is None:
        return None
    document, told = found
    head = {
        "en": ["job", "", "units a second of the processor", "Erya is", "by the wall clock", "Erya is"],
        "zh": ["任务", "", "每处理器秒单元数", "Erya 为其", "每墙钟秒", "Erya 为其"],
    }[lang]
    cells = []
    for name, title in JOBS[room]:
        job = told.get(name, {"speed": {}})
        for who, speed in job["speed"].items():
            row = [title[lang], WHO[who][lang]]
            for clock in ("processor", "wall"):
                row += [f"{speed[clock]:,.0f}", "" if who == "erya" else f"{job['ratio'][who][clock]:.2f} ×"]
            cells.append(row)
    return table(head, cells) + footnote(document, lang, _peers(document, room)) if cells else None


def _peers(document: Row, room: str) -> dict[str, str]:
    return {"torch": document["environment"]["torch"]} | ({"nanoGPT": "3adf61e"} if room == "gpt" else {})


def shakespeare(room: str, lang: str) -> str | None:
    """The whole training on Shakespeare, ours and nanoGPT's."""
    found = _found("shakespeare", "language_networks")
    if found is None:
        return None
    document, told = found
    head = {
        "en": ["", "steps", "validation loss, nats a character", "minutes", "of the processor"],
        "zh": ["", "步数", "验证损失（奈特/字符）", "分钟", "处理器分钟"],
    }[lang]
    cells = [
        [
            WHO[who][lang],
            f"{row['steps']:,}",
            f"{row['loss']:.3f}",
            f"{row['minutes']:.1f}",
            f"{row['processor_minutes']:.1f}",
        ]
        for who, row in told.items()
        if who in WHO
    ]
    return table(head, cells) + footnote(document, lang, _peers(document, "gpt"))


RENDERERS: dict[str, Callable[[str, str], str | None]] = {
    "ngram_smoothing": smoothing,
    "ngram_pruning": pruning,
    "ngram_poems": poems,
    "ngram_speed": speed,
    "language_networks": networks,
    "language_shakespeare": shakespeare,
}
