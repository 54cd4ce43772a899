"""``convert``: word vectors between model files and other programs' formats, and into smaller files.

Classifiers and taggers: ``convert_classifier.py``; language models: ``convert_language_model.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from erya.cli import convert_classifier, convert_language_model, output
from erya.cli.flat import flat
from erya.cli.frame import add
from erya.cli.options import Manner, argument, option
from erya.cli.reading import shown_path
from erya.cli.targets import Kind, check_output
from erya.cli.values import chosen, whole
from erya.cli.words import example_word
from erya.errors import UsageError, quoted, typed
from erya.language import say

if TYPE_CHECKING:
    from erya.artefact import Content

FOREIGN = ("word2vec-bin", "word2vec-text", "glove", "fasttext-vec", "fasttext-bin", "numpy")
READABLE = tuple(name for name in FOREIGN if name != "fasttext-bin")  # this one is never mistaken
STORED = {"erya": "float32", "float16": "float16", "int8": "int8"}  # --to → how an .erya keeps the numbers
BY_ENDING = {
    ".erya": "erya",
    ".bin": "word2vec-bin",
    ".ftz": "fasttext-bin",
    ".vec": "fasttext-vec",
    ".txt": "word2vec-text",
    ".npy": "numpy",
}
PACKED = (".gz", ".xz")
WORDS = ("words.bytes", "words.offsets", "vectors", "scales", "counts")  # arrays that every kind of file has


def register(app: typer.Typer) -> None:
    """Add the verb."""
    add(
        app,
        "convert",
        flat(convert),
        group=say("Use a model", "使用模型"),
        summary=say("models in and out of other programs' formats", "与其他程序的模型格式互相转换"),
        examples=[
            ("erya convert v.erya v.bin --to word2vec-bin", say("for gensim and word2vec", "供 gensim、word2vec 使用")),
            (
                "erya convert glove.6B.300d.txt glove.erya --limit 100000",
                say("the first 100,000 words", "只取前 10 万个词"),
            ),
            ("erya convert v.erya small.erya --to int8", say("a quarter of the size", "体积为四分之一")),
            ("erya convert lid.176.ftz lid.erya", say("a classifier of fastText", "fastText 的分类模型")),
            ("erya convert m.erya m.bin", say("a classifier for fastText", "供 fastText 使用的分类模型")),
            (
                "erya convert m.erya m.onnx",
                say("a network as ONNX, tokenizer inside", "神经网络写成 ONNX，分词方式一并存入"),
            ),
            ("erya convert kn.erya kn.arpa", say("n-grams, for KenLM and SRILM", "n 元模型，供 KenLM、SRILM 使用")),
            ("erya convert gpt.erya folder/", say("a GPT for transformers", "GPT，供 transformers 使用")),
            ("erya convert folder/ gpt2.erya", say("a GPT-2 of Hugging Face", "Hugging Face 的 GPT-2")),
            ("erya convert cc.zh.300.vec zh.npy", say("NumPy, with a list of words beside it", "NumPy，旁附词表")),
        ],
        more=say(
            "The format comes from the name where --to is missing: .erya .bin (word2vec) .vec (fastText) .txt (word2vec with a "
            "header; glove has none) .npy; and .gz or .xz behind it. What the new file cannot hold is said.\n"
            "Classifiers go to .bin or .ftz of fastText if they cut text at white space: --set tokenizer=whitespace when training. "
            "Word vectors with n-grams go there by --to fasttext-bin.",
            "不写 --to 时按文件名判断：.erya、.bin（word2vec）、.vec（fastText）、.txt（word2vec 文本，首行为词数与维数；"
            "glove 没有首行）、.npy，后面可再加 .gz 或 .xz。新文件存不下的内容会说明。\n"
            "分类模型可写成 fastText 的 .bin 或 .ftz，前提是按空白分词（训练时加 --set tokenizer=whitespace）；"
            "带 n 元组的词向量用 --to fasttext-bin。",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Taken:
    """What was read."""

    model: Any
    content: Content | None  # of an .erya
    skipped: int = 0


def convert(
    manner: Manner,
    source: Annotated[str, argument("IN", "a model file, or a foreign one", "模型文件，或其他程序的文件")],
    target: Annotated[str, argument("OUT", "the new file", "新文件")],
    to: Annotated[
        str | None,
        option(
            "--to",
            "FORMAT",
            " ".join((*FOREIGN, *STORED, "arpa", "huggingface")),
            "目标格式：" + " ".join((*FOREIGN, *STORED, "arpa", "huggingface")),
        ),
    ] = None,
    came: Annotated[
        str | None,
        option("--from", "FORMAT", "of IN, where it is not recognized", "输入文件的格式（认不出时才需要）"),
    ] = None,
    limit: Annotated[str | None, option("--limit", "N", "only the first N words", "只取前 N 个词")] = None,
    bad_utf8: Annotated[
        str | None,
        option(
            "--bad-utf8",
            "stop|replace|skip",
            "at words that are not UTF-8 (default: stop)",
            "遇到非 UTF-8 的词：停止（默认）、替换或跳过",
        ),
    ] = None,
) -> None:
    """Read a model and write it anew."""
    asked = {"--from": came, "--limit": limit, "--bad-utf8": bad_utf8}
    task = convert_classifier.task_of(source)
    if task in convert_classifier.FORMATS:
        convert_classifier.convert(manner, str(task), source, target, to, asked)
        return
    if convert_language_model.is_language_model(source):
        convert_language_model.convert(manner, source, target, to, asked)
        return
    most = None if limit is None else whole("--limit", limit, default=1, least=1)
    policy = chosen("--bad-utf8", bad_utf8 or "stop", ["stop", "replace", "skip"])
    format = chosen("--to", to, [*FOREIGN, *STORED]) if to else _by_ending(Path(target))
    if came is not None:
        chosen("--from", came, list(READABLE))
    _check_target(Path(target), source, format)
    taken = _read(source, came, most, policy)
    model = taken.model
    lost = [*_lost(taken, format), *_cut(model, most)]
    written = _write(taken, Path(target), format, most)
    beside = _ship_tokenizer(model, Path(target)) if format in FOREIGN else None
    size = written.stat().st_size
    count = min(len(model.words_), most or len(model.words_))
    if manner.json:
        output.write_document(
            {
                "schema": "erya.convert/1",
                "input": source,
                "output": target,
                "format": format,
                "words": count,
                "dim": model.vector_size,
                "bytes": size,
                "skipped": taken.skipped,
                "lost": lost,
                "tokenizer": str(beside) if beside else None,
            }
        )
        return
    shape = say(f"{count:,} words × {model.vector_size}", f"{count:,} 个词 × {model.vector_size}")
    output.write(output.fact(say("saved", "已保存"), f"{written}  {output.size(size)}  {format}  {shape}"))
    if to is None and Path(target).suffix == ".txt":
        told = say(
            "format  word2vec-text, with a header line; without one: --to glove",
            "格式  word2vec-text，带首行；不要首行：--to glove",
        )
        manner.talk(f"  {told}")
    if taken.skipped:
        manner.talk(
            output.fact(
                "",
                say(
                    f"{taken.skipped:,} words are not UTF-8 and were left out",
                    f"跳过 {taken.skipped:,} 个非 UTF-8 的词",
                ),
            )
        )
    if lost:
        manner.talk(output.fact(say("lost", "舍去"), say("; ", "；").join(lost)))
    if beside:
        manner.talk(output.fact("", say(f"the tokenizer stands beside it: {beside}", f"分词方式另存于 {beside}")))
    name = shown_path(target)
    manner.next(f"erya show {name} near {example_word(model.words_)}", f"erya evaluate {name}")


# ---- what is asked --------------------------------------------------------------------------------------------


def _by_ending(path: Path) -> str:
    """The format that a file's name asks for. Raises UsageError where it asks for none."""
    plain = path.with_suffix("") if path.suffix.lower() in PACKED else path
    format = BY_ENDING.get(plain.suffix.lower())
    if format is None:
        raise UsageError(
            "unknown-format",
            say(f"the name {quoted(path.name)} tells no format", f"从文件名 {quoted(path.name)} 看不出格式"),
            help="--to " + "|".join((*FOREIGN, *STORED)),
        )
    return format


def _check_target(path: Path, source: str, format: str) -> None:
    """Refuse to write over the input or over something that holds no vectors."""
    from erya import catalog

    if path.is_file() and path.stat().st_size and not catalog.is_artefact(path) and not catalog.foreign_format(path):
        raise UsageError(
            "output-in-the-way",
            say(
                f"{quoted(path)} is there and holds no word vectors; it would be overwritten",
                f"{quoted(path)} 已存在，而且不是词向量文件，会被覆盖",
            ),
            help=f"erya convert {shown_path(source)} {typed(path.with_name(f'{path.stem}-new{path.suffix}'))}",
        )
    if format in STORED and path.suffix != ".erya":
        raise UsageError(
            "bad-ending",
            say(
                f"--to {format} writes a model file, which ends in .erya",
                f"--to {format} 写出模型文件，应以 .erya 结尾",
            ),
            help=f"erya convert {shown_path(source)} {typed(path.with_suffix('.erya'))} --to {format}",
        )
    ending = path.suffix.lower() or ".bin"
    check_output(path, Kind(("file of word vectors", "词向量文件"), (ending,), ()), [source])


# ---- in -------------------------------------------------------------------------------------------------------


def _read(source: str, format: str | None, limit: int | None, bad_utf8: str) -> _Taken:
    from erya import artefact, catalog

    path = Path(source)
    if format is None and (path.suffix == ".erya" or catalog.is_artefact(path)):
        content, model = artefact.load(path), catalog.load(path)
        if model.task() != "vectors":
            raise UsageError(
                "other-task",
                say(
                    f"{quoted(source)} holds a {model.id}, no word vectors",
                    f"{quoted(source)} 里是 {model.id}，不是词向量",
                ),
                help="erya list vectors",
            )
        return _Taken(model, content)
    if format is None and catalog.fasttext_task(path) is not None:
        return _Taken(catalog.load(path), None)
    from erya.parts.keyed_vectors import KeyedVectors
    from erya.text import vector_files

    table = vector_files.read(path, format=format, limit=limit, bad_utf8=bad_utf8)
    return _Taken(KeyedVectors.of(table.words, table.matrix, table.counts), None, table.skipped)


# ---- out ------------------------------------------------------------------------------------------------------


def _write(taken: _Taken, target: Path, format: str, limit: int | None) -> Path:
    from erya.parts.keyed_vectors import KeyedVectors
    from erya.text import vector_files

    model = taken.model
    if format == "fasttext-bin":
        return _write_fasttext(model, target, limit)
    if format == "erya" and taken.content is None and limit is None and model.id != "vectors/keyed":
        saved: Path = model.save(target)  # with its n-grams
        return saved
    words, matrix = model.words_[:limit], model.vectors[:limit]
    counts = None if model.counts_ is None else model.counts_[:limit]
    if format in STORED:
        content = taken.content
        training = {} if content is None else {**content.training, "converted_from": content.model}
        stored = KeyedVectors.of(words, matrix, counts, storage=STORED[format])
        return stored.save(target, training=training, card="" if content is None else content.card)
    return vector_files.write(target, vector_files.VectorTable(list(words), matrix, counts), format)


def _write_fasttext(model: Any, target: Path, limit: int | None) -> Path:
    from erya.foreign_classifier import write_original

    if limit is not None:
        raise UsageError(
            "other-format",
            say(
                "--limit does not go with fasttext-bin: n-grams belong to all words",
                "--limit 不能与 fasttext-bin 同用：n 元组属于全部词",
            ),
            help="--to fasttext-vec",
        )
    write_original(target, model)
    return target


def _lost(taken: _Taken, format: str) -> list[str]:
    """What the new file does not hold, in words."""
    found = []
    if taken.content is not None:
        state = taken.content.state
        arrays = [name for name in state.arrays if name not in WORDS and not name.startswith("words.")]
        if arrays and format != "fasttext-bin":
            found.append(say(f"arrays {' '.join(arrays)}", f"数组 {' '.join(arrays)}"))
        if taken.content.model != "vectors/keyed" and format != "fasttext-bin":
            found.append(say("training cannot go on from it", "不能在它上面继续训练"))
        if format not in FOREIGN and "tokenizer" in state.data:
            found.append(say("the tokenizer", "分词方式"))
        if format in FOREIGN:
            found.append(say("settings and training record", "设置与训练记录"))
    if taken.model.counts_ is not None and format in FOREIGN and format not in ("numpy", "fasttext-bin"):
        found.append(say("word counts", "词频"))
    if format in ("float16", "int8"):
        found.append(say(f"precision ({format})", f"精度（{format}）"))
    return found


def _cut(model: Any, limit: int | None) -> list[str]:
    rest = len(model.words_) - (limit or len(model.words_))
    return [say(f"the last {rest:,} words", f"后 {rest:,} 个词")] if rest > 0 else []


def _ship_tokenizer(model: Any, target: Path) -> Path | None:
    """How texts were cut, beside the file: other programs' formats know only white space."""
    tokenizer = getattr(model, "tokenizer_", None)
    if tokenizer is None:
        return None
    from erya.atomic import atomic_write

    path = target.with_name(f"{target.name}.tokenizer.json")
    data = (json.dumps(tokenizer.to_plain(), ensure_ascii=False, indent=1) + "\n").encode("utf-8")
    atomic_write(path, lambda file: file.write(data) and None)
    return path
