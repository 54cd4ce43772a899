"""What can be wrong with a vector file, as the errors that a user reads."""

from __future__ import annotations

from collections.abc import Sequence

from erya.errors import ModelFileError, quoted, typed
from erya.language import say
from erya.text.vector_files.source import Source


def header(source: Source, problem: str, code: str = "vectors-header") -> ModelFileError:
    """The first line of a text or binary file says something that cannot be."""
    return ModelFileError(
        code,
        _about(source, problem),
        where=f"{source.name}:1",
        help=source.show_line(1),
    )


def unknown_format(source: Source, formats: Sequence[str]) -> ModelFileError:
    """The bytes are none of the formats'."""
    return ModelFileError(
        "vectors-unknown-format",
        say(f"{source.name} does not look like word vectors", f"{source.name} 看起来不是词向量文件"),
        where=f"{source.name}:1",
        help=say(
            f"look at it: {source.show_bytes(0)}   (known: {', '.join(formats)})",
            f"查看开头：{source.show_bytes(0)}   （支持：{', '.join(formats)}）",
        ),
    )


def too_few(source: Source, announced: int, found: int, line: int | None) -> ModelFileError:
    """The file ends before all announced rows have come. ``line``: of a text file the last one; else None."""
    return ModelFileError(
        "vectors-short",
        say(
            f"{source.name} ends after {found:,} of the {announced:,} words that its header announces",
            f"{source.name} 文件头声明 {announced:,} 个词，读到第 {found:,} 个就结束了",
        ),
        where=f"{source.name}:{line}" if line else _byte(source, source.at),
        help=say(
            f"the file is cut off or its header is wrong; copy it again, or look: ls -l {typed(source.path)}",
            f"文件不完整或文件头有误；请重新复制，或查看大小：ls -l {typed(source.path)}",
        ),
    )


def too_many(source: Source, announced: int, line: int | None) -> ModelFileError:
    """Something follows the last announced row."""
    return ModelFileError(
        "vectors-header",
        say(
            f"{source.name} goes on after the {announced:,} words that its header announces",
            f"{source.name} 在文件头声明的 {announced:,} 个词之后还有内容",
        ),
        where=f"{source.name}:{line}" if line else _byte(source, source.at),
        help=source.show_line(1),
    )


def empty(source: Source) -> ModelFileError:
    """Not one row."""
    return ModelFileError(
        "vectors-empty",
        say(f"{source.name} holds no vectors", f"{source.name} 里没有任何词向量"),
        where=f"{source.name}:1",
        help=f"ls -l {typed(source.path)}",
    )


def no_line_end(source: Source, line: int) -> ModelFileError:
    """The last line of a plain text file stops without a line end: its last number may have lost digits."""
    path = typed(source.path)
    return ModelFileError(
        "vectors-short",
        say(
            f"{source.name} seems cut off: its last line has no line end, so its last number may be incomplete",
            f"{source.name} 可能不完整：最后一行没有换行符，最后一个数可能缺了几位",
        ),
        where=f"{source.name}:{line}",
        help=say(f"copy the file again; if it is whole: echo >> {path}", f"请重新复制；若确认完整：echo >> {path}"),
    )


def text_row(source: Source, outcome: int, width: int, line: int, start: int, field: int) -> ModelFileError:
    """A line that is no row of ``width`` numbers; it starts in the window at ``start``, its bad field at ``field``."""
    from erya.text import vector_file_kernels as kernels  # only readers that have loaded it come here

    fields = max(len(source.line(start, 1 << 20).split()) - 1, 0)
    shown = quoted(source.line(field).split(maxsplit=1)[0].decode("utf-8", "replace"), 40) if field > start else ""
    code, problem = {
        kernels.SHORT: (
            "vectors-row",
            say(
                f"line {line:,} has {fields:,} numbers instead of {width:,}",
                f"第 {line:,} 行有 {fields:,} 个数，应为 {width:,} 个",
            ),
        ),
        kernels.LONG: (
            "vectors-row",
            say(f"line {line:,} has more than {width:,} numbers", f"第 {line:,} 行的数多于 {width:,} 个"),
        ),
        kernels.NO_NUMBER: (
            "vectors-row",
            say(f"'{shown}' in line {line:,} is not a number", f"第 {line:,} 行的 '{shown}' 不是数"),
        ),
        kernels.NOT_FINITE: (
            "vectors-nan",
            say(
                f"'{shown}' in line {line:,} is no finite 32-bit number",
                f"第 {line:,} 行的 '{shown}' 不是有限的 32 位浮点数",
            ),
        ),
        kernels.NO_WORD: ("vectors-row", say(f"line {line:,} has no word", f"第 {line:,} 行没有词")),
        kernels.WORD_TOO_LONG: (
            "vectors-too-large",
            say(
                f"the word of line {line:,} is longer than {kernels.LONGEST_WORD:,} bytes",
                f"第 {line:,} 行的词超过 {kernels.LONGEST_WORD:,} 字节",
            ),
        ),
    }[outcome]
    return ModelFileError(
        code,
        _about(source, problem),
        where=f"{source.name}:{line}   {quoted(source.line(start).decode('utf-8', 'replace'), 60)}",
        help=source.show_line(line),
    )


def line_too_long(source: Source, line: int, most: int) -> ModelFileError:
    """A line without end."""
    return ModelFileError(
        "vectors-too-large",
        say(
            f"{source.name}: line {line:,} is longer than {most >> 20} MB",
            f"{source.name}：第 {line:,} 行超过 {most >> 20} MB",
        ),
        where=f"{source.name}:{line}",
        help=source.show_line(line),
    )


def binary_row(source: Source, outcome: int, number: int, start: int) -> ModelFileError:
    """Row ``number`` (1-based) of a binary file, which starts in the window at ``start``."""
    from erya.text import vector_file_kernels as kernels  # only readers that have loaded it come here

    code, problem = {
        kernels.NO_WORD: ("vectors-row", say("no word stands where one must", "该有词的位置没有词")),
        kernels.WORD_TOO_LONG: (
            "vectors-too-large",
            say(f"its word is longer than {kernels.LONGEST_WORD:,} bytes", f"词超过 {kernels.LONGEST_WORD:,} 字节"),
        ),
        kernels.NO_LINE_END: (
            "vectors-row",
            say("it does not end in a line end, as the first row does", "末尾没有换行符，而第一行有"),
        ),
        kernels.NOT_FINITE: ("vectors-nan", say("a number of it is not finite", "含有非有限的数")),
    }[outcome]
    return ModelFileError(
        code,
        _about(source, say(f"row {number:,}", f"第 {number:,} 行") + say(": ", "：") + problem),
        where=_byte(source, start),
        help=say(
            f"the file is damaged, or not binary; look: {source.show_bytes(source.passed + start)}",
            f"文件已损坏，或不是二进制格式；查看：{source.show_bytes(source.passed + start)}",
        ),
    )


def not_utf8(source: Source, where: str, word: bytes) -> ModelFileError:
    """A word that is not UTF-8."""
    shown = quoted(word.decode("utf-8", "backslashreplace"), 40)
    path, cleaned = typed(source.path), typed(source.path.with_suffix(".erya"))
    return ModelFileError(
        "vectors-utf8",
        say(f"{source.name}: the word '{shown}' is not valid UTF-8", f"{source.name}：词 '{shown}' 不是有效的 UTF-8"),
        where=where,
        help=say(
            f"leave such rows out: erya convert {path} {cleaned} --bad-utf8 skip (or replace); "
            'in Python bad_utf8="skip"',
            f'跳过这些行：erya convert {path} {cleaned} --bad-utf8 skip（或 replace）；在 Python 里 bad_utf8="skip"',
        ),
    )


def duplicate(source: Source, where: str, word: str, once: str | None) -> ModelFileError:
    """A word that stands twice. ``once``: the awk pattern that leaves each word's first line."""
    path, cleaned = typed(source.path), typed(source.path.with_name(f"{source.path.stem}.once.txt"))
    mended = f"awk '{once}' {path} > {cleaned}"
    return ModelFileError(
        "vectors-duplicate",
        say(f"{source.name}: the word '{quoted(word)}' stands twice", f"{source.name}：词 '{quoted(word)}' 出现了两次"),
        where=where,
        help=say(f"keep the first of each: {mended}", f"每个词只留第一行：{mended}")
        if once and source.size is not None
        else say("write the file again, with each word once", "请重新生成文件，每个词只写一次"),
    )


def _about(source: Source, problem: str) -> str:
    return source.name + say(": ", "：") + problem


def at_byte(source: Source, start: int) -> str:
    """Where a binary row starts, as messages say it."""
    return _byte(source, start)


def _byte(source: Source, start: int) -> str:
    byte = source.passed + start
    return say(f"{source.name}, byte {byte:,}", f"{source.name}，第 {byte:,} 字节")
