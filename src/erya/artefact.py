"""``.erya`` files: all that is needed to predict, written atomically, verified before use.

manifest.json        format number, kind, model id, parameters, versions, the state's plain data, size and SHA-256 of
                     every other part
tokenizer.json       ``state.data["tokenizer"]``, if there is one
training.json        seed, data digest, curve, scores
card.md              a page for people
weights.safetensors  the arrays, and files of other models that this one has inside (``nested.py``)

Reading goes: bounds, hashes, parse, structure. Whatever fails raises ``ModelFileError`` and nothing was used. This file
knows arrays and plain data, no class: what the arrays mean – shapes against parameters, ids against the vocabulary – is
checked by the model's ``set_state``. Same content, same bytes: no clock, no path, no machine goes into a file.
"""

from __future__ import annotations

import itertools
import math
import mmap
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from erya import container, nested, strict_json, tensors
from erya.atomic import atomic_write, remove_strays
from erya.container import Piece, Refused
from erya.errors import DivergedError, ModelFileError, UsageError, nearest, quoted, typed
from erya.language import say
from erya.manifest import (
    CARD,
    FORMAT,
    LARGEST,
    MANIFEST,
    MOST_VALUES,
    PARTS,
    TOKENIZER,
    TRAINING,
    WEIGHTS,
    check_format,
    check_manifest,
    check_parts,
    fingerprint,
)
from erya.state import State

__all__ = ["FORMAT", "Content", "atomic_write", "content_of", "load", "remove_strays", "save", "write"]

_MAPPED_FROM = 64 << 20  # bytes


@dataclass(slots=True)
class Content:
    """What one file holds.

    Args:
        model: id, e.g. ``"classify/naive_bayes"``.
        params: the constructor's arguments as JSON data.
        state: what was learned.
        state_version: the shape of ``state``, see ``Model.upgrade``.
        training: seed, data digest, curve, scores; non-finite numbers in it become null.
        card: Markdown.
        erya: the version that wrote the file; filled by ``load``.
    """

    model: str
    params: dict[str, Any]
    state: State
    state_version: int
    training: dict[str, Any]
    card: str
    erya: str = ""


def save(path: str | Path, content: Content, *, kind: str = "model") -> Path:
    """Write one file, atomically: the old one stays until the new one stands whole.

    Args:
        path: the target.
        content: what to write.
        kind: ``"model"``, or ``"checkpoint"`` for a training that has not ended.

    Raises:
        UsageError: something in ``content`` is not plain data or beyond what ``load`` would accept.
        DivergedError: an array holds NaN or infinity.
        ResourceError: no space, no permission.
    """
    target = Path(path)
    parts = _parts(content, kind)
    atomic_write(target, lambda stream: container.write(stream, parts))
    return target


def load(path: str | Path, *, kind: str = "model") -> Content:
    """Open and verify one file. The arrays are read-only views of a memory map.

    Raises:
        ModelFileError: missing, damaged, hostile, newer than this Erya, or of another kind.
    """
    source = Path(path)
    try:
        return _content(_bytes(source), kind)
    except Refused as refused:
        raise _error(source, refused) from None


def write(stream: BinaryIO, content: Content) -> None:
    """The bytes of a model file, as ``save`` writes them, into a stream. Raises UsageError or DivergedError, as ``save``."""
    container.write(stream, _parts(content, "model"))


def content_of(data: memoryview) -> Content:
    """What the bytes of a model file hold, verified. Raises Refused."""
    return _content(data, "model")


def erya_version() -> str:
    """This package's version."""
    import erya

    return erya.__version__


# ---- writing ------------------------------------------------------------------------------------------------------


def _parts(content: Content, kind: str) -> list[tuple[str, Sequence[Piece]]]:
    arrays = dict(content.state.arrays)
    data, params = nested.taken_out(content.state.data, arrays), nested.taken_out(content.params, arrays)
    parts: list[tuple[str, Sequence[Piece]]] = []
    if "tokenizer" in data:
        parts.append((TOKENIZER, [_plain(TOKENIZER, data.pop("tokenizer"))]))
    parts.append((TRAINING, [_plain(TRAINING, _without_infinities(content.training))]))
    parts.append((CARD, [_bounded(CARD, content.card.encode("utf-8", "replace"))]))
    try:
        parts.append((WEIGHTS, tensors.encode(arrays)))
    except tensors.NotFiniteError as error:
        raise DivergedError("not-finite", str(error), help=say("lower the learning rate", "请降低学习率")) from None
    except ValueError as error:
        raise _not_plain(WEIGHTS, str(error)) from None
    manifest = {
        "format": FORMAT,
        "kind": kind,
        "model": content.model,
        "erya": erya_version(),
        "params": params,
        "state_version": content.state_version,
        "state": data,
        "parts": {name: fingerprint(pieces) for name, pieces in parts},
    }
    first = _plain(MANIFEST, manifest, indent=1)
    try:
        check_manifest(manifest)
    except Refused as refused:
        raise _not_plain(MANIFEST, refused.reason) from None
    return [(MANIFEST, [first]), *parts]


def _plain(part: str, value: Any, indent: int | None = None) -> bytes:
    try:
        return _bounded(part, strict_json.encode(value, most=MOST_VALUES[part], indent=indent))
    except (ValueError, RecursionError) as error:
        raise _not_plain(part, str(error)) from None


def _bounded(part: str, data: bytes) -> bytes:
    if len(data) > LARGEST[part]:
        raise _not_plain(part, say(f"more than {LARGEST[part]:,} bytes", f"超过 {LARGEST[part]:,} 字节"))
    return data


def _not_plain(part: str, reason: str) -> UsageError:
    return UsageError("not-plain", say(f"this cannot be saved: {reason}", f"无法保存：{reason}"), where=part)


def _without_infinities(value: Any) -> Any:
    """A score may well be NaN; that must not keep a trained model from being saved."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinities(item) for item in value]
    return value


# ---- reading ------------------------------------------------------------------------------------------------------


def _bytes(path: Path) -> memoryview:
    """The whole file, read-only, at a page boundary.

    Up to 64 MiB are read into memory: whoever overwrites the file in place later can neither change what was verified
    nor end this process. Larger files are mapped. Windows forbids replacing a mapped file, so there all are read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Refused("", say("it is not an ordinary file", "不是普通文件"), code="model-unknown")
        with path.open("rb", buffering=0) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size == 0:
                raise Refused("", say("it is empty", "文件是空的"))
            if size >= _MAPPED_FROM and os.name != "nt":
                return memoryview(mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ))
            memory = memoryview(mmap.mmap(-1, size))
            filled = 0
            while filled < size:
                got = stream.readinto(memory[filled:])
                if not got:
                    break
                filled += got
            return memory[:filled].toreadonly()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelFileError(
            "model-unreadable", say(f"{quoted(path)} cannot be read: {reason}", f"无法读取 {quoted(path)}：{reason}")
        ) from error


def _content(data: memoryview, kind: str) -> Content:
    container.check_seal(data)
    manifest = _parsed(MANIFEST, container.first_part(data, MANIFEST, LARGEST[MANIFEST]))
    check_format(manifest)
    parts = container.open_parts(data, PARTS)
    check_manifest(manifest)
    check_parts(manifest["parts"], parts)
    if manifest["kind"] != kind:
        raise _other_kind(manifest["kind"])
    state = State(data=manifest["state"])
    if TOKENIZER in parts:
        state.data["tokenizer"] = _parsed(TOKENIZER, bytes(parts[TOKENIZER]))
    training = _parsed(TRAINING, bytes(parts[TRAINING]))
    if not isinstance(training, dict):
        raise Refused(TRAINING, say("it is not an object", "不是 JSON 对象"))
    try:
        card = str(parts[CARD], "utf-8")
    except UnicodeDecodeError:
        raise Refused(CARD, say("it is not UTF-8", "不是 UTF-8 文本")) from None
    try:
        arrays = tensors.decode(parts[WEIGHTS])
        params = manifest["params"]
        if nested.has_files(arrays):
            state.data, params = nested.put_back(state.data, arrays), nested.put_back(params, arrays)
    except ValueError as error:
        raise Refused(WEIGHTS, str(error)) from None
    state.arrays = nested.without_files(arrays)
    return Content(
        model=manifest["model"],
        params=params,
        state=state,
        state_version=manifest["state_version"],
        training=training,
        card=card,
        erya=manifest["erya"],
    )


def _parsed(part: str, data: bytes) -> Any:
    try:
        return strict_json.decode(data, most=MOST_VALUES[part])
    except ValueError as error:
        raise Refused(part, str(error)) from None


# ---- errors -------------------------------------------------------------------------------------------------------


def _missing(path: Path) -> ModelFileError:
    try:
        with os.scandir(path.parent) as entries:
            names = [entry.name for entry in itertools.islice(entries, 10_000)]
    except OSError:
        names = []
    if f"{path.name}.run" in names:
        return ModelFileError(
            "model-missing",
            say(f"the training of {quoted(path.name)} has not ended", f"{quoted(path.name)} 的训练还没有结束"),
            where=quoted(path, 200),
            help=f"erya resume {typed(path)}",
        )
    guess = nearest(path.name, names)
    meant = typed(path.parent / guess) if guess else ""
    return ModelFileError(
        "model-missing",
        say(f"there is no file {quoted(path.name or path)}", f"没有文件 {quoted(path.name or path)}"),
        where=quoted(path, 200),
        help=say(f"did you mean '{quoted(guess)}'?  →  {meant}", f"是不是 '{quoted(guess)}'？  →  {meant}")
        if guess
        else f"ls {typed(path.parent)}",
    )


def _other_kind(kind: str) -> Refused:
    if kind == "checkpoint":
        return Refused(
            MANIFEST,
            say("it is a checkpoint of a training that has not ended", "它是尚未完成的训练的检查点"),
            code="model-kind",
        )
    return Refused(MANIFEST, say("it is a model, not a checkpoint", "它是模型，不是检查点"), code="model-kind")


def _error(path: Path, refused: Refused) -> ModelFileError:
    name = quoted(path)
    what = refused.reason if refused.part in refused.reason else f"{refused.part}: {refused.reason}"
    if refused.code == "model-damaged":
        message = say(f"{name} is damaged: {what}; nothing was loaded", f"{name} 已损坏：{what}；没有加载任何内容")
        help_ = say("copy the file again from where it came from", "请从来源处重新复制该文件")
    elif refused.code == "model-newer":
        message, help_ = f"{name}: {refused.reason}", "pip install --upgrade erya"
    else:
        message = say(f"{name} cannot be opened: {what}", f"无法打开 {name}：{what}")
        help_ = say(
            "a model file ends in .erya and is written by: erya train", "模型文件以 .erya 结尾，由 erya train 生成"
        )
    if refused.code == "model-kind":
        help_ = say("erya resume MODEL.erya finishes a training", "用 erya resume MODEL.erya 完成训练")
    return ModelFileError(refused.code, message, where=f"{name}: {refused.part}" if refused.part else name, help=help_)
