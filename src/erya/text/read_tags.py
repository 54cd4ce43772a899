"""Files into sentences with tags: ``erya.read("train.conll", task="tag")``.

CoNLL (any column), JSON lines with spans or with tokens and tags, Doccano exports, brat folders, segmented text (``segmented.py``). Texts
with spans are cut into tokens here: words, each Han character by itself, and at the ends of spans where these fall inside a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erya.errors import DataError, UsageError, quoted, typed
from erya.language import say
from erya.text import conll, segmented, sources
from erya.text.complaints import MOST_BAD, nothing, stopped
from erya.text.dataset import Dataset, Part, Reading, Reject
from erya.text.files import LINE_LIMIT, Source, blocks, name_of
from erya.text.formats import Opened, format_of, open_rows
from erya.text.judge import judge, languages
from erya.text.readers import Row
from erya.text.samples import sample_card
from erya.text.sentences import Sentence
from erya.text.span_files import Ignored, Keys, brat, brat_pairs, sample
from erya.text.tag_schemes import Flat, detect, mended
from erya.text.tokenizers import Tokenizer, Words

KEPT_REJECTS = 100_000
FORMATS = ("conll", "jsonl", "segmented", "brat", "txt")
_MOST_TAGS = 0.5  # as many different tags by token as this are no tags
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for. Columns of CoNLL files are numbers from 1, of JSON rows keys."""

    text: str | None = None
    tokens: str | None = None
    tags: str | None = None
    unlabelled: bool = False

    def layout(self, name: str) -> conll.Layout:
        """For a CoNLL file. Raises DataError for a column that is no number."""
        found = []
        for option, told in (("--tokens", self.tokens), ("--tags", self.tags)):
            number = None if told is None else conll.column_number(told)
            if told is not None and number is None:
                raise DataError(
                    "column-missing",
                    say(
                        f"{name}: columns of CoNLL files are numbers from 1, not '{quoted(told, 30)}'",
                        f"{name}：CoNLL 文件的列用从 1 起的序号表示，不能是“{quoted(told, 30)}”",
                    ),
                    where=f"{name}:1",
                    help=f"{option} 1",
                )
            found.append(number)
        return conll.Layout(found[0], found[1], untagged=self.unlabelled)

    def keys(self) -> Keys:
        return Keys(self.text, self.tokens, self.tags)


def read_tagged(
    source: str | Path,
    *,
    text: str | None = None,
    tokens: str | None = None,
    tags: str | None = None,
    encoding: str | None = None,
    bad_rows: str = "stop",
    format: str | None = None,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    unlabelled: bool = False,
    strict: bool = False,
    check: bool = True,
    line_limit: int = LINE_LIMIT,
) -> Dataset:
    """Read sentences with tags; see ``erya.read``.

    Returns:
        inputs are ``Sentence``s (tuples of tokens that may know their text), targets tuples of tags.

    Raises:
        DataError: exit 3; a file is missing or cannot be read, all tags are alike, or rows are bad and ``bad_rows`` is "stop".
        UsageError: an unknown format.
    """
    if format is not None and format not in FORMATS:
        raise UsageError(
            "unknown-format",
            say(f"'{quoted(format)}' holds no tags", f"'{quoted(format)}' 格式里没有序列标签"),
            help=" ".join(f"--format {name}" for name in FORMATS),
        )
    card = sample_card(str(source).removeprefix("sample:")) if str(source).startswith("sample:") else None
    if card is not None and "tag" not in card.tasks:
        raise DataError(
            "other-task",
            say(f"sample:{card.name} has no tags", f"sample:{card.name} 里没有序列标签"),
            help="sample:snips",
        )
    files = _files(card.folder if card is not None else Path(source).expanduser())
    if card is not None:
        files.notes.clear()
    for part, extra in (("dev", validation), ("test", test)):
        if extra is not None:
            files.parts[part] = _files(Path(extra).expanduser()).parts["train"]
    wish = Wish(text, tokens, tags, unlabelled)
    collector = _Collector(Reading(notes=files.notes), wish, bad_rows == "stop", encoding, format, line_limit)
    parts = {name: collector.part(files.parts[name]) for name in ("train", "dev", "test") if name in files.parts}
    reading = collector.reading
    assert reading.rows_in == reading.used + reading.rejected, "rows were lost"
    columns = {name: told for name, told in (("text", text), ("tokens", tokens), ("tags", tags)) if told is not None}
    data = Dataset(parts["train"], parts.get("dev"), parts.get("test"), str(source), "tag", None, columns, reading)
    data.languages = languages(data.train)
    if not unlabelled:
        flat = Flat.of(data.train.targets or [])
        _tell_scheme(data, flat)
        if check:
            _judge(data, flat)
            judge(data, strict=strict)
    return data


def stream_tagged(
    source: str | Source,
    *,
    text: str | None = None,
    tokens: str | None = None,
    encoding: str | None = None,
    format: str | None = None,
    line_limit: int = LINE_LIMIT,
) -> Iterator[tuple[int, Any] | Reject]:
    """The sentences of one file without their tags, one by one: ``(row, text or Sentence)`` or a ``Reject``.

    A line of a .txt file is a text, which the model's own tokenizer will cut; so is the text of a JSON row without tokens.
    """
    where: Source = Path(source) if isinstance(source, str) else source
    told = format or (_told(where) if isinstance(where, Path) else None)
    wish = Wish(text, tokens, None, True)
    layout = wish.layout(name_of(where)) if told == "conll" else conll.Layout()
    opened = open_rows(where, format=told, encoding=encoding, line_limit=line_limit, layout=layout)
    for number, item in enumerate(opened.rows, 1):
        found: Any = item
        if isinstance(item, Row):
            found = _untagged(item, opened.format, wish)
        if isinstance(found, Reject):
            found.row, found.file = number, opened.name
            yield found
        else:
            yield number, found


def _untagged(row: Row, format: str, wish: Wish) -> Any:
    if format == "conll":
        return _sentence(row)[0]
    if format == "jsonl":
        key = wish.keys().of(row.values, wish.text, ("text", "sentence", "content", "data"))
        if wish.tokens is None and key is not None and isinstance(row.values[key], str):
            return row.values[key]
        found = sample(row, wish.keys(), Words(lower=False), tagged=False)
        return found if isinstance(found, Reject) else found[0]
    return row.values[0] if isinstance(row.values, list) and isinstance(row.values[0], str) else row.raw


# ---- which files ------------------------------------------------------------------------------------------------------


def _files(source: Path) -> sources.Files:
    pairs = brat_pairs(source)
    if pairs is not None:
        return sources.Files({"train": [notes for _, notes in pairs]})
    if source.is_dir():
        parts = {}
        for folder in sorted(path for path in source.iterdir() if path.is_dir()):
            name = {"valid": "dev", "validation": "dev", "val": "dev"}.get(folder.name.lower(), folder.name.lower())
            inside = brat_pairs(folder) if name in ("train", "dev", "test") else None
            if inside is not None:
                parts[name] = [notes for _, notes in inside]
        if "train" in parts:
            return sources.Files(parts)
    return sources.find(source, tagged=True)


def _told(path: Path) -> str | None:
    """The format by the name, and for names that tell nothing by the first line."""
    by_name = format_of(path)
    if by_name in ("conll", "jsonl"):
        return by_name
    return None


def _format(path: Path, told: str | None) -> str:
    if told is not None and told != "brat":
        return "conll" if told == "txt" else told
    by_name = _told(path)
    if by_name is not None:
        return by_name
    head = bytearray()
    for block in blocks(path):
        head += block
        if len(head) >= _HEAD:
            break
    if bytes(head).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonl"
    plain = format_of(path) in (None, "txt") and segmented.looks_segmented(bytes(head).decode("utf-8-sig", "ignore"))
    return "segmented" if plain else "conll"


# ---- all files --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Collector:
    """Reads the parts one after another."""

    reading: Reading
    wish: Wish
    stop: bool
    encoding: str | None
    format: str | None
    line_limit: int
    tokenizer: Tokenizer = field(default_factory=lambda: Words(lower=False))

    def part(self, paths: Sequence[Path]) -> Part:
        """All sentences of some files."""
        part = Part([], None if self.wish.unlabelled else [])
        before, number, empty = self.reading.rows_in, 0, True
        for path in paths:
            opened, number = self._brat(path, part, number) if path.suffix == ".ann" else self._file(path, part, number)
            empty = empty and opened.empty
        if not part.inputs:
            rows = self.reading.rows_in - before
            bad = [reject for reject in self.reading.rejects if not reject.harmless]
            if bad and len(bad) == rows:
                raise _stopped(opened, bad, skipping=True)
            if not rows and not empty:
                raise _no_sentences(paths)
            raise nothing(list(paths), rows, empty, self.reading.rejects)
        return part

    def _file(self, path: Path, part: Part, number: int) -> tuple[Opened, int]:
        format = _format(path, self.format)
        layout = self.wish.layout(path.name) if format == "conll" else conll.Layout()
        opened = open_rows(
            path,
            format="txt" if format == "segmented" else None if format == format_of(path) == "jsonl" else format,
            encoding=self.encoding,
            line_limit=self.line_limit,
            layout=layout,
        )
        reading = self.reading
        reading.notes.extend(opened.notes)
        if format == "segmented" and self.format is None:
            reading.notes.append(
                say(f"{path.name}: text with blanks between the words", f"{path.name}：以空格分好词的文本")
            )
        reading.format, reading.encoding = reading.format or format, opened.encoding
        bad: list[Reject] = []
        for item in opened.rows:
            if format == "segmented" and isinstance(item, Row) and not item.values[0].strip():
                continue  # between paragraphs
            number += 1
            found: Any = item
            if isinstance(item, Row) and format == "segmented":
                found = segmented.sentence(item.values[0])
            elif isinstance(item, Row) and opened.format == "conll":
                found = _sentence(item)
            elif isinstance(item, Row):
                found = sample(item, self.wish.keys(), self.tokenizer, tagged=not self.wish.unlabelled)
            self._take(part, number, found, opened.name, bad)
            if len(bad) >= MOST_BAD:
                break
        if bad:
            raise _stopped(opened, bad)
        reading.notes.extend(conll.notes_on(layout, path.name))
        return opened, number

    def _brat(self, path: Path, part: Part, number: int) -> tuple[Opened, int]:
        reading, ignored = self.reading, Ignored()
        opened = Opened(path.name, "brat", "utf-8", iter(()))
        reading.format = "brat"
        bad: list[Reject] = []
        for _, found in brat(path.with_suffix(".txt"), path, self.tokenizer, ignored):
            number += 1
            self._take(part, number, found, path.name, bad)
        if bad:
            raise stopped(opened, bad)
        if ignored.lines:
            reading.notes.append(
                say(
                    f"{path.name}: {ignored.lines:,} lines of relations, events, attributes or notes were not read",
                    f"{path.name}：{ignored.lines:,} 行关系、事件、属性或注释未读取",
                )
            )
        return opened, number

    def _take(self, part: Part, number: int, found: Any, name: str, bad: list[Reject]) -> None:
        """One record into the part, or among the rejects."""
        reading = self.reading
        reading.rows_in += 1
        if not isinstance(found, Reject) and not found[0]:
            found = Reject(0, say("an empty sentence", "空句子"), "", "empty-text", harmless=True)
        if isinstance(found, Reject):
            found.row, found.file = number, name
            reading.rejected += 1
            if len(reading.rejects) < KEPT_REJECTS:
                reading.rejects.append(found)
            if self.stop and not found.harmless:
                bad.append(found)
            return
        reading.used += 1
        sentence, tags = found
        part.inputs.append(sentence)
        part.rows.append(number)
        if part.targets is not None:
            part.targets.append(tuple(tags))


def _stopped(opened: Opened, bad: list[Reject], *, skipping: bool = False) -> DataError:
    """The error for rows that cannot be read, or for a file that is no text at all."""
    if "\x00" not in bad[0].raw:
        return stopped(opened, bad, skipping=skipping)
    return DataError(
        "not-text",
        say(f"{opened.name} is no text: it holds NUL bytes", f"{opened.name} 不是文本文件：里面有 NUL 字节"),
        where=f"{opened.name}:{bad[0].line}   {quoted(bad[0].raw)}",
        help=f"file {typed(opened.name)}",
    )


def _no_sentences(paths: Sequence[Path]) -> DataError:
    name = quoted(paths[0].name) if len(paths) == 1 else say(f"{len(paths)} files", f"{len(paths)} 个文件")
    return DataError(
        "no-rows",
        say(f"{name} holds no sentence, only blank lines or comments", f"{name} 里没有句子，只有空行或注释"),
        where=quoted(paths[0], 200),
        help=f"head {typed(paths[0])}",
    )


def _sentence(row: Row) -> tuple[Sentence, list[str]]:
    tokens, tags, placed = row.values
    if placed is None:
        return Sentence(tokens), tags
    return Sentence.cut(*placed), tags


# ---- what can be learned ------------------------------------------------------------------------------------------------


_SCHEME_NAMES = {"iob2": "IOB2 (BIO)", "iob1": "IOB1", "bioes": "BIOES", "bmes": "BMES", "bilou": "BILOU"}


def _tell_scheme(data: Dataset, train: Flat) -> None:
    """Note the scheme of the tags, and how many of them are broken."""
    scheme = detect(train)
    if scheme == "none":
        data.reading.notes.append(say("tags without spans, as parts of speech", "标签不表示片段（如词性）"))
        return
    data.reading.notes.append(say(f"tags: {_SCHEME_NAMES[scheme]}", f"标注体系：{_SCHEME_NAMES[scheme]}"))
    for name, part in data.parts():
        flat = train if part is data.train else Flat.of(part.targets or [])
        wrong = mended(flat, scheme)[1] if detect(flat) != "none" else flat.codes[:0]
        if not len(wrong):
            continue
        sentence = int((flat.starts[1:] <= wrong[0]).sum())
        tag = flat.names[flat.codes[wrong[0]]]
        row = part.rows[sentence]
        data.reading.notes.append(
            say(
                f"{len(wrong):,} tags of {name} break the rules (first: sentence {row:,}, '{quoted(tag, 30)}'); they are "
                "read as conlleval does: an I- that follows nothing begins a span",
                f"{name} 中有 {len(wrong):,} 个标签不合规则（第一处：第 {row:,} 句，“{quoted(tag, 30)}”）；"
                "按 conlleval 的读法处理：前面没有片段的 I- 视为片段开头",
            )
        )


def _judge(data: Dataset, train: Flat) -> None:
    """Refuse tags from which nothing can be learned.

    Raises:
        DataError: ``one-class`` or ``labels-unique``.
    """
    kinds, given = len(train.names), len(train.codes)
    source = quoted(data.source, 200)
    if kinds < 2:
        only = quoted(train.names[0] if train.names else "", 30)
        raise DataError(
            "one-class",
            say(f"all {given:,} tokens have the tag '{only}'", f"全部 {given:,} 个词的标签都是“{only}”"),
            where=source,
            help=say("is this the right column? --tags N", "这一列对吗？--tags 列号"),
        )
    if given >= 40 and kinds > _MOST_TAGS * given:
        raise DataError(
            "labels-unique",
            say(
                f"{kinds:,} different tags for {given:,} tokens; that is no column of tags",
                f"{given:,} 个词有 {kinds:,} 种标签，这一列不像是标签",
            ),
            where=f"{source}   {quoted(', '.join(train.names[:3]))}",
            help=say("name the right column: --tags N", "请指定正确的列：--tags 列号")
            + f"  →  head {typed(data.source)}",
        )
