"""``tune``: good settings within a budget, the best model in one file, and a report of what was tried."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.config import settings_in
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import (
    Columns,
    Fitting,
    Manner,
    Parts,
    argument,
    complete_data,
    complete_model,
    option,
    training_panel,
)
from erya.cli.reading import any_line, how_to_read, shown_path, tell_notes
from erya.cli.settings import shared_settings
from erya.cli.targets import write_rejects
from erya.cli.tune_live import Watcher
from erya.cli.values import chosen, seconds, whole
from erya.errors import DataError, UsageError, quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.tuning import Tuned

FOLDER = "tuned"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "tune",
        flat(tune),
        group=say("Train and compare", "训练与比较"),
        summary=say("search for good settings within a budget", "在预算内搜索好的设置"),
        examples=[
            ("erya tune sample:poetry --budget 10m", say("all models of the task", "该任务的全部模型")),
            (
                "erya tune reviews.csv classify/textcnn classify/lstm --text review --label stars -o tuned/",
                say("two models, your columns", "两个模型，指明列名"),
            ),
            (
                "erya tune sample:snips classify/fasttext --trials 30 --set dim=64",
                say("30 trials; what is set by hand stays", "30 次试验；手动设置的保持不变"),
            ),
            (
                "erya tune sample:snips classify/textcnn --trials 40 --method optuna",
                say("trials drawn by Optuna", "由 Optuna 取样"),
            ),
            (
                "erya tune sample:poetry --budget 1h",
                say("again with a larger budget: goes on where it ended", "加大预算再运行：从上次结束处继续"),
            ),
        ],
        more=say(
            "Random search with successive halving: trials begin on few rows, the better third goes on to more. The first trials are the "
            "default settings. The best settings are trained once more and judged once on the test rows, beside the defaults. Ctrl-C keeps "
            "all trials; the same command goes on.",
            "随机搜索加逐次减半：试验先用较少的行，较好的三分之一再用更多的行。最先试的是默认设置。最好的设置最后再训练一次，"
            "与默认设置一起在测试数据上评判一次。Ctrl-C 会保留全部试验，再运行同一命令即可继续。",
        ),
    )


def tune(
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
            "ids such as classify/fasttext; none: all of the task that declare what may be searched",
            "模型名，如 classify/fasttext；不写则为该任务中声明了搜索空间的全部模型",
            complete_model,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        option(
            "--budget",
            "TIME",
            "for everything, the last training too: 90s, 10m, 1h (default 5m, without --trials)",
            "全部用时，包括最后的训练：90s、10m、1h（未给 --trials 时默认 5m）",
            panel=training_panel(),
        ),
    ] = None,
    trials: Annotated[
        str | None,
        option(
            "--trials",
            "N",
            "settings that are tried at most, the defaults among them",
            "最多试多少组设置，包括默认设置",
            panel=training_panel(),
        ),
    ] = None,
    task: Annotated[
        str | None,
        option(
            "--task",
            "TASK",
            "classify or tag; default: that of the models, else classify",
            "classify 或 tag；默认取模型所属任务，否则 classify",
        ),
    ] = None,
    score: Annotated[
        str | None,
        option(
            "--score",
            "NAME",
            "what ranks trials: accuracy (default), macro_f1, log_loss, …; of several labels micro_f1, of tags f1",
            "按什么排名：accuracy（默认）、macro_f1、log_loss 等；多标签默认 micro_f1，序列标注默认 f1",
            panel=training_panel(),
        ),
    ] = None,
    refit: Annotated[
        str | None,
        option(
            "--refit",
            "train+dev|train",
            "rows of the last training (default train+dev)",
            "最后一次训练所用的数据（默认 train+dev，即训练加验证）",
            panel=training_panel(),
        ),
    ] = None,
    out: Annotated[
        str | None,
        option(
            "-o --output",
            "FOLDER",
            "for journal, model.erya, report.html and tune.json (default tuned)",
            "存放记录、model.erya、report.html 与 tune.json 的文件夹（默认 tuned）",
        ),
    ] = None,
    method: Annotated[
        str | None,
        option(
            "--method",
            "random|optuna",
            "where new trials lie: at random, half of them near the best (default), or by Optuna's estimate (erya[optuna])",
            "新的试验取在哪里：随机，其中一半在最佳附近（默认）；或由 Optuna 估计（需 erya[optuna]）",
            panel=training_panel(),
        ),
    ] = None,
    restart: Annotated[
        bool, option("--restart", "", "throw an earlier search in this folder away", "放弃该文件夹里以前的搜索")
    ] = False,
) -> None:
    """Search, train the best, judge it, write everything."""
    from erya import leaderboard, runs, tuning

    data, models = _in_order(data, models or [])
    fitting.use_machine()
    budget_seconds = seconds("--budget", budget)
    most = None if trials is None else whole("--trials", trials, default=1, least=2)
    way = chosen("--method", method or "random", list(tuning.METHODS))
    rows = chosen("--refit", refit or "train+dev", ["train+dev", "train"])
    folder = Path(out or FOLDER)
    _check_folder(folder)
    wanted = task or leaderboard.task_of(models)
    _check_task(wanted)
    settings = _settings(models, fitting, wanted)
    dataset = runs.read_rows(how_to_read(data, wanted, columns, parts))
    if dataset.dev is None:
        raise DataError(
            "no-validation", say("there are no validation rows", "没有验证数据"), help="--split 0.8/0.1/0.1"
        )
    manner.talk(output.fact(say("data", "数据"), any_line(dataset)))
    tell_notes(dataset.reading, manner)
    write_rejects(dataset.reading, folder, manner, [data, parts.validation, parts.test, fitting.config])
    with Watcher(silent=manner.quiet) as watcher:
        tuned = tuning.tune(
            models or [wanted],
            dataset,
            budget=budget_seconds,
            trials=most,
            settings=settings,
            score=score,
            seed=parts.seed_number(),
            refit=rows,
            folder=folder,
            restart=restart,
            method=way,
            watch=watcher.watch,
        )
    if manner.json:
        output.write_document(tuned.document)
        return
    _show(tuned, folder, data, manner)


def _in_order(data: str, models: list[str]) -> tuple[str, list[str]]:
    """Data and models, also where they were typed as behind ``train``: the model first."""
    from erya import catalog

    known = catalog.ids()
    others = [name for name in models if name not in known and (":" in name or Path(name).exists())]
    if data in known and len(others) == 1:
        return others[0], [data, *(name for name in models if name != others[0])]
    return data, models


def _check_folder(folder: Path) -> None:
    """Refused before anything long begins: a file of that name, a folder that holds other things."""
    if folder.is_dir():
        others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if others and "journal.jsonl" not in others and "model.erya.run" not in others:
            raise UsageError(
                "output-in-the-way",
                say(
                    f"{quoted(folder)} holds other files ({quoted(others[0], 40)}) and no search",
                    f"{quoted(folder)} 里是别的文件（{quoted(others[0], 40)}），没有搜索记录",
                ),
                help=f"-o {shown_path(folder.parent / (folder.name + '-new'))}",
            )
    elif folder.exists():
        raise UsageError(
            "output-not-a-folder",
            say(f"{quoted(folder)} is a file; a folder is needed", f"{quoted(folder)} 是文件；这里需要文件夹"),
            help=f"-o {FOLDER}",
        )


def _check_task(wanted: str) -> None:
    """Raises UsageError for a task whose settings are not searched."""
    from erya.tuning import judging

    if wanted not in judging.SEARCHED:
        raise UsageError(
            "other-task",
            say(f"tune searches no settings for the task {wanted}", f"tune 不为 {wanted} 任务搜索设置"),
            help=" · ".join(f"--task {name}" for name in judging.SEARCHED),
        )


def _settings(models: Sequence[str], fitting: Fitting, task: str) -> dict[str, Any]:
    """Settings by hand, parsed by the first model that has one of that name. Raises UsageError where none has it."""
    from erya import catalog, tasks

    pairs, file_settings = fitting.pairs(), settings_in(fitting.config)
    if not pairs and not file_settings:
        return {}
    named = [id for id in models if id not in tasks.names()] or catalog.ids(task)
    kinds = [catalog.find(id) for id in named if catalog.card_of(id).installed]
    return shared_settings(kinds, pairs, file_settings)


# ---- what is shown ----------------------------------------------------------------------------------------------


def _show(tuned: Tuned, folder: Path, data: str, manner: Manner) -> None:
    for line in tuned.table(output.columns() if sys.stdout.isatty() else None).split("\n"):
        for piece in output.wrapped(line, output.columns()) if line and line[-1] in ".。" else [line]:
            output.write(piece)
    sys.stdout.flush()
    manner.talk("")
    model, report = folder / "model.erya", folder / "report.html"
    manner.talk(output.fact(say("model", "模型"), f"{model}  {output.size(model.stat().st_size)}"))
    manner.talk(output.fact(say("report", "报告"), f"{report}  {output.size(report.stat().st_size)}"))
    name = shown_path(model)
    manner.next(f'erya predict {name} --input "…"', f"erya evaluate {name} {shown_path(data)}")
