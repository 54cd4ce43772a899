"""The recurrent language models' tables and pictures of the READMEs, from ``results/recurrent_language.json``; ``fill.py`` calls these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import results_file
from benchmarks.recurrent_pictures import CELLS, WHEN
from benchmarks.tables import footnote, table

Row = dict[str, Any]
KINDS = {
    "regular": ("regular", "定长"),
    "varied": ("varied", "约 T 步"),
    "random": ("random, weighted", "随机并加权"),
    "full": ("full: rows are whole", "完整：整行不切"),
}
DROPPED = {
    "nothing": ("nothing", "不丢弃"),
    "layers": ("between the layers, anew at every step", "层与层之间，每步重抽"),
    "variational": ("between the layers, the same numbers for a batch", "层与层之间，一批内固定"),
    "weights": ("recurrent weights", "循环权重"),
    "units": ("whole vectors of units", "整个单元的向量"),
    "penalties": ("nothing; α = 2, β = 1", "不丢弃；α = 2、β = 1"),
    "all": ("the four rows above together", "以上四行并用"),
}
SHOWN = (1, 2, 5, 10, 20, 40, 60)  # steps back


def _found(part: str) -> tuple[dict[str, Any], Any] | None:
    return results_file.part_of("recurrent_language", part)


def _seeds(document: Row, lang: str) -> str:
    """What the losses are means of."""
    count = len(document["seeds"])
    return {
        "en": f"\nNats a character, mean of {count} seeds (± half of how far apart they are).\n",
        "zh": f"\n单位为每字符奈特；{count} 个种子的均值（± 为极差之半）。\n",
    }[lang]


def _loss(row: Row) -> str:
    return f"{row['loss']:.3f} ± {row['spread'] / 2:.3f}"


def sampling(room: str, lang: str) -> str | None:
    """Carried states beside fresh ones."""
    found = _found("sampling")
    if found is None:
        return None
    document, rows = found
    head = {
        "en": [
            "T",
            "sequential, state carried",
            "random, state fresh",
            "difference",
            "asked with a fresh state: sequential",
            "random",
        ],
        "zh": ["T", "顺序划分，状态相传", "随机采样，状态清零", "相差", "提问时状态也清零：顺序", "随机"],
    }[lang]
    by = {(row["context"], row["sampling"]): row for row in rows}
    cells = []
    for context in sorted({row["context"] for row in rows}):
        one, other = by[context, "sequential"], by[context, "random"]
        difference = f"{other['loss'] - one['loss']:+.3f}"
        fresh = [f"{row['fresh_loss']:.3f}" for row in (one, other)]
        cells.append([str(context), _loss(one), _loss(other), difference, *fresh])
    return table(head, cells) + _seeds(document, lang) + footnote(document, lang)


def truncation(room: str, lang: str) -> str | None:
    """Where the gradient is cut."""
    found = _found("truncation")
    if found is None:
        return None
    document, rows = found
    head = {
        "en": ["truncation", "T", "steps", "held-out loss", "seconds", "loss, with the seconds of regular cuts"],
        "zh": ["截断", "T", "步数", "留出损失", "秒", "与定长截断用时相同的损失"],
    }[lang]
    cells = [
        [
            KINDS[row["truncation"]][lang == "zh"],
            "–" if row["context"] is None else str(row["context"]),
            f"{row['steps']:,}",
            _loss(row),
            f"{row['seconds']:.1f}",
            f"{row['loss_same_seconds']:.3f}",
        ]
        for row in rows
    ]
    return table(head, cells) + _seeds(document, lang) + footnote(document, lang)


def reach(room: str, lang: str) -> str | None:
    """The picture of vanishing and exploding, and its numbers."""
    found = _found("cells")
    if found is None:
        return None
    document, told = found
    alt = {
        "en": "log10 of a gradient's length against the steps back, before and after learning",
        "zh": "梯度长度的 log10 随回溯步数的变化，训练前后",
    }
    picture = f"![{alt[lang]}](../../../../docs/pictures/recurrent_reach{'.zh' if lang == 'zh' else ''}.svg)\n\n"
    head = [{"en": "log10, steps back", "zh": "log10，往回的步数"}[lang], *map(str, SHOWN)]
    cells = [
        [
            f"{CELLS[row['cell']][lang == 'zh']}, {WHEN[row['when']][lang == 'zh']}",
            *(f"{row['log10'][back]:+.1f}" for back in SHOWN),
        ]
        for when in WHEN
        for row in told["reach"]
        if row["when"] == when
    ]
    return picture + table(head, cells) + footnote(document, lang)


def warmth(room: str, lang: str) -> str | None:
    """What is known of the next character when so many before it were read."""
    found = _found("cells")
    if found is None:
        return None
    document, told = found
    head = [
        {"en": "bits of the next character; read before", "zh": "下一个字符的比特数；事先读过"}[lang],
        *map(str, told["warmth"]["read"]),
    ]
    cells = [
        [CELLS[row["cell"]][lang == "zh"], *(f"{bits:.2f}" for bits in row["bits"])] for row in told["warmth"]["rows"]
    ]
    return table(head, cells) + footnote(document, lang)


def clipping(room: str, lang: str) -> str | None:
    """The longest gradient of the training, the share that was clipped, and where it ended."""
    found = _found("clipping")
    if found is None:
        return None
    document, rows = found
    head = {
        "en": [
            "clip_norm",
            "longest gradient of the first epoch",
            "steps clipped",
            "held-out loss after the first epoch",
            "after the last",
        ],
        "zh": ["clip_norm", "第一轮最长的梯度", "被裁剪的步", "第一轮后的留出损失", "最后一轮后"],
    }[lang]
    cells = []
    for row in rows:
        clip = "–" if row["clip_norm"] is None else f"{row['clip_norm']:g}"
        if not row["epochs"]:
            cells.append([clip, {"en": "not finite: training stopped", "zh": "溢出，训练停止"}[lang], "–", "–", "–"])
            continue
        first, last = row["epochs"][0], row["epochs"][-1]
        clipped = f"{first['clipped']:.0%}" if "clipped" in first else "–"
        longest = f"{first['longest_gradient']:,.1f}"
        cells.append([clip, longest, clipped, f"{first['loss']:.3f}", f"{last['loss']:.3f}"])
    return table(head, cells) + footnote(document, lang)


def dropped(room: str, lang: str) -> str | None:
    """What is dropped."""
    found = _found("dropping")
    if found is None:
        return None
    document, rows = found
    head = {
        "en": ["dropped", "loss on the learned text", "on held-out text, best epoch", "last epoch"],
        "zh": ["丢弃什么", "训练文本上的损失", "留出文本，最好一轮", "最后一轮"],
    }[lang]
    cells = []
    for row in rows:
        least = min(row["losses"])
        best = f"{least:.3f} ({row['losses'].index(least) + 1})"
        cells.append(
            [DROPPED[row["name"]][lang == "zh"], f"{row['learned_loss']:.3f}", best, f"{row['losses'][-1]:.3f}"]
        )
    return table(head, cells) + footnote(document, lang)


def tying(room: str, lang: str) -> str | None:
    """One table of vectors, or two."""
    found = _found("tying")
    if found is None:
        return None
    document, rows = found
    head = {
        "en": ["vectors of the softmax", "units", "parameters", "held-out loss", "seconds"],
        "zh": ["softmax 的向量", "单元数", "参数", "留出损失", "秒"],
    }[lang]
    name = {True: {"en": "tied", "zh": "共用"}[lang], False: {"en": "apart", "zh": "另有一套"}[lang]}
    cells = [
        [
            name[row["tied"]],
            f"{row['vocabulary']:,}",
            f"{row['parameters']:,}",
            f"{row['loss']:.3f}",
            f"{row['seconds']:.0f}",
        ]
        for row in rows
    ]
    return table(head, cells) + footnote(document, lang)


RENDERERS: dict[str, Callable[[str, str], str | None]] = {
    "recurrent_sampling": sampling,
    "recurrent_truncation": truncation,
    "recurrent_reach": reach,
    "recurrent_warmth": warmth,
    "recurrent_clipping": clipping,
    "recurrent_dropped": dropped,
    "recurrent_tying": tying,
}
