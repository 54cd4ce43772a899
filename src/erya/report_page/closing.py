"""The end of the report: the data, what to do next, how to repeat, and what the words mean."""

from __future__ import annotations

import json
import shlex
from typing import Any

import numpy as np

from erya.board_table import seconds
from erya.drawing.markup import Cell, cut, data, details, percent, shown, table
from erya.drawing.views import bars
from erya.report_page.facts import Facts, Row, section

LABELS = 30  # drawn; the others unfold


def next_steps(facts: Facts) -> str:
    """What to do now, each step with a command to paste."""
    steps = "".join(f"<li><p>{shown(words)}</p><pre>{shown(command)}</pre></li>" for words, command in _steps(facts))
    lead = facts.say("Click a command to select it whole, then copy it.", "点击命令即可整条选中，然后复制。")
    return section("next", facts.say("What to do next", "下一步"), lead, f'<ol class="steps">{steps}</ol>')


def _steps(facts: Facts) -> list[tuple[str, str]]:
    say, row, found = facts.say, facts.recommended, facts.document["data"]
    source = shlex.quote(str(found["source"]))
    columns = _columns(found)
    steps: list[tuple[str, str]] = []
    if row is None or found["rejected"] or found["duplicates_across_splits"]:
        words = say("See which rows were rejected, repeated or suspicious.", "查看哪些行被拒绝、重复或可疑。")
        steps.append((words, f"erya check {source}{columns}"))
    if row is not None:
        path = "model.erya"
        if row.get("kind", "id") == "id":
            settings = _settings(facts, row)
            words = say(
                f"Train {facts.names[row['model']]} and keep it as one file.",
                f"训练{facts.names[row['model']]}，存成一个文件。",
            )
            steps.append((words, f"erya train {shlex.quote(row['model'])} {source}{columns}{settings} -o {path}"))
        elif row.get("kind") == "artefact":
            path = shlex.quote(str(row["model"]))
        if row.get("kind", "id") in ("id", "artefact"):
            example = shlex.quote(_example(facts, row))
            steps += [
                (
                    say("Score it on data it has never seen.", "在它没见过的数据上评分。"),
                    f"erya evaluate {path} new.csv",
                ),
                (say("Ask it for an answer.", "让它回答一条文本。"), f"erya predict {path} --input {example} --top 3"),
                (say("See which words decided.", "看是哪些词起了作用。"), f"erya explain {path} {example}"),
            ]
    most = max((len(row.get("seeds") or []) for row in facts.rows), default=0)
    if most < 3 and any(not pair["significant"] for pair in facts.document["pairs"]):
        words = say(
            "Differences are small: repeat with several seeds before you trust them.",
            "差别很小：多换几个随机种子，再下结论。",
        )
        steps.append((words, _comparison(facts, seeds=3)))
    return steps


def _columns(found: dict[str, Any]) -> str:
    """The column options that the data were read with; a sample knows its own."""
    task = " --task tag" if found.get("target_kind") == "tags" else ""
    if str(found["source"]).startswith("sample:"):
        return task
    names = {"text": "--text", "text2": "--text2", "label": "--label", "weight": "--weight"}
    names |= {"tokens": "--tokens", "tags": "--tags"}
    columns = found.get("columns") or {}
    return task + "".join(f" {names[key]} {shlex.quote(str(columns[key]))}" for key in names if columns.get(key))


def _settings(facts: Facts, row: Row) -> str:
    """The settings that were asked for, as far as this model has them; a sample brings its tokenizer itself."""
    asked = facts.document.get("settings") or {}
    from_sample = str(facts.document["data"]["source"]).startswith("sample:")
    return "".join(
        f" --set {shlex.quote(f'{name}={value}')}"
        for name, value in asked.items()
        if isinstance(value, str | int | float) and name in (row.get("settings") or {})
        if not (from_sample and name == "tokenizer")
    )


def _example(facts: Facts, row: Row) -> str:
    """A text that this model got wrong, short enough to paste; else any."""
    texts = [
        str(one["text"])
        for one in facts.document["mistakes"]
        if one["answers"].get(row["model"], {}).get("label") != one["label"]
    ]
    usable = [text for text in texts if text.isprintable() and 3 < len(text) <= 80]
    return usable[0] if usable else facts.say("your text", "你的文本")


def about_data(facts: Facts) -> str:
    """Rows, labels, languages, what was rejected."""
    say, found = facts.say, facts.document["data"]
    rows = found["rows"]
    languages = {"en": say("English", "英文"), "zh": say("Chinese", "中文"), "other": say("other", "其他")}
    shares = [
        f"{languages.get(name, name)} {percent(share, 0)}"
        for name, share in sorted((found.get("languages") or {}).items(), key=lambda pair: -pair[1])
        if share >= 0.005
    ]
    columns = [
        role if role == column else f"{role} = {column}" for role, column in (found.get("columns") or {}).items()
    ]
    items = [
        (say("Source", "来源"), str(found["source"])),
        (say("Rows", "行数"), _rows(facts, rows)),
        (say("Columns", "列"), say(", ", "，").join(columns)),
        (say("Languages", "语言"), say(", ", "，").join(shares)),
        (say("Rejected rows", "被拒绝的行"), f"{found['rejected']:,}"),
        (say("Test texts also in training", "同时出现在训练中的测试文本"), f"{found['duplicates_across_splits']:,}"),
        ("SHA-256", str(found.get("digest") or "")),
    ]
    counts = found.get("label_counts") or {}
    order = sorted(counts, key=lambda label: -counts[label])
    drawing = ""
    if order:
        few = order[:LABELS]
        drawing = bars(
            [cut(label, 40) for label in few], np.array([counts[label] for label in few], dtype=np.float64), say
        )
        rest = [[Cell(data(cut(label, 40)), header=True), counts[label]] for label in order[LABELS:]]
        if rest:
            rarer = say(f"{len(rest)} rarer labels", f"另外 {len(rest)} 个较少的标签")
            drawing += details(rarer, table([say("Label", "标签"), say("Rows", "行数")], rest))
    heading = f"<h3>{shown(say('Training rows of each label', '各标签的训练行数'))}</h3>"
    body = f'<div class="split even"><div>{pairs(items)}</div><div>{heading}{drawing}</div></div>'
    lead = say("What the models saw.", "模型看到的数据。")
    return section("data", say("The data", "数据"), lead, body)


def _rows(facts: Facts, rows: dict[str, int]) -> str:
    say = facts.say
    names = {"train": say("training", "训练"), "dev": say("validation", "验证"), "test": say("test", "测试")}
    return say(", ", "，").join(f"{names.get(name, name)} {count:,}" for name, count in rows.items())


def environment(facts: Facts, words: list[tuple[str, str]] | None = None) -> str:
    """Versions, machine, seeds, settings, and the command that repeats this comparison.

    Args:
        words: what the words of the page mean; None: those of a comparison of classifiers.
    """
    say, found = facts.say, facts.document["environment"]
    names = {"erya": "Erya", "python": "Python", "numpy": "NumPy", "torch": "PyTorch"}
    items = [(names[key], str(found[key])) for key in names if found.get(key)]
    items += [
        (say("Processor", "处理器"), str(found.get("processor") or "")),
        (say("Threads", "线程"), str(found.get("threads") or "")),
        (say("System", "系统"), str(found.get("platform") or "")),
        (say("Whole comparison", "总用时"), seconds(facts.document.get("seconds"))),
    ]
    command = _comparison(facts)
    lines = [
        [
            facts.names[row["model"]],
            say(", ", "，").join(map(str, row.get("seeds") or [])),
            Cell("–" if row.get("parameters") is None else f"{row['parameters']:,.0f}", "num"),
            Cell(f'<code class="small">{shown(_plain_settings(row.get("settings")))}</code>'),
        ]
        for row in facts.rows
    ]
    columns = [
        say("Model", "模型"),
        say("Seeds", "随机种子"),
        say("Learned numbers", "参数量"),
        say("Settings", "设置"),
    ]
    body = (
        f'<div class="columns">{pairs(items)}</div><pre>{shown(command)}</pre>'
        f"{details(say('settings of every model', '每个模型的设置'), table(columns, lines))}{_told(facts, words or _words(facts))}"
    )
    lead = say("Same versions, same seeds, same data: same answers.", "版本、种子、数据相同，结果就相同。")
    return section("repeat", say("How to repeat this", "如何重现"), lead, body)


def _comparison(facts: Facts, seeds: int | None = None) -> str:
    """The command of this comparison, with every option that its answers depend on.

    Args:
        seeds: how often each model is to be trained; None: as often as it was.
    """
    document = facts.document
    pieces = ["erya", "compare", str(document["data"]["source"]), *(str(row["model"]) for row in facts.rows)]
    command, options = " ".join(map(shlex.quote, pieces)), document.get("options")
    if options is None:
        command += _told_options(facts)
    else:  # what the command line was given
        command += "".join(f" {shlex.quote(piece)}" for option in options if option[0] != "--seeds" for piece in option)
    if seeds is None:
        given = [int(option[1]) for option in options or [] if option[0] == "--seeds"]
        seeds = given[0] if given else max((len(row.get("seeds") or []) for row in facts.rows), default=1)
    return f"{command} --seeds {max(1, seeds)} -o report.html"


def _told_options(facts: Facts) -> str:
    """The options of a comparison that no command line began, as far as its document knows them."""
    found = facts.document["data"]
    sets = "".join(f" --similarity {shlex.quote(name)}" for name in found.get("similarity_files") or [])
    from_sample = str(found["source"]).startswith("sample:")
    settings = "".join(
        f" --set {shlex.quote(f'{name}={str(value).lower() if isinstance(value, bool) else value}')}"
        for name, value in (facts.document.get("settings") or {}).items()
        if isinstance(value, str | int | float) and not (from_sample and name == "tokenizer")
    )
    first = min((min(row["seeds"]) for row in facts.rows if row.get("seeds")), default=0)
    return f"{_columns(found)}{sets}{settings}{f' --seed {first}' if first else ''}"


def _plain_settings(settings: dict[str, Any] | None) -> str:
    return " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in (settings or {}).items())


def _words(facts: Facts) -> list[tuple[str, str]]:
    """What the words of this page mean."""
    say = facts.say
    ranking = (
        say("accuracy", "准确率"),
        say("share of test rows that were answered right.", "测试行中答对的比例。"),
    )
    if facts.several:
        ranking = (
            say("micro F1", "微平均 F1"),
            say(
                "balance of precision and recall over all labels of all test rows: missed and wrongly given ones count alike.",
                "把所有测试行的所有标签合在一起，精确率与召回率的调和平均：漏掉与误给同样算错。",
            ),
        )
    return [
        ranking,
        (
            say("95% interval", "95% 区间"),
            say(
                "where the score would probably lie on other test rows of the same kind (bootstrap).",
                "换一批同类测试数据，分数大概会落在这个范围内（自助法）。",
            ),
        ),
        (
            say("macro F1", "宏 F1"),
            say(
                "every label's balance of precision and recall, averaged so that rare labels count as much as frequent ones.",
                "各标签精确率与召回率的调和平均，再对标签取平均，少见的标签同样重要。",
            ),
        ),
        (
            say("significant", "显著"),
            say(
                "so large a difference would arise by luck in fewer than 5% of cases, all pairs taken together.",
                "把所有比较合在一起看，这么大的差别纯属运气的可能不到 5%。",
            ),
        ),
        (
            say("calibration error", "校准误差"),
            say(
                "how far stated probabilities and hit rates lie apart, on average.",
                "模型声称的概率与实际正确率平均相差多少。",
            ),
        ),
    ]


def _told(facts: Facts, words: list[tuple[str, str]]) -> str:
    told = "".join(f"<dt>{shown(word)}</dt><dd>{shown(meaning)}</dd>" for word, meaning in words)
    return details(facts.say("what the words mean", "名词解释"), f'<dl class="words">{told}</dl>')


def pairs(items: list[tuple[str, str]]) -> str:
    """Names and what they stand for, as a list."""
    told = "".join(f"<div><dt>{shown(name)}</dt><dd>{data(value)}</dd></div>" for name, value in items if value)
    return f'<dl class="pairs-list">{told}</dl>'
