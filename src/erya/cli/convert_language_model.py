"""``convert`` for language models: n-grams between model files and ARPA, the text that SRILM and KenLM read; GPTs between model files and
folders of Hugging Face.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erya.cli import output
from erya.cli.language_model_check import size_on_disk
from erya.cli.reading import opened, shown_path
from erya.cli.targets import MODEL_FILE, Kind, check_output
from erya.errors import UsageError, quoted, typed
from erya.language import say

if TYPE_CHECKING:
    from erya.cli.options import Manner

FORMATS = ("erya", "arpa", "huggingface")
ARPA_FILE = Kind(("ARPA file", "ARPA 文件"), (".arpa",), (b"\\data\\", b"\n\\data\\"))


def is_language_model(source: str) -> bool:
    """Whether a language model is there: one of Erya's, an ARPA file, or a GPT-2 folder."""
    from erya import artefact, catalog

    path = Path(source)
    if path.suffix == ".erya" or catalog.is_artefact(path):
        return artefact.load(path).model.startswith("generate/")
    return catalog.foreign_task(path) == "generate"


def convert(manner: Manner, source: str, target: str, to: str | None, asked: dict[str, Any]) -> None:
    """Write a language model anew.

    Args:
        manner: how to talk.
        source: what is read.
        target: what is written.
        to: a format, or None: by the name.
        asked: options that only word vectors have, with their values.

    Raises:
        UsageError: such an option, a format that holds no language model, or a model that is none of n-grams.
        DataError: units that the format cannot tell apart.
    """
    for name, value in asked.items():
        if value is not None:
            raise UsageError(
                "other-task",
                say(
                    f"{name} is for word vectors; {quoted(source)} holds a language model",
                    f"{name} 只用于词向量；{quoted(source)} 是语言模型",
                ),
                help=f"erya convert {shown_path(source)} {shown_path(target)}",
            )
    path = Path(target)
    format = _format(target, to, source)
    if format != "huggingface":
        check_output(path, {"erya": MODEL_FILE, "arpa": ARPA_FILE}[format], [source])
    model, content = opened(source)
    lost: list[str] = []
    beside: Path | None = None
    if format == "erya":
        told = {} if content is None else content.training
        model.save(path, training=told, card="" if content is None else content.card)
    elif format == "arpa":
        lost, beside = _write_arpa(path, model)
    else:
        lost = _write_folder(path, model)
    size = size_on_disk(path)
    if manner.json:
        document: dict[str, Any] = {
            "schema": "erya.convert/1",
            "input": source,
            "output": target,
            "format": format,
            "model": model.id,
        }
        document |= {"bytes": size, "lost": lost, "tokenizer": str(beside) if beside else None}
        output.write_document(document)
        return
    output.write(output.fact(say("saved", "已保存"), f"{path}  {output.size(size)}  {format}"))
    if lost:
        manner.talk(output.fact(say("lost", "舍去"), say("; ", "；").join(lost)))
    if beside:
        manner.talk(output.fact("", say(f"the tokenizer stands beside it: {beside}", f"分词方式另存于 {beside}")))
    manner.next(f'erya predict {shown_path(target)} --input "…"', f"erya evaluate {shown_path(target)} TEST")


def _write_arpa(path: Path, model: Any) -> tuple[list[str], Path]:
    """What is lost, and where the tokenizer lies."""
    from erya.atomic import atomic_write

    if not hasattr(model, "write_arpa"):
        raise UsageError(
            "other-model",
            say(f"an ARPA file holds n-grams; this is a {model.id}", f"ARPA 文件存的是 n 元组；这个模型是 {model.id}"),
            help="erya train generate/ngram DATA -o m.erya",
        )
    lost: list[str] = model.write_arpa(path)
    beside = path.with_name(f"{path.name}.tokenizer.json")
    data = (json.dumps(model.units_.to_plain(), ensure_ascii=False, indent=1) + "\n").encode("utf-8")
    atomic_write(beside, lambda file: file.write(data) and None)
    return lost, beside


def _write_folder(path: Path, model: Any) -> list[str]:
    """What is lost."""
    if not hasattr(model, "to_folder"):
        raise UsageError(
            "other-model",
            say(f"a GPT-2 folder holds a GPT; this is a {model.id}", f"GPT-2 文件夹存的是 GPT；这个模型是 {model.id}"),
            help="erya train generate/gpt DATA -o m.erya --set tokenizer=bpe",
        )
    lost: list[str] = model.to_folder(path)
    return lost


def _format(target: str, to: str | None, source: str) -> str:
    path = Path(target)
    format = to or {".erya": "erya", ".arpa": "arpa"}.get(path.suffix.lower())
    if format is None and (path.is_dir() or target.endswith(("/", os.sep))):
        format = "huggingface"
    if format not in FORMATS:
        raise UsageError(
            "other-task",
            say(
                f"a language model is written as .erya, .arpa or a folder/, not as {quoted(to or path.name)}",
                f"语言模型可写成 .erya、.arpa 或文件夹/，不能写成 {quoted(to or path.name)}",
            ),
            help=f"erya convert {shown_path(source)} {_proposed(path, source)}",
        )
    if format == "huggingface":
        return format
    if path.suffix.lower() != f".{format}":
        raise UsageError(
            "bad-ending",
            say(f"{format} is written to a name that ends in .{format}", f"{format} 的文件名应以 .{format} 结尾"),
            help=f"erya convert {shown_path(source)} {typed(path.with_suffix('.' + format))}",
        )
    return str(format)


def _proposed(path: Path, source: str) -> str:
    """A name by which the model can be written."""
    from erya import artefact

    plain = path.with_name(path.name.partition(".")[0] or "m")
    held = artefact.load(Path(source)).model if Path(source).suffix == ".erya" else ""
    if held == "generate/gpt":
        return f"{typed(plain)}/"
    return typed(plain.with_suffix(".arpa" if held == "generate/ngram" else ".erya"))
