"""The files on which word vectors are scored: similarity judgements and analogy questions; read here, bounded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from erya.errors import DataError, UsageError, nearest, quoted, typed
from erya.language import say
from erya.text import files

FOLDER = Path(__file__).parent.parent / "samples" / "analogies"
LANGUAGES = ("en", "zh")
MOST_LINES = 1_000_000
LONGEST_LINE = 10_000  # bytes
_UNPACKED = 256 << 20  # bytes; larger archives are no word lists
_MARK = b"\xef\xbb\xbf"


class Pair(NamedTuple):
    """Two words, and how similar people found them; any scale, more is more similar."""

    first: str
    second: str
    score: float


class Question(NamedTuple):
    """``a`` is to ``b`` as ``c`` is to ``d``.

    Attributes:
        group: sections that are summed up together: "semantic", "syntactic", …
        section: the section's name, as the file has it.
    """

    group: str
    section: str
    a: str
    b: str
    c: str
    d: str


def set_name(path: Path) -> str:
    """A file's name without its endings, as it stands in score names: ``wordsim353.tsv.gz`` → ``wordsim353``."""
    name = path.name
    while path.suffix in (".gz", ".xz", ".zst", ".tsv", ".txt", ".csv"):
        path = path.with_suffix("")
        name = path.name
    return name


def read_pairs(path: str | Path, delimiter: str = "\t") -> list[Pair]:
    """A similarity set: ``word1<TAB>word2<TAB>score`` a line; a header, blank lines and ``#`` lines are passed over.

    Args:
        path: plain or packed (.gz, .xz, .zst).
        delimiter: between the columns; further columns are ignored.

    Raises:
        DataError: no such file, not UTF-8, a line without two words and a finite number, nothing in it, too long.
    """
    source = Path(path)
    found: list[Pair] = []
    for place, number, line in _lines(source):
        if line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split(delimiter)]
        score = _number(cells[2]) if len(cells) >= 3 and cells[0] and cells[1] else None
        if score is not None:
            found.append(Pair(cells[0], cells[1], score))
        elif number > 1 or len(cells) < 3 or found:  # the first line may name the columns
            raise DataError(
                "bad-line",
                say(
                    f"this line is not two words and a number: '{quoted(line, 60)}'",
                    f"这一行不是“词、词、分数”：“{quoted(line, 60)}”",
                ),
                where=place,
                help=say("a line is: word1<TAB>word2<TAB>score", "每行的格式：词1<TAB>词2<TAB>分数"),
            )
    if not found:
        raise _nothing(source)
    return found


def read_analogies(path: str | Path, group: str | None = None) -> list[Question]:
    """Analogy questions as questions-words.txt has them: ``: section`` lines, and lines of four words.

    Args:
        path: plain or packed (.gz, .xz, .zst).
        group: of all sections; None: "syntactic" where the section's name begins with "gram", as in the original
            file, else "semantic".

    Raises:
        DataError: no such file, not UTF-8, a line that is neither, nothing in it, too long.
    """
    source = Path(path)
    found: list[Question] = []
    section, kind = set_name(source), group or "semantic"
    for place, _, line in _lines(source):
        if line.startswith(":"):
            section = line[1:].strip()
            kind = group or ("syntactic" if section.startswith("gram") else "semantic")
            continue
        words = line.split()
        if len(words) != 4:
            raise DataError(
                "bad-line",
                say(
                    f"a question has four words, this line has {len(words)}: '{quoted(line, 60)}'",
                    f"一道类比题应有四个词，这一行有 {len(words)} 个：“{quoted(line, 60)}”",
                ),
                where=place,
                help=say("lines are ': section' or 'a b c d'", "每行应为“: 小节名”或“a b c d”"),
            )
        found.append(Question(kind, section, *words))
    if not found:
        raise _nothing(source)
    return found


def bundled_analogies(language: str = "en") -> list[Question]:
    """The questions that come with Erya (Apache-2.0; sources in ``erya/samples/analogies/LICENCE``).

    Args:
        language: "en": Google's 19,544 questions in 14 sections, semantic and syntactic. "zh": CA8's 10,177
            morphological and 7,636 semantic ones, and 953 that were translated from Google's.

    Raises:
        UsageError: another language.
    """
    if language == "en":
        return read_analogies(FOLDER / "questions-words.txt.gz")
    if language == "zh":
        return [
            question
            for name, group in (
                ("ca8-morphological", "morphological"),
                ("ca8-semantic", "semantic"),
                ("ca_translated", "translated"),
            )
            for question in read_analogies(FOLDER / f"{name}.txt.gz", group)
        ]
    guess = nearest(str(language), LANGUAGES) or "en"
    raise UsageError(
        "unknown-language",
        say(f"no analogies come with Erya for '{quoted(language, 20)}'", f"没有“{quoted(language, 20)}”的内置类比题"),
        help=f"bundled_analogies('{guess}')",
    )


def _lines(path: Path) -> Iterator[tuple[str, int, str]]:
    """Where it stands, its number, and the text of every line that is not blank."""
    name = files.name_of(path)
    for line in files.lines(files.blocks(path, bomb_size=_UNPACKED), limit=LONGEST_LINE):
        place = f"{name}:{line.number}"
        if not line.whole or line.number > MOST_LINES:
            raise DataError(
                "not-a-word-list",
                say(
                    f"{name} is no list of words: more than {LONGEST_LINE:,} bytes in a line, or {MOST_LINES:,} lines",
                    f"{name} 不是词表：单行超过 {LONGEST_LINE:,} 字节，或超过 {MOST_LINES:,} 行",
                ),
                where=place,
                help=f"head -c 300 {typed(path)}",
            )
        raw = line.raw.removeprefix(_MARK) if line.number == 1 else line.raw
        try:
            text = raw.decode("utf-8").strip(" \t")
        except UnicodeDecodeError as error:
            byte = line.start + error.start
            raise DataError(
                "bad-encoding",
                say(f"{name} is not UTF-8: byte {byte:,}", f"{name} 不是 UTF-8 编码：第 {byte:,} 字节"),
                where=place,
                help=f"iconv -f gb18030 -t utf-8 {typed(path)}",
            ) from None
        if text:
            yield place, line.number, text


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _nothing(path: Path) -> DataError:
    name = files.name_of(path)
    return DataError(
        "empty-file",
        say(f"there is nothing to score in {name}", f"{name} 里没有可评分的内容"),
        where=quoted(path, 200),
        help=f"head {typed(path)}",
    )
