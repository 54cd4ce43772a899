"""``compare``: several models on one data set, live, and the table and report at the end."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from erya.cli import output
from erya.cli.config import settings_in
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.live import Watcher
from erya.cli.options import (
    Columns,
    Fitting,
    Manner,
    Parts,
    argument,
    complete_data,
    option,
    refuse_unused,
    training_panel,
)
from erya.cli.reading import any_line, how_to_read, shown_path, tell_notes
from erya.cli.settings import shared_settings
from erya.cli.targets import PAGE, check_output, write_rejects
from erya.cli.values import seconds, whole
from erya.errors import ResourceError, UsageError, nearest, typed
from erya.language import say

if TYPE_CHECKING:
    from erya.leaderboard import Board

REPORT = "report.html"
AS_ELSEWHERE = ("threads",)  # options of this machine: answers are the same with others
OWN = ("--task", "--similarity", "--seeds", "--budget")  # options of a comparison, not of a training
MARKS = (b'content="Erya"', b'class="report"')  # in every report of ours


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "compare",
        flat(compare),
        group=say("Train and compare", "训练与比较"),
        summary=say("many models on your data: a ranked table and a report", "在你的数据上比较多个模型：排名表与报告"),
        examples=[
            ("erya compare sample:snips", say("all models of the task", "该任务的全部模型")),
            ("erya compare reviews.csv --text review --label stars -o report.html", ""),
            (
                "erya compare reviews.csv classify/fasttext m.erya answers.jsonl",
                say("an id, a trained file, predictions", "模型名、训练好的文件、预测文件"),
            ),
            (
                "erya compare sample:poetry --seeds 3 --budget 5m",
                say("means over seeds, within five minutes", "多个种子取平均，限时五分钟"),
            ),
            ("erya compare sample:snips --task tag", say("taggers", "标注模型")),
            (
                "erya compare corpus.txt vectors glove.txt --similarity ws353.tsv",
                say("word vectors from one corpus, and a foreign file", "同一语料的各种词向量，加一个现成文件"),
            ),
        ],
    )


def compare(
    columns: Columns,
    parts: Parts,
    fitting: Fitting,
    manner: Manner,
    data: Annotated[
        str,
        argument(
            "DATA", "a file, a folder, a pattern or sample:NAME", "文件、文件夹、通配符或 sample:名称", complete_data
        ),
    ],
    models: Annotated[
        list[str] | None,
        argument(
            "MODEL",
            "an id, a task, a trained m.erya, a file of predictions or of word vectors",
            "模型名、任务、训练好的 m.erya、预测文件或词向量文件",
        ),
    ] = None,
    task: Annotated[
        str | None,
        option(
            "--task",
            "TASK",
            "classify, tag, vectors, generate; default: that of the models, else classify",
            "classify、tag、vectors、generate；默认取模型所属任务，否则 classify",
        ),
    ] = None,
    similarity: Annotated[
        list[str] | None,
        option(
            "--similarity",
            "FILE",
            "for word vectors: judgements to score on, word, word and number a line; may be repeated",
            "词向量：用于评分的相似度数据，每行为词、词、分数；可重复",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        option(
            "--seeds",
            "N",
            "train each model N times (default 1)",
            "每个模型训练 N 次（默认 1）",
            panel=training_panel(),
        ),
    ] = None,
    budget: Annotated[
        str | None,
        option(
            "--budget",
            "TIME",
            "for everything together: 90s, 5m, 1h; every model gets an equal part of it",
            "全部用时：90s、5m、1h；各模型平分",
            panel=training_panel(),
        ),
    ] = None,
    out: Annotated[
        str | None,
        option(
            "-o --output",
            "FILE",
            "the report: .html (default report.html) or .json",
            "报告：.html（默认 report.html）或 .json",
        ),
    ] = None,
) -> None:
    """Train and compare models; table to stdout, report to a file."""
    from erya import catalog, leaderboard, runs, tasks

    chosen_task = task or leaderboard.task_of(models or [])
    tasks.find(chosen_task)
    refuse_unused(chosen_task, {"--similarity": (similarity, ("vectors",))})
    fitting.use_machine()
    repeats, budget_seconds = whole("--seeds", seeds, default=1, least=1), seconds("--budget", budget)
    settings = _settings(catalog.ids(chosen_task), fitting)
    path = None if out is None and manner.json else Path(out) if out else _free_name()
    inputs = [data, parts.validation, parts.test, fitting.config, *(models or [])]
    if path is not None:
        check_output(path, PAGE, inputs)
    for name in models or []:
        _check(name, chosen_task)
    dataset = runs.read_data(how_to_read(data, chosen_task, columns, parts))
    manner.talk(output.fact(say("data", "数据"), any_line(dataset)))
    tell_notes(dataset.reading, manner)
    if path is not None:
        write_rejects(dataset.reading, path, manner, inputs)
    with Watcher(live=sys.stderr.isatty() and not manner.quiet, silent=manner.quiet) as watcher:
        board = leaderboard.compare(
            models or [chosen_task],
            dataset,
            task=chosen_task,
            similarity=similarity or [],
            seeds=repeats,
            seed=parts.seed_number(),
            budget=budget_seconds,
            settings=settings,
            watch=watcher.watch,
        )
    own = dict(zip(OWN, (task, similarity, seeds, budget), strict=True))
    board.document["options"] = _given(own, columns, parts, fitting)
    if manner.json:
        if path is not None:
            board.save(path)
        output.write_document(board.document)
        _end(board)
        return
    _show_table(board)  # before the report is written: what took minutes must be seen even if the disk is full
    if path is not None:
        board.save(path)
        manner.talk(output.fact(say("report", "报告"), f"{path}  {output.size(path.stat().st_size)}"))
    _show_next(board, data, manner)
    _end(board)


def _given(own: dict[str, str | list[str] | None], *groups: Any) -> list[list[str]]:
    """What was given of all options that answers depend on, flag and value: the report says how to repeat the comparison."""
    found: dict[str, Any] = {}
    for group in groups:
        hints = get_type_hints(type(group), include_extras=True)
        for field in fields(group):
            (info,) = hints[field.name].__metadata__
            if field.name not in AS_ELSEWHERE:
                flags = [name for name in (info.default, *info.param_decls) if isinstance(name, str)]
                found[max(flags, key=len)] = getattr(group, field.name)
    pairs: list[list[str]] = []
    for flag, value in {**found, **own}.items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs += [[flag] if one is True else [flag, str(one)] for one in values if one not in (None, False)]
    return pairs


def _end(board: Board) -> None:
    """Exit 5 where not one model finished: a script must notice."""
    if all(row["status"] in ("failed", "skipped", "refused") for row in board.rows):
        raise typer.Exit(ResourceError.exit)


def _check(name: str, task: str) -> None:
    """A misspelt model is said before the data is read."""
    from erya import catalog, tasks
    from erya.text.files import missing

    if name in tasks.names() or name in catalog.ids():
        return
    if name.endswith(".erya"):
        from erya import artefact

        artefact.load(name)
    elif not Path(name).is_file():
        if "." in Path(name).name:
            raise missing(Path(name))
        guess = nearest(name, [*catalog.ids(task), task])
        if guess is None or "/" in name:
            catalog.card_of(name)
        raise UsageError(
            "unknown-model",
            say(f"'{name}' is neither a model nor a file", f"'{name}' 既不是模型，也不是文件"),
            help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？"),
        )


def _settings(ids: list[str], fitting: Fitting) -> dict[str, Any]:
    """Settings for every model that has them; one that no model has is an error."""
    from erya import catalog

    pairs, file_settings = fitting.pairs(), settings_in(fitting.config)
    kinds = [catalog.find(id) for id in ids if catalog.card_of(id).installed] if pairs or file_settings else []
    return shared_settings(kinds, pairs, file_settings)


def _free_name() -> Path:
    """report.html, or report-2.html where a file of that name is none of our reports."""
    number, path = 1, Path(REPORT)
    while path.exists() and not _is_ours(path):
        number += 1
        path = Path(f"report-{number}.html")
    return path


def _is_ours(path: Path) -> bool:
    try:
        page = path.read_bytes()
    except OSError:
        return False
    return all(mark in page for mark in MARKS)


def _show_table(board: Board) -> None:
    output.write(board.table(output.columns() if sys.stdout.isatty() else None))
    output.write()
    for sentence in board.document["advice"]["sentences"]:
        for line in output.wrapped(sentence, min(output.WIDEST, output.columns())):
            output.write(line)
    sys.stdout.flush()


def _show_next(board: Board, data: str, manner: Manner) -> None:
    best = board.document["advice"]["recommended"] or (board.rows[0]["model"] if board.rows else None)
    ids = {row["model"] for row in board.rows if row["kind"] == "id"}
    name, words = shown_path(data), board.document["task"] == "vectors"
    task = board.document["task"]
    shared = [" ".join([flag, *map(typed, values)]) for flag, *values in board.document["options"] if flag not in OWN]
    train = " ".join([f"erya train {best} {name}", *shared, f"-o {'v' if words else 'm'}.erya"]) if best in ids else ""
    check = f"erya check {name}" + (f" --task {task}" if task != "classify" else "")
    manner.next(train, f"erya about {best}" if best in ids else "", check)
