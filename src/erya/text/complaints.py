"""The errors of reading that need many words."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from erya.errors import DataError, quoted, typed
from erya.language import say
from erya.text.dataset import Reject
from erya.text.formats import Opened

MOST_BAD = 1000  # where bad rows stop the reading, counting them ends here


def nothing(paths: list[Path], rows: int, empty: bool, rejects: list[Reject]) -> DataError:
    """The error for a part without a single row that can be used."""
    name = quoted(paths[0].name) if len(paths) == 1 else say(f"{len(paths)} files", f"{len(paths)} 个文件")
    if empty:
        return DataError(
            "empty-file",
            say(f"{name} is empty", f"{name} 是空的"),
            where=quoted(paths[0], 200),
            help=f"ls -l {typed(paths[0])}",
        )
    if rows == 0:
        return DataError(
            "no-rows",
            say(f"{name} has no rows but a header", f"{name} 只有表头，没有数据行"),
            where=f"{name}:1",
            help=say("if the first line is data: --no-header", "如果首行就是数据：--no-header"),
        )
    counts = Counter(reject.summary or reject.reason for reject in rejects)
    shown = "; ".join(f"{count:,} × {reason}" for reason, count in counts.most_common(3))
    first = rejects[0]
    return DataError(
        "no-rows",
        say(f"none of the {rows:,} rows of {name} can be used: {shown}", f"{name} 的 {rows:,} 行都不能用：{shown}"),
        where=f"{first.file}:{first.line}   {quoted(first.raw)}",
        help=say("name the columns: --text COL --label COL", "请指定列：--text 列名 --label 列名")
        if first.harmless
        else say("is this the right file, and its right --format?", "文件和 --format 对吗？"),
    )


def wrong_format(opened: Opened) -> DataError:
    """The error for tagged sentences where texts are wanted."""
    return DataError(
        "wrong-format",
        say(
            f"{opened.name} holds tagged sentences, not texts with labels",
            f"{opened.name} 是序列标注数据，不是带标签的文本",
        ),
        where=f"{opened.name}:1",
        help=say(
            "for taggers: erya compare FILE --task tag; if it is a table of texts and labels: --format tsv",
            "标注任务：erya compare 文件 --task tag；如果是文本与标签的表格：--format tsv",
        ),
    )


def stopped(opened: Opened, bad: list[Reject], *, skipping: bool = False) -> DataError:
    """The error for rows that cannot be read: how many, the first one, and what to do."""
    first, count = bad[0], len(bad)
    most = count >= MOST_BAD and not skipping
    many = say(
        f"{'at least ' if most else ''}{count:,} {'row' if count == 1 else 'rows'}",
        f"{'至少 ' if most else ''}{count:,} 行",
    )
    name = opened.name
    skip = "" if skipping else say(", or leave such rows out: --bad-rows skip", "，或跳过这些行：--bad-rows skip")
    where = (
        f"{name}:{first.line}"
        + (f", byte {first.byte:,}" if first.byte is not None else "")
        + f"   {quoted(first.raw)}"
    )
    if first.code == "bad-encoding":
        from erya.text.encoding import guess

        byte = "" if first.byte is None else say(f", byte {first.byte:,}", f"，第 {first.byte:,} 字节")
        wanted = opened.encoding.upper()
        bytes_shown = re.match(r"0x\w\w(?: 0x\w\w)?", first.reason)
        shown = bytes_shown[0] if bytes_shown else first.reason
        looks = guess(bytes(opened.sample))
        if opened.encoding != "utf-8" and looks != "utf-8":  # the user knows better than a guess at the few bad rows
            looks = None
        return DataError(
            "bad-encoding",
            say(
                f"{many} of {name} {'is' if count == 1 else 'are'} not valid {wanted} (first: line {first.line:,}{byte}: {shown})",
                f"{name} 有 {many}不是有效的 {wanted}（第一处：第 {first.line:,} 行{byte}：{shown}）",
            ),
            where=where,
            help=say(
                f"the bytes look like {looks.upper()}  →  --encoding {looks}",
                f"这些字节像是 {looks.upper()}  →  --encoding {looks}",
            )
            + skip
            if looks
            else say("name the encoding, e.g. --encoding gb18030", "请指定编码，例如 --encoding gb18030") + skip,
        )
    return DataError(
        first.code,
        say(
            f"{many} of {name} cannot be read (first: line {first.line:,}: {first.reason})",
            f"{name} 有 {many}无法读取（第一处：第 {first.line:,} 行：{first.reason}）",
        ),
        where=where,
        help=say("mend the row", "修正这一行") + skip,
    )
