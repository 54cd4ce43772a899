"""Which tokens end a sentence, and where the sentences of texts begin: for English, Chinese and mixed text, by the tokens alone.

A sentence ends behind . ! ? … 。 ！ ？ ； and all that close it: further marks ("?!", "..."), quotes, brackets. What this does
not know: that the dot of "Mr." ends nothing. A sentence too many costs little: sentences are only the groups in which words are weighed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

ENDS = frozenset(".!?…。！？；｡")
CLOSES = frozenset("\"'”’»)]}」』）】》〉")
ORDINARY, ENDING, CLOSING = 0.0, 1.0, 2.0


def kinds(tokens: Sequence[str]) -> NDArray[np.float32]:
    """(V,) of each token whether it ends a sentence (1), closes one behind its end (2), or neither (0)."""
    found = np.full(len(tokens), ORDINARY, dtype=np.float32)
    for number, token in enumerate(tokens):
        characters = set(token)
        if characters and characters <= ENDS | CLOSES:
            found[number] = ENDING if characters & ENDS else CLOSING
    return found


class Sentences(NamedTuple):
    """The S sentences of B texts, in the order of the texts.

    Attributes:
        text: (S,) whose each is, ascending.
        start: (S,) its first token's place in the text.
        length: (S,) its tokens, 1 and more.
    """

    text: torch.Tensor
    start: torch.Tensor
    length: torch.Tensor


def split(kinds: torch.Tensor, real: torch.Tensor, most: int) -> Sentences:
    """The sentences of texts; none of a text without tokens.

    Args:
        kinds: (B, T) as above, of each token.
        real: (B, T) false in the padding.
        most: tokens of a sentence; a longer one goes on as another.
    """
    texts, tokens = kinds.shape
    places = torch.arange(tokens).expand(texts, tokens)
    # a token is at an end if, but for what closes, the last token up to it is one that ends
    before = torch.where(kinds != CLOSING, places, -1).cummax(dim=1).values if tokens else places
    at_end = (kinds.gather(1, before.clamp(min=0)) == ENDING) & (before >= 0)
    begins = torch.ones_like(real)
    begins[:, 1:] = at_end[:, :-1] & ~at_end[:, 1:]
    first = torch.where(begins, places, 0).cummax(dim=1).values if tokens else places
    begins = (begins | ((places - first) % most == 0)) & real
    text, start = begins.nonzero(as_tuple=True)  # text by text, from left to right
    behind = torch.cat([start[1:], start.new_zeros(1)])[: len(start)]
    last = torch.ones(len(start), dtype=torch.bool)
    last[:-1] = text[1:] != text[:-1]
    ends = torch.where(last, real.sum(dim=1)[text], behind)
    return Sentences(text, start, ends - start)
