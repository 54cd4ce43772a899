"""``calibrate``: a trained classifier's probabilities put right on held-out rows, and from where on its answers are right often enough."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.evaluate import unseen_labels
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Columns, Manner, argument, complete_data, option
from erya.cli.reading import data_facts, data_line, how_to_read, opened, shown_path, tell_notes
from erya.cli.targets import MODEL_FILE, PAGE, check_output
from erya.cli.values import chosen, probability
from erya.errors import DataError, UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.text.dataset import Dataset, Part


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "calibrate",
        flat(calibrate),
        group=say("Use a model", "使用模型"),
        summary=say("put a classifier's probabilities right on held-out rows", "用留出的数据校准分类模型的概率"),
        examples=[
            ("erya calibrate m.erya dev.csv -o calibrated.erya", ""),
            (
                "erya calibrate m.erya dev.csv --precision 0.95 -o sure.erya",
                say("then: erya predict sure.erya --abstain", "然后：erya predict sure.erya --abstain"),
            ),
            ("erya calibrate m.erya sample:snips --method isotonic -o calibrated.erya --page reliability.html", ""),
        ],
        more=say(
            "DATA are labelled rows that the model was not trained on: the dev part of a folder or sample, all rows of a single file; "
            "of the very data that it was trained on, the dev part of that training.\n"
            "temperature: one number, answers stay the same. isotonic: a rising curve for each label; wants 1,000 rows or more. "
            "The figures behind 'after' are of rows left out in turn (5 folds).\n"
            "--precision P stores the threshold from which answers on DATA reach it; erya predict --abstain keeps silent below.\n"
            "With several labels a row each label is a question of its own: temperature is one number for all of them and changes no "
            "answer, isotonic a curve for each label and thresholds anew; --precision is the share of the labels given that are right.",
            "DATA 是模型没有训练过的带标签数据：文件夹或样本取验证部分，单个文件取全部行；若就是训练数据，则取当时留出的验证部分。\n"
            "temperature：只调一个数，回答不变。isotonic：每个标签一条单调曲线，宜有 1,000 行以上。"
            "“校准后”的数字来自轮流留出的数据（5 折）。\n"
            "--precision P 会存下在 DATA 上达到该精确率的阈值；erya predict --abstain 在阈值之下不回答。\n"
            "每行多个标签时，逐个标签校准：temperature 对全部标签只用一个数，回答不变；isotonic 给每个标签一条曲线，并重定阈值；"
            "--precision 指给出的标签中正确的比例。",
        ),
    )


def calibrate(
    columns: Columns,
    manner: Manner,
    model: Annotated[str, argument("m.erya", "a trained classifier", "训练好的分类模型")],
    data: Annotated[
        str,
        argument(
            "DATA",
            "labelled rows that it was not trained on: a file, a folder, a pattern or sample:NAME",
            "没有训练过的带标签数据：文件、文件夹、通配符或 sample:名称",
            complete_data,
        ),
    ],
    out: Annotated[str, option("-o --output", "FILE", "the new model (.erya)", "新的模型文件（.erya）")],
    method: Annotated[
        str | None, option("--method", "NAME", "temperature (default) or isotonic", "temperature（默认）或 isotonic")
    ] = None,
    precision: Annotated[
        str | None,
        option(
            "--precision",
            "P",
            "find the threshold from which answers are right this often",
            "求出使回答达到此精确率的阈值",
        ),
    ] = None,
    page: Annotated[
        str | None, option("--page", "FILE", "the reliability plot as a page (.html)", "可靠性图网页（.html）")
    ] = None,
) -> None:
    """Calibrate a classifier."""
    from erya import runs
    from erya.calibrated import Calibrated
    from erya.cli import calibration_facts
    from erya.tasks import _calibration as calibrating

    wanted = None if precision is None else probability("--precision", precision)
    way = chosen("--method", method or "temperature", list(calibrating.METHODS))
    check_output(Path(out), MODEL_FILE, [model, data])
    if page is not None:
        check_output(Path(page), PAGE, [model, data, out])
    loaded, content = opened(model)
    if loaded.task() == "tag":
        raise UsageError(
            "other-task",
            say(
                f"{loaded.id} answers whole sequences, which no calibration of its tokens' probabilities would change",
                f"{loaded.id} 回答的是整条标签序列，校准各词的概率不会改变回答",
            ),
            help=say(
                f"how far they can be believed: erya show {shown_path(model)} reliability {shown_path(data)}",
                f"这些概率有多可信：erya show {shown_path(model)} reliability {shown_path(data)}",
            ),
        )
    if loaded.task() != "classify":
        raise UsageError(
            "other-task",
            say(f"{loaded.id} is no classifier", f"{loaded.id} 不是分类模型"),
            help="erya train classify/fasttext DATA -o m.erya",
        )
    training = content.training if content is not None else {}
    how = how_to_read(data, "classify", columns, None)
    how["read"]["check"] = False
    dataset = runs.read_rows(how)
    name, part = held_out_part(dataset, training)
    manner.talk(output.fact(say("data", "数据"), data_line(dataset)))
    tell_notes(dataset.reading, manner)
    _warn(loaded, part, way, manner)

    made = Calibrated.of(loaded, part.inputs, part.targets, method=way, precision=wanted)
    facts = calibration_facts.facts(made, part)
    told = {name: fact for name, fact in facts.items() if name != "labels"} | {"data": dataset.digest}
    made.save(out, training={**training, "calibration": told}, card=content.card if content is not None else "")
    picture = calibration_facts.picture(made.model_.id, model, facts)
    if page is not None:
        from erya.atomic import atomic_write

        drawn = picture.html().encode("utf-8")
        atomic_write(Path(page), lambda file: file.write(drawn) and None)
    if manner.json:
        source = {**data_facts(dataset), "part": name}
        head = {"schema": "erya.calibrate/1", "model": made.model_.id, "path": out, "data": source}
        output.write_document({**head, **facts})
        return
    for line in calibration_facts.lines(facts):
        output.write(line)
    if way == "temperature" and calibration_facts.is_worse(facts):
        manner.talk(
            output.fact(
                "",
                say(
                    "these probabilities are off in place, not in scale, which one number cannot mend: --method isotonic",
                    "这些概率是整体偏移而非松紧不当，一个数调不过来：--method isotonic",
                ),
            )
        )
    output.write(picture.text(output.columns(), output.is_coloured(sys.stdout)).rstrip("\n"))
    manner.talk(output.fact(say("saved", "已保存"), quoted(out, 200)))
    manner.next(
        f"erya predict {shown_path(out)} … --abstain"
        if wanted is not None
        else f"erya evaluate {shown_path(out)} TEST",
        f"erya compare {shown_path(data)} {shown_path(model)} {shown_path(out)} -o report.html",
    )


# ---- which rows ------------------------------------------------------------------------------------------------


def held_out_part(dataset: Dataset, training: dict[str, Any]) -> tuple[str, Part]:
    """The rows to calibrate on: a dev part, that of the training on these very data too; else all rows of a single file.

    Raises:
        DataError: there are none that the model was not trained on, or they have no labels.
    """
    name, part = "all", dataset.train
    trained_on = training.get("data") or {}
    again = dataset.split(**trained_on["split"]) if trained_on.get("split") and dataset.test is None else None
    if dataset.dev is not None and len(dataset.dev):
        name, part = "dev", dataset.dev
    elif again is not None and again.digest == trained_on.get("digest"):
        if again.dev is None or not len(again.dev):
            raise _no_dev(dataset)
        name, part = "dev", again.dev
    elif dataset.test is not None or trained_on.get("digest") == dataset.digest:
        raise _no_dev(dataset)
    if part.targets is None:
        raise DataError(
            "no-labels",
            say("these rows have no labels", "这些数据没有标签"),
            where=quoted(dataset.source),
            help=say("name the column: --label COL", "指明标签列：--label 列名"),
        )
    return name, part


def _no_dev(dataset: Dataset) -> DataError:
    return DataError(
        "no-dev",
        say(
            "there is no dev part: calibrated on rows it was trained on, a model looks surer than it is",
            "没有验证部分：用训练过的数据校准，模型会显得过于可靠",
        ),
        where=quoted(dataset.source, 200),
        help=say("name a file of rows that it was not trained on", "请给出一个未参与训练的数据文件"),
    )


def _warn(loaded: Any, part: Part, method: str, manner: Manner) -> None:
    from erya.tasks._calibration import FEW_FOR_ISOTONIC

    unseen = sum(unseen_labels(loaded, part).values())
    if unseen:
        manner.talk(
            output.fact(
                "", say(f"{unseen:,} rows have labels the model has never seen", f"{unseen:,} 行的标签是模型没见过的")
            )
        )
    if method == "isotonic" and len(part) < FEW_FOR_ISOTONIC:
        manner.talk(
            output.fact(
                "",
                say(
                    f"{len(part):,} rows are few for isotonic; --method temperature is steadier",
                    f"{len(part):,} 行对 isotonic 偏少；--method temperature 更稳",
                ),
            )
        )
