"""fastText's tables of the READMEs, from ``benchmarks/results/fasttext.json``. ``fill.py`` calls these by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from benchmarks.tables import footnote, table
from erya.board_table import seconds, size

KINDS = {
    "train": {"en": "train: from the file to the model", "zh": "训练：从文件到模型"},
    "predict": {"en": "predict paragraphs", "zh": "预测：整段"},
    "predict_short": {"en": "predict twelve words", "zh": "预测：前十二个词"},
}
FIGURES = {"train": "seconds", "predict": "predict_seconds", "predict_short": "predict_seconds"}
MODES = {
    "erya": {"en": "Erya", "zh": "Erya"},
    "erya lock-free": {"en": "Erya, lock-free", "zh": "Erya，无锁"},
    "erya deterministic": {"en": "Erya, deterministic", "zh": "Erya，可复现"},
}
PEER = "fasttext"


def speed(room: str, lang: str) -> str | None:
    """Every job on each number of threads, ours beside the original."""
    document = results_file.read("fasttext")
    cells = (document or {}).get("cells", {})
    rows = [
        row
        for kind in KINDS
        for name, cell in cells.items()
        if name.rsplit("_", 1)[0] == kind
        for row in _rows(kind, cell, lang)
    ]
    if document is None or not rows:
        return None
    text = next(iter(cells.values()))["settings"]["text"]
    head = {
        "en": ["job", "threads", "mode", "Erya", "the original", "times as fast"],
        "zh": ["任务", "线程", "方式", "Erya", "原版", "快多少倍"],
    }
    note = {
        "en": f"\n{text['lines']:,} paragraphs of Wikipedia, {text['words']:,} words, ten labels, bigrams, two million buckets, "
        "10 dimensions, 5 epochs; whole jobs in fresh processes in turns, with their peak memory; predicting: 50,000 texts in one call, "
        "the model loaded. Medians, in brackets the extremes of a round. The original predicts on one thread whatever it is given.\n",
        "zh": f"\n维基百科 {text['lines']:,} 段，{text['words']:,} 词，十个标签，二元词组，两百万个桶，10 维，5 轮；"
        "每次都在新进程中完成全部工作，交替运行，并列峰值内存；"
        "预测一项是模型装好之后一次问 50,000 条。取中位数，方括号内为单回的最小与最大值。"
        "原版预测只用一个线程。\n",
    }
    return table(head[lang], rows) + note[lang] + footnote(document, lang, {"fasttext": document["peers"][PEER]})


def _rows(kind: str, cell: dict[str, Any], lang: str) -> list[list[str]]:
    figure, found = FIGURES[kind], []
    for runner, median in cell["median"].items():
        one = cell["ratio"].get(figure, {}).get(runner, {}).get(PEER)
        if runner not in MODES or one is None:
            continue
        found.append(
            [
                KINDS[kind][lang],
                str(cell["settings"]["threads"]),
                MODES[runner][lang],
                _cost(median, figure),
                _cost(cell["median"][PEER], figure),
                f"{one['value']:.1f} × [{one['low']:.1f}, {one['high']:.1f}]",
            ]
        )
    return found


def _cost(median: dict[str, float], figure: str) -> str:
    return f"{seconds(median[figure])}, {size(median['peak_rss_bytes'])}"


# ---- word vectors ------------------------------------------------------------------------------------------------------

VECTORS = {
    "skipgram": {"en": "skip-gram", "zh": "skip-gram"},
    "cbow": {"en": "CBOW", "zh": "CBOW"},
}
SETS = {"wordsim353": "WordSim-353", "simlex999": "SimLex-999", "rarewords": "RareWords"}


def vectors_speed(room: str, lang: str) -> str | None:
    """Word vectors with n-grams: whole jobs on each number of threads."""
    document = results_file.read("fasttext")
    cells = (document or {}).get("vectors", {})
    rows = [
        [
            VECTORS[name.rsplit("_", 1)[0]][lang],
            str(cell["settings"]["threads"]),
            MODES[runner][lang],
            _cost(median, "seconds"),
            _cost(cell["median"][PEER], "seconds"),
            f"{one['value']:.1f} × [{one['low']:.1f}, {one['high']:.1f}]",
        ]
        for name, cell in cells.items()
        for runner, median in cell["median"].items()
        if (one := cell["ratio"].get("seconds", {}).get(runner, {}).get(PEER))
    ]
    if document is None or not rows:
        return None
    settings = next(iter(cells.values()))["settings"]
    head = {
        "en": ["job", "threads", "mode", "Erya", "the original", "times as fast"],
        "zh": ["任务", "线程", "方式", "Erya", "原版", "快多少倍"],
    }
    note = {
        "en": f"\n{settings['text']['words']:,} words of Wikipedia, n-grams of {settings['minn']} to {settings['maxn']} characters, "
        f"{settings['dim']} dimensions, one epoch; both command lines, from the text to the model and the vectors as text, in fresh "
        f"processes in turns, with their peak memory. Medians of {settings['rounds']} rounds, in brackets the extremes of a round.\n",
        "zh": f"\n维基百科 {settings['text']['words']:,} 词，{settings['minn']} 到 {settings['maxn']} 个字符的片段，"
        f"{settings['dim']} 维，1 轮；"
        "两边都用命令行，从文本一直到写出模型和文本格式的词向量，每次都是新进程，交替运行，并列峰值内存。"
        f"{settings['rounds']} 回取中位数，方括号内为单回的最小与最大值。\n",
    }
    return table(head[lang], rows) + note[lang] + footnote(document, lang, document["peers"])


def vectors_quality(room: str, lang: str) -> str | None:
    """Rank correlations with people's judgements, ours beside the original's."""
    document = results_file.read("fasttext")
    groups = (document or {}).get("vectors_quality", {})
    rows = [
        [VECTORS[kind][lang], MODES.get(side, {}).get(lang, {"en": "the original", "zh": "原版"}[lang])]
        + [_correlation(group, side, one) for one in SETS]
        for kind, group in groups.items()
        for side in group["scores"]
    ]
    if document is None or not rows:
        return None
    settings = next(iter(groups.values()))["settings"]
    head = {"en": ["vectors", "mode"], "zh": ["词向量", "方式"]}[lang]
    note = {
        "en": f"\nSpearman's ρ, the mean of {settings['seeds']} seeds, {settings['epoch']} epochs on the same text; words outside of the "
        "vocabulary by their n-grams. In brackets the difference from the original, with its 95 % interval over seeds and pairs.\n",
        "zh": f"\n斯皮尔曼相关系数，{settings['seeds']} 个种子的平均，同一文本 {settings['epoch']} 轮；词表之外的词由片段得到向量。"
        "方括号内是与原版之差，以及对种子和词对重抽样所得的 95% 区间。\n",
    }
    return table([*head, *SETS.values()], rows) + note[lang] + footnote(document, lang, document["peers"])


def _correlation(group: dict[str, Any], side: str, name: str) -> str:
    score, gap = group["scores"][side][name], group["difference"].get(side, {}).get(PEER, {}).get(name)
    found = f"{score['value']:.3f}"
    return found if gap is None else f"{found} [{gap['value']:+.3f}: {gap['low']:+.3f}, {gap['high']:+.3f}]"


# ---- how right they are ---------------------------------------------------------------------------------------------

SOURCES = {
    "ag_news": {"en": "AG News, 20,000 of its lines", "zh": "AG News（2 万行）"},
    "tnews": {"en": "TNEWS headlines, characters", "zh": "TNEWS 标题，按字"},
    "thucnews": {"en": "THUCNews headlines, characters", "zh": "THUCNews 标题，按字"},
    "cooking": {"en": "cooking, several labels a line", "zh": "cooking，一行多个标签"},
}


def quality(room: str, lang: str) -> str | None:
    """Precision at 1 on test splits, ours beside the original's."""
    document = results_file.read("fasttext")
    groups = (document or {}).get("quality", {})
    rows = [
        [SOURCES[name][lang], MODES[side][lang], _percent(score), _percent(group["scores"][PEER]), _gap(gap)]
        for name, group in groups.items()
        for side, score in group["scores"].items()
        if side != PEER and (gap := group["difference"].get(side, {}).get(PEER))
    ]
    if document is None or not rows:
        return None
    seeds = next(iter(groups.values()))["settings"]["seeds"]
    head = {
        "en": ["data", "mode", "P@1, Erya", "P@1, the original", "difference, in points"],
        "zh": ["数据", "方式", "P@1，Erya", "P@1，原版", "差，百分点"],
    }
    note = {
        "en": f"\nSame lines, same settings, the mean of {seeds} seeds, both sides' files read by one program; the difference with its "
        "95 % interval over seeds and documents.\n",
        "zh": f"\n同样的行、同样的设置，{seeds} 个种子的平均，两边的模型文件由同一程序评分；差值附对种子与文本重抽样的 95% 区间。\n",
    }
    return table(head[lang], rows) + note[lang] + footnote(document, lang, {"fasttext": document["peers"][PEER]})


def autotune(room: str, lang: str) -> str | None:
    """What both sides' searches choose in the same time."""
    document = results_file.read("fasttext_autotune")
    rows = [
        [
            SOURCES[name][lang],
            *(_percent(group["scores"][side]) if side in group["scores"] else "–" for side in ("erya", PEER)),
            _gap(group["difference"]) if group["difference"] else "–",
            " · ".join(str(group["failed"].get(side, 0)) for side in ("erya", PEER)),
            " · ".join(f"{group['seconds'][side]:.0f} s" for side in ("erya", PEER) if side in group["seconds"]),
        ]
        for name, group in (document or {}).get("data", {}).items()
    ]
    if document is None or not rows:
        return None
    settings = next(iter(document["data"].values()))["settings"]
    head = {
        "en": ["data", "P@1, Erya", "P@1, the original", "difference, in points", "failed", "whole job"],
        "zh": ["数据", "P@1，Erya", "P@1，原版", "差，百分点", "失败", "全程"],
    }
    note = {
        "en": f"\n{settings['seconds']} seconds of search on {settings['threads']} threads, {settings['seeds']} seeds; judged by a tenth "
        "of the training lines, told here on the test split. The whole job holds the last training, too.\n",
        "zh": f"\n搜索 {settings['seconds']} 秒，{settings['threads']} 线程，{settings['seeds']} 个种子；以训练行的十分之一评判，"
        "表中为测试集上的结果。全程时间还包括最后一次训练。\n",
    }
    return (
        table(head[lang], rows) + note[lang] + footnote(document, lang, {"fasttext": document["peers"].get(PEER, "–")})
    )


def _percent(score: dict[str, Any]) -> str:
    return f"{100 * score['value']:.1f} %"


def _gap(gap: dict[str, Any]) -> str:
    return f"{100 * gap['value']:+.2f} [{100 * gap['low']:+.2f}, {100 * gap['high']:+.2f}]"


RENDERERS: dict[str, Callable[[str, str], str | None]] = {
    "fasttext_speed": speed,
    "fasttext_quality": quality,
    "fasttext_autotune": autotune,
    "fasttext_vectors_speed": vectors_speed,
    "fasttext_vectors_quality": vectors_quality,
}
