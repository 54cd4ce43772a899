"""Looking inside a fitted fastText: the way of one text through it, and what each word and n-gram added to a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, quoted
from erya.language import say
from erya.models.fasttext.features import END, Encoded, Place
from erya.models.fasttext.forward import averaged, log_odds
from erya.text import tokenizers
from erya.trace import Bars, Matrix, Table, TokenHeat, Trace

if TYPE_CHECKING:
    from erya.models.fasttext.estimator import FastText

STRONGEST = 12  # features named in an explanation
MOST_BARS = 40  # labels shown, the most probable ones
Document = tokenizers.Document


def trace(model: FastText, document: Document) -> Trace:
    """Features, their vectors, the mean, logits, probabilities."""
    shown, tokens, _ = tokenizers.located(model.tokenizer_, document)
    places = model.features_.places([*tokens, END])
    rows = np.array([place.row for place in places], dtype=np.int32)
    vectors = model.input_[rows]
    hidden = averaged(model.input_, Encoded(rows, np.array([0, len(rows)])))
    logits = log_odds(hidden @ model.output_.T, model.branches())
    answer = model.predict_proba([document])
    names = [_readable(place.name) for place in places]
    shown_labels, labels = _shown(model, answer[0])
    return Trace(
        model=model.id,
        input=shown,
        arrays={
            "rows": rows,  # (n,)
            "vectors": vectors,  # (n, D)
            "hidden": hidden[0],  # (D,)
            "logits": logits[0],  # (C,)
            "probabilities": answer[0],  # (C,)
        },
        views=[
            Matrix(
                say("vectors of the features, and their mean", "各特征的向量及其平均"),
                [*names, say("mean", "平均")],
                [str(column + 1) for column in range(vectors.shape[1])],
                np.vstack([vectors, hidden]),
            ),
            Bars(say("logits", "未归一化的得分"), labels, logits[0, shown_labels]),
            Bars(say("probabilities", "概率"), labels, answer[0, shown_labels], percent=True),
        ],
    )


def explain(model: FastText, document: Document, label: Any) -> Trace:
    """The parts of a label's logit, by feature and by token.

    What is additive: with n features r, vectors A and labels' vectors B, the logit of label c is

        softmax, one_vs_all, negative_sampling   z_c = B_c · h = Σ_r A[r] · B_c / n
        hierarchical_softmax                     z_c = Σ_m ±B_m · h = Σ_r A[r] · (Σ_m ±B_m) / n   over the inner nodes m on its path

    and the part of a feature is its term of the sum over r. One-vs-all and negative sampling: the probability is σ(z_c). Softmax: z
    is compared with the other labels' – they sum to 0 (they begin at 0 and every step's errors sum to 0), so a positive part
    speaks for the label against the average of all. Tree: z_c is the sum of the log-odds of all turns on the path; the probability is
    the *product of the turns' probabilities*, Π σ(±B_m · h), which is no function of that sum alone. Parts are exact for z_c, and
    say of the probability only in which direction they push each turn.

    In the coloured text an n-gram's part is shared out equally among its words; the end of the text, which is not in the text, gets
    none of it.
    """
    shown, tokens, spans = tokenizers.located(model.tokenizer_, document)
    words = [*tokens, END]
    places = model.features_.places(words)
    rows = np.array([place.row for place in places], dtype=np.int32)
    scores = model.input_[rows].astype(np.float64) @ model.output_.T.astype(np.float64) / max(1, len(rows))
    parts = log_odds(scores, model.branches())  # (n, C)
    answer = model.predict_proba([document])[0]
    chosen = int(answer.argmax()) if label is None else _number_of(model, label)
    mine = parts[:, chosen]
    heat = _shared_out(places, mine, len(words))
    strongest = np.argsort(-np.abs(mine), kind="stable")[:STRONGEST].tolist()
    name = quoted(model.classes_[chosen], 30)
    shown_labels, labels = _shown(model, answer)
    return Trace(
        model=model.id,
        input=shown,
        arrays={
            "rows": rows,  # (n,)
            "contributions": parts,  # (n, C)
            "token_contributions": heat,  # (T + 1,) to the label explained; the end of the text last
            "logits": parts.sum(axis=0),  # (C,)
            "probabilities": answer,  # (C,)
        },
        views=[
            TokenHeat(say(f"what speaks for “{name}”", f"支持“{name}”的依据"), shown, spans, heat[: len(spans)]),
            Bars(say("probabilities", "概率"), labels, answer[shown_labels], percent=True),
            Table(
                say("strongest features", "影响最大的特征"),
                [say("feature", "特征"), say("added to the logit", "对得分的贡献")],
                [[_readable(places[place].name), float(mine[place])] for place in strongest],
            ),
        ],
    )


def _shared_out(places: list[Place], parts: NDArray[np.float64], words: int) -> NDArray[np.float64]:
    """(T + 1,) each n-gram's part given in equal shares to its words; END, the last, keeps only its own."""
    heat = np.zeros(words)
    for place, part in zip(places, parts.tolist(), strict=True):
        reaches_end = place.last == words and place.last - place.first > 1
        last = place.last - 1 if reaches_end else place.last
        heat[place.first : last] += part / (last - place.first)
    return heat


def _shown(model: FastText, answer: NDArray[np.float64]) -> tuple[NDArray[np.int64], list[str]]:
    """The numbers and names of the labels that are shown: all in their order, or the most probable of very many."""
    numbers = np.arange(len(answer))
    if len(answer) > MOST_BARS:
        numbers = np.argsort(-answer, kind="stable")[:MOST_BARS]
    return numbers, [str(label) for label in model.classes_[numbers].tolist()]


def _labels(model: FastText) -> list[str]:
    return [str(label) for label in model.classes_.tolist()]


def _number_of(model: FastText, label: Any) -> int:
    names = _labels(model)
    if str(label) not in names:
        raise UsageError(
            "unknown-label",
            say(f"there is no label '{quoted(label, 40)}'", f"没有标签“{quoted(label, 40)}”"),
            help=" · ".join(quoted(name, 30) for name in names[:20]),
        )
    return names.index(str(label))


def _readable(name: str) -> str:
    return name.replace(END, say("⟨end⟩", "⟨结尾⟩"))
