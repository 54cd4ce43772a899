"""``learn``: a model's notes and notebook, to take away and run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.models import speak
from erya.cli.options import Manner, argument, complete_model, option
from erya.errors import UsageError, quoted
from erya.language import language, say


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "learn",
        flat(learn),
        group=say("Learn", "学习"),
        summary=say("copy a model's notes and notebook to read and run", "把一个模型的讲义与笔记本复制出来，边读边跑"),
        examples=[
            ("erya learn classify/naive_bayes", ""),
            ("erya learn classify/lstm --lang zh -o study", say("Chinese notes into study/", "中文讲义，放入 study/")),
        ],
    )


def learn(
    manner: Manner,
    model: Annotated[str, argument("TASK/MODEL", "e.g. classify/fasttext", "如 classify/fasttext", complete_model)],
    lang: Annotated[str | None, option("--lang", "en|zh", "language of the notes", "讲义语言")] = None,
    out: Annotated[
        str | None,
        option(
            "-o --output", "DIR", "folder to copy to (default: the model's name)", "复制到哪个文件夹（默认为模型名）"
        ),
    ] = None,
    force: Annotated[bool, option("--force", "", "replace files that are already there", "替换已存在的文件")] = False,
) -> None:
    """Copy notes and notebook."""
    from erya import catalog

    speak(lang)
    card = catalog.card_of(model)
    folder = Path(out or card.room)
    notes = "README.zh.md" if language() == "zh" else "README.md"
    wanted = [name for name in (notes, "train.ipynb") if (card.folder / name).is_file()]
    if not wanted:
        raise UsageError(
            "no-notes", say(f"{model} brings no notes", f"{model} 没有附带讲义"), help=f"erya about {model}"
        )
    copied = [str(_copy(card.folder / name, folder / name, force)) for name in wanted]
    if manner.json:
        output.write_document({"schema": "erya.learn/1", "model": model, "files": copied, "source": str(card.folder)})
        return
    for path in copied:
        output.write(path)
    sources = sorted(
        path.name for path in card.folder.glob("*.py") if path.stem != "__init__" and not path.stem.startswith("test_")
    )
    manner.talk(output.fact(say("code", "代码"), f"{card.folder}  {' '.join(sources)}"))
    notebook = [path for path in copied if path.endswith(".ipynb")]
    manner.next(f"jupyter lab {notebook[0]}" if notebook else "", f"erya about {model}")


def _copy(source: Path, target: Path, force: bool) -> Path:
    from erya.atomic import atomic_write, write_error

    data = source.read_bytes()
    if target.exists() and not force and (not target.is_file() or target.read_bytes() != data):
        raise UsageError(
            "file-exists",
            say(f"{quoted(target)} is already there and differs", f"{quoted(target)} 已存在且内容不同"),
            help=say("choose another folder with -o, or replace it: --force", "用 -o 换一个文件夹，或用 --force 替换"),
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise write_error(target.parent, problem) from problem
    atomic_write(target, lambda file: file.write(data) and None)
    return target
