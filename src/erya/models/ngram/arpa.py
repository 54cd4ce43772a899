r"""n-gram models in ARPA format, which SRILM, KenLM and others read and write: the text of ``tree.py``. Writing, and names of units.

    \data\                        how many n-grams of each order
    ngram 1=5
    \1-grams:                     log10 p, the n-gram, log10 of its back-off weight
    -1.3  the  -0.4
    \end\

The border is ``<s>`` where something follows it and ``</s>`` where it is predicted; the unknown unit is ``<unk>``; −99 stands for
the logarithm of 0. A unit must not hold white space there: a blank is written ``▁``, other white space by its number, ``<0x0A>``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from erya.atomic import atomic_write
from erya.errors import DataError, quoted
from erya.language import say
from erya.models.ngram.tree import Tree
from erya.text.unit_ids import BORDER, UNKNOWN, UnitVocabulary
from erya.text.units import CharacterUnits, Units, WordUnits

BEGIN, END, STRANGE = "<s>", "</s>", "<unk>"
ZERO = -99.0  # log10 of what is impossible
BLANK = "▁"
AT_ONCE = 100_000  # lines that are written at once


def escaped(unit: str) -> str:
    """A unit without white space; ``plain`` is the inverse, of all but units that look escaped already."""
    return re.sub(r"[\t\n\v\f\r\0]", lambda found: f"<0x{ord(found[0]):02X}>", unit.replace(" ", BLANK))


def plain(name: str) -> str:
    """The unit behind a name."""
    return re.sub(r"<0x(0[09A-D])>", lambda found: chr(int(found[1], 16)), name.replace(BLANK, " "))


def escapes(cutter: Units) -> bool:
    """Whether units of this kind hold white space."""
    return isinstance(cutter, CharacterUnits | WordUnits)


def names_of(vocabulary: UnitVocabulary, cutter: Units) -> tuple[list[str], bool]:
    """(V,) names as predicted, and whether ``<unk>`` is a unit of the text, as in the Penn Treebank, and takes the unknown one's place.

    Raises:
        DataError: two units would bear one name.
    """
    units = vocabulary.units[2:]
    names = [escaped(unit) for unit in units] if escapes(cutter) else list(units)
    for unit, name in zip(units, names, strict=True):
        taken = name in (BEGIN, END) or (name == STRANGE and vocabulary.counts[UNKNOWN] > 0)
        if taken or (escapes(cutter) and plain(name) != unit) or not name or re.search(r"[ \t\n\v\f\r\0]", name):
            raise DataError(
                "arpa-name",
                say(
                    f"the unit {quoted(unit)} cannot be told apart in an ARPA file",
                    f"ARPA 文件里无法区分单元 {quoted(unit)}",
                ),
                help=say("names that it needs itself: <s> </s> <unk> ▁", "该格式自用的名称：<s> </s> <unk> ▁"),
            )
        try:
            name.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(
                "arpa-name",
                say(f"the unit {quoted(unit)} is no valid Unicode", f"单元 {quoted(unit)} 不是合法的 Unicode"),
            ) from error
    return [END, STRANGE, *names], STRANGE in names


def write(path: Path, tree: Tree, vocabulary: UnitVocabulary, cutter: Units) -> list[str]:
    """Write a model, atomically.

    Returns:
        What the file does not hold, in words.

    Raises:
        DataError: units that the format cannot tell apart.
    """
    names, replaced = names_of(vocabulary, cutter)
    atomic_write(path, lambda file: file.writelines(_lines(tree, names, replaced)))
    lost = [say("settings, counts of units and training record", "设置、单元频次与训练记录")]
    if replaced:
        lost.append(
            say(
                "the difference between <unk> in the text and units never seen",
                "文本中的 <unk> 与从未见过的单元之间的区别",
            )
        )
    return lost


def _lines(tree: Tree, names: Sequence[str], replaced: bool) -> Iterator[bytes]:
    sizes = tree.sizes.tolist()
    head = [f"ngram {order}={size}" for order, size in enumerate(sizes, 1)]
    head[0] = f"ngram 1={sizes[0] + 1 - replaced}"  # and the border twice
    yield ("\\data\\\n" + "\n".join(head) + "\n").encode()
    texts, begin = list(names), 0
    for order, size in enumerate(sizes, 1):
        if order > 1:
            contexts = [BEGIN, *texts[1:]] if order == 2 else texts
            widths = np.diff(tree.begin[begin - len(contexts) : begin + 1]).tolist()
            last = tree.word[begin : begin + size].tolist()
            places = iter(last)
            texts = [
                f"{context} {names[next(places)]}"
                for context, width in zip(contexts, widths, strict=True)
                for _ in range(width)
            ]
        yield f"\n\\{order}-grams:\n".encode()
        with np.errstate(divide="ignore"):
            logs = np.maximum(tree.log_probability[begin : begin + size] / math.log(10), ZERO)
            weights = np.maximum(tree.log_back_off[begin : begin + size] / math.log(10), ZERO)
        yield from _section(texts, logs, weights, order == 1, replaced)
        begin += size
    yield b"\n\\end\\\n"


def _section(
    texts: Sequence[str], logs: np.ndarray, weights: np.ndarray, unigrams: bool, replaced: bool
) -> Iterator[bytes]:
    """The lines of one order; of the highest there are no weights."""
    if unigrams:
        yield f"{ZERO:g}\t{BEGIN}{_weight(weights, 0)}\n".encode()
        yield f"{logs[BORDER]:.8g}\t{END}\n".encode()
    first = (2 if replaced else 1) if unigrams else 0
    for start in range(first, len(texts), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        numbers = logs[some].tolist()
        if len(weights):
            rows = zip(numbers, texts[some], weights[some].tolist(), strict=True)
            yield "".join([f"{log:.8g}\t{text}\t{weight:.8g}\n" for log, text, weight in rows]).encode()
        else:
            pairs = zip(numbers, texts[some], strict=True)
            yield "".join([f"{log:.8g}\t{text}\n" for log, text in pairs]).encode()


def _weight(weights: np.ndarray, place: int) -> str:
    return f"\t{weights[place]:.8g}" if len(weights) else ""
