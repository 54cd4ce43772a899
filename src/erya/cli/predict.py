"""``predict``: one answer a text, streamed, so that a file of any size passes through in little memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output, tag_answers
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.look import shown_text, shown_word
from erya.cli.options import Manner, Texts, argument, option
from erya.cli.reading import shown_path
from erya.cli.values import probability, whole
from erya.cli.writing import Writing, refuse_thresholds, shown
from erya.cli.writing import answers as written
from erya.errors import DataError, UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.contract import Model
    from erya.text.dataset import Reject

CHUNK = 512  # texts answered at once; a stream starts with one and doubles, so that the first answer comes soon

Row = tuple[int, Any]  # number and text
Decide = Callable[[int, Any], dict[str, Any]]  # a row's number and its probabilities (C,) → its answer


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
                "erya predict m.erya texts.txt --min-probability 0.8",
                say("silent where it is less sure", "把握不足则不回答"),
            ),
            (
                "erya predict v.erya words.txt --jsonl",
                say("word vectors: the vector of each word", "词向量：每个词的向量"),
            ),
            (
                "erya predict poet.erya --input 春眠 --form 五言绝句",
                say("a language model goes on with the text", "语言模型接着写"),
            ),
        ],
        more=say(
            "Plain output is label, tab, probability. --jsonl has a line for every row, errors included; --json is one document.\n"
            "A model of several labels gives those whose probability reaches their threshold, the most probable first: any "
            "number of them, none too. --min-probability takes the place of the thresholds, --top N that of both; --abstain withholds "
            "those that are less probable than what erya calibrate --precision found.",
            "普通输出为：标签、制表符、概率。--jsonl 每行数据一行（含错误）；--json 是一个完整文档。\n"
            "多标签模型给出概率达到各自阈值的标签，按概率从高到低，可以有几个，也可以一个都没有；"
            "--min-probability 用同一个值代替各标签的阈值，--top N 则固定给出 N 个；"
            "--abstain 不给出概率低于 erya calibrate --precision 所定阈值的标签。",
        ),
    )


def predict(
    columns: Texts,
    writing: Writing,
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
    min_probability: Annotated[
        str | None,
        option(
            "--min-probability",
            "P",
            "below this probability: no answer (abstained), 0 to 1",
            "概率低于此值则不回答（弃答），0 到 1",
        ),
    ] = None,
    abstain: Annotated[
        bool,
        option(
            "--abstain",
            "",
            "the same with the threshold that erya calibrate --precision found",
            "同上，阈值取 erya calibrate --precision 所定",
        ),
    ] = False,
    jsonl: Annotated[
        bool,
        option(
            "--jsonl", "", "one JSON line a row, with its number, errors included", "每行数据一行 JSON，含行号与错误"
        ),
    ] = False,
) -> None:
    """Answer texts."""
    from erya import catalog

    count = None if top is None else whole("--top", top, default=1, least=1)
    if texts and source is not None:
        raise UsageError(
            "two-inputs",
            say("--input and a file: give one of them", "--input 与文件只能给一个"),
            help=f'erya predict {shown_path(model)} --input "…"',
        )
    loaded: Any = catalog.load(model)
    if loaded.task() == "tag":
        tag_answers.refuse_probabilities(top is not None or min_probability is not None or abstain, shown_path(model))
    if loaded.task() == "generate":
        refuse_thresholds(top is not None or min_probability is not None or abstain, shown_path(model))
    else:
        writing.refuse(shown_path(model), loaded.task())
    rows = _typed(texts) if texts else _rows(source, columns, model, loaded.task())
    least = _least(loaded, model, min_probability, abstain)
    decide = _decision(loaded, count, least, min_probability is not None, abstain)
    stop = columns.bad_rows_policy() == "stop" and not jsonl
    if loaded.task() == "generate":
        answers = written(loaded, rows, writing.given(), stop, _unreadable)
    else:
        answers = _answers(loaded, rows, decide, stop)
    if manner.json:
        output.write_document({"schema": "erya.predict/1", "model": loaded.id, "rows": list(answers)})
        return
    given = failed = silent = 0
    for answer in answers:
        given += 1
        failed += "error" in answer
        silent += answer.get("abstained", False)
        if jsonl:
            output.write_line(answer)
        else:
            output.write(_plain_line(answer, texts is not None and len(texts) == 1))
    if not given:
        manner.talk(output.fact(say("rows", "行"), say("none: there was no text to answer", "无：没有可回答的文本")))
    if failed:
        manner.talk(output.fact(say("rows", "行"), say(f"{failed:,} without an answer", f"{failed:,} 行没有答案")))
    if silent:
        manner.talk(
            output.fact(
                say("rows", "行"),
                say(
                    f"{silent:,} of {given:,} abstained (p < {least:g})",
                    f"{given:,} 行中有 {silent:,} 行弃答（p < {least:g}）",
                ),
            )
        )
    if not jsonl and sys.stdout.isatty():
        text = shown_text(texts[0]) if texts else '"…"'
        if loaded.task() == "vectors":
            manner.next(f"erya show {shown_path(model)} near {shown_word(texts[0]) if texts else 'WORD'}")
            return
        manner.next(f"erya explain {shown_path(model)} {text}", f"erya predict {shown_path(model)} … --jsonl")


def _least(loaded: Any, path: str, asked: str | None, abstain: bool) -> float:
    """The probability from which answers are given. Raises UsageError where there is none to be found."""
    if loaded.task() == "vectors" and (asked is not None or abstain):
        raise UsageError(
            "other-task",
            say("words have vectors, not probabilities", "词向量没有概率"),
            help=f"erya predict {shown_path(path)} …",
        )
    if asked is not None:
        return probability("--min-probability", asked)
    if not abstain:
        return 0.0
    if not getattr(loaded, "precision", None):
        raise UsageError(
            "no-threshold",
            say("this model has no threshold of its own", "这个模型没有自带的阈值"),
            help=f"erya calibrate {shown_path(path)} DEV --precision 0.95 -o m2.erya"
            + say(", or: --min-probability 0.8", "，或：--min-probability 0.8"),
        )
    return float(loaded.threshold_)


# ---- rows in --------------------------------------------------------------------------------------------------


def _typed(texts: list[str]) -> Iterator[Row]:
    return enumerate(texts, 1)


def _rows(source: str | None, columns: Texts, model: str, task: str) -> Iterator[Row | Reject]:
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
    if task == "tag":
        return tag_answers.rows(where, columns, format)
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


def _decision(model: Any, top: int | None, least: float, told: bool, abstain: bool) -> Decide:
    """How probabilities become an answer."""
    if model.task() in ("vectors", "tag", "generate"):
        return lambda number, probabilities: {}
    labels = model.classes_.tolist()
    if not getattr(model, "several_", False):
        return lambda number, probabilities: _answer(number, probabilities, labels, top or 1, least)
    thresholds = [least] * len(labels) if told else model.thresholds_.tolist()
    sure = least if abstain and not told else 0.0
    return lambda number, probabilities: _several(number, probabilities, labels, thresholds, top, sure)


def _answers(model: Model, rows: Iterable[Row | Reject], decide: Decide, stop: bool) -> Iterator[dict[str, Any]]:
    """One ``{"row", "answer", "probability", "top"}`` a row, or ``{"row", "error", "code"}``, in the order of the rows.

    An answer of a probability that is too small is None, and the row ``"abstained"``; of several labels the answer is a list.

    Raises:
        DataError: a row cannot be read, and ``stop``.
    """
    if model.task() == "vectors":
        yield from _vectors(model, rows, stop)
        return
    for chunk in _chunks(rows):
        sound = [row for row in chunk if isinstance(row, tuple)]
        if model.task() == "tag":
            yield from _tags(model, chunk, sound, stop)
            continue
        probabilities = model.predict_proba([text for _, text in sound]) if sound else []
        found = iter(probabilities)
        for row in chunk:
            if isinstance(row, tuple):
                yield decide(row[0], next(found))
            elif stop and not row.harmless:
                raise _unreadable(row)
            else:
                yield {"row": row.row, "error": row.reason, "code": row.code}
        sys.stdout.flush()


def _tags(model: Any, chunk: list[Row | Reject], sound: list[Row], stop: bool) -> Iterator[dict[str, Any]]:
    """One ``{"row", "text", "tokens", "tags", "spans"}`` a sentence."""
    found = tag_answers.answers(model, sound)
    for row in chunk:
        if isinstance(row, tuple):
            yield next(found)
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


def _answer(number: int, probabilities: Any, labels: list[Any], top: int, least: float) -> dict[str, Any]:
    best = (-probabilities).argsort(kind="stable")[:top].tolist()
    ranked = [[labels[index], float(probabilities[index])] for index in best]
    if ranked[0][1] < least:
        return {"row": number, "answer": None, "probability": ranked[0][1], "abstained": True, "top": ranked}
    return {"row": number, "answer": ranked[0][0], "probability": ranked[0][1], "top": ranked}


def _several(
    number: int, probabilities: Any, labels: list[Any], thresholds: list[float], top: int | None, sure: float
) -> dict[str, Any]:
    """The labels that reach their thresholds, or the ``top`` most probable; ``"top"`` shows at least the first.

    Of those the ones less probable than ``sure`` are withheld; where that leaves none of them, the row is ``"abstained"``.
    """
    order = (-probabilities).argsort(kind="stable").tolist()
    ranked = [(labels[place], float(probabilities[place])) for place in order]
    meant = [place for place in order if probabilities[place] >= thresholds[place]] if top is None else order[:top]
    given = [place for place in meant if probabilities[place] >= sure]
    return {
        "row": number,
        **({"abstained": True} if meant and not given else {}),
        "answer": [labels[place] for place in given],
        "probability": [float(probabilities[place]) for place in given],
        "top": [list(one) for one in ranked[: max(1, len(given), top or 0)]],
    }


def _plain_line(answer: dict[str, Any], alone: bool = False) -> str:
    """Label, tab, probability, for each of the top; an empty line for a row without an answer, to keep them in step.

    Of a word: the word and its numbers. Where the model abstained: a tab and the probability that was too small.
    """
    if answer.get("abstained"):
        return f"\t{answer['top'][0][1]:.4f}"
    if "tags" in answer:
        return tag_answers.line(answer)
    if "text" in answer:
        return shown(answer["answer"], alone)
    if "word" in answer:
        return " ".join([quoted(answer["word"], 200), *map(str, answer["answer"])])
    if isinstance(answer.get("answer"), list):
        pairs = zip(answer["answer"], answer["probability"], strict=True)
    else:
        pairs = answer.get("top", [])
    return "\t".join(f"{quoted(label, 200)}\t{probability:.4f}" for label, probability in pairs)


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
