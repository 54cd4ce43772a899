"""``data``: the bundled samples – what they are, a look into them, and a way to take them out."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Manner, argument, option
from erya.cli.reading import part_name, shown_path
from erya.cli.targets import ROWS, check_output
from erya.cli.values import whole
from erya.errors import UsageError, quoted
from erya.language import language, say

if TYPE_CHECKING:
    from erya.text.dataset import Dataset
    from erya.text.samples import SampleCard


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "data",
        flat(data),
        group=say("Learn", "学习"),
        summary=say("the bundled samples, to try everything at once", "内置样本数据，拿来就能试"),
        examples=[
            ("erya data", say("all samples", "全部样本")),
            ("erya data poetry --head 5", say("a few of its rows", "看几行")),
            ("erya data poetry -o poetry.jsonl", say("as a file of your own", "导出成自己的文件")),
        ],
    )


def data(
    manner: Manner,
    name: Annotated[str | None, argument("NAME", "a sample, e.g. snips", "样本名，如 snips")] = None,
    head: Annotated[str | None, option("--head", "N", "show the first N rows", "显示前 N 行")] = None,
    out: Annotated[
        str | None,
        option("-o --output", "FILE", "write all rows as jsonl, with their part", "把全部行写成 jsonl，注明所属部分"),
    ] = None,
) -> None:
    """List, describe, show or export the samples."""
    from erya.text.samples import sample_card, sample_names

    if name is None:
        if head is not None or out is not None:
            raise UsageError(
                "missing-argument", say("which sample?", "哪个样本？"), help=f"erya data {sample_names()[0]}"
            )
        _list([sample_card(each) for each in sample_names()], manner)
        return
    card = sample_card(name.removeprefix("sample:"))
    if head is None and out is None:
        _describe(card, manner)
        return
    from erya.text.read import read

    rows = _rows(read(f"sample:{card.name}"))
    if head is not None:
        rows = list(itertools.islice(rows, whole("--head", head, default=5, least=1)))
    if out is not None:
        _export(rows, Path(out), manner)
    elif manner.json:
        output.write_document({"schema": "erya.data/1", **_brief(card), "head": list(rows)})
    else:
        for row in rows:
            output.write(output.cut(f"{row['label']}\t{quoted(row['text'], 300)}", max(80, output.columns())))


def _list(cards: list[SampleCard], manner: Manner) -> None:
    if manner.json:
        output.write_document({"schema": "erya.data/1", "samples": [_brief(card) for card in cards]})
        return
    for card in cards:
        lead = f"{output.styled(f'sample:{card.name}', 'bold')}  {card.title[language()]}"
        output.write(lead)
        output.write("  " + output.styled(_sizes(card), "dim"))
    manner.next(f"erya data {cards[-1].name}", f"erya compare sample:{cards[-1].name}")


def _sizes(card: SampleCard) -> str:
    rows = " ".join(f"{part_name(part)} {count:,}" for part, count in card.sizes.items())
    return say(
        f"{rows} · {len(card.labels)} labels · {output.size(card.bytes)} · {card.licence}",
        f"{rows} 行 · {len(card.labels)} 个标签 · {output.size(card.bytes)} · 许可 {card.licence}",
    )


def _describe(card: SampleCard, manner: Manner) -> None:
    if manner.json:
        output.write_document({"schema": "erya.data/1", **_brief(card)})
        return
    output.write(f"{output.styled(f'sample:{card.name}', 'bold')}  {card.title[language()]}")
    for line in output.wrapped(card.about[language()], min(output.WIDEST, output.columns())):
        output.write(line)
    facts = [
        (say("rows", "行数"), " ".join(f"{part_name(part)} {count:,}" for part, count in card.sizes.items())),
        (say("labels", "标签"), "  ".join(card.labels)),
        (say("tasks", "任务"), "  ".join(card.tasks)),
        (say("tokens", "切词"), card.tokenizer),
        (say("licence", "许可"), card.licence),
        (say("source", "来源"), card.source),
        (say("cite", "引用"), card.cite),
        (say("size", "大小"), output.size(card.bytes)),
    ]
    output.write()
    for line in output.label_column(facts):
        output.write(line)
    manner.next(f"erya data {card.name} --head 5", f"erya compare sample:{card.name}", f"erya check sample:{card.name}")


def _brief(card: SampleCard) -> dict[str, Any]:
    return {
        "name": card.name,
        "title": card.title[language()],
        "about": card.about[language()],
        "tasks": list(card.tasks),
        "rows": card.sizes,
        "labels": list(card.labels),
        "tokenizer": card.tokenizer,
        "licence": card.licence,
        "source": card.source,
        "bytes": card.bytes,
    }


def _rows(dataset: Dataset) -> Any:
    for name, part in dataset.parts():
        for text, label in zip(part.inputs, part.targets or [], strict=True):
            yield {"text": text, "label": label, "part": name}


def _export(rows: Any, path: Path, manner: Manner) -> None:
    from erya.atomic import atomic_write

    check_output(path, ROWS)
    count = 0

    def write(file: Any) -> None:
        nonlocal count
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False).encode("utf-8") + b"\n")
            count += 1

    atomic_write(path, write)
    if manner.json:
        output.write_document({"schema": "erya.data/1", "path": str(path), "rows": count})
        return
    output.write(output.fact(say("saved", "已保存"), f"{path}  " + say(f"{count:,} rows", f"{count:,} 行")))
    manner.next(f"erya check {shown_path(path)}", f"erya train classify/naive_bayes {shown_path(path)} -o m.erya")
