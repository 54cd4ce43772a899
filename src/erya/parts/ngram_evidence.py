"""What the n-grams of a text say for each class: added up for an answer, laid out over the text for an explanation.

A linear model over n-grams is one formula, whatever its values and weights mean and wherever they come from:

    logit_c = bias_c + Σ_f value_f · weight_cf           over the n-grams f of the text

So the log-odds of a label against a rival, ln p_label / p_rival = logit_label − logit_rival, is a sum with one part
for each n-gram. That is the whole explanation, and it is exact: nothing is sampled, nothing is fitted to the model.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import Interrupted, UsageError, quoted
from erya.language import say
from erya.parts.ngrams import Counts, Ngrams, Occurrence, Tokens
from erya.progress import Report
from erya.text.tokenizers import Tokenizer, located, token_lists
from erya.trace import Bars, Matrix, Table, TokenHeat, Trace, View

Floats = NDArray[np.float64]
Span = tuple[int, int]

DOCUMENTS_AT_ONCE = 4096  # when predicting: bounds the memory
STRONGEST = 15  # parts listed in an explanation
DRAWN = 20  # features drawn in a trace


# ---- answers ------------------------------------------------------------------------------------------------------


def tokenized(tokenizer: Tokenizer, documents: Sequence[Any], report: Report) -> Tokens:
    """Cut and number training documents.

    Raises:
        Interrupted: the report asked for it; nothing was learned.
    """

    def watched() -> Iterator[Any]:
        for place, document in enumerate(documents):
            if place % DOCUMENTS_AT_ONCE == 0 and report.stopping() == "interrupt":
                raise interrupted()
            yield document

    return Tokens.of(token_lists(tokenizer, watched()))


def interrupted() -> Interrupted:
    """What training raises when it is asked to stop before there is a model."""
    return Interrupted("interrupted", say("stopped; nothing was saved", "已停止；没有保存任何内容"))


def counted(ngrams: Ngrams, tokenizer: Tokenizer, documents: Sequence[Any]) -> Iterator[Counts]:
    """The counts of the documents, some thousands at a time."""
    rest = iter(documents)
    while some := list(islice(rest, DOCUMENTS_AT_ONCE)):
        yield ngrams.count(Tokens.of(token_lists(tokenizer, some)))


def logits(counts: Counts, values: Floats, weights: NDArray[np.floating[Any]], bias: Floats) -> Floats:
    """The formula above for N documents.

    Args:
        counts: (N, V), of which only the places of the entries are used.
        values: (entries,) the value of each entry.
        weights: (C, V).
        bias: (C,).

    Returns:
        (N, C)
    """
    found = np.tile(bias.astype(np.float64), (len(counts), 1))  # (N, C)
    filled = np.flatnonzero(np.diff(counts.offsets))  # reduceat would give an empty document its neighbour's value
    if len(filled):
        for label, row in enumerate(weights):  # class by class: the memory stays that of the entries
            found[filled, label] += np.add.reduceat(values * row[counts.features], counts.offsets[filled])
    return found


# ---- one document -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One document under a linear model: m features, C classes."""

    shown: str  # the text, or both texts of a pair
    tokens: list[str]  # T
    spans: list[Span]  # T, in ``shown``
    occurrences: list[Occurrence]
    features: NDArray[np.int64]  # (m,)
    names: list[str]  # m
    counts: NDArray[np.int64]  # (m,)
    values: Floats  # (m,)
    weights: Floats  # (m, C)
    bias: Floats  # (C,)

    @property
    def contributions(self) -> Floats:
        """(m, C) what each feature adds to each logit."""
        return self.values[:, None] * self.weights

    @property
    def logits(self) -> Floats:
        """(C,) the sum of the contributions and the bias."""
        found: Floats = self.bias + self.contributions.sum(axis=0)
        return found


def evidence_of(
    document: Any, ngrams: Ngrams, tokenizer: Tokenizer, weights: NDArray[np.floating[Any]], bias: Floats, values: Any
) -> Evidence:
    """Take one document apart.

    Args:
        document: a text or a pair of texts.
        ngrams: the listed features.
        tokenizer: how texts are cut.
        weights: (C, V).
        bias: (C,).
        values: function from ``Counts`` to the value of each entry.
    """
    shown, tokens, spans = located(tokenizer, document)
    counts = ngrams.count(Tokens.of([tokens]))
    return Evidence(
        shown=shown,
        tokens=tokens,
        spans=spans,
        occurrences=ngrams.occurrences(tokens),
        features=counts.features,
        names=[ngrams.name(feature) for feature in counts.features.tolist()],
        counts=counts.counts,
        values=values(counts),
        weights=weights[:, counts.features].T.astype(np.float64),
        bias=bias.astype(np.float64),
    )


def laid_out(evidence: Evidence, parts: Floats) -> tuple[Floats, list[Span], Floats]:
    """Share the features' parts out over the text; the sums stay the same.

    A feature's part goes in equal shares to the places where it stands, there to its tokens (a piece: to its characters),
    and from a token to its characters.

    Returns:
        (T,) one number for each token; and, finer, spans of characters with one number for each.
    """
    part = dict(zip(evidence.features.tolist(), (parts / evidence.counts).tolist(), strict=True))
    by_token = np.zeros(len(evidence.tokens))
    whole = np.zeros(len(evidence.tokens))  # what belongs to all characters of a token alike
    cuts = [_characters(evidence.shown, span) for span in evidence.spans]
    starts = [[begin for begin, _ in cut] for cut in cuts]
    by_character = [np.zeros(len(cut)) for cut in cuts]
    for one in evidence.occurrences:
        by_token[one.token : one.token + one.length] += part[one.feature] / one.length
        if one.characters is None:
            whole[one.token : one.token + one.length] += part[one.feature] / one.length
        else:
            start, end = evidence.spans[one.token]
            first, last = (min(start + place, end) for place in one.characters)
            begins = starts[one.token]
            low = max(0, bisect_right(begins, first) - 1)
            high = max(low + 1, bisect_left(begins, last))  # lower-casing may have changed the number of characters
            by_character[one.token][low:high] += part[one.feature] / (min(high, len(begins)) - low)
    for place, values in enumerate(by_character):
        values += whole[place] / max(1, len(values))
    return by_token, [span for cut in cuts for span in cut], np.concatenate([np.zeros(0), *by_character])


def _characters(text: str, span: Span) -> list[Span]:
    """The characters of a token, each with its combining marks."""
    start, end = span
    begins = [place for place in range(start, end) if place == start or unicodedata.category(text[place])[0] != "M"]
    return list(zip(begins, [*begins[1:], end], strict=True))


# ---- pictures -----------------------------------------------------------------------------------------------------


def class_number(classes: NDArray[Any], label: Any) -> int:
    """The place of a label among the classes.

    Raises:
        UsageError: no such label.
    """
    names = [str(name) for name in classes.tolist()]
    if str(label) not in names:
        raise UsageError(
            "unknown-label",
            say(f"there is no label '{quoted(label, 40)}'", f"没有标签“{quoted(label, 40)}”"),
            help=" · ".join(quoted(name, 30) for name in names[:20]),
        )
    return names.index(str(label))


def explanation(
    model: str,
    evidence: Evidence,
    classes: NDArray[Any],
    probabilities: Floats,
    label: Any,
    words: dict[str, str],
    *,
    several: bool = False,
) -> Trace:
    """Why this label and not its strongest rival: the parts of their log-odds. Of several labels: why this one or not.

    Args:
        model: the model's id.
        evidence: the document taken apart.
        classes: (C,) labels.
        probabilities: (C,) the answer.
        label: the label to explain; None: the most probable.
        words: how the room calls its ``value``, ``weight`` and ``bias``.
        several: each label is a question of its own, its rival is its absence: ln(p / (1 − p)) = logit.
    """
    chosen = int(probabilities.argmax()) if label is None else class_number(classes, label)
    rival = int(np.where(np.arange(len(classes)) == chosen, -1.0, probabilities).argmax())
    names = [str(name) for name in classes.tolist()]
    differences, bias = evidence.weights[:, chosen], float(evidence.bias[chosen])  # (m,)
    if several:
        against = say(f"{names[chosen]}: yes or no", f"{names[chosen]}：有或没有")
    else:
        differences = differences - evidence.weights[:, rival]
        bias = float(evidence.bias[chosen] - evidence.bias[rival])
        against = say(f"{names[chosen]} against {names[rival]}", f"{names[chosen]} 对 {names[rival]}")
    parts = evidence.values * differences
    by_token, spans, by_character = laid_out(evidence, parts)
    odds = "ln(p / (1 − p))" if several else "ln(p / p′)"
    exact = say(
        f"parts of the log-odds {odds}; an n-gram's part is shared out over its tokens",
        f"对数几率 {odds} 的各部分；n 元组的部分平分给它的各个词元",
    )
    views: list[View] = [TokenHeat(against, evidence.shown, evidence.spans, by_token, note=exact)]
    if any(one.characters for one in evidence.occurrences):
        views.append(TokenHeat(say("the same by character", "同上，细到字符"), evidence.shown, spans, by_character))
    views.append(Bars(say("probabilities", "概率"), names, probabilities, percent=True))
    views.append(_strongest(evidence, parts, differences, bias, against, words))
    return Trace(
        model,
        evidence.shown,
        {
            "features": evidence.features,  # (m,)
            "values": evidence.values,  # (m,)
            "weight_differences": differences,  # (m,)
            "parts": parts,  # (m,)
            "bias_difference": np.array([bias]),
            "token_parts": by_token,  # (T,)
            "logits": evidence.logits,  # (C,)
            "probabilities": probabilities,  # (C,)
        },
        views,
    )


def _strongest(
    evidence: Evidence, parts: Floats, differences: Floats, bias: float, against: str, words: dict[str, str]
) -> Table:
    """The strongest parts, all others in one line, the bias, and the sum: the log-odds to the last digit."""
    order = np.argsort(-np.abs(parts), kind="stable")
    rows: list[list[Any]] = [
        [evidence.names[place], _number(evidence.values[place]), float(differences[place]), float(parts[place])]
        for place in order[:STRONGEST].tolist()
    ]
    rest = order[STRONGEST:]
    if len(rest):
        rows.append([say(f"{len(rest)} others", f"其余 {len(rest)} 个"), "", "", float(parts[rest].sum())])
    rows.append([words["bias"], "", "", bias])
    rows.append([say("log-odds (sum)", "对数几率（总和）"), "", "", bias + float(parts.sum())])
    columns = [say("feature", "特征"), words["value"], words["weight"], say("part", "贡献")]
    return Table(say(f"strongest parts: {against}", f"影响最大的部分：{against}"), columns, rows)


def _number(value: float) -> int | float:
    """Counts look like counts."""
    return int(value) if float(value).is_integer() else float(value)


def trace_of(
    model: str, evidence: Evidence, classes: NDArray[Any], probabilities: Floats, words: dict[str, str]
) -> Trace:
    """Features → values → contributions → logits → probabilities of one document; all arrays, and pictures of the largest."""
    names = [str(name) for name in classes.tolist()]
    contributions = evidence.contributions
    spread = contributions.max(axis=1, initial=-np.inf) - contributions.min(axis=1, initial=np.inf)  # (m,)
    drawn = np.argsort(-spread, kind="stable")[:DRAWN]
    note = ""
    if len(drawn) < len(spread):
        note = say(
            f"the {len(drawn)} of {len(spread)} features that tell the classes apart most",
            f"共 {len(spread)} 个特征，这里画出最能区分类别的 {len(drawn)} 个",
        )
    # what all classes get alike changes no answer and would drown the differences
    centred = contributions[drawn] - contributions[drawn].mean(axis=1, keepdims=True)
    title = say(
        "what each feature adds to each logit (less the mean of the row)",
        "每个特征给各类得分加多少（减去该行平均）",
    )
    return Trace(
        model,
        evidence.shown,
        {
            "features": evidence.features,  # (m,)
            "counts": evidence.counts,  # (m,)
            "values": evidence.values,  # (m,)
            "weights": evidence.weights,  # (m, C)
            "contributions": contributions,  # (m, C)
            "bias": evidence.bias,  # (C,)
            "logits": evidence.logits,  # (C,)
            "probabilities": probabilities,  # (C,)
        },
        [
            Matrix(title, [evidence.names[place] for place in drawn.tolist()], names, centred, note=note),
            Bars(words["bias"], names, evidence.bias),
            Bars(say("logits", "未归一化得分"), names, evidence.logits),
            Bars(say("probabilities", "概率"), names, probabilities, percent=True),
        ],
    )
