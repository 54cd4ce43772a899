"""``list`` and ``about``: which models there are, and what one is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.glossary import meaning, task_line
from erya.cli.options import Manner, argument, complete_model, option
from erya.cli.settings import shown
from erya.cli.values import chosen
from erya.errors import EryaError, ResourceError
from erya.language import LANGUAGES, say

if TYPE_CHECKING:
    from erya.catalog import Card


def register(app: typer.Typer) -> None:
    """Add the two verbs."""
    group = say("Learn", "学习")
    add(
        app,
        "list",
        flat(list_models),
        group=group,
        summary=say("all models, by task and year", "列出全部模型，按任务与年份"),
        examples=[
            ("erya list", ""),
            ("erya list classify", say("one task", "一个任务")),
            ("erya list --json", say("for programs", "供程序使用")),
        ],
    )
    add(
        app,
        "about",
        flat(about),
        group=group,
        summary=say("what a model is, its settings and its ancestors", "介绍一个模型：思想、设置与来历"),
        examples=[
            ("erya about classify/fasttext", ""),
            ("erya about classify/lstm --lang zh", say("in Chinese", "用中文")),
        ],
    )


# ---- list -----------------------------------------------------------------------------------------------------


def list_models(
    manner: Manner,
    task: Annotated[str | None, argument("TASK", "only this task, e.g. classify", "只看这个任务，如 classify")] = None,
) -> None:
    """List the models."""
    from erya import catalog, tasks

    if task is not None and task not in catalog.tasks_with_models():
        tasks.find(task)
    chosen_tasks = [name for name in catalog.tasks_with_models() if task in (None, name)]
    if manner.json:
        models = [_brief(card, name) for name in chosen_tasks for card in catalog.cards() if name in card.tasks]
        output.write_document({"schema": "erya.list/1", "models": models})
        return
    for name in chosen_tasks:
        rows = [(f"{name}/{card.room}", str(card.year), card) for card in catalog.cards() if name in card.tasks]
        room = max(len(id) for id, _, _ in rows)
        output.write(f"{output.styled(name, 'bold')}  {task_line(name)}".rstrip())
        for id, year, card in rows:
            lead = f"  {id.ljust(room)}  {year}  "
            summary = output.wrapped(card.said(card.summary), max(30, output.columns() - len(lead)))
            output.write(lead + summary[0])
            for line in [*summary[1:], *_missing(card)]:
                output.write(" " * len(lead) + line)
        output.write()
    missing = {card.extra for card in catalog.cards() if not card.installed}
    installed = sum(card.installed for card in catalog.cards())
    output.write(
        say(
            f"{installed} of {len(catalog.cards())} models can run here",
            f"{len(catalog.cards())} 个模型中有 {installed} 个可在此运行",
        )
        + (
            say("; the others: ", "；其余：")
            + " ".join(f'pip install "erya[{extra}]"' for extra in sorted(map(str, missing)))
            if missing
            else ""
        )
    )
    if chosen_tasks:
        manner.next(f"erya about {rows[0][0]}", f"erya compare {_some_data(chosen_tasks[-1])} {chosen_tasks[-1]}")


def _missing(card: Card) -> list[str]:
    if card.installed:
        return []
    from erya.catalog import EXTRA_MODULE

    needs = EXTRA_MODULE.get(str(card.extra), str(card.extra))
    return [output.styled(say(f"needs {needs}, not installed", f"需要 {needs}，尚未安装"), "yellow")]


def _brief(card: Card, task: str) -> dict[str, Any]:
    return {
        "model": f"{task}/{card.room}",
        "title": card.said(card.title),
        "summary": card.said(card.summary),
        "year": card.year,
        "extra": card.extra,
        "installed": card.installed,
    }


# ---- about ----------------------------------------------------------------------------------------------------


def about(
    manner: Manner,
    model: Annotated[str, argument("TASK/MODEL", "e.g. classify/fasttext", "如 classify/fasttext", complete_model)],
    lang: Annotated[str | None, option("--lang", "en|zh", "language of the notes", "讲义语言")] = None,
) -> None:
    """Describe one model."""
    from erya import catalog

    speak(lang)
    if model in catalog.READY:
        _about_ready(model, manner)
        return
    card = catalog.card_of(model)
    task = model.split("/")[0]
    settings, problem = _settings(model)
    presets = card.tasks[task].presets
    if manner.json:
        document = {
            "schema": "erya.about/1",
            **_brief(card, task),
            "authors": list(card.authors),
            "paper": card.paper,
            "parents": [{"model": name, "fixed": card.said(fixed)} for name, fixed in _parents(card, task)],
            "settings": [
                {"name": name, "default": value, "takes": takes, "meaning": text}
                for name, value, takes, text in settings
            ],
            "presets": presets,
            "folder": str(card.folder),
        }
        output.write_document(document)
        return
    _write_card(card, model)
    output.write()
    output.write(output.styled(say("Settings", "设置"), "bold") + say("   --set name=value", "   --set 名称=值"))
    if problem is not None:
        output.write(f"  {problem.message}  {problem.help or ''}")
    names = max((len(name) for name, *_ in settings), default=0)
    room = max((output.width_of(text_of(value)) for _, value, *_ in settings), default=0)
    pairs = [(f"{name.ljust(names)}  {output.padded(text_of(value), room)}", text) for name, value, _, text in settings]
    for line in output.label_column(pairs, widest=60):
        output.write(line)
    output.write()
    output.write(output.styled(say("Presets", "预设"), "bold") + "   --preset")
    longest = max(map(len, presets))
    for name, values in presets.items():
        chosen_values = "  ".join(f"{key}={shown(value)}" for key, value in values.items())
        output.write(f"  {name.ljust(longest)}  {chosen_values or say('the defaults above', '即以上默认值')}")
    out = "v.erya" if task == "vectors" else "m.erya"
    manner.next(f"erya train {model} {_some_data(task)} -o {out}", f"erya learn {model}")


def _about_ready(model: str, manner: Manner) -> None:
    """A kind of model that is made, not trained."""
    from erya import catalog

    made = catalog.READY[model]
    settings, _ = _settings(model)
    if manner.json:
        document = {
            "schema": "erya.about/1",
            "model": model,
            "title": made.said(made.title),
            "summary": made.said(made.summary),
            "made_by": made.command,
            "settings": [
                {"name": name, "default": value, "takes": takes, "meaning": text}
                for name, value, takes, text in settings
            ],
        }
        output.write_document(document)
        return
    output.write(f"{output.styled(made.said(made.title), 'bold')}  {model}")
    for line in output.wrapped(made.said(made.summary), min(output.WIDEST, output.columns())):
        output.write(line)
    output.write()
    pairs = [(f"{name}  {text_of(value)}", text) for name, value, _, text in settings]
    for line in output.label_column([(say("made by", "得到方法"), made.command), *pairs], widest=60):
        output.write(line)


def _some_data(task: str) -> str:
    """Data to try a task on."""
    from erya import tasks

    return "corpus.txt" if tasks.find(task).INPUT == "corpus" else "sample:snips"


def text_of(value: Any) -> str:
    """A setting's value for a table; a list of many is cut."""
    return output.cut(shown(value), 24)


def _write_card(card: Card, model: str) -> None:
    output.write(f"{output.styled(card.said(card.title), 'bold')}  {model}  {card.year}")
    for line in output.wrapped(card.said(card.summary), min(output.WIDEST, output.columns())):
        output.write(line)
    output.write()
    lines = [
        (say("paper", "论文"), card.paper),
        (say("authors", "作者"), say(", ", "、").join(card.authors)),
        (say("needs", "依赖"), _needs(card)),
    ]
    lines += [
        (say("grew from", "来自") if not index else "", f"{name} – {card.said(fixed)}")
        for index, (name, fixed) in enumerate(_parents(card, model.split("/")[0]))
    ]
    for line in output.label_column([(name, text) for name, text in lines if text]):
        output.write(line)


def _parents(card: Card, task: str) -> list[tuple[str, dict[str, str]]]:
    """What a model grew from, of its own task where its room has several: what classifiers grew from is no news of what writes."""
    own = [(parent.model, parent.fixed) for parent in card.parents]
    if len(card.tasks) == 1:
        return own
    from erya import catalog

    there = set(catalog.ids())
    moved = [(f"{task}/{name.split('/')[1]}", fixed) for name, fixed in own]
    return [one for one in moved if one[0] in there] or own


def _needs(card: Card) -> str:
    if card.extra is None:
        return ""
    return f'pip install "erya[{card.extra}]"' + (say("  (installed)", "（已安装）") if card.installed else "")


def _settings(model: str) -> tuple[list[tuple[str, Any, str, str]], EryaError | None]:
    """Name, default, what it takes and what it means, for each setting; or why they cannot be known here."""
    from erya import catalog
    from erya.cli.settings import expected

    try:
        kind = catalog.find(model)
    except ResourceError as problem:
        return [], problem
    return [
        (name, parameter.default, expected(kind, name), meaning(kind, name))
        for name, parameter in kind.parameters().items()
    ], None


def speak(lang: str | None) -> None:
    """``--lang``: the rest of this command in that language."""
    if lang is not None:
        os.environ["ERYA_LANG"] = chosen("--lang", lang, list(LANGUAGES))
