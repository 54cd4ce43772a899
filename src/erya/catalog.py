"""Finds the rooms by their ``card.toml``, here and in the folders of ERYA_ROOMS; opens models by id and from files.

Reading the cards imports nothing of a room. The one dynamic import of the package is ``find``.
"""

from __future__ import annotations

import importlib
import os
import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import erya.models
from erya.errors import ModelFileError, ResourceError, UsageError, nearest
from erya.language import language, say
from erya.parts.setting_ranges import Space, space_of

if TYPE_CHECKING:
    from erya.artefact import Content
    from erya.contract import Model

PRESETS = ("tiny", "default", "paper")
_FASTTEXT_MAGIC = struct.pack("<i", 793_712_314)
_FASTTEXT_HEAD = struct.Struct("<10i")  # magic, version, and of the settings those up to the kind of model
_SUPERVISED = 3
EXTRA_MODULE = {"neural": "torch"}  # extra → the module whose absence means that it is not installed
_FASTTEXT_MAGIC = struct.pack("<i", 793_712_314)
_FASTTEXT_HEAD = struct.Struct("<10i")  # magic, version, and of the settings those up to the kind of model
_SUPERVISED = 3


TOY_ROWS = 60  # of the toy set, where a card asks for no other number


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """What a room offers for one task: its class, in which file of the room (estimator.py), and settings by preset.

    ``several`` and ``soft``: whether a classifier takes several labels a row, and shares of labels. ``space``: what ``erya tune``
    may set, and to what; empty: it has nothing to search. ``opens_without_extra``: a file of it is opened, and answers, where the
    room's extra is not installed. ``toy_rows``: how many rows of the task's toy set its tiny preset needs in the folds of a test.
    """

    class_name: str
    module: str
    presets: dict[str, dict[str, Any]]
    several: bool = False
    soft: bool = False
    space: Space = field(default_factory=dict)
    opens_without_extra: bool = False
    toy_rows: int = TOY_ROWS

    def takes(self, kind: str) -> bool:
        """Whether it learns from targets of this kind: ``"one"``, ``"several"``, ``"soft"``."""
        return {"several": self.several, "soft": self.soft}.get(kind, True)


@dataclass(frozen=True, slots=True)
class Parent:
    """A model this one grew from, and what it fixed in it (by language)."""

    model: str
    fixed: dict[str, str]


@dataclass(frozen=True, slots=True)
class Card:
    """A room's card.toml."""

    room: str
    folder: Path
    title: dict[str, str]
    summary: dict[str, str]
    year: int
    paper: str
    authors: tuple[str, ...]
    extra: str | None
    parents: tuple[Parent, ...]
    tasks: dict[str, TaskEntry]

    @property
    def ids(self) -> list[str]:
        return [f"{task}/{self.room}" for task in self.tasks]

    @property
    def installed(self) -> bool:
        """Whether the extra this room needs is there; looked up without importing it."""
        return self.extra is None or find_spec(EXTRA_MODULE.get(self.extra, self.extra)) is not None

    def said(self, texts: Mapping[str, str]) -> str:
        """The text in the user's language."""
        return texts.get(language()) or texts["en"]


@dataclass(frozen=True, slots=True)
class Ready:
    """A kind of model that no room trains: it is made of something that is there already."""

    module: str
    class_name: str
    title: dict[str, str]
    summary: dict[str, str]
    command: str  # that makes one

    def said(self, texts: Mapping[str, str]) -> str:
        """The text in the user's language."""
        return texts.get(language()) or texts["en"]


READY = {
    "vectors/keyed": Ready(
        "erya.parts.keyed_vectors",
        "KeyedVectors",
        {"en": "Ready-made word vectors", "zh": "现成的词向量"},
        {
            "en": "Words and their vectors, read from another program's file or taken from a model; it answers queries and is not trained.",
            "zh": "一张词与向量的表，来自其他程序的文件或别的模型；只用来查询，不再训练。",
        },
        "erya convert vectors.txt v.erya",
    ),
    "classify/calibrated": Ready(
        "erya.calibrated",
        "Calibrated",
        {"en": "A classifier with its probabilities put right", "zh": "校准过概率的分类模型"},
        {
            "en": "A trained classifier, whole, and on top of it what held-out rows taught: a temperature or a rising curve for each "
            "label, and a threshold below which it had better keep silent.",
            "zh": "训练好的分类模型整个在里面，外加从留出数据学到的校准：一个温度或每个标签一条单调曲线，以及不回答的阈值。",
        },
        "erya calibrate m.erya DEV.csv -o calibrated.erya",
    ),
    "generate/mixture": Ready(
        "erya.mixture",
        "Mixture",
        {"en": "Several language models as one", "zh": "几个语言模型混成一个"},
        {
            "en": "Trained language models, whole, and how much each is believed: weights under which held-out text is most probable.",
            "zh": "训练好的几个语言模型整个在里面，外加各自的权重：使留出文本最可能的那一组。",
        },
        "erya mix a.erya b.erya --on DEV.txt -o both.erya",
    ),
    "classify/onnx_file": Ready(
        "erya.onnx_classifier",
        "OnnxFile",
        {"en": "A classifier from an ONNX file", "zh": "ONNX 文件里的分类模型"},
        {
            "en": "A network that Erya wrote as ONNX, tokenizer and vocabulary inside: it answers and explains itself without torch.",
            "zh": "由 Erya 写成 ONNX 的网络，分词方式与词表都在文件里：不需要 torch 就能回答与解释。",
        },
        "erya convert m.erya m.onnx",
    ),
    "classify/fasttext_file": Ready(
        "erya.foreign_classifier",
        "FastTextFile",
        {"en": "A classifier from a file of fastText", "zh": "fastText 文件里的分类模型"},
        {
            "en": "What stands in a .bin or .ftz of the original program: it answers as that program does, explains itself, and can be "
            "calibrated, compared, saved and written back.",
            "zh": "原版 fastText 的 .bin 或 .ftz 里的模型：回答与原版一致，还能解释、校准、比较，可以另存，也可以写回原格式。",
        },
        "erya convert m.bin m.erya",
    ),
}


def cards() -> list[Card]:
    """All rooms, by year and then by name.

    Raises:
        UsageError: a card is not readable; the message names it.
    """
    return _cards(os.environ.get("ERYA_ROOMS", ""))


@lru_cache(maxsize=4)
def _cards(rooms: str) -> list[Card]:  # ERYA_ROOMS is the key of the cache
    found: dict[str, Card] = {}
    for folder in _folders():
        for path in sorted(folder.glob("*/card.toml")):
            card = _read_card(path)
            if card.room in found:
                raise _bad_card(path, say(f"a second room named '{card.room}'", f"已有名为 '{card.room}' 的模型"))
            found[card.room] = card
    return sorted(found.values(), key=lambda card: (card.year, card.room))


def _folders() -> list[Path]:
    """The package's own models and those of ERYA_ROOMS."""
    extra = erya.models.outside()
    for folder in extra:
        if not folder.is_dir():
            raise UsageError(
                "rooms-missing", say(f"ERYA_ROOMS: no folder {folder}", f"ERYA_ROOMS：没有文件夹 {folder}")
            )
    erya.models.join()
    return [Path(erya.models.__file__).parent, *extra]


def _read_card(path: Path) -> Card:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        tasks = {
            task: TaskEntry(
                entry["class"],
                entry.get("module", "estimator"),
                _presets(entry.get("presets", {})),
                several=entry.get("several", False) is True,
                toy_rows=_toy_rows(entry.get("toy_rows", TOY_ROWS)),
                soft=entry.get("soft", False) is True,
                space=space_of(entry.get("space", {})),
                opens_without_extra=entry.get("opens_without_extra", False) is True,
            )
            for task, entry in data["tasks"].items()
        }
        return Card(
            room=path.parent.name,
            folder=path.parent,
            title=dict(data["title"]),
            summary=dict(data["summary"]),
            year=int(data["year"]),
            paper=str(data["paper"]),
            authors=tuple(data["authors"] if isinstance(data["authors"], list) else [data["authors"]]),
            extra=data.get("extra"),
            parents=tuple(Parent(parent["model"], dict(parent["fixed"])) for parent in data.get("parents", [])),
            tasks=tasks,
        )
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as problem:
        raise _bad_card(path, f"{type(problem).__name__}: {problem}") from problem


def _presets(told: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The presets that every model has, then those of its own, e.g. for one use."""
    return {name: dict(told.get(name, {})) for name in (*PRESETS, *(name for name in told if name not in PRESETS))}


def _toy_rows(told: Any) -> int:
    """Raises ValueError where a card asks for a number of toy rows that is none, or too many for a quick test."""
    if type(told) is not int or not TOY_ROWS <= told <= 10 * TOY_ROWS:
        raise ValueError(f"toy_rows: {TOY_ROWS} … {10 * TOY_ROWS}")
    return told


def _bad_card(path: Path, reason: str) -> UsageError:
    return UsageError(
        "bad-card", say(f"this card cannot be read: {reason}", f"无法读取这张卡片：{reason}"), where=str(path)
    )


def ids(task: str | None = None) -> list[str]:
    """All model ids, or those of one task, in the ladder's order (by year)."""
    return [name for card in cards() for name in card.ids if task is None or name.split("/")[0] == task]


def taking(kind: str, task: str = "classify") -> list[str]:
    """The ids of the models that learn from targets of this kind: ``"one"``, ``"several"``, ``"soft"``."""
    return [f"{task}/{card.room}" for card in cards() if task in card.tasks and card.tasks[task].takes(kind)]


def tasks_with_models() -> list[str]:
    """The tasks that have at least one room."""
    return sorted({name.split("/")[0] for name in ids()})


def card_of(id: str) -> Card:
    """The card of a model id.

    Raises:
        UsageError: no such id; the message names the nearest.
    """
    for card in cards():
        if id in card.ids:
            return card
    if id in READY:
        made = READY[id]
        raise UsageError(
            "not-trained",
            say(
                f"{id} is not trained, but made: {made.said(made.title)}",
                f"{id} 不需要训练，由现成的东西得到：{made.said(made.title)}",
            ),
            help=made.command,
        )
    known = ids()
    by_room = [name for name in known if name.split("/")[1] == id.split("/")[-1]]
    guess = by_room[0] if by_room else nearest(id, known)
    raise UsageError(
        "unknown-model",
        say(f"there is no model '{id}'", f"没有名为 '{id}' 的模型"),
        help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？")
        if guess
        else say("erya list shows all models", "erya list 列出全部模型"),
    )


def find(id: str, *, to_open: bool = False) -> type[Model]:
    """The class of a model id, e.g. ``find("classify/fasttext")``. Imports the room.

    Args:
        id: the model.
        to_open: whether only to open a file of it, which some rooms do without their extra.

    Raises:
        UsageError: no such id.
        ResourceError: the room needs an extra that is not installed.
    """
    if id in READY:
        place, name = READY[id].module, READY[id].class_name
    else:
        card = card_of(id)
        entry = card.tasks[id.split("/")[0]]
        if not card.installed and not (to_open and entry.opens_without_extra):
            raise _missing_extra(id, str(card.extra))
        place, name = f"erya.models.{card.room}.{entry.module}", entry.class_name
    found: type[Model] = getattr(importlib.import_module(place), name)
    return found


def _missing_extra(id: str, extra: str) -> ResourceError:
    others = ", ".join(
        name for card in cards() if card.installed for name in card.ids if name.startswith(id.split("/")[0])
    )
    needs = EXTRA_MODULE.get(extra, extra)
    return ResourceError(
        "extra-missing",
        say(f"{id} needs {needs}, which is not installed", f"{id} 需要 {needs}，但当前环境没有安装"),
        help=say(
            f'pip install "erya[{extra}]"   # without it: {others}',
            f'pip install "erya[{extra}]"   # 不装也可用：{others}',
        ),
    )


def model(id: str, preset: str = "default", settings: Mapping[str, Any] | None = None) -> Model:
    """A new model by id: the preset's settings, then ``settings`` over them. A tokenizer may be the file of a trained tagger.

    Raises:
        UsageError: no such id, preset or setting; the message names the nearest.
    """
    from erya.contract import unknown_setting

    entry = card_of(id).tasks[id.split("/")[0]]
    if preset not in entry.presets:
        guess = nearest(preset, entry.presets)
        raise UsageError(
            "unknown-preset",
            say(f"{id} has no preset '{preset}'", f"{id} 没有名为 '{preset}' 的预设"),
            help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else ", ".join(entry.presets),
        )
    kind = find(id)
    values = {**entry.presets[preset], **(settings or {})}
    for name in values:
        if name not in kind.parameters():
            raise unknown_setting(kind, name)
    if str(values.get("tokenizer", "")).endswith(".erya"):
        values["tokenizer"] = load(values["tokenizer"])
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def load(path: str | Path) -> Model:
    """Open an ``.erya`` file: verified first, then restored.

    A model of the original fastText (``.bin``, ``.ftz``), an ONNX file that Erya wrote, n-grams in ARPA format, a GPT-2 folder of
    Hugging Face, and a file of word vectors in another foreign format are opened, too.

    Raises:
        ModelFileError: missing, damaged, hostile, from a newer Erya, or of a model that this Erya does not have.
        ResourceError: the model needs an extra that is not installed.
    """
    from erya import artefact

    task = fasttext_task(path)
    if task is not None:
        return _open_fasttext(Path(path), task)
    if is_onnx(path):
        from erya.onnx_classifier import OnnxFile

        return OnnxFile.open(Path(path))
    if is_arpa(path):
        ngram: Any = find("generate/ngram")
        language_model: Model = ngram.from_arpa(path)
        return language_model
    if is_hugging_face(path):
        gpt: Any = find("generate/gpt")
        from_folder: Model = gpt.from_folder(path)
        return from_folder
    if foreign_format(path) is not None:
        return open_vectors(path)

    return restored(artefact.load(Path(path)), str(path))


def restored(content: Content, path: str = "") -> Model:
    """The model of a file's content.

    Args:
        content: as ``artefact.load`` gives it.
        path: the file, for messages.

    Raises:
        ModelFileError: of a model that this Erya does not have, or whose contents make no sense.
        ResourceError: the model needs an extra that is not installed.
    """
    path = path or content.model
    try:
        kind = find(content.model, to_open=True)
    except UsageError as problem:
        raise ModelFileError(
            "model-unknown",
            say(
                f"{path} holds a '{content.model}', which this Erya does not have",
                f"{path} 里是 '{content.model}'，这个版本的 Erya 没有它",
            ),
            help=say(
                "is it a room of your own? set ERYA_ROOMS to its parent folder",
                "是自己写的模型吗？把 ERYA_ROOMS 设为它的上级文件夹",
            ),
        ) from problem
    if content.state_version > kind.state_version:
        raise ModelFileError(
            "model-newer",
            say(f"{path} was written by a newer Erya", f"{path} 是由更新版本的 Erya 写出的"),
            help="pip install --upgrade erya",
        )
    try:
        return kind.restore(content.params, content.state, content.state_version)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as problem:
        raise ModelFileError(
            "model-nonsense",
            say(
                f"{path} is whole, but its contents make no sense: {problem}",
                f"{path} 是完整的，但内容自相矛盾：{problem}",
            ),
            where="weights.safetensors",
            help=say("train it again, or get a fresh copy", "重新训练，或重新获取这个文件"),
        ) from problem


def _open_fasttext(path: Path, task: str) -> Model:
    if task == "classify":
        from erya.foreign_classifier import FastTextFile

        return FastTextFile.open(path)
    from erya.models.fasttext import binary

    opened: Any = find("vectors/fasttext")
    found: Model = opened.from_original(binary.read(path))
    return found


def fasttext_task(path: str | Path) -> str | None:
    """What a model of the original fastText (``.bin``, ``.ftz``) is for: ``classify`` or ``vectors``; None: the file is none."""
    try:
        if not Path(path).is_file():  # a pipe gives its bytes once
            return None
        with Path(path).open("rb") as file:
            head = file.read(_FASTTEXT_HEAD.size)
    except OSError:
        return None
    if not head.startswith(_FASTTEXT_MAGIC):
        return None
    # what is cut off behind its first bytes goes to the reader, too, which says so
    kind = _FASTTEXT_HEAD.unpack(head)[-1] if len(head) == _FASTTEXT_HEAD.size else _SUPERVISED
    return "classify" if kind == _SUPERVISED else "vectors"


def foreign_task(path: str | Path) -> str | None:
    """The task of what another program wrote: fastText, n-grams, GPT-2, word vectors; None for model files and all else."""
    if is_onnx(path):
        return "classify"
    if is_arpa(path) or is_hugging_face(path):
        return "generate"
    return fasttext_task(path) or ("vectors" if foreign_format(path) is not None else None)


def foreign_format(path: str | Path) -> str | None:
    """The format of a file of word vectors that another program wrote; None for model files and for all else."""
    source = Path(path)
    task = fasttext_task(source)
    if task is not None:
        return "fasttext-bin" if task == "vectors" else None
    if source.suffix == ".erya" or is_artefact(source) or is_arpa(source) or not source.is_file():
        return None
    from erya.text import vector_files

    # what calls itself vectors is read as such, damaged or not: the complaint then names the line
    return vector_files.sniff(source) or {".vec": "fasttext-vec", ".npy": "numpy"}.get(source.suffix)


def is_onnx(path: str | Path) -> bool:
    """Whether a file calls itself ONNX: such files begin with nothing by which they could be told."""
    return Path(path).suffix.lower() == ".onnx" and Path(path).is_file()


def is_arpa(path: str | Path) -> bool:
    """Whether a file calls itself n-grams in ARPA format, packed or not."""
    return Path(path).name.lower().endswith((".arpa", ".arpa.gz", ".arpa.xz", ".arpa.zst")) and Path(path).is_file()


def is_hugging_face(path: str | Path) -> bool:
    """Whether a path is a folder with a model of Hugging Face's; its ``config.json`` says of which kind."""
    return Path(path, "config.json").is_file()


def is_artefact(path: Path) -> bool:
    """Whether a file is a model whatever its name: it begins like a zip, as no file of vectors or of rows does."""
    try:
        if not path.is_file():  # a pipe gives its bytes once, and the reader needs them
            return False
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def open_vectors(
    path: str | Path, *, format: str | None = None, limit: int | None = None, bad_utf8: str = "stop"
) -> Model:
    """A foreign file of word vectors as a model that answers queries.

    Args:
        path: the file.
        format: one of ``vector_files.FORMATS``; None: told by the name and the first bytes.
        limit: only so many words, the first ones.
        bad_utf8: at words that are not UTF-8: ``"stop"``, ``"replace"`` or ``"skip"``.

    Raises:
        DataError: the file is missing or is not what its format asks for.
    """
    from erya.parts.keyed_vectors import KeyedVectors
    from erya.text import vector_files

    table = vector_files.read(Path(path), format=format, limit=limit, bad_utf8=bad_utf8)
    opened: Model = KeyedVectors.of(table.words, table.matrix, table.counts)
    return opened


# ---- the lazy modules erya.classify, … ------------------------------------------------------------------------


def class_names(task: str) -> dict[str, str]:
    """Class name → model id, for one task."""
    rooms = {card.tasks[task].class_name: f"{task}/{card.room}" for card in cards() if task in card.tasks}
    return rooms | {made.class_name: id for id, made in READY.items() if id.split("/")[0] == task}


def lazy_class(task: str, name: str) -> type[Model]:
    """The class behind ``erya.<task>.<name>``. Raises AttributeError, as a module does, where there is none."""
    known = class_names(task)
    if name not in known:
        guess = nearest(name, known)
        hint = say(f"; did you mean '{guess}'?", f"；是不是 '{guess}'？") if guess else ""
        raise AttributeError(f"module 'erya.{task}' has no attribute '{name}'{hint}")
    return find(known[name])


def stub(task: str) -> str:
    """The text of ``<task>.pyi``, which lets editors and mypy see through the lazy module. Own rooms only."""
    own = Path(erya.models.__file__).parent
    places = [
        (f"erya.models.{card.room}.{card.tasks[task].module}", card.tasks[task].class_name)
        for card in cards()
        if task in card.tasks and card.folder.parent == own
    ]
    places += [(made.module, made.class_name) for id, made in READY.items() if id.split("/")[0] == task]
    lines = sorted(f"from {module} import {name} as {name}" for module, name in places)
    return "# Written by `python -m erya.catalog`; a test compares.\n" + "\n".join(lines) + "\n"


def _write_stubs() -> None:
    from erya.artefact import atomic_write

    for task in tasks_with_models():
        text = stub(task).encode("utf-8")
        atomic_write(Path(erya.models.__file__).parent.parent / f"{task}.pyi", partial(_put, text))


def _put(text: bytes, file: BinaryIO) -> None:
    file.write(text)


if __name__ == "__main__":
    _write_stubs()
