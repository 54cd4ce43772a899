"""``curve``: what models score on growing portions of the data, and so whether more of it would help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.config import settings_in
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Columns, Fitting, Manner, Parts, argument, complete_data, option
from erya.cli.reading import data_facts, data_line, how_to_read, shown_path, tell_notes
from erya.cli.settings import shared_settings
from erya.cli.targets import PAGE, check_output
from erya.cli.values import whole
from erya.errors import UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.curves import Curve, Point


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "curve",
        flat(curve),
        group=say("Train and compare", "训练与比较"),
        summary=say("scores on 1 % … 100 % of the data: would more help?", "用 1%…100% 的数据各得多少分：数据够不够"),
        examples=[
            ("erya curve sample:snips --task tag", ""),
            ("erya curve reviews.csv classify/fasttext --portions 1%,10%,50%,100% -o curve.html", ""),
            ("erya curve train.conll tag/crf --task tag --seeds 3 --json", say("three drawn orders", "三次抽样")),
        ],
        more=say(
            "Each portion holds the smaller ones and shows every label as early as can be; all are scored on the same test rows.",
            "大的一份包含小的一份，每个标签都尽早出现；都在同一份测试数据上打分。",
        ),
    )


def curve(
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
        list[str] | None, argument("[MODEL …]", "e.g. tag/crf; default: quick ones", "如 tag/crf；默认：几个快的")
    ] = None,
    task: Annotated[str | None, option("--task", "TASK", "classify (default) or tag", "classify（默认）或 tag")] = None,
    portions: Annotated[
        str | None,
        option(
            "--portions",
            "A,B,…",
            "shares of the training rows (default 1%,2%,5%,…,100%)",
            "训练数据的比例（默认 1%,2%,5%,…,100%）",
        ),
    ] = None,
    seeds: Annotated[
        str | None, option("--seeds", "N", "so many drawn orders (default 1)", "抽样次数（默认 1）")
    ] = None,
    out: Annotated[str | None, option("-o --output", "FILE", "write a page (.html)", "写成网页（.html）")] = None,
) -> None:
    """Fit models on growing portions, and score them on the same rows."""
    from erya import curves, leaderboard, runs

    chosen = task or leaderboard.task_of(models or [])
    fitting.use_machine()
    shares = curves.PORTIONS if portions is None else _shares(portions)
    repeats = whole("--seeds", seeds, default=1, least=1)
    if chosen not in curves.MODELS:
        raise UsageError(
            "other-task",
            say(f"no learning curves for the task {quoted(chosen, 30)}", f"任务 {quoted(chosen, 30)} 没有学习曲线"),
            help="--task classify | --task tag",
        )
    named = list(models or curves.MODELS[chosen])
    settings = _settings(named, fitting)
    if out is not None:
        check_output(Path(out), PAGE, [data, parts.validation, parts.test, fitting.config])
    dataset = runs.read_rows(how_to_read(data, chosen, columns, parts))
    manner.talk(output.fact(say("data", "数据"), data_line(dataset)))
    tell_notes(dataset.reading, manner)

    def told(point: Point) -> None:
        score = point.error if point.score is None else f"{point.score:.3f}"
        manner.talk(
            output.fact("", f"{point.portion:.3g}  {point.rows:,}  {point.model}  {score}  {point.seconds:.1f} s")
        )

    found = curves.learning_curve(dataset, named, portions=shares, seeds=repeats, settings=settings, told=told)
    _show(found, {"data": data_facts(dataset)}, out, data, manner)


def _show(found: Curve, facts: dict[str, Any], out: str | None, data: str, manner: Manner) -> None:
    if out is not None:
        from erya.atomic import atomic_write

        page = found.trace().html().encode("utf-8")
        atomic_write(Path(out), lambda file: file.write(page) and None)
        manner.talk(output.fact(say("saved", "已保存"), out))
    if manner.json:
        output.write_document(found.to_plain() | facts)
        return
    head, rows = found.cells()
    for line in output.table(rows, head=head, right=range(len(head))):
        output.write(line)
    picture = found.trace()
    picture.views = picture.views[:1]
    output.write(picture.text(output.columns(), output.is_coloured(sys.stdout)).rstrip("\n"))
    for sentence in found.said():
        output.write(sentence)
    best = max(found.models, key=lambda model: max((point.score or 0.0 for point in found.of(model)), default=0.0))
    manner.next(f"erya train {best} {shown_path(data)} -o m.erya")


def _shares(text: str) -> list[float]:
    """``1%,10%,100%`` or ``0.01,0.1,1``."""
    try:
        return [float(piece.strip().rstrip("%")) / (100 if "%" in piece else 1) for piece in text.split(",")]
    except ValueError:
        raise UsageError(
            "bad-portions",
            say(f"--portions {quoted(text, 40)}: shares are needed", f"--portions {quoted(text, 40)}：需要比例"),
            help="--portions 1%,10%,100%",
        ) from None


def _settings(ids: list[str], fitting: Fitting) -> dict[str, Any]:
    """Settings for every model that has them; one that no model has is an error."""
    from erya import catalog

    kinds = [catalog.find(id) for id in ids]
    return shared_settings(kinds, fitting.pairs(), settings_in(fitting.config))
