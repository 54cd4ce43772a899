"""``check`` for sentences with tags: facts, and the problems that spoil a tagger before it is trained."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from erya.cli import output
from erya.cli.reading import data_facts, data_line, part_name, shown_path, tell_notes
from erya.errors import quoted
from erya.language import say
from erya.trial_tags import label_counts

if TYPE_CHECKING:
    from erya.cli.options import Manner
    from erya.text.dataset import Dataset, Part

FEW = 10  # spans of a type under which its scores mean nothing
LONG = 512  # tokens of a sentence that is likely several
EXAMPLES = 5
TYPES_SHOWN = 30
ALIKE = 20  # occurrences from which a token's tags tell of slips
SLIP = 0.02  # a tag as rare as this among a token's

Problem = dict[str, Any]


def check(source: str, dataset: Dataset, manner: Manner) -> bool:
    """Write what was found; whether a training would refuse the data."""
    from erya.tasks import tag

    scheme = tag.scheme_of(dataset.train.targets or [])
    parts = {name: _part_facts(part, scheme) for name, part in dataset.parts()}
    problems = _problems(dataset, scheme)
    unlearnable = any(problem["severity"] == "error" and problem["code"] in ("one-class",) for problem in problems)
    if manner.json:
        output.write_document(
            {
                "schema": "erya.check/1",
                "kind": "data",
                "data": data_facts(dataset),
                "scheme": scheme,
                "parts": parts,
                "problems": problems,
            }
        )
        return unlearnable
    output.write(output.styled(quoted(source), "bold") + f"  {data_line(dataset)}")
    tell_notes(dataset.reading, manner)
    for line in [*_part_lines(parts), "", *_type_lines(parts, scheme), "", *_problem_lines(problems)]:
        output.write(line)
    for reject in dataset.reading.rejects[:EXAMPLES] if not manner.verbose else dataset.reading.rejects:
        manner.talk(f"  {quoted(reject.file)}:{reject.line}  {reject.reason}  {quoted(reject.raw, 60)}")
    manner.next(f"erya compare {shown_path(source)} --task tag")
    return unlearnable


def _part_facts(part: Part, scheme: str) -> dict[str, Any]:
    lengths = sorted(map(len, part.inputs)) or [0]
    counts = label_counts(part.targets or [], scheme)
    return {
        "rows": len(part),
        "tokens": sum(lengths),
        "length": {"median": lengths[len(lengths) // 2], "longest": lengths[-1]},
        "duplicates": len(part) - len(set(part.inputs)),
        "labels": dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))),
    }


def _problem(code: str, severity: str, message: str, help: str | None = None, rows: list[int] | None = None) -> Problem:
    return {"code": code, "severity": severity, "message": message, "help": help, "rows": rows or []}


def _problems(dataset: Dataset, scheme: str) -> list[Problem]:
    return [
        *_one_tag(dataset),
        *_broken(dataset, scheme),
        *_rejected(dataset),
        *_leaks(dataset),
        *_unseen(dataset, scheme),
        *_rare(dataset, scheme),
        *_long(dataset),
        *_slips(dataset),
    ]


def _one_tag(dataset: Dataset) -> list[Problem]:
    counts = dataset.train.label_counts()
    if len(counts) > 1:
        return []
    only = quoted(next(iter(counts), ""), 30)
    message = say(f"all tokens have the tag '{only}'", f"所有词的标签都是“{only}”")
    return [
        _problem("one-class", "error", message, say("is this the right column? --tags N", "这一列对吗？--tags 列号"))
    ]


def _broken(dataset: Dataset, scheme: str) -> list[Problem]:
    from erya.text.tag_schemes import Flat, detect, mended

    found = []
    for name, part in dataset.parts():
        flat = Flat.of(part.targets or [])
        own = detect(flat)
        if own == "none" or scheme == "none":
            continue
        told: Any = scheme
        wrong = mended(flat, told)[1]
        if len(wrong):
            rows = sorted({part.rows[int((flat.starts[1:] <= place).sum())] for place in wrong[:50].tolist()})
            message = say(
                f"{len(wrong):,} tags of {part_name(name)} break the rules of {scheme.upper()}",
                f"{part_name(name)}部分有 {len(wrong):,} 个标签不合 {scheme.upper()} 规则",
            )
            help = say("they are mended as conlleval reads them", "按 conlleval 的读法修复")
            found.append(_problem("broken-tags", "warning", message, help, rows[:EXAMPLES]))
    return found


def _rejected(dataset: Dataset) -> list[Problem]:
    reading = dataset.reading
    if not reading.rejected:
        return []
    reasons = "; ".join(f"{reason} ×{count:,}" for reason, count in list(reading.reasons().items())[:4])
    message = say(
        f"{reading.rejected:,} of {reading.rows_in:,} sentences cannot be used: {reasons}",
        f"{reading.rows_in:,} 个句子中有 {reading.rejected:,} 个不可用：{reasons}",
    )
    help = say("mend them, or train with --bad-rows skip", "修正这些句子，或训练时加 --bad-rows skip")
    return [_problem("rejected-rows", "warning", message, help, [one.row for one in reading.rejects[:EXAMPLES]])]


def _leaks(dataset: Dataset) -> list[Problem]:
    leaks = [duplicate for duplicate in dataset.duplicates() if "train" in duplicate.rows and len(duplicate.input) > 1]
    count = sum(len(rows) for leak in leaks for name, rows in leak.rows.items() if name != "train")
    total = sum(len(part) for name, part in dataset.parts() if name != "train")
    if not count:
        return []
    message = say(
        f"{count:,} of {total:,} test and validation sentences are also in training, token by token",
        f"{total:,} 个测试与验证句子中有 {count:,} 个原样出现在训练数据里",
    )
    severity = "error" if count > 0.05 * total else "warning"
    rows = [leak.rows["train"][0] for leak in leaks[:EXAMPLES]]
    return [
        _problem("leakage", severity, message, say("scores on them are remembered", "这些句子的得分靠的是记忆"), rows)
    ]


def _unseen(dataset: Dataset, scheme: str) -> list[Problem]:
    known = set(label_counts(dataset.train.targets or [], scheme))
    counts: Counter[str] = Counter()
    for name, part in dataset.parts():
        if name != "train":
            counts.update(
                {label: n for label, n in label_counts(part.targets or [], scheme).items() if label not in known}
            )
    if not counts:
        return []
    shown = ", ".join(f"{quoted(label, 20)} ×{count:,}" for label, count in counts.most_common(EXAMPLES))
    message = say(f"never in training: {shown}", f"训练数据里没有：{shown}")
    return [_problem("unseen-labels", "warning", message, say("no model can answer them", "任何模型都答不出来"))]


def _rare(dataset: Dataset, scheme: str) -> list[Problem]:
    counts = label_counts(dataset.train.targets or [], scheme)
    rare = sorted((count, label) for label, count in counts.items() if count < FEW)
    if not rare:
        return []
    shown = ", ".join(f"{quoted(label, 20)} ×{count}" for count, label in rare[:EXAMPLES])
    message = say(
        f"{len(rare):,} types occur fewer than {FEW} times in training: {shown}",
        f"{len(rare):,} 个类型在训练数据里出现不足 {FEW} 次：{shown}",
    )
    return [_problem("rare-labels", "warning", message, say("add examples, or join them", "补充样例，或合并类型"))]


def _long(dataset: Dataset) -> list[Problem]:
    found = [
        (part.rows[place], len(sentence))
        for _, part in dataset.parts()
        for place, sentence in enumerate(part.inputs)
        if len(sentence) > LONG
    ]
    if not found:
        return []
    longest = max(length for _, length in found)
    message = say(
        f"{len(found):,} sentences have more than {LONG} tokens (the longest {longest:,}): is a blank line missing?",
        f"{len(found):,} 个句子超过 {LONG} 个词（最长 {longest:,}）：是不是少了空行？",
    )
    return [_problem("long-sentences", "warning", message, None, [row for row, _ in found[:EXAMPLES]])]


def _slips(dataset: Dataset) -> list[Problem]:
    """Tokens that nearly always have one tag and now and then another: where annotators slip."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for tokens, tags in zip(dataset.train.inputs, dataset.train.targets or [], strict=True):
        for token, name in zip(tokens, tags, strict=True):
            seen[token][name] += 1
    found = []
    for token, tags in seen.items():
        total, (best, most) = tags.total(), tags.most_common(1)[0]
        if total >= ALIKE and best == "O" and 0 < total - most <= SLIP * total:
            other = next(name for name in tags if name != best)
            found.append((total, f"{quoted(token, 20)} {other} ({total - most}/{total:,})"))
    if not found:
        return []
    shown = ", ".join(words for _, words in sorted(found, reverse=True)[:EXAMPLES])
    message = say(
        f"{len(found):,} tokens are nearly always O and now and then not: {shown}",
        f"{len(found):,} 个词几乎总是 O，偶尔却不是：{shown}",
    )
    return [_problem("rare-tags-of-a-token", "note", message, say("worth a look", "值得看一眼"))]


# ---- in the terminal ------------------------------------------------------------------------------------------


def _part_lines(parts: dict[str, Any]) -> list[str]:
    rows = [
        (
            f"  {part_name(name)}",
            f"{facts['rows']:,}",
            f"{facts['tokens']:,}",
            f"{facts['length']['median']:,}",
            f"{facts['length']['longest']:,}",
            f"{facts['duplicates']:,}",
        )
        for name, facts in parts.items()
    ]
    head = (
        "",
        say("sentences", "句子"),
        say("tokens", "词"),
        say("median length", "长度中位数"),
        say("longest", "最长"),
        say("repeated", "重复"),
    )
    return output.table(rows, head=head, right=range(1, 6))


def _type_lines(parts: dict[str, Any], scheme: str) -> list[str]:
    names = list(parts)
    labels = list(dict.fromkeys(label for facts in parts.values() for label in facts["labels"]))
    rows = [
        (
            f"  {quoted(label, 30) or say('(words)', '（词）')}",
            *(f"{parts[name]['labels'].get(label, 0):,}" for name in names),
        )
        for label in labels[:TYPES_SHOWN]
    ]
    unit = say("  tag (tokens)", "  标签（词数）") if scheme == "none" else say("  type (spans)", "  类型（片段数）")
    lines = output.table(rows, head=(unit, *map(part_name, names)), right=range(1, len(names) + 1))
    rest = len(labels) - TYPES_SHOWN
    return [*lines, say(f"  … and {rest} more", f"  ……另有 {rest} 个")] if rest > 0 else lines


def _problem_lines(problems: list[Problem]) -> list[str]:
    if not problems:
        return [say("  no problems found", "  没有发现问题")]
    words = {"error": say("error", "错误"), "warning": say("warning", "警告"), "note": say("note", "提示")}
    lines = []
    for problem in problems:
        rows = (
            say("  sentences ", "  第 ") + ", ".join(map(str, problem["rows"])) + say("", " 句")
            if problem["rows"]
            else ""
        )
        lines.append(f"  {words[problem['severity']]}  {problem['message']}{rows}")
        if problem["help"]:
            lines.append(f"      {say('help', '帮助')}: {problem['help']}")
    return lines
