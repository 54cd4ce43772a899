"""``errors``: the error browser of the report, in a terminal – of a comparison's document, or of one model on labelled rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Columns, Manner, argument, complete_data, option
from erya.cli.values import chosen, whole
from erya.errors import DataError, UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.tasks.classify import Run
    from erya.text.dataset import Dataset, Part

KINDS = ("confident", "suspects", "duplicates")
LARGEST = 256 << 20  # bytes of a document
SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "errors",
        flat(errors),
        group=say("Use a model", "使用模型"),
        summary=say(
            "rows worth reading: confident mistakes, likely label errors, texts seen in training",
            "值得一读的行：自信的错误、可能标错的行、训练时见过的文本",
        ),
        examples=[
            ("erya compare reviews.csv -o report.json", ""),
            ("erya errors report.json", say("of all its models", "其中全部模型")),
            ("erya errors report.json --kind suspects --true sports", ""),
            ("erya errors m.erya test.csv --json", say("of one model", "单个模型")),
            ("erya evaluate m.erya test.csv --report errors.html", say("the same as a page", "同样的内容，存成网页")),
        ],
        more=say(
            "Likely label errors are rows for which models that did not learn from them are sure of another label (confident "
            "learning, Northcutt et al. 2021). Texts seen in training are those that differ in case, marks and spaces at most, or "
            "share four fifths of their pieces of four characters.",
            "可能标错的行：没有用这些行训练过的模型确信应是另一个标签（置信学习，Northcutt 等 2021）。"
            "训练时见过的文本：至多只有大小写、标点、空格不同，或者四字符片段有五分之四相同。",
        ),
    )


def errors(
    columns: Columns,
    manner: Manner,
    source: Annotated[
        str,
        argument(
            "RUN", "a comparison's document (.json), or a trained model", "比较得到的文档（.json），或训练好的模型"
        ),
    ],
    data: Annotated[
        str | None,
        argument("DATA", "for a model: labelled rows", "模型需要：带标签的数据", complete_data),
    ] = None,
    kind: Annotated[str | None, option("--kind", "|".join(KINDS), "one part alone", "只看其中一部分")] = None,
    true: Annotated[
        str | None, option("--true", "LABEL", "rows with this true label alone", "只看真实标签为此的行")
    ] = None,
    top: Annotated[
        str | None, option("--top", "N", "most rows of each part (default 10)", "每部分最多列几行（默认 10）")
    ] = None,
) -> None:
    """Show the rows worth reading."""
    wanted = [chosen("--kind", kind, list(KINDS))] if kind else list(KINDS)
    most = whole("--top", top, default=SHOWN, least=1)
    document = _of_document(source, data) if source.endswith(".json") else _of_model(source, data, columns)
    found = {name: part for name, part in document["errors"].items() if name not in KINDS or name in wanted}
    document["errors"] = _filtered(found, true)
    if manner.json:
        output.write_document(document)
        return
    for line in lines(document["errors"], most):
        output.write(line)


# ---- where they come from -----------------------------------------------------------------------------------------


def _of_document(source: str, data: str | None) -> dict[str, Any]:
    """The errors in a compare document.

    Raises:
        UsageError: data beside it. DataError: no such document.
    """
    if data is not None:
        raise UsageError(
            "extra-argument",
            say("a comparison's document needs no data", "比较文档不需要数据"),
            help=f"erya errors {quoted(source)}",
        )
    path = Path(source)
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("too large")
        document = json.loads(path.read_text(encoding="utf-8"))
        found = document["errors"]
        fits = document["schema"] == "erya.compare/1" and _sound(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        fits = False
    if not fits:
        raise DataError(
            "no-errors-document",
            say(
                "this is no comparison of classifiers, or one of an older Erya",
                "这不是分类器的比较文档，或由旧版 Erya 写成",
            ),
            where=quoted(source),
            help="erya compare DATA -o report.json",
        )
    return {"schema": "erya.errors/1", "data": document["data"], "errors": found}


def _sound(found: dict[str, Any]) -> bool:
    """Whether every row has what is shown of it. Raises KeyError, TypeError, AttributeError where it has not."""
    doubles = found["duplicates"] or {"rows": [], "count": 0, "near": 0}
    parts: list[tuple[Any, tuple[str, ...]]] = [(rows, ("answer",)) for rows in found["confident"].values()]
    parts += [(found["suspects"], ("instead",)), (doubles["rows"], ("train_row", "train_label"))]
    for rows, more in parts:
        for one in rows:
            texts = [one["text"], one["label"], *one["labels"], *(one[name] for name in more if name != "train_row")]
            numbers = [one["row"], *(one[name] for name in more if name == "train_row")]
            if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
                return False
            share = one["resemblance"] if "train_row" in more else one["probability"]
            if share is not None and not isinstance(share, int | float):
                return False
    counts = (doubles["count"], doubles["near"])
    return all(isinstance(one["models"], list) for one in found["suspects"]) and all(type(n) is int for n in counts)


def _of_model(source: str, data: str | None, columns: Columns) -> dict[str, Any]:
    """One model's errors on labelled rows."""
    from erya import runs
    from erya.cli.evaluate import answered, scored_part
    from erya.cli.reading import data_facts, how_to_read, opened

    if data is None:
        raise UsageError(
            "missing-argument",
            say("'erya errors' needs DATA for a model", "'erya errors' 用于模型时还缺少 DATA"),
            help=f"erya errors {quoted(source)} DATA",
        )
    model, content = opened(source)
    if model.task() != "classify" or not hasattr(model, "predict_proba"):
        others = f"erya compare {quoted(data)} {quoted(source)}"
        raise UsageError(
            "not-scorable",
            say(f"{model.id} is no classifier", f"{model.id} 不是分类模型"),
            help=f"{others} {model.task()} --task {model.task()} -o report.html",
        )
    how = how_to_read(data, "classify", columns, None)
    how["read"]["check"] = False
    dataset = runs.read_rows(how)
    training = content.training if content is not None else {}
    name, part = scored_part(dataset, training)
    return {
        "schema": "erya.errors/1",
        "data": {**data_facts(dataset), "part": name},
        "errors": worth_reading(dataset, part, training, name, model.id, answered(model, part)),
    }


def worth_reading(
    dataset: Dataset, part: Part, training: dict[str, Any], name: str, model: str, run: Run
) -> dict[str, Any]:
    """One model's errors on a part of a data set: see ``error_rows.document``.

    Args:
        dataset: all of it.
        part: the rows that were answered.
        training: what the model's file says of its training.
        name: of the part, ``"test"`` or ``"all"``.
        model: its id.
        run: its answers.
    """
    from erya import error_rows

    train = _trained_on(dataset, training, name)
    return error_rows.document(_rows(part), {model: run}, None if train is None else _rows(train))


def _trained_on(dataset: Dataset, training: dict[str, Any], part: str) -> Part | None:
    """The training rows, where the data has them beside those that were answered."""
    if part != "test":
        return None
    if dataset.test is not None and len(dataset.test):
        return dataset.train
    return dataset.split(**training["data"]["split"]).train


def _rows(part: Part) -> Any:
    from erya.error_rows import Rows

    return Rows(part.inputs, part.targets or [], part.rows or range(1, len(part) + 1))


def _filtered(found: dict[str, Any], true: str | None) -> dict[str, Any]:
    """Only rows of one true label, where one is asked for.

    Raises:
        UsageError: no row of any part has it.
    """
    if true is None:
        return found
    every = [*found.get("suspects", []), *(found.get("duplicates") or {}).get("rows", [])]
    every += [one for rows in found.get("confident", {}).values() for one in rows]
    if not any(true in one["labels"] for one in every):
        known = sorted({label for one in every for label in one["labels"]})
        raise UsageError(
            "unknown-label",
            say(f"no row here has the true label '{quoted(true, 40)}'", f"这里没有真实标签为“{quoted(true, 40)}”的行"),
            help=" · ".join(quoted(label, 30) for label in known[:20]),
        )
    kept = dict(found)
    if "suspects" in kept:
        kept["suspects"] = [one for one in kept["suspects"] if true in one["labels"]]
    if kept.get("duplicates"):
        rows = [one for one in kept["duplicates"]["rows"] if true in one["labels"]]
        kept["duplicates"] = {**kept["duplicates"], "rows": rows}
    if "confident" in kept:
        kept["confident"] = {
            model: [one for one in rows if true in one["labels"]] for model, rows in kept["confident"].items()
        }
    return kept


# ---- in the terminal ----------------------------------------------------------------------------------------------


def lines(found: dict[str, Any], most: int) -> list[str]:
    """All parts as lines, at most ``most`` rows of each."""
    shown: list[str] = []
    for model, rows in found.get("confident", {}).items():
        title = say(f"confident mistakes · {model}", f"自信的错误 · {model}")
        shown += _part(title, [_line(one, f"→ {one['answer']}", one["probability"]) for one in rows], most)
    suspects = [
        _line(one, f"→ {one['instead']}?", None, say(f"{len(one['models'])} models", f"{len(one['models'])} 个模型"))
        for one in found.get("suspects", [])
    ]
    shown += _part(say("likely label errors", "可能标错的行"), suspects, most)
    doubles = found.get("duplicates")
    if doubles:
        rows = [
            _line(
                one,
                say(f"= training row {one['train_row']} ", f"= 训练集第 {one['train_row']} 行 ") + one["train_label"],
                one["resemblance"],
            )
            for one in doubles["rows"]
        ]
        counts = say(
            f"seen in training: {doubles['count']:,} the same, {doubles['near']:,} nearly",
            f"训练时见过：{doubles['count']:,} 条相同，{doubles['near']:,} 条几乎一样",
        )
        shown += _part(counts, rows, most)
    return shown[:-1] if shown else [say("nothing to show", "没有可列出的行")]


def _line(one: dict[str, Any], said: str, share: float | None, more: str = "") -> tuple[str, str, str, str, str]:
    number = more or ("" if share is None else output.percent(share))
    text = " ".join(str(one["text"]).split())
    return str(one["row"]), quoted(one["label"], 30), quoted(said, 50), number, quoted(text, 200)


def _part(title: str, rows: list[tuple[str, str, str, str, str]], most: int) -> list[str]:
    if not rows:
        return []
    found = [f"{title}"]
    for row, label, said, number, text in rows[:most]:
        found.append(f"  {row:>6}  {label}  {said}  {number}".rstrip())
        found.append(f"          {output.cut(text, max(20, output.columns() - 12))}")
    if len(rows) > most:
        rest = len(rows) - most
        found.append(say(f"  … {rest} more: --top {len(rows)}", f"  ……还有 {rest} 条：--top {len(rows)}"))
    return [*found, ""]
