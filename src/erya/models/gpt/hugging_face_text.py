"""The tokenizer of a GPT-2 folder: pieces of bytes with numbers, and the merges by which text is cut into them.

``vocab.json`` has the number of each piece, ``merges.txt`` one merge a line, the earliest learned first; newer folders have both in
``tokenizer.json`` alone. A piece is written in GPT-2's printable alphabet of bytes, see ``text/units.py``. The number of a piece is the row
of its vector. ``<|endoftext|>`` is the border between documents; found in a text, it is cut into pieces like any other sign.

Not here: tokens added by hand, which other programs look for in texts. Their rows stay, so that they keep their share of the softmax, but
nothing is cut into them.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from erya import strict_json
from erya.atomic import atomic_write
from erya.errors import ModelFileError, UsageError, quoted
from erya.language import say
from erya.parts.foreign_tensors import damaged, unreadable
from erya.text.subwords import Subwords
from erya.text.unit_ids import SPECIALS, UNKNOWN, UnitVocabulary
from erya.text.units import ByteUnits, CharacterUnits, Units, byte_letters

END = "<|endoftext|>"
LARGEST = 32 << 20  # bytes of one JSON or text file
MOST_VALUES = 2_000_000
MOST_MERGES = 500_000
NAMELESS = 0xF0000  # a private letter names a row that no piece has: nothing is cut into it, and written it is nothing
MOST_NAMELESS = 0xFFFE
VERSION = "#version: 0.2"


class Pieces(NamedTuple):
    """What a tokenizer says.

    Attributes:
        numbers: of each piece.
        merges: pairs of pieces, the earliest first.
    """

    numbers: dict[str, int]
    merges: list[tuple[str, str]]


def read_json(path: Path) -> Any:
    """A JSON file of a stranger. Raises ModelFileError where it is none, no ordinary file, or larger than 32 MB."""
    try:
        return strict_json.decode(_bytes(path), most=MOST_VALUES)
    except (ValueError, RecursionError) as error:
        raise damaged(path, str(error)) from None


def _bytes(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise damaged(path, say("it is not an ordinary file", "不是普通文件"))
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > LARGEST:
                raise damaged(path, say("it is larger than 32 MB", "超过 32 MB"))
            return stream.read(size)
    except OSError as error:
        raise unreadable(path, error) from error


# ---- in ---------------------------------------------------------------------------------------------------------------


def read_pieces(folder: Path) -> Pieces:
    """The tokenizer of a folder.

    Raises:
        ModelFileError: none is there, it is damaged, or it cuts text in another way.
    """
    settings = folder / "tokenizer_config.json"
    if settings.exists():
        told = read_json(settings)
        if isinstance(told, dict) and told.get("add_prefix_space") not in (None, False):
            raise _other(settings, "add_prefix_space")
    if (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
        return _old_files(folder)
    whole = folder / "tokenizer.json"
    if whole.exists():
        return _new_file(whole)
    raise ModelFileError(
        "no-tokenizer",
        say(
            f"{quoted(folder)} has no tokenizer of GPT-2: vocab.json and merges.txt, or tokenizer.json",
            f"{quoted(folder)} 里没有 GPT-2 的分词文件：vocab.json 与 merges.txt，或 tokenizer.json",
        ),
        where=quoted(folder, 200),
        help=say("copy the tokenizer's files into the folder", "把分词文件复制到该文件夹"),
    )


def _old_files(folder: Path) -> Pieces:
    path = folder / "merges.txt"
    data = _bytes(path)
    if data.count(b"\n") > MOST_MERGES:
        raise damaged(path, say(f"more than {MOST_MERGES:,} merges", f"合并超过 {MOST_MERGES:,} 条"))
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise damaged(path, say("it is not UTF-8", "不是 UTF-8 文本")) from None
    merges = [line.rstrip("\r").split(" ") for line in lines if line.strip() and not line.startswith("#version")]
    return _pieces(folder / "vocab.json", read_json(folder / "vocab.json"), path, merges)


def _new_file(path: Path) -> Pieces:
    told = read_json(path)
    model = told.get("model") if isinstance(told, dict) else None
    if not isinstance(model, dict):
        raise damaged(path, say("it has no model", "缺少 model"))
    strange = [name for name in ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback") if model.get(name)]
    before = told.get("pre_tokenizer")
    if model.get("type") != "BPE" or strange or told.get("normalizer") is not None:
        raise _other(path, strange[0] if strange else say("no byte-level BPE", "不是字节级 BPE"))
    if not isinstance(before, dict) or before.get("type") != "ByteLevel" or before.get("use_regex") is False:
        raise _other(path, "pre_tokenizer")
    if before.get("add_prefix_space"):
        raise _other(path, "add_prefix_space")
    merges = model.get("merges")
    if not isinstance(merges, list):
        raise damaged(path, say("it has no merges", "缺少 merges"))
    return _pieces(path, model.get("vocab"), path, [one.split(" ") if isinstance(one, str) else one for one in merges])


def _pieces(path: Path, numbers: Any, other: Path, merges: list[Any]) -> Pieces:
    if not isinstance(numbers, dict) or not all(type(number) is int and number >= 0 for number in numbers.values()):
        raise damaged(path, say("it is no table of pieces and their numbers", "不是“片段到编号”的表"))
    if len(set(numbers.values())) < len(numbers):
        raise damaged(path, say("two pieces have one number", "两个片段的编号相同"))
    for line, merge in enumerate(merges, 1):
        if not isinstance(merge, list) or len(merge) != 2 or not all(isinstance(part, str) for part in merge):
            raise damaged(other, say(f"merge {line:,} is no pair of pieces", f"第 {line:,} 条合并不是一对片段"))
    lacking = sum(letter not in numbers for letter in byte_letters())
    if lacking:
        raise damaged(path, say(f"{lacking} of the 256 bytes have no piece", f"256 个字节中有 {lacking} 个没有片段"))
    if len(merges) > len(numbers):
        raise damaged(other, say("there are more merges than pieces", "合并的条数多于片段"))
    return Pieces(numbers, [(first, second) for first, second in merges])


def units_of(
    folder: Path, pieces: Pieces, rows: int, border: int | None
) -> tuple[ByteUnits, UnitVocabulary, list[int]]:
    """What cuts texts, the units, and the rows of their vectors.

    Args:
        folder: for messages.
        pieces: of its tokenizer.
        rows: R, how many vectors there are.
        border: the number of the end of a text that the configuration names.

    Returns:
        The tokenizer; V = R + 1 units; the rows (R,) of the border and of the units from 2 on.

    Raises:
        ModelFileError: numbers that are no rows, no end of text, merges that make unknown pieces.
    """
    border = pieces.numbers.get(END, border)
    if border is None or border >= rows or max(pieces.numbers.values()) >= rows:
        highest = max(pieces.numbers.values())
        raise damaged(
            folder,
            say(f"there are {rows:,} vectors and a piece {highest:,}", f"有 {rows:,} 个向量，却有第 {highest:,} 号片段")
            if highest >= rows
            else say("nothing marks the end of a text", "没有表示文本结尾的片段"),
        )
    by_number = {number: piece for piece, number in pieces.numbers.items() if number != border}
    if rows - 1 - len(by_number) > MOST_NAMELESS:
        raise damaged(folder, say("most vectors have no piece", "大多数向量没有对应的片段"))
    ordered = [number for number in range(rows) if number != border]
    nameless = map(chr, count(NAMELESS))
    names = [by_number[number] if number in by_number else next(nameless) for number in ordered]
    known = [by_number[number] for number in ordered if number in by_number]
    learned = {
        "vocab": {piece: place for place, piece in enumerate(known)},
        "merges": [list(one) for one in pieces.merges],
    }
    plain = {"kind": "subwords", "algorithm": "bpe", "lower": False, "learned": learned}
    try:
        cutter = ByteUnits(Subwords.from_plain(plain))
        vocabulary = UnitVocabulary(names, [0] * len(names), set("".join(known)), 0, 0)
    except ValueError as error:
        raise damaged(folder, str(error)) from None
    return cutter, vocabulary, [border, *ordered]


# ---- out --------------------------------------------------------------------------------------------------------------


def pieces_for(units: Units, vocabulary: UnitVocabulary) -> tuple[Pieces, list[int]]:
    """A tokenizer of GPT-2's kind that cuts as ``units`` do, and of each of its R numbers the unit whose vector it takes.

    Units keep their order. Behind them stand the pieces that the vocabulary lacks, which take the vector of the unknown unit, and last
    the end of a text. Characters become pieces by merging the bytes of each, which never join two characters.

    Raises:
        UsageError: units that no byte-level BPE cuts; an unknown unit that was learned.
    """
    if vocabulary.counts[UNKNOWN]:
        raise UsageError(
            "unknown-units",
            say(
                "a GPT-2 folder has no unknown unit, and this model was taught one",
                "GPT-2 文件夹没有“未知单元”，而这个模型学过它",
            ),
            help="erya train generate/gpt DATA -o m.erya --set tokenizer=bpe --set min_count=1",
        )
    own = vocabulary.units[len(SPECIALS) :]
    if isinstance(units, ByteUnits):
        learned = units.subwords.to_plain()["learned"]
        merges, known = [(first, second) for first, second in learned["merges"]], list(learned["vocab"])
    elif isinstance(units, CharacterUnits):
        own, known, merges = _character_pieces(own)
    else:
        raise UsageError(
            "other-units",
            say(
                f"a GPT-2 folder holds pieces of bytes or characters; this model's units are {units.name}",
                f"GPT-2 文件夹只能存字节片段或字符；这个模型的单元是 {units.name}",
            ),
            help="erya train generate/gpt DATA -o m.erya --set tokenizer=bpe",
        )
    more = sorted({*known, *byte_letters()} - set(own))
    if END in own or END in more:
        raise UsageError("other-units", say(f"a unit is named {END}", f"有单元名为 {END}"))
    named = enumerate([*own, *more, END])
    numbers = {piece: number for number, piece in named if not NAMELESS <= ord(piece[0]) <= NAMELESS + MOST_NAMELESS}
    return Pieces(numbers, merges), [*range(len(SPECIALS), len(vocabulary)), *[UNKNOWN] * len(more), 0]


def _character_pieces(characters: Sequence[str]) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """The piece of each character; all pieces on the way there; the merges."""
    letters = byte_letters()
    own: list[str] = []
    merges: dict[tuple[str, str], None] = {}
    for character in characters:
        try:
            spelled = [letters[byte] for byte in character.encode("utf-8")]
        except UnicodeEncodeError:
            raise UsageError(
                "other-units", say("a unit is half a character", "有单元是半个字符（孤立代理项）")
            ) from None
        for end in range(1, len(spelled)):
            merges["".join(spelled[:end]), spelled[end]] = None
        own.append("".join(spelled))
    return own, [first + second for first, second in merges], list(merges)


def write_pieces(folder: Path, pieces: Pieces, context: int) -> None:
    """``vocab.json``, ``merges.txt`` and ``tokenizer_config.json``, each atomically."""
    lines = [VERSION, *(f"{first} {second}" for first, second in pieces.merges)]
    settings = {
        "tokenizer_class": "GPT2Tokenizer",
        "add_prefix_space": False,
        "bos_token": END,
        "eos_token": END,
        "unk_token": END,
        "model_max_length": context,
    }
    write_json(folder / "vocab.json", pieces.numbers)
    atomic_write(folder / "merges.txt", partial(_put, ("\n".join(lines) + "\n").encode("utf-8")))
    write_json(folder / "tokenizer_config.json", settings)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Plain data as JSON, atomically."""
    atomic_write(path, partial(_put, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8")))


def _put(data: bytes, stream: BinaryIO) -> None:
    stream.write(data)


def _other(path: Path, what: str) -> ModelFileError:
    return ModelFileError(
        "other-tokenizer",
        say(
            f"{quoted(path)}: this tokenizer cuts text in another way than GPT-2's ({quoted(what)})",
            f"{quoted(path)}：这个分词方式与 GPT-2 的不同（{quoted(what)}）",
        ),
        where=quoted(path, 200),
    )
