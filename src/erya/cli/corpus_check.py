"""``check CORPUS --task vectors``: is this text fit to learn word vectors from?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from erya.cli import output
from erya.cli.check import problem_lines
from erya.cli.reading import corpus_facts, corpus_line, shown_path, tell_notes
from erya.cli.words import listed
from erya.errors import quoted
from erya.language import say

if TYPE_CHECKING:
    from erya.cli.options import Manner
    from erya.run_corpus import Corpus

MIN_COUNT = 5
FEW_TOKENS = 1_000_000  # under which neighbours of most words are noise
LONG_LINE = 10_000  # words; windows cross sentences and paragraphs then
FREQUENT = 12

Problem = dict[str, Any]


def check_corpus(source: str, corpus: Corpus, manner: Manner) -> None:
    """Read it once and say what there is, and what speaks against it.

    Raises:
        DataError: it cannot be read, or holds no word.
    """
    from erya.text.corpus import encode

    encoded = encode(corpus.inputs, min_count=1)
    lengths = np.diff(np.flatnonzero(np.concatenate([[True], encoded.ids == -1]))) - 1
    kept = int((encoded.counts >= MIN_COUNT).sum())
    facts = {
        "tokens": encoded.tokens,
        "lines": encoded.lines,
        "words": len(encoded.words),
        "words_5": kept,
        "covered_5": float(encoded.counts[encoded.counts >= MIN_COUNT].sum() / max(1, encoded.counts.sum())),
        "longest_line": int(lengths.max(initial=0)),
        "tokenizer": encoded.tokenizer.name,
        "frequent": [[word, int(count)] for word, count in zip(encoded.words[:FREQUENT], encoded.counts, strict=False)],
    }
    encoded.close()
    problems = _problems(facts)
    if manner.json:
        data = corpus_facts(corpus)
        document = {"schema": "erya.check/1", "kind": "corpus", "data": data, **facts, "problems": problems}
        output.write_document(document)
        return
    tell(source, corpus, _lines(facts), problems, manner)
    name = shown_path(source)
    manner.next(f"erya train vectors/word2vec {name} -o v.erya", f"erya compare {name} vectors")


def tell(
    source: str, corpus: Corpus, lines: list[tuple[str, str]], problems: list[dict[str, Any]], manner: Manner
) -> None:
    """What there is, and what speaks against it; of running text, whatever it is for."""
    output.write(output.styled(quoted(source), "bold") + f"  {corpus_line(corpus)}")
    tell_notes(corpus.reading, manner)
    for line in [*output.label_column(lines), "", *problem_lines(problems)]:
        output.write(line)


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    frequent = listed([word for word, _ in facts["frequent"]], FREQUENT)
    kept = say(
        f"{facts['words']:,} different, {facts['words_5']:,} of them at least {MIN_COUNT} times "
        f"({facts['covered_5']:.1%} of the text)",
        f"共 {facts['words']:,} 个不同的词，其中 {facts['words_5']:,} 个至少出现 {MIN_COUNT} 次（占全文 {facts['covered_5']:.1%}）",
    )
    return [
        (say("tokens", "词次"), f"{facts['tokens']:,}  ({facts['tokenizer']})"),
        (
            say("lines", "行数"),
            say(
                f"{facts['lines']:,}, the longest has {facts['longest_line']:,} words",
                f"{facts['lines']:,}，最长一行 {facts['longest_line']:,} 个词",
            ),
        ),
        (say("words", "词表"), kept),
        (say("frequent", "高频词"), frequent),
    ]


def _problems(facts: dict[str, Any]) -> list[Problem]:
    found: list[Problem] = []

    def add(code: str, severity: str, message: str, help: str) -> None:
        found.append({"code": code, "severity": severity, "message": message, "help": help, "rows": []})

    if facts["tokens"] < FEW_TOKENS:
        add(
            "few-tokens",
            "warning",
            say(f"{facts['tokens']:,} words of text are few", f"只有 {facts['tokens']:,} 个词次，偏少"),
            say(
                "from some millions on neighbours make sense; on less, vectors/cooccurrence does best",
                "通常要几百万词次，近邻才有意义；更少时 vectors/cooccurrence 较合适",
            ),
        )
    if not facts["words_5"]:
        add(
            "rare-words",
            "warning",
            say(f"no word occurs {MIN_COUNT} times", f"没有一个词出现 {MIN_COUNT} 次"),
            "--set min_count=1",
        )
    if facts["longest_line"] > LONG_LINE:
        add(
            "long-lines",
            "note",
            say("some lines are very long: windows will cross sentences", "有的行非常长：窗口会跨越句子"),
            say("one sentence or paragraph a line is best", "最好一行一句或一段"),
        )
    return found
