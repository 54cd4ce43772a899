"""``evaluate``: a trained model on labelled rows – scores with intervals, per label, and what is mistaken for what.

Word vectors have no rows: how they are scored is in word_scores.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Columns, Manner, argument, complete_data, option, refuse_unused
from erya.cli.reading import data_facts, data_line, how_to_read, opened, shown_path, tell_notes
from erya.cli.targets import PAGE, check_output
from erya.cli.train import score_name
from erya.cli.values import chosen, whole
from erya.errors import DataError, UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from types import ModuleType

    from erya.artefact import Content
    from erya.contract import Model
    from erya.tasks.classify import Run
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
        summary=say(
            "score a trained model on labelled rows, or word vectors", "在带标签的数据上给模型评分，或给词向量评分"
        ),
        examples=[
            ("erya evaluate m.erya test.csv", ""),
            ("erya evaluate m.erya sample:poetry", say("its test part", "用它的测试部分")),
            ("erya evaluate m.erya test.csv --json > scores.json", ""),
            (
                "erya evaluate m.erya test.csv --report errors.html",
                say(
                    "as a page, with confident mistakes, likely label errors, texts seen in training",
                    "存成网页，附自信的错误、可能标错的行、训练时见过的文本",
                ),
            ),
            ("erya evaluate v.erya", say("word vectors: the bundled analogies", "词向量：内置类比题")),
            ("erya evaluate glove.txt ws353.tsv simlex.tsv", say("similarity sets", "相似度数据")),
        ],
        more=say(
            "A folder or sample is scored on its test part, a single file on all of its rows. On the very data that the model "
            "was trained on, only the test part of that training is scored.\n"
            "Word vectors: without data the bundled analogies (English or Chinese, by the vocabulary); a TSV file has two words "
            "and a number a line; a file of ': section' lines and four words a line holds analogies. Unknown words are counted.",
            "文件夹或样本只在测试部分评分，单个文件则用全部行。若就是训练时用的数据，则只用当时留出的测试部分。\n"
            "词向量：不给数据则做内置类比题（中文或英文，按词表而定）；TSV 文件每行为词、词、分数；"
            "以“: 小节”开头、每行四个词的文件是类比题。不认识的词会被计数并列出。",
        ),
    )


def evaluate(
    columns: Columns,
    manner: Manner,
    model: Annotated[
        str, argument("m.erya", "a trained model, or a file of word vectors", "训练好的模型，或词向量文件")
    ],
    data: Annotated[
        list[str] | None,
        argument(
            "DATA",
            "labelled rows: a file, a folder, a pattern or sample:NAME; for word vectors similarity sets, or nothing",
            "带标签的数据：文件、文件夹、通配符或 sample:名称；词向量则为相似度数据，也可不给",
            complete_data,
        ),
    ] = None,
    strict: Annotated[
        bool, option("--strict", "", "labels that the model has never seen are an error", "出现模型没见过的标签即报错")
    ] = False,
    page: Annotated[
        str | None,
        option(
            "--report",
            "FILE",
            "a page (.html) with all that and the rows worth reading (erya errors shows them here)",
            "写成网页（.html），附值得一读的行（erya errors 可在终端里看）",
        ),
    ] = None,
    method: Annotated[
        str | None,
        option(
            "--method",
            "add|mul",
            "analogies: 3CosAdd or 3CosMul (default: both)",
            "类比：3CosAdd 或 3CosMul（默认都做）",
        ),
    ] = None,
    restrict: Annotated[
        str | None,
        option(
            "--restrict",
            "N|all",
            "analogies: among the N most frequent words (default 30000)",
            "类比：只在最高频的 N 个词中作答（默认 30000）",
        ),
    ] = None,
) -> None:
    """Score a trained model."""
    loaded, content = opened(model)
    refuse_unused(
        loaded.task(),
        {
            "--strict": (strict, ("classify", "tag")),
            "--method": (method, ("vectors",)),
            "--restrict": (restrict, ("vectors",)),
        },
    )
    if page is not None:
        _check_page(page, loaded, [model, *(data or [])])
    if loaded.task() == "vectors":
        from erya.cli import word_scores
        from erya.tasks.vectors import RESTRICT

        methods = [chosen("--method", method, list(word_scores.METHODS))] if method else list(word_scores.METHODS)
        most = None if restrict == "all" else whole("--restrict", restrict, default=RESTRICT, least=1)
        word_scores.evaluate(model, loaded, data or [], methods, most, manner)
        return
    if loaded.task() == "generate":
        from erya.cli import text_scores
        from erya.run_documents import read_documents

        how = how_to_read(_one(data), loaded.task(), columns, None)
        text_scores.evaluate(model, loaded, content, read_documents(how["source"], how["read"]), manner)
        return
    _evaluate_rows(model, loaded, content, _one(data), columns, strict, page, manner)


def _check_page(page: str, loaded: Any, inputs: list[str]) -> None:
    """Refused before anything long begins: a file in the way, a model whose report this is not."""
    check_output(Path(page), PAGE, inputs)
    if loaded.task() != "classify":
        raise UsageError(
            "other-task",
            say("--report is for classifiers", "--report 只用于分类模型"),
            help=say("without it: the scores; --json: as a document", "不加它则给出分数；--json 输出文档"),
        )


def _one(data: list[str] | None) -> str:
    """The one data set that a model of rows is scored on."""
    if not data:
        raise UsageError(
            "missing-argument",
            say("'erya evaluate' needs DATA for this model", "'erya evaluate' 还缺少 DATA：这个模型需要数据"),
            help="erya evaluate --help",
        )
    if len(data) > 1:
        extra = quoted(" ".join(data[1:]))
        raise UsageError(
            "extra-argument",
            say(f"one data set at a time; what about: {extra}", f"一次只能评一份数据，多出了：{extra}"),
            help="erya evaluate --help",
        )
    return data[0]


def _evaluate_rows(
    model: str,
    loaded: Any,
    content: Content | None,
    data: str,
    columns: Columns,
    strict: bool,
    page: str | None,
    manner: Manner,
) -> None:
    from erya import runs, tasks

    training = content.training if content is not None else {}
    how = how_to_read(data, loaded.task(), columns, None)
    how["read"]["check"] = False  # one class or one row cannot be learned from, but can be scored
    dataset = runs.read_rows(how)
    name, part = scored_part(dataset, training)
    if loaded.task() == "tag":
        from erya.cli import tag_scores

        tag_scores.evaluate(model, loaded, dataset, name, part, strict, manner)
        return
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
    run = answered(loaded, part)
    document = {
        "schema": "erya.evaluate/1",
        "model": loaded.id,
        "path": model,
        "data": {**data_facts(dataset), "part": name},
        "rows": len(part),
        **_score(task, run, part, training),
        "unseen_labels": unseen,
    }
    if page is not None:
        _write_page(page, document, run, dataset, part, training)
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
    if page is not None:
        manner.talk(output.fact(say("report", "报告"), f"{page}  {output.size(Path(page).stat().st_size)}"))
    manner.next(
        f'erya explain {shown_path(model)} "…"',
        f"erya errors {shown_path(model)} {shown_path(data)}",
        f"erya compare {shown_path(data)} {shown_path(model)} classify",
    )


def answered(model: Any, part: Part) -> Run:
    """A classifier's answers to all rows, in portions.

    Raises:
        UsageError: it gives no probabilities.
    """
    import numpy as np

    from erya.parts import label_thresholds
    from erya.tasks.classify import Run

    if not hasattr(model, "predict_proba"):
        raise UsageError("not-scorable", say(f"{model.id} gives no probabilities", f"{model.id} 不给出概率"))
    chunks = [model.predict_proba(part.inputs[start : start + CHUNK]) for start in range(0, len(part), CHUNK)]
    probabilities, classes = np.concatenate(chunks), np.asarray([str(label) for label in model.classes_])
    return Run(label_thresholds.decided(model, probabilities, classes), probabilities, classes)


def _write_page(
    page: str, document: dict[str, Any], run: Run, dataset: Dataset, part: Part, training: dict[str, Any]
) -> None:
    """The report of one model, with the rows worth reading."""
    from erya import catalog
    from erya.atomic import atomic_write
    from erya.cli.errors import worth_reading
    from erya.language import language
    from erya.report_page import one_model
    from erya.tasks import classify

    try:
        card = catalog.card_of(document["model"])
        name = card.said(card.title)
    except UsageError:  # made of another model, or foreign
        name = document["model"]
    train = dataset.train if document["data"]["part"] == "test" else None
    several = document["target_kind"] == "several"
    targets = classify.sets(part.targets) if several else part.targets
    assert run.probabilities is not None
    assert run.classes is not None
    more = {
        "language": language(),
        "name": name,
        "label_counts": {} if train is None else train.label_counts(),
        "bins": classify.calibration_bins(targets, run.probabilities, run.classes),
        "errors": worth_reading(dataset, part, training, document["data"]["part"], document["model"], run),
    }
    drawn = one_model.render({**document, **more}).encode("utf-8")
    atomic_write(Path(page), lambda file: file.write(drawn) and None)


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
    counts = {label: count for label, count in part.label_counts().items() if label not in known}
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _listed(counts: dict[str, int]) -> str:
    shown = [f"{quoted(label, 20)} ×{count:,}" for label, count in list(counts.items())[:5]]
    return say(", ", "、").join(shown) + (" …" if len(counts) > 5 else "")


def _score(task: ModuleType, run: Run, part: Part, training: dict[str, Any]) -> dict[str, Any]:
    answers = run.predictions
    several = "several" in (task.kind_of(part.targets), task.kind_of(answers))
    targets = task.sets(part.targets) if several else part.targets
    scores = task.scores(targets, [run])
    baseline = (training.get("baseline") or {}).get("label")
    if baseline is None:
        baseline = task.majority(targets, targets)[0]
    if several:
        mistaken: dict[str, Any] = {"confused": task.confused(targets, answers)}
    else:
        labels, counts = task.confusion(targets, answers)
        mistaken = {"confusion": {"labels": labels, "counts": counts.tolist()}}
    return {
        "target_kind": "several" if several else task.kind_of(part.targets),
        "scores": {name: score.to_plain() for name, score in scores.items()},
        "baseline": {"label": baseline, next(iter(scores)): task.majority([baseline], targets)[1]},
        "per_label": [
            {"label": one.label, "precision": one.precision, "recall": one.recall, "f1": one.f1, "support": one.support}
            for one in task.per_label(targets, answers)
        ],
        **mistaken,
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
        (
            f"  {always} “{quoted(document['baseline']['label'], 20)}”",
            f"{document['baseline'][next(iter(document['scores']))]:.4f}",
            "",
        )
    )
    lines += output.table(rows, head=("", "", say("95 % interval", "95% 区间")), right=[1])
    lines += ["", *_label_lines(document["per_label"])]
    if "confused" in document:
        return [*lines, "", *_confused_lines(document["confused"])]
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


def _confused_lines(confused: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Which labels are left out, which are wrongly given, and which in place of which."""
    lines: list[str] = []
    for name, head in (
        ("missed", (say("  missed", "  漏掉"), say("rows", "行数"))),
        ("added", (say("  wrongly given", "  误给"), say("rows", "行数"))),
    ):
        rows = [(f"  {quoted(one['label'], 30)}", f"{one['count']:,}") for one in confused[name][:CONFUSED]]
        lines += [*output.table(rows, head=head, right=[1]), ""] if rows else []
    instead = [
        (f"  {quoted(one['label'], 30)}", f"→ {quoted(one['answer'], 30)}", f"{one['count']:,}")
        for one in confused["instead"][:CONFUSED]
    ]
    if instead:
        columns = (say("  missed", "  漏掉"), say("→ given instead", "→ 却给了"), say("rows", "行数"))
        return [*lines, *output.table(instead, head=columns, right=[2])]
    return lines[:-1] if lines else [say("  no mistakes", "  没有答错")]


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
