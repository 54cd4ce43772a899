"""``predict``: one answer a text, streamed, so that a file of any size passes through in little memory."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.look import shown_text, shown_word
from erya.cli.options import Manner, Texts, argument, option
from erya.cli.reading import shown_path
from erya.cli.values import whole
from erya.errors import DataError, UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.contract import Model
    from erya.text.dataset import Reject

CHUNK = 512  # texts answered at once; a stream starts with one and doubles, so that the first answer comes soon

Row = tuple[int, Any]  # number and text


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "predict",
        flat(predict),
        group=say("Use a model", "使用模型"),
        summary=say("answer texts, one answer a line", "回答文本，每行一个答案"),
        examples=[
            ('erya predict m.erya --input "play some jazz"', ""),
            ("echo 春眠不觉晓，处处闻啼鸟。 | erya predict m.erya --json", ""),
            ("erya predict m.erya texts.txt --top 3", say("one text a line", "每行一条文本")),
            ("erya predict m.erya reviews.csv --text review --jsonl > answers.jsonl", ""),
            (
                "erya predict v.erya words.txt --jsonl",
                say("word vectors: the vector of each word", "词向量：每个词的向量"),
            ),
        ],
        more=say(
            "Plain output is label, tab, probability. --jsonl has a line for every row, errors included; --json is one document.",
            "普通输出为：标签、制表符、概率。--jsonl 每行数据一行（含错误）；--json 是一个完整文档。",
        ),
    )


def predict(
    columns: Texts,
    manner: Manner,
    model: Annotated[
        str, argument("m.erya", "a trained model, or a file of word vectors", "训练好的模型，或词向量文件")
    ],
    source: Annotated[
        str | None,
        argument(
            "FILE",
            "texts, one a line, or csv/jsonl; - or nothing: stdin",
            "每行一条的文本，或 csv/jsonl；- 或不写：标准输入",
        ),
    ] = None,
    texts: Annotated[
        list[str] | None, option("--input", "TEXT", "answer this text; may be repeated", "回答这条文本；可重复")
    ] = None,
    top: Annotated[str | None, option("--top", "N", "the N most probable labels", "概率最高的 N 个标签")] = None,
    jsonl: Annotated[
        bool,
        option(
            "--jsonl", "", "one JSON line a row, with its number, errors included", "每行数据一行 JSON，含行号与错误"
        ),
    ] = False,
) -> None:
    """Answer texts."""
    from erya import catalog

    count = whole("--top", top, default=1, least=1)
    if texts and source is not None:
        raise UsageError(
            "two-inputs",
            say("--input and a file: give one of them", "--input 与文件只能给一个"),
            help=f'erya predict {shown_path(model)} --input "…"',
        )
    rows = _typed(texts) if texts else _rows(source, columns, model)
    loaded = catalog.load(model)
    answers = _answers(loaded, rows, count, columns.bad_rows_policy() == "stop" and not jsonl)
    if manner.json:
        output.write_document({"schema": "erya.predict/1", "model": loaded.id, "rows": list(answers)})
        return
    given = failed = 0
    for answer in answers:
        given += 1
        failed += "error" in answer
        if jsonl:
            output.write_line(answer)
        else:
            output.write(_plain_line(answer))
    if not given:
        manner.talk(output.fact(say("rows", "行"), say("none: there was no text to answer", "无：没有可回答的文本")))
    if failed:
        manner.talk(output.fact(say("rows", "行"), say(f"{failed:,} without an answer", f"{failed:,} 行没有答案")))
    if not jsonl and sys.stdout.isatty():
        text = shown_text(texts[0]) if texts else '"…"'
        if loaded.task() == "vectors":
            manner.next(f"erya show {shown_path(model)} near {shown_word(texts[0]) if texts else 'WORD'}")
            return
        manner.next(f"erya explain {shown_path(model)} {text}", f"erya predict {shown_path(model)} … --jsonl")


# ---- rows in --------------------------------------------------------------------------------------------------


def _typed(texts: list[str]) -> Iterator[Row]:
    return enumerate(texts, 1)


def _rows(source: str | None, columns: Texts, model: str) -> Iterator[Row | Reject]:
    """The texts of a file or of standard input, one by one."""
    from erya.text.read import stream

    format = columns.format
    if source is None or source == "-":
        if source is None and sys.stdin.isatty():
            raise UsageError(
                "no-input",
                say(
                    "which text? give --input, a file, or pipe lines in",
                    "要回答哪条文本？用 --input、文件，或从管道输入",
                ),
                help=f'erya predict {shown_path(model)} --input "…"',
            )
        if format is None and columns.text is None:
            format = "txt"  # lines as they come: a tab in one of them makes no table
        where: Any = sys.stdin.buffer
    else:
        where = str(Path(source).expanduser())
    header = False if columns.no_header else None
    return stream(
        where, text=columns.text, text2=columns.text2, header=header, encoding=columns.encoding, format=format
    )


def _chunks(rows: Iterable[Row | Reject]) -> Iterator[list[Row | Reject]]:
    """Rows in chunks of 1, 2, 4, … up to CHUNK."""
    size, chunk = 1, []
    for row in rows:
        chunk.append(row)
        if len(chunk) >= size:
            yield chunk
            size, chunk = min(CHUNK, size * 2), []
    if chunk:
        yield chunk


# ---- answers out ----------------------------------------------------------------------------------------------


def _answers(model: Model, rows: Iterable[Row | Reject], top: int, stop: bool) -> Iterator[dict[str, Any]]:
    """One ``{"row", "answer", "probability", "top"}`` a row, or ``{"row", "error", "code"}``, in the order of the rows.

    Raises:
        DataError: a row cannot be read, and ``stop``.
    """
    if model.task() == "vectors":
        yield from _vectors(model, rows, stop)
        return
    labels = model.classes_.tolist()
    for chunk in _chunks(rows):
        sound = [row for row in chunk if isinstance(row, tuple)]
        probabilities = model.predict_proba([text for _, text in sound]) if sound else []
        found = iter(probabilities)
        for row in chunk:
            if isinstance(row, tuple):
                yield _answer(row[0], next(found), labels, top)
            elif stop and not row.harmless:
                raise _unreadable(row)
            else:
                yield {"row": row.row, "error": row.reason, "code": row.code}
        sys.stdout.flush()


def _vectors(model: Any, rows: Iterable[Row | Reject], stop: bool) -> Iterator[dict[str, Any]]:
    """One ``{"row", "word", "answer": [numbers]}`` a word; unknown words end it where ``stop``, else are counted."""
    for row in rows:
        if not isinstance(row, tuple):
            if stop and not row.harmless:
                raise _unreadable(row)
            yield {"row": row.row, "error": row.reason, "code": row.code}
            continue
        number, word = row
        try:
            vector = model.transform([word])[0]
        except UsageError as problem:
            if stop:
                raise
            yield {"row": number, "error": problem.message, "code": problem.code}
            continue
        yield {"row": number, "word": word, "answer": [float(str(value)) for value in vector]}


def _answer(number: int, probabilities: Any, labels: list[Any], top: int) -> dict[str, Any]:
    best = (-probabilities).argsort(kind="stable")[:top].tolist()
    ranked = [[labels[index], float(probabilities[index])] for index in best]
    return {"row": number, "answer": ranked[0][0], "probability": ranked[0][1], "top": ranked}


def _plain_line(answer: dict[str, Any]) -> str:
    """Label, tab, probability, for each of the top; an empty line for a row without an answer, to keep them in step.

    Of a word: the word and its numbers.
    """
    if "word" in answer:
        return " ".join([quoted(answer["word"], 200), *map(str, answer["answer"])])
    return "\t".join(f"{quoted(label, 200)}\t{probability:.4f}" for label, probability in answer.get("top", []))


def _unreadable(row: Reject) -> DataError:
    help = say(
        "skip such rows: --bad-rows skip, or see them all: --jsonl", "跳过这些行：--bad-rows skip；或逐行查看：--jsonl"
    )
    if row.code == "bad-encoding":
        help = say("name the encoding: --encoding gb18030; or ", "请指定编码：--encoding gb18030；或") + help
    return DataError(
        row.code,
        say(f"row {row.row:,} cannot be read: {row.reason}", f"第 {row.row:,} 行无法读取：{row.reason}"),
        where=f"{row.file}:{row.line}   {quoted(row.raw)}",
        help=help,
    )
