"""What a tagger learns from: sentences, and for each of their tokens one tag.

A sentence is a list of tokens, or a text that the model's tokenizer cuts; a text may come with spans in characters instead of
tags. However sentences and tags come, what goes out is one flat array of numbers and where each sentence starts in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, UsageError, nearest, quoted
from erya.language import say
from erya.progress import Report, quiet
from erya.text import tokenizers
from erya.text.sentences import Sentence
from erya.text.span_tags import SpansError, spans_to_tags
from erya.text.tag_schemes import SCHEMES, Flat, converted, detect, mended
from erya.text.tokenizers import Tokenizer

Classes = NDArray[Any]
_SEEN = 2000  # sentences looked at to choose a tokenizer


# ---- sentences ----------------------------------------------------------------------------------------------------


def sentences(X: Any, tokenizer: Tokenizer) -> list[Sentence]:
    """``X`` as a list of sentences.

    Args:
        X: list, array or Series; each element a list, tuple or array of tokens, or a text.
        tokenizer: cuts texts. Tokens are ``text[start:end]``, in the letters of the text, lower-cased by nobody.

    Raises:
        UsageError: ``X`` is one bare string or a path, an element is neither tokens nor text, or a token is empty.
    """
    return [_sentence(row, number, tokenizer) for number, row in enumerate(_listed(X))]


def _listed(X: Any) -> list[Any]:
    if isinstance(X, str | bytes | Path):
        raise UsageError(
            "bare-string",
            say(
                "X is one string; a tagger takes a list of sentences",
                "X 是单个字符串；标注器需要的是句子列表",
            ),
            help=say("predict([text]); a file: erya.read(path)", "predict([text])；文件请用 erya.read(path)"),
        )
    return X.tolist() if hasattr(X, "tolist") else list(X)


def _sentence(row: Any, number: int, tokenizer: Tokenizer) -> Sentence:
    if isinstance(row, str):
        return Sentence.cut(row, tokenizer.spans(row))
    if isinstance(row, Sentence):
        return row
    tokens = row.tolist() if isinstance(row, np.ndarray) else row
    if not isinstance(tokens, list | tuple) or not _all_strings(tokens):
        raise UsageError(
            "not-tokens",
            say(
                f"X[{number}] is {quoted(repr(row), 40)}, neither a list of tokens nor a text",
                f"X[{number}] 是 {quoted(repr(row), 40)}，既不是词的列表，也不是文本",
            ),
            help='[["to", "Paris"], "to Paris"]',
        )
    if "" in tokens:
        place = list(tokens).index("")
        raise UsageError(
            "empty-token",
            say(f"X[{number}][{place}] is an empty token", f"X[{number}][{place}] 是空词"),
        )
    return Sentence(tokens)


def _all_strings(tokens: Sequence[Any]) -> bool:
    return set(map(type, tokens)) <= {str} or all(isinstance(token, str) for token in tokens)


def tokenizer_for(tokenizer: str | Tokenizer, X: Any) -> Tokenizer:
    """The tokenizer that a tagger will cut raw text with.

    Args:
        tokenizer: a tokenizer or its name; ``"auto"``: words that segment Chinese where the tokens of ``X`` with a Han
            character are mostly longer than one, else ``Words`` (each Han character by itself). Cased: a tagger reads case.
        X: the sentences it learns from.

    Raises:
        UsageError: no such tokenizer, or ``X`` is one bare string.
    """
    if tokenizer != "auto":
        return tokenizers.make(tokenizer)
    single = several = 0
    for row in _listed(X)[:_SEEN]:
        for token in () if isinstance(row, str) else row:
            if isinstance(token, str) and any("\u4e00" <= character <= "\u9fff" for character in token):
                single, several = single + (len(token) == 1), several + (len(token) > 1)
    return tokenizers.ChineseWords(lower=False) if several > single else tokenizers.Words(lower=False)


# ---- sentences with tags --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Examples:
    """Checked training data. N sentences of L tokens in all, C tags.

    Attributes:
        sentences: N sentences, none empty.
        classes: (C,) tags, sorted, in ``scheme``.
        tags: (L,) indices into ``classes``, sentence after sentence; -1 for a tag that is not among given ``classes``.
        starts: (N+1,) sentence n has ``tags[starts[n]:starts[n + 1]]``.
        weights: (N,) one a sentence, above 0.
        scheme: of ``classes``: ``"iob2"``, ``"iob1"``, ``"bioes"``, ``"bmes"``, ``"bilou"``, or ``"none"``: no spans.
        data_scheme: of the tags as they came, and of the answers.
        repaired: tags of broken sequences that were mended.
        empty: sentences without tokens that were left out.
    """

    sentences: list[Sentence]
    classes: Classes
    tags: NDArray[np.int64]
    starts: NDArray[np.int64]
    weights: NDArray[np.float64]
    scheme: str
    data_scheme: str
    repaired: int
    empty: int

    def __len__(self) -> int:
        return len(self.sentences)


def examples(
    X: Any,
    y: Any,
    *,
    tokenizer: Tokenizer,
    sample_weight: Any = None,
    scheme: str = "data",
    classes: Any = None,
    report: Report = quiet,
) -> Examples:
    """Check sentences, tags and weights, mend broken tags, convert them, and number them.

    Args:
        X: N sentences, see ``sentences``.
        y: N lists of tags, one a token; or for a text a list of spans ``(start, end, label)`` in characters.
        tokenizer: cuts texts.
        sample_weight: N finite, non-negative weights; sentences of weight 0 are left out.
        scheme: ``"data"``: tags as they are; or the scheme to learn in. Tags that tell no spans stay what they are.
        classes: the tags, where they are known already: others become -1.
        report: is told how many tags were mended, and how many sentences were empty.

    Raises:
        DataError: no sentences, all tags alike, or lengths that differ.
        UsageError: a bare string, no tags, an unknown scheme, a negative, infinite or NaN weight; a span that overlaps
            another one or lies outside of its text.
    """
    if scheme != "data" and scheme not in SCHEMES:
        guess = nearest(scheme, SCHEMES)
        raise UsageError(
            "unknown-scheme",
            say(f"there is no tag scheme '{quoted(scheme)}'", f"没有名为 '{quoted(scheme)}' 的标注体系"),
            help=f"scheme='{guess}'" if guess else " ".join(("data", *SCHEMES)),
        )
    if y is None:
        raise UsageError("no-targets", say("a tagger needs tags: fit(X, y)", "标注器需要标签：fit(X, y)"))
    given = sentences(X, tokenizer)
    rows = y.tolist() if hasattr(y, "tolist") else list(y)
    if len(given) != len(rows):
        raise DataError(
            "lengths-differ",
            say(f"{len(given)} sentences but tags for {len(rows)}", f"{len(given)} 个句子，却有 {len(rows)} 组标签"),
        )
    both = [_with_tags(sentence, tags, number) for number, (sentence, tags) in enumerate(zip(given, rows, strict=True))]
    weights = _weights(sample_weight, len(both))
    kept = [bool(sentence) and weight > 0 for (sentence, _), weight in zip(both, weights.tolist(), strict=True)]
    empty = sum(not sentence for sentence, _ in both)
    chosen = [pair for pair, keep in zip(both, kept, strict=True) if keep]
    if not chosen:
        raise DataError("no-rows", say("there is nothing to learn from: no sentences", "没有可供学习的句子"))
    flat = Flat.of(tags for _, tags in chosen)
    data_scheme = detect(flat)
    flat, wrong = mended(flat, data_scheme)
    wanted: Any = data_scheme if "none" in (scheme, data_scheme) or scheme == "data" else scheme
    if wanted != data_scheme:
        flat = converted(flat, wanted)
    _tell(report, len(wrong), empty)
    found, tags = _numbered(flat, classes)
    return Examples(
        [sentence for sentence, _ in chosen],
        found,
        tags,
        flat.starts,
        weights[np.array(kept, dtype=bool)],
        wanted,
        data_scheme,
        len(wrong),
        empty,
    )


def _with_tags(sentence: Sentence, tags: Any, number: int) -> tuple[Sentence, list[str]]:
    """One sentence and its tags, from spans where these are given; the sentence is then cut at their ends, too."""
    if isinstance(tags, str | bytes) or not hasattr(tags, "__iter__"):
        raise UsageError(
            "not-tags",
            say(
                f"y[{number}] is {quoted(repr(tags), 40)}: a list of tags, one a token",
                f"y[{number}] 是 {quoted(repr(tags), 40)}：应为标签列表，每个词一个",
            ),
            help='[["O", "B-city"]]',
        )
    listed = list(tags)
    if sentence.given and (not listed or any(not isinstance(tag, str) for tag in listed)):
        try:
            return spans_to_tags(sentence, listed)
        except SpansError as error:
            raise UsageError(error.code, f"y[{number}]: {error}") from error
    if len(listed) != len(sentence):
        raise DataError(
            "lengths-differ",
            say(
                f"sentence {number} has {len(sentence)} tokens but {len(listed)} tags",
                f"第 {number} 个句子有 {len(sentence)} 个词，却有 {len(listed)} 个标签",
            ),
            where=quoted(" ".join(sentence[:20]), 80),
        )
    return sentence, [str(tag) for tag in listed]


def _weights(sample_weight: Any, count: int) -> NDArray[np.float64]:
    if sample_weight is None:
        return np.ones(count)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (count,):
        raise DataError(
            "lengths-differ",
            say(
                f"{count} sentences but weights of shape {weights.shape}",
                f"{count} 个句子，权重的形状却是 {weights.shape}",
            ),
        )
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise UsageError(
            "bad-weight",
            say(
                f"weight {weights[wrong[0]]} at sentence {wrong[0]}: weights are finite and not negative",
                f"第 {wrong[0]} 个句子的权重是 {weights[wrong[0]]}：权重必须有限且不为负",
            ),
        )
    return weights


def _numbered(flat: Flat, classes: Any) -> tuple[Classes, NDArray[np.int64]]:
    """The tags sorted (C,), and those of the sentences as indices (L,)."""
    if classes is None:
        used = np.unique(flat.codes)
        known = sorted(flat.names[code] for code in used.tolist())
        if len(known) < 2:
            only = quoted(known[0], 30)
            raise DataError(
                "one-class",
                say(f"all tokens have one tag ('{only}')", f"所有词都是同一个标签（“{only}”）"),
                help=say("a tagger needs at least two", "标注器至少需要两个不同的标签"),
            )
    else:
        known = [str(name) for name in (classes.tolist() if hasattr(classes, "tolist") else classes)]
    places = {name: place for place, name in enumerate(known)}
    numbers = np.array([places.get(name, -1) for name in flat.names], dtype=np.int64)
    return np.array(known, dtype=np.str_), numbers[flat.codes]


def _tell(report: Report, repaired: int, empty: int) -> None:
    if repaired:
        report.note(
            say(
                f"{repaired:,} tags of broken sequences were mended (an I- that follows nothing begins a span)",
                f"修复了 {repaired:,} 个不合规则的标签（前面没有片段的 I- 视为片段开头）",
            )
        )
    if empty:
        report.note(say(f"{empty:,} empty sentences were left out", f"略过 {empty:,} 个空句子"))
