"""Files → documents → tokens → ids → batches. Knows no model; importing it loads nothing but NumPy."""

from __future__ import annotations

from erya.text.batches import bucketed, mask, padded
from erya.text.dataset import Dataset, Duplicate, Part, Reading, Reject
from erya.text.read import read, stream
from erya.text.samples import SampleCard, sample_card, sample_names
from erya.text.subwords import Subwords
from erya.text.tokenizers import (
    SEPARATOR,
    Characters,
    ChineseWords,
    Tokenizer,
    Whitespace,
    Words,
    from_plain,
    located,
    make,
    tokens_of,
)
from erya.text.vocabulary import PADDING, UNKNOWN, Vocabulary

__all__ = [
    "PADDING",
    "SEPARATOR",
    "UNKNOWN",
    "Characters",
    "ChineseWords",
    "Dataset",
    "Duplicate",
    "Part",
    "Reading",
    "Reject",
    "SampleCard",
    "Subwords",
    "Tokenizer",
    "Vocabulary",
    "Whitespace",
    "Words",
    "bucketed",
    "from_plain",
    "located",
    "make",
    "mask",
    "padded",
    "read",
    "sample_card",
    "sample_names",
    "stream",
    "tokens_of",
]
