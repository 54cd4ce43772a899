"""``evaluate``: a trained model on labelled rows – scores with intervals, per label, and what is mistaken for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Columns, Manner, argument, complete_data, option
from erya.cli.reading import data_facts, data_line, how_to_read, shown_path, tell_notes
from erya.cli.train import score_name
from erya.errors import DataError, UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from types import ModuleType

    from erya.contract import Model
    from erya.text.dataset import Dataset, Part

CHUNK = 8192  # rows answered at once
LABELS_IN_A_MATRIX = 12
CONFUSED = 10  # pairs shown where there are more labels than a matrix can show


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "evaluate",
        flat(evaluate),
        group=say("Use a model", "使用模型"),
        summary=say("score a trained model on labelled rows", "在带标签的数据上给训练好的模型评分"),
        examples=[
            ("erya evaluate m.erya test.csv", ""),
            ("erya evaluate m.erya sample:poetry", say("its test part", "用它的测试部分")),
            ("erya evaluate m.erya test.csv --json > scores.json", ""),
        ],
        more=say(
            "A folder or sample is scored on its test part, a single file on all of its rows. On the very data that the model "
            "was trained on, only the test part of that training is scored.",
            "文件夹或样本只在测试部分评分，单个文件则用全部行。若就是训练时用的数据，则只用当时留出的测试部分。",
        ),
    )


def evaluate(
    columns: Columns,
    manner: Manner,
    model: Annotated[str, argument("m.erya", "a trained model", "训练好的模型")],
    data: Annotated[
        str,
        argument(
            "DATA",
            "labelled rows: a file, a folder, a pattern or sample:NAME",
            "带标签的数据：文件、文件夹、通配符或 sample:名称",
            complete_data,
        ),
    ],
    strict: Annotated[
        bool, option("--strict", "", "labels that the model has never seen are an error", "出现模型没见过的标签即报错")
    ] = False,
) -> None:
    """Score a trained model."""
    from erya import artefact, catalog, runs, tasks

    loaded = catalog.load(model)
    training = artefact.load(model).training
    how = how_to_read(data, loaded.task(), columns, None)
    how["read"]["check"] = False  # one class or one row cannot be learned from, but can be scored
    dataset = runs.read_rows(how)
    name, part = scored_part(dataset, training)
    task = tasks.find(loaded.task())
    unseen = unseen_labels(loaded, part)
    if unseen and strict:
        raise DataError(
            "unseen-labels",
            say(
                f"{sum(unseen.values()):,} rows have labels that the model has never seen: {_listed(unseen)}",
                f"{sum(unseen.values()):,} 行的标签是模型没见过的：{_listed(unseen)}",
            ),
            where=dataset.source,
            help=say("leave out --strict: they count as wrong", "去掉 --strict，它们按答错计"),
        )
    found = _score(task, loaded, part, training)
    document = {
        "schema": "erya.evaluate/1",
        "model": loaded.id,
        "path": model,
        "data": {**data_facts(dataset), "part": name},
        "rows": len(part),
        **found,
        "unseen_labels": unseen,
    }
    if manner.json:
        output.write_document(document)
        return
    manner.talk(output.fact(say("data", "数据"), data_line(dataset)))
    tell_notes(dataset.reading, manner)
    if unseen:
        manner.talk(
            output.fact(
                "",
                say(
                    f"never seen in training, counted as wrong: {_listed(unseen)}",
                    f"训练时没见过、按答错计：{_listed(unseen)}",
                ),
            )
        )
    for line in report(document):
        output.write(line)
    manner.next(
        f'erya explain {shown_path(model)} "…"', f"erya compare {shown_path(data)} {shown_path(model)} classify"
    )


def scored_part(dataset: Dataset, training: dict[str, Any]) -> tuple[str, Part]:
    """Which rows to score: the test part; of the data the model was trained on, the test part of that training.

    Raises:
        DataError: there are no labels.
    """
    name, part = "all", dataset.train
    if dataset.test is not None and len(dataset.test):
        name, part = "test", dataset.test
    else:
        trained_on = training.get("data") or {}
        if trained_on.get("split"):
            again = dataset.split(**trained_on["split"])
            if again.digest == trained_on.get("digest") and again.test is not None and len(again.test):
                name, part = "test", again.test
    if part.targets is None:
        raise DataError(
            "no-labels",
            say("these rows have no labels to score against", "这些数据没有可供对照的标签"),
            where=quoted(dataset.source),
            help=say("name the column: --label COL", "指明标签列：--label 列名"),
        )
    return name, part


def unseen_labels(model: Model, part: Part) -> dict[str, int]:
    """Labels that the model does not have, with their number of rows; the most frequent first."""
    known = {str(label) for label in getattr(model, "classes_", [])}
    counts: dict[str, int] = {}
    for label in part.targets or []:
        if str(label) not in known:
            counts[str(label)] = counts.get(str(label), 0) + 1
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _listed(counts: dict[str, int]) -> str:
    shown = [f"{quoted(label, 20)} ×{count:,}" for label, count in list(counts.items())[:5]]
    return say(", ", "、").join(shown) + (" …" if len(counts) > 5 else "")


def _score(task: ModuleType, model: Model, part: Part, training: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    if not hasattr(model, "predict_proba"):
        raise UsageError("not-scorable", say(f"{model.id} gives no probabilities", f"{model.id} 不给出概率"))
    chunks = [model.predict_proba(part.inputs[start : start + CHUNK]) for start in range(0, len(part), CHUNK)]
    probabilities = np.concatenate(chunks)
    classes = np.asarray([str(label) for label in model.classes_])
    answers = classes[probabilities.argmax(axis=1)]
    scores = task.scores(part.targets, [task.Run(answers, probabilities, classes)])
    labels, counts = task.confusion(part.targets, answers)
    baseline = (training.get("baseline") or {}).get("label")
    if baseline is None:
        baseline = task.majority(part.targets, part.targets)[0]
    return {
        "scores": {name: score.to_plain() for name, score in scores.items()},
        "baseline": {"label": baseline, "accuracy": sum(label == baseline for label in part.targets or []) / len(part)},
        "per_label": [
            {"label": one.label, "precision": one.precision, "recall": one.recall, "f1": one.f1, "support": one.support}
            for one in task.per_label(part.targets, answers)
        ],
        "confusion": {"labels": labels, "counts": counts.tolist()},
    }


# ---- in the terminal ------------------------------------------------------------------------------------------


def report(document: dict[str, Any]) -> list[str]:
    """The scores, the labels and the confusions as lines."""
    part = {"test": say("test part", "测试部分"), "all": say("all rows", "全部行")}[document["data"]["part"]]
    lines = [
        output.styled(document["model"], "bold")
        + say(f"  {document['rows']:,} rows, {part}", f"  {document['rows']:,} 行，{part}"),
        "",
    ]
    rows = [
        (f"  {score_name(name)}", f"{score['value']:.4f}", f"[{score['low']:.4f}, {score['high']:.4f}]")
        for name, score in document["scores"].items()
    ]
    always = say("always answering", "总是回答")
    rows.append(
        (f"  {always} “{quoted(document['baseline']['label'], 20)}”", f"{document['baseline']['accuracy']:.4f}", "")
    )
    lines += output.table(rows, head=("", "", say("95 % interval", "95% 区间")), right=[1])
    lines += ["", *_label_lines(document["per_label"])]
    return [*lines, "", *_confusion_lines(document["confusion"])]


def _label_lines(labels: list[dict[str, Any]]) -> list[str]:
    shown = labels if len(labels) <= 40 else sorted(labels, key=lambda one: one["f1"])[:20]
    rows = [
        (
            f"  {quoted(one['label'], 30)}",
            f"{one['precision']:.3f}",
            f"{one['recall']:.3f}",
            f"{one['f1']:.3f}",
            f"{one['support']:,}",
        )
        for one in shown
    ]
    head = (say("  label", "  标签"), say("precision", "精确率"), say("recall", "召回率"), "F1", say("rows", "行数"))
    lines = output.table(rows, head=head, right=[1, 2, 3, 4])
    if len(shown) < len(labels):
        lines.append(
            say(
                f"  … the {len(shown)} worst of {len(labels)} labels",
                f"  ……共 {len(labels)} 个标签，只列最差的 {len(shown)} 个",
            )
        )
    return lines


def _confusion_lines(confusion: dict[str, Any]) -> list[str]:
    """A matrix where it fits (rows: what is true, columns: what was answered), else the most frequent mistakes."""
    labels, counts = [quoted(label, 14) for label in confusion["labels"]], confusion["counts"]
    if len(labels) <= LABELS_IN_A_MATRIX:
        rows = [
            (f"  {label}", *[f"{count:,}" if count else "·" for count in row])
            for label, row in zip(labels, counts, strict=True)
        ]
        head = (say("  true ↓  answered →", "  实际 ↓  回答 →"), *labels)
        lines = output.table(rows, head=head, right=range(1, len(head)))
        if max(output.width_of(line) for line in lines) <= max(100, output.columns()):
            return lines
    pairs = [
        (count, labels[true], labels[answered])
        for true, row in enumerate(counts)
        for answered, count in enumerate(row)
        if count and true != answered
    ]
    if not pairs:
        return [say("  no mistakes", "  没有答错")]
    rows = [
        (f"  {true}", f"→ {answered}", f"{count:,}") for count, true, answered in sorted(pairs, reverse=True)[:CONFUSED]
    ]
    return output.table(
        rows, head=(say("  true", "  实际"), say("→ answered", "→ 回答"), say("rows", "行数")), right=[2]
    )
