"""Which column is the text and which the label: as told, else by their names, else by what they hold – and said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from erya.errors import DataError, nearest, quoted, typed
from erya.language import say
from erya.text.dataset import Reject
from erya.text.readers import Row

TEXT_NAMES = (
    *("text", "sentence", "review", "content", "comment", "document", "message", "body", "title", "headline", "query"),
    *(
        "question",
        "utterance",
        "tweet",
        "description",
        "input",
        "文本",
        "评论",
        "内容",
        "句子",
        "正文",
        "标题",
        "问题",
        "留言",
    ),
)
LABEL_NAMES = (
    *(
        "label",
        "category",
        "class",
        "stars",
        "sentiment",
        "intent",
        "target",
        "rating",
        "score",
        "topic",
        "tag",
        "polarity",
        "labels",
        "tags",
    ),
    *("标签", "类别", "分类", "情感", "评分", "星级", "类型", "意图"),
)
PAIR_NAMES = (
    *(("text_a", "text_b"), ("sentence1", "sentence2"), ("sentence_a", "sentence_b"), ("text1", "text2")),
    *(
        ("question1", "question2"),
        ("premise", "hypothesis"),
        ("query", "document"),
        ("句子1", "句子2"),
        ("文本1", "文本2"),
    ),
)
_GUESSED_AMONG = 200  # columns
_OPTIONS = {"text": "--text", "text2": "--text2", "label": "--label", "weight": "--weight"}


@dataclass(slots=True)
class Wish:
    """What the user asked for; None: to be found."""

    text: str | None = None
    text2: str | None = None
    label: str | None = None
    weight: str | None = None
    header: bool | None = None
    unlabelled: bool = False

    def named(self) -> dict[str, str]:
        """The columns asked for, by role."""
        label = None if self.unlabelled else self.label
        wishes = {"text": self.text, "text2": self.text2, "label": label, "weight": self.weight}
        return {role: name for role, name in wishes.items() if name is not None}

    def named_columns(self) -> list[str]:
        """The columns asked for by name, not by number."""
        return [name for name in self.named().values() if not name.isdigit()]

    def settled(self, plan: Plan) -> Wish:
        """The wish that gives the same plan for another file of the same data."""
        if plan.lines:
            return self
        named = {role: plan.columns.get(role) for role in _OPTIONS}
        return Wish(**named, header=plan.header if plan.table else None, unlabelled=self.unlabelled)


@dataclass(slots=True)
class Plan:
    """What is taken.

    Attributes:
        columns: a name for each role.
        places: a list index, or for JSON the key, for each role.
        header: whether the first record is the header.
        table: whether the file has columns by place.
        lines: whether it is one text a line.
    """

    columns: dict[str, str]
    places: dict[str, Any]
    header: bool
    table: bool = False
    lines: bool = False


def choose(file: str, format: str, first: Sequence[Row | Reject], wish: Wish, notes: list[str]) -> Plan:
    """Choose the columns of a file from its first records.

    Args:
        file: its name, for messages.
        format: one of ``formats.FORMATS``.
        first: up to some hundred records.
        wish: what the user asked for.
        notes: gets a sentence for whatever was guessed.

    Raises:
        DataError: a column that was asked for is not there, or none can be guessed.
    """
    rows = [row for row in first if isinstance(row, Row)]
    if format in ("txt", "labels"):
        return _plain(file, format, wish)
    if format == "jsonl":
        keys = list(dict.fromkeys(key for row in rows for key in row.values))
        samples = [[row.values.get(key) for key in keys[:_GUESSED_AMONG]] for row in rows]
        columns = _roles(file, keys, samples, wish, notes)
        return Plan(columns, columns, False)
    table = [row.values for row in rows]
    header = _has_header(table, first, wish, notes, file)
    if header:
        names = [str(name).strip() for name in table[0]]
        if len(set(names)) < len(names):
            names = [name if names.index(name) == place else f"{name}.{place + 1}" for place, name in enumerate(names)]
    else:
        names = [str(place + 1) for place in range(len(table[0]) if table else 0)]
        if table and wish.header is None:
            notes.append(say(f"{file}: the first line is taken as data", f"{file}：首行按数据读取（没有表头）"))
    columns = _roles(file, names, table[1:] if header else table, wish, notes)
    return Plan(columns, {role: names.index(name) for role, name in columns.items()}, header, table=True)


def _plain(file: str, format: str, wish: Wish) -> Plan:
    """One text a line, with or without ``__label__``."""
    for role, name in wish.named().items():
        if role in ("text2", "weight") or (format == "txt" and role == "label" and not wish.unlabelled):
            raise _no_column(file, role, name, [], say("a text file has no columns", "纯文本文件没有列"))
    if format == "labels" and not wish.unlabelled:
        return Plan({"text": "text", "label": "__label__"}, {"text": 0, "label": 1}, False, lines=True)
    if wish.unlabelled:
        return Plan({"text": "text"}, {"text": 0}, False, lines=True)
    raise DataError(
        "no-labels",
        say(f"{file} holds plain text without labels", f"{file} 是没有标签的纯文本"),
        where=f"{file}:1",
        help=say(
            "write '__label__NAME text' on each line, or use a .csv or .jsonl file; word vectors need no labels: "
            "erya train vectors/word2vec … or --task vectors",
            "每行写成“__label__类别 文本”，或改用 .csv、.jsonl 文件；学词向量不需要标签：erya train vectors/word2vec … 或 --task vectors",
        ),
    )


def _has_header(table: list[list[str]], first: Sequence[Row | Reject], wish: Wish, notes: list[str], file: str) -> bool:
    if wish.header is not None or not table:
        return bool(wish.header)
    if isinstance(first[0], Reject):
        return False
    cells = [cell.strip() for cell in table[0]]
    folded = {cell.casefold() for cell in cells}
    known = {*TEXT_NAMES, *LABEL_NAMES, *(name for pair in PAIR_NAMES for name in pair)}
    if wish.named_columns() or folded & known:
        return True
    if len(table) < 10 or len(cells) < 2 or len(folded) < len(cells):
        return False
    if not all(0 < len(cell) <= 40 and not _number(cell) for cell in cells):
        return False
    kinds = [Counter(row[place] for row in table[1:]) for place in range(len(cells))]
    label = min(range(len(cells)), key=lambda place: len(kinds[place]))
    few = len(kinds[label]) <= len(table) // 4 and min(kinds[label].values()) > 1
    if few and cells[label] not in kinds[label] and not any(" " in cell for cell in cells):
        shown = quoted(", ".join(cells))
        notes.append(say(f"{file}: the first line is taken as a header: {shown}", f"{file}：首行按表头处理：{shown}"))
        return True
    return False


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _roles(file: str, names: list[str], samples: list[list[Any]], wish: Wish, notes: list[str]) -> dict[str, str]:
    """A column for each role."""
    shown = ",".join(names)
    found: dict[str, str] = {}
    for role, name in wish.named().items():
        if name not in names and name.isdigit() and 1 <= int(name) <= len(names):
            name = names[int(name) - 1]
        if name not in names:
            raise _no_column(file, role, name, names, shown)
        found[role] = name
    folded = {name.strip().casefold(): name for name in reversed(names)}
    if "text" not in found and "text2" not in found:
        pair = next((pair for pair in PAIR_NAMES if pair[0] in folded and pair[1] in folded), None)
        if pair:
            found["text"], found["text2"] = folded[pair[0]], folded[pair[1]]
    if "text" not in found:
        found["text"] = _by_name(TEXT_NAMES, folded, found) or _longest(names, samples, found) or ""
    if not wish.unlabelled and "label" not in found:
        found["label"] = _by_name(LABEL_NAMES, folded, found) or _fewest(names, samples, found) or ""
    for role, name in found.items():
        if not name:
            free = [column for column in names if column not in found.values()]
            raise _no_column(file, role, None, free, shown)
    guessed = ", ".join(f"{role} = {quoted(found[role])}" for role in found if role not in wish.named())
    if guessed:
        notes.append(say(f"{file}: {guessed} (guessed)", f"{file}：{guessed}（自动判断）"))
    order = [role for role in _OPTIONS if role in found]
    return {role: found[role] for role in order}


def _by_name(known: Sequence[str], folded: dict[str, str], taken: dict[str, str]) -> str | None:
    return next((folded[name] for name in known if name in folded and folded[name] not in taken.values()), None)


def _longest(names: list[str], samples: list[list[Any]], taken: dict[str, str]) -> str | None:
    """The column with the longest texts."""
    sizes = {
        name: sum(len(row[place]) for row in samples if isinstance(row[place], str))
        for place, name in enumerate(names[:_GUESSED_AMONG])
        if name not in taken.values()
    }
    best = max(sizes, key=lambda name: sizes[name], default=None)
    return best if best is not None and (sizes[best] > 0 or not samples) else None


def _fewest(names: list[str], samples: list[list[Any]], taken: dict[str, str]) -> str | None:
    """The column with the fewest different values, if they recur."""
    kinds: dict[str, int] = {}
    for place, name in enumerate(names[:_GUESSED_AMONG]):
        values = [row[place] for row in samples if isinstance(row[place], str | int) and row[place] != ""]
        if name not in taken.values() and values:
            kinds[name] = len(set(values))
    best = min((name for name in kinds if kinds[name] > 1), key=lambda name: kinds[name], default=None)
    return best if best is not None and kinds[best] <= max(2, len(samples) * 0.5) else None


def _no_column(file: str, role: str, name: str | None, names: list[str], shown: str) -> DataError:
    option = _OPTIONS[role]
    if name is None:
        what = say(
            {"text": "text", "label": "label"}.get(role, role), {"text": "文本", "label": "标签"}.get(role, role)
        )
        message = say(f"{file} has no column that looks like the {what}", f"{file} 中没有像{what}的列")
        help = (
            f"{option} {typed(names[0])}"
            if names
            else say(f"add a column and name it: {option} COL", f"增加一列，并指明它：{option} 列名")
        )
    else:
        message = say(f"column '{quoted(name)}' is not in {file}", f"{file} 中没有列 '{quoted(name)}'")
        guess = nearest(name, names)
        if guess:
            help = say(
                f"did you mean '{quoted(guess)}'?  →  {option} {typed(guess)}",
                f"是不是 '{quoted(guess)}'？  →  {option} {typed(guess)}",
            )
        else:
            help = say("columns: ", "现有的列：") + quoted(", ".join(names), 200)
    return DataError("column-missing", message, where=f"{file}:1   {quoted(shown, 120)}", help=help)
