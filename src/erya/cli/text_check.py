"""``check DATA --task generate``: is this text fit to learn from what comes next?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from erya.cli import output
from erya.cli.corpus_check import tell
from erya.cli.reading import corpus_facts, shown_path
from erya.language import say

if TYPE_CHECKING:
    from erya.cli.options import Manner
    from erya.run_corpus import Corpus

FEW_CHARACTERS = 200_000  # under which a network learns little that counting does not
LONG = 1_000_000  # characters of a document
REPEATED = 0.05  # share of documents that were there before: worth saying

Problem = dict[str, str]


def check_text(source: str, corpus: Corpus, manner: Manner) -> None:
    """Read it once and say what there is, and what speaks against it.

    Raises:
        DataError: it cannot be read, or holds no text.
    """
    facts = _facts(corpus)
    problems = _problems(facts)
    if manner.json:
        document = {"schema": "erya.check/1", "kind": "text", "data": corpus_facts(corpus), **facts}
        output.write_document({**document, "problems": problems})
        return
    tell(source, corpus, _lines(facts), problems, manner)
    name = shown_path(source)
    manner.next(f"erya train generate/ngram {name} -o m.erya", f"erya compare {name} generate")


def _facts(corpus: Corpus) -> dict[str, Any]:
    from erya.run_documents import whole_documents
    from erya.text.documents import sample_of
    from erya.text.units import make

    cutter = make("auto", sample_of(corpus.inputs, "auto"))
    seen: set[int] = set()
    letters: Counter[str] = Counter()
    units: Counter[str] = Counter()
    count = longest = repeated = empty = 0
    for text in whole_documents(corpus.inputs, "auto"):
        count, longest, empty = count + 1, max(longest, len(text)), empty + (not text.strip())
        repeated += (key := hash(text)) in seen
        seen.add(key)
        letters.update(text)
        units.update(cutter.cut(text))
    tested = leaked = unknown = total = 0
    for text in whole_documents(corpus.test or [], "auto"):
        tested, leaked = tested + 1, leaked + (hash(text) in seen)
        cut = cutter.cut(text)
        total, unknown = total + len(cut), unknown + sum(unit not in units for unit in cut)
    return {
        "documents": count,
        "characters": letters.total(),
        "longest": longest,
        "empty": empty,
        "repeated": repeated,
        "letters": len(letters),
        "tokenizer": cutter.name,
        "units": units.total(),
        "different_units": len(units),
        "once": sum(number == 1 for number in units.values()),
        "test_documents": tested,
        "test_in_training": leaked,
        "test_unknown": unknown / total if total else None,
    }


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    found = [
        (
            say("documents", "文档数"),
            say(
                f"{facts['documents']:,}, the longest has {facts['longest']:,} characters",
                f"{facts['documents']:,}，最长一篇 {facts['longest']:,} 字",
            ),
        ),
        (
            say("characters", "字符"),
            say(
                f"{facts['characters']:,}, {facts['letters']:,} different",
                f"{facts['characters']:,}，{facts['letters']:,} 种",
            ),
        ),
        (
            say("units", "单元"),
            say(
                f"{facts['units']:,} ({facts['tokenizer']}), {facts['different_units']:,} different, {facts['once']:,} of them once",
                f"{facts['units']:,}（{facts['tokenizer']}），{facts['different_units']:,} 种，其中 {facts['once']:,} 种只出现一次",
            ),
        ),
    ]
    if facts["test_documents"]:
        unknown = facts["test_unknown"] or 0.0
        found.append(
            (
                say("test part", "测试部分"),
                say(
                    f"{facts['test_documents']:,} documents, {unknown:.1%} of their units are not in the rest",
                    f"{facts['test_documents']:,} 篇，{unknown:.1%} 的单元不在其余部分中",
                ),
            )
        )
    return found


def _problems(facts: dict[str, Any]) -> list[Problem]:
    found: list[Problem] = []

    def add(code: str, message: str, help: str) -> None:
        found.append({"code": code, "severity": "warning", "message": message, "help": help})

    if facts["characters"] < FEW_CHARACTERS:
        add(
            "little-text",
            say(
                f"{facts['characters']:,} characters are little text: counting will hardly be beaten",
                f"只有 {facts['characters']:,} 个字符：计数的模型很难被超过",
            ),
            "erya train generate/ngram",
        )
    if facts["repeated"] > REPEATED * facts["documents"]:
        add(
            "repeated",
            say(
                f"{facts['repeated']:,} documents were there before, word for word",
                f"{facts['repeated']:,} 篇文档与前面的一字不差",
            ),
            say("leave them out, or they are learned several times", "请去掉，否则会被反复学习"),
        )
    if facts["test_in_training"]:
        add(
            "leak",
            say(
                f"{facts['test_in_training']:,} of {facts['test_documents']:,} test documents are in the training text, too: "
                "scores will be too good",
                f"{facts['test_documents']:,} 篇测试文档中有 {facts['test_in_training']:,} 篇也在训练文本里：分数会虚高",
            ),
            say("remove them from one of the two", "请从其中一边删除"),
        )
    if facts["empty"]:
        add(
            "empty",
            say(f"{facts['empty']:,} documents hold nothing but blanks", f"{facts['empty']:,} 篇文档只有空白"),
            say("their ends are learned all the same", "它们的结尾也会被学习"),
        )
    if facts["longest"] > LONG and facts["documents"] < 20:
        add(
            "few-documents",
            say(
                f"{facts['documents']:,} documents, one of {facts['longest']:,} characters: borders are hardly ever seen",
                f"共 {facts['documents']:,} 篇文档，最长 {facts['longest']:,} 字：几乎见不到文档的边界",
            ),
            "--set documents=paragraph",
        )
    return found
