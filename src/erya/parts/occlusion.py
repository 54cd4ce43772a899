"""Why a network answers as it does, asked from outside: leave a token out, and see what the answer loses.

Works for any model that gives log probabilities for token lists; nothing inside is looked at. What it does not say: two
tokens that each suffice alone hide one another, since leaving out either one changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import UsageError, quoted
from erya.language import say
from erya.tasks import classify
from erya.text.tokenizers import Tokenizer, located
from erya.trace import Bars, Table, TokenHeat, Trace, View

MOST_PIECES = 400  # of a longer text, runs of tokens are left out together
STRONGEST = 12  # rows of the table

Answer = Callable[[Sequence[Sequence[str]]], NDArray[np.float64]]


def occlusion(
    model: str,
    tokenizer: Tokenizer,
    document: classify.Document,
    classes: classify.Labels,
    label: Any,
    answer: Answer,
    *,
    several: bool = False,
) -> Trace:
    """What each token adds to the log odds of a label.

    A token's contribution is log(p / (1 − p)) of the label for the whole text, less the same without the token. Odds and
    not probabilities: near certainty a probability hardly moves, whatever is left out.

    Args:
        model: the model's id.
        document: one text or pair.
        classes: (C,) the labels.
        label: one of them; None: the predicted one.
        answer: lists of tokens → log probabilities (N, C); with ``several`` log odds.
        several: whether each label is a question of its own.

    Raises:
        UsageError: no such label.
    """
    shown, tokens, spans = located(tokenizer, document)
    pieces = np.array_split(np.arange(len(tokens)), min(len(tokens), MOST_PIECES)) if tokens else []
    whole = answer([tokens])[0]  # (C,)
    chosen = int(whole.argmax()) if label is None else class_number(classes, label)
    values = np.zeros(len(tokens))

    def odds(found: NDArray[np.float64]) -> NDArray[np.float64]:
        return found[:, chosen] if several else log_odds(found, chosen)

    if pieces:
        left = [[*tokens[: piece[0]], *tokens[piece[-1] + 1 :]] for piece in pieces]
        lost = odds(whole[None]) - odds(answer(left))  # (pieces,)
        for piece, loss in zip(pieces, lost.tolist(), strict=True):
            values[piece] = loss / len(piece)
    shares = np.exp(-np.logaddexp(0.0, -whole)) if several else np.exp(whole)
    return Trace(
        model=model,
        input=shown,
        arrays={"contributions": values, "probabilities": shares},  # (T,), (C,)
        views=drawn(
            TokenHeat(
                say(f"what speaks for “{classes[chosen]}”", f"支持“{classes[chosen]}”的依据"),
                shown,
                spans,
                values,
                say("log odds lost when the token is left out", "去掉该词后，对数几率的减少量"),
            ),
            tokens,
            say("log odds", "对数几率"),
            classes,
            shares,
        ),
    )


def drawn(
    heat: TokenHeat, tokens: Sequence[str], unit: str, classes: classify.Labels, probabilities: NDArray[np.float64]
) -> list[View]:
    """The pictures of an explanation: the coloured text, the probabilities (C,), and the tokens that matter most.

    Args:
        heat: the text with what each token adds.
        tokens: T of them.
        unit: what the numbers are.
        classes: (C,) the labels.
        probabilities: (C,) of them.
    """
    values = np.asarray(heat.values)
    strongest = np.argsort(-np.abs(values), kind="stable")[:STRONGEST].tolist()
    return [
        heat,
        Bars(say("probabilities", "概率"), [str(one) for one in classes.tolist()], probabilities, percent=True),
        Table(
            say("strongest tokens", "影响最大的词"),
            [say("token", "词"), unit],
            [[tokens[place], float(values[place])] for place in strongest],
        ),
    ]


def log_odds(shares: NDArray[np.float64], chosen: int) -> NDArray[np.float64]:
    """log(p / (1 − p)) of one class, (N,), from log probabilities (N, C); 1 − p is summed from the others, so that it keeps
    its digits where p is nearly 1.
    """
    others = np.delete(shares, chosen, axis=1)
    odds: NDArray[np.float64] = shares[:, chosen] - np.logaddexp.reduce(others, axis=1)
    return odds


def class_number(classes: classify.Labels, label: Any) -> int:
    """Which of the classes a label is. Raises UsageError where it is none."""
    names = [str(one) for one in classes.tolist()]
    if str(label) not in names:
        raise UsageError(
            "unknown-label",
            say(f"there is no label '{quoted(label, 40)}'", f"没有标签“{quoted(label, 40)}”"),
            help=" · ".join(quoted(name, 30) for name in names[:20]),
        )
    return names.index(str(label))
