"""The word vector tables of the READMEs, from ``results/vectors*.json``. ``fill.py`` calls these by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from benchmarks import results_file
from benchmarks.tables import footnote, table
from erya.board_table import seconds, size

LOSSES = ("sgns", "cbow", "sg_hs", "cbow_hs")
KINDS = {"word2vec": LOSSES, "glove": ("glove",), "cooccurrence": ("svd",)}  # by room; elsewhere: all
GROUPS = {"word2vec": LOSSES, "glove": ("glove",), "cooccurrence": ("ppmi",)}
PHASES = {
    "sgns": {"seconds": {"en": "skip-gram, negative sampling", "zh": "skip-gram，负采样"}},
    "cbow": {"seconds": {"en": "CBOW, negative sampling", "zh": "CBOW，负采样"}},
    "sg_hs": {"seconds": {"en": "skip-gram, hierarchical softmax", "zh": "skip-gram，层次 softmax"}},
    "cbow_hs": {"seconds": {"en": "CBOW, hierarchical softmax", "zh": "CBOW，层次 softmax"}},
    "glove": {
        "counting_seconds": {"en": "GloVe: counting", "zh": "GloVe：计数"},
        "epoch_seconds": {"en": "GloVe: an epoch", "zh": "GloVe：一轮训练"},
        "seconds": {"en": "GloVe: all, {epochs} epochs", "zh": "GloVe：全程，{epochs} 轮"},
    },
    "svd": {"svd_seconds": {"en": "SVD of the PPMI matrix", "zh": "PPMI 矩阵的 SVD"}},
}
MODES = {
    "erya": {"en": "Erya", "zh": "Erya"},
    "erya lock-free": {"en": "Erya, lock-free", "zh": "Erya，无锁"},
    "erya deterministic": {"en": "Erya, deterministic", "zh": "Erya，可复现"},
}
SETS = {
    "wordsim353": {"en": "WordSim-353", "zh": "WordSim-353"},
    "simlex999": {"en": "SimLex-999", "zh": "SimLex-999"},
    "men": {"en": "MEN", "zh": "MEN"},
    "rarewords": {"en": "RareWords", "zh": "RareWords"},
    "analogies": {"en": "Google analogies", "zh": "Google 类比"},
    "wordsim240": {"en": "wordsim-240", "zh": "wordsim-240"},
    "wordsim297": {"en": "wordsim-297", "zh": "wordsim-297"},
    "ca8_morphological": {"en": "CA8, morphological", "zh": "CA8 构词类比"},
    "ca8_semantic": {"en": "CA8, semantic", "zh": "CA8 语义类比"},
}
VECTORS = {
    "sgns": {"en": "SGNS", "zh": "SGNS"},
    "cbow": {"en": "CBOW", "zh": "CBOW"},
    "sg_hs": {"en": "skip-gram, tree", "zh": "skip-gram，层次"},
    "cbow_hs": {"en": "CBOW, tree", "zh": "CBOW，层次"},
    "glove": {"en": "GloVe", "zh": "GloVe"},
    "ppmi": {"en": "PPMI + SVD", "zh": "PPMI + SVD"},
}
UNITS = {"words": {"en": "words", "zh": "词"}, "characters": {"en": "characters, averaged", "zh": "字，取平均"}}


# ---- speed ------------------------------------------------------------------------------------------------------------


def speed(where: str | None, room: str, lang: str) -> str | None:
    """Every job on each number of threads, ours beside the peers."""
    document = results_file.read("vectors")
    kinds = KINDS.get(where or room, tuple(PHASES))
    if document is None:
        return None
    rows = [
        row
        for kind in kinds
        for name, cell in document["cells"].items()
        if name.rsplit("_", 1)[0] == kind
        for figure, title in PHASES[kind].items()
        for row in _speed_rows(cell, figure, title[lang], lang)
    ]
    if not rows:
        return None
    head = {
        "en": ["job", "words", "threads", "mode", "Erya", "words/s", "beside it, and how many times as fast Erya is"],
        "zh": ["任务", "词数", "线程", "方式", "Erya", "词/秒", "对照程序，以及 Erya 快多少倍"],
    }
    note = {
        "en": "\nText of Wikipedia; whole jobs in fresh processes, from reading the file to the vectors written, "
        "with their peak memory (counting, an epoch, the SVD: that alone; after the SVD's time, the share of the matrix's squares that "
        "its directions hold); medians of {rounds} rounds in turns, in brackets the extremes of a round.\n",
        "zh": "\n维基百科文本；每次都在新进程中完成全部工作，从读文件到写出词向量，并列峰值内存"
        "（计数、单轮训练与 SVD 只计自身；SVD 时间之后是所得方向占矩阵平方和的比例）；交替运行 {rounds} 回，取中位数，"
        "方括号内为单回的最小与最大值。\n",
    }[lang].format(rounds=_first(document, kinds)["settings"]["rounds"])
    return table(head[lang], rows) + note + footnote(document, lang, _versions(document, kinds))


def _first(document: dict[str, Any], kinds: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = next(cell for name, cell in document["cells"].items() if name.rsplit("_", 1)[0] in kinds)
    return found


def _versions(document: dict[str, Any], kinds: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, cell in document["cells"].items():
        if name.rsplit("_", 1)[0] in kinds:
            found |= cell["settings"]["peers"]
    return found


def _speed_rows(cell: dict[str, Any], figure: str, title: str, lang: str) -> list[list[str]]:
    settings = cell["settings"]
    rows = []
    for runner, median in cell["median"].items():
        if figure not in median or runner not in MODES:
            continue
        beside = [
            f"{peer} {_cost(cell['median'][peer], figure)}: {one['value']:.1f} × [{one['low']:.1f}, {one['high']:.1f}]"
            for peer, one in cell["ratio"][figure].get(runner, {}).items()
        ]
        words = settings["corpus"]["words"] * settings.get("epochs", 1)
        rows.append(
            [
                title.format(epochs=settings.get("epochs", "")),
                f"{settings['corpus']['words']:,}",
                str(settings["threads"]),
                MODES[runner][lang],
                _cost(median, figure),
                f"{words / median[figure]:,.0f}" if figure == "seconds" else "",
                "<br>".join(beside),
            ]
        )
    return rows


def _cost(median: dict[str, float], figure: str) -> str:
    """Time; of a whole job its memory, of a decomposition the share of the squares that it holds."""
    cost = seconds(median[figure])
    if figure == "svd_seconds":
        return f"{cost}, {median['energy']:.4f}"
    return f"{cost}, {size(median['peak_rss_bytes'])}" if figure == "seconds" else cost


def bandwidth(room: str, lang: str) -> str | None:
    """Bytes touched by a trained word, and their share of what this machine can move."""
    document = results_file.read("vectors")
    cells = {name: cell for name, cell in (document or {}).get("cells", {}).items() if name.startswith("bandwidth_")}
    if not document or not cells:
        return None
    rows = []
    for cell in cells.values():
        threads, machine = str(cell["settings"]["threads"]), cell["median"].get("machine")
        for runner, median in cell["median"].items():
            if runner == "machine":
                continue
            mode, kind = runner.rsplit(" ", 1)
            moved = median["parameter_bytes_per_second"]
            shares = [
                f"{moved / machine[f'{limit}_bytes_per_second']:.0%}" if machine else ""
                for limit in ("triad", "update")
            ]
            rows.append(
                [
                    f"{VECTORS[kind][lang]}{MODES[mode][lang].removeprefix('Erya')}",
                    threads,
                    f"{median['trained_words_per_second'] / 1e6:.2f} M",
                    f"{median['parameter_bytes_per_word'] / 1e3:.1f} kB",
                    f"{moved / 1e9:.1f} GB/s",
                    *shares,
                    f"{median['cache_bytes_per_word'] / 1e3:.1f} kB",
                    f"{median['cache_bytes_per_second'] / 1e9:.1f} GB/s",
                ]
            )
        if machine:
            limits = (f"{machine[f'{name}_bytes_per_second'] / 1e9:.1f} GB/s" for name in ("triad", "update", "gather"))
            triad, update, gather = limits
            text = {"en": f"this machine (rows read at random: {gather})", "zh": f"本机上限（随机读行：{gather}）"}[
                lang
            ]
            rows.append([text, threads, "", "", "", triad, update, "", ""])
    head = {
        "en": [
            "kernel",
            "threads",
            "trained words/s",
            "parameters a word",
            "parameters",
            "of streaming",
            "of random rows",
            "in the cache a word",
            "in the cache",
        ],
        "zh": [
            "内核",
            "线程",
            "训练词/秒",
            "每词参数",
            "参数流量",
            "占顺序带宽",
            "占随机行带宽",
            "每词缓存区",
            "缓存区流量",
        ],
    }
    return table(head[lang], rows) + footnote(document, lang, {})


# ---- quality ----------------------------------------------------------------------------------------------------------


def quality(where: str | None, room: str, lang: str) -> str | None:
    """Scores of each kind of vectors; after a peer's, by how much ours differ."""
    document = results_file.read("vectors_quality")
    if document is None:
        return None
    groups = {
        kind: document["groups"][kind] for kind in GROUPS.get(where or room, VECTORS) if kind in document["groups"]
    }
    if not groups:
        return None
    names = [
        name for name in SETS if any(name in scores for one in groups.values() for scores in one["scores"].values())
    ]
    rows, versions = [], {}
    for kind, group in groups.items():
        for side, scores in group["scores"].items():
            several = max(len(score["seeds"]) for score in scores.values())
            title = MODES[side][lang] if side in MODES else side
            rows.append([VECTORS[kind][lang], title, str(several), *(_score(scores.get(name)) for name in names)])
            if side in document["peers"]:
                versions[side] = document["peers"][side]
        for side, peers in group["difference"].items():
            for peer, sets in peers.items():
                title = f"{MODES[side][lang]} − {peer}"
                rows.append([VECTORS[kind][lang], title, "", *(_gap(sets.get(name)) for name in names)])
    head = {"en": ["vectors", "program", "seeds"], "zh": ["词向量", "程序", "种子数"]}[lang]
    corpus = next(iter(groups.values()))["settings"]["corpus"]
    note = {
        "en": f"\nTrained on {corpus['words']:,} words of Wikipedia. Spearman's ρ over the pairs that are known; analogies: share of "
        "right answers, 3CosAdd, among the 30,000 most frequent words. [95 % bootstrap intervals: of scores over items, of "
        "differences over seeds and items]; ✓: no worse by 0.01.\n",
        "zh": f"\n在维基百科 {corpus['words']:,} 词上训练。相似度为已知词对上的 Spearman ρ；类比为 3CosAdd 在最常见的 30,000 词中"
        "答对的比例。方括号内为自助法 95% 区间：分数按题目重抽，差值按种子与题目重抽；✓ 表示不逊超过 0.01。\n",
    }[lang]
    return table([*head, *(SETS[name][lang] for name in names)], rows) + note + footnote(document, lang, versions)


def _score(score: dict[str, Any] | None) -> str:
    return "" if score is None else f"{score['value']:.4f} [{score['low']:.3f}, {score['high']:.3f}]"


def _gap(gap: dict[str, Any] | None) -> str:
    if gap is None:
        return ""
    return f"{gap['value']:+.4f} [{gap['low']:+.3f}, {gap['high']:+.3f}]" + (" ✓" if gap["no_worse"] else "")


def chinese(room: str, lang: str) -> str | None:
    """Chinese vectors of words, and of words put together from characters."""
    document = results_file.read("vectors_chinese")
    if document is None:
        return None
    names = [name for name in SETS if any(name in scores for scores in document["scores"].values())]
    rows = [
        [
            UNITS[unit][lang],
            f"{document['vectors'][unit]:,}",
            *(_known(scores[name]) if name in scores else "" for name in names),
        ]
        for unit, scores in document["scores"].items()
    ]
    head = {"en": ["unit", "vectors"], "zh": ["单位", "向量数"]}[lang]
    note = {
        "en": "\nSpearman's ρ or share of right answers [95 % bootstrap interval over items], and how many of the items are known. "
        "A word put together from characters is their mean, so that morphological questions (天 → 天天) answer themselves there.\n",
        "zh": "\nSpearman ρ 或答对的比例［按题目自助重抽的 95% 区间］，以及其中已知的题数。"
        "由字取平均得到的词，其构词类比（如 天 → 天天）按构造即成立，不足为凭。\n",
    }[lang]
    return table([*head, *(SETS[name][lang] for name in names)], rows) + note + footnote(document, lang, {})


def _known(score: dict[str, Any]) -> str:
    return f"{_score(score)} · {score['known']:,}/{score['items']:,}"


RENDERERS: dict[str, Callable[[str, str], str | None]] = {
    "vectors_speed": partial(speed, None),
    "word2vec_speed": partial(speed, "word2vec"),
    "glove_speed": partial(speed, "glove"),
    "cooccurrence_speed": partial(speed, "cooccurrence"),
    "word2vec_bandwidth": bandwidth,
    "vectors_quality": partial(quality, None),
    "word2vec_quality": partial(quality, "word2vec"),
    "glove_quality": partial(quality, "glove"),
    "cooccurrence_quality": partial(quality, "cooccurrence"),
    "vectors_chinese": chinese,
}
