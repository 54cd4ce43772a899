"""The settings that a file of the original program carries, in our spelling."""

from __future__ import annotations

from dataclasses import dataclass, replace

LOSSES = ("hs", "ns", "softmax", "ova")  # 1, 2, 3, 4 in a file
MODELS = ("cbow", "skipgram", "supervised")  # 1, 2, 3 in a file
LABEL_PREFIX = "__label__"


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a ``.bin`` stores, in the file's order.

    Attributes:
        dim: D, the width of all vectors.
        window: words to each side, for word vectors.
        epochs: passes over the training text.
        min_count: a word seen less often has no row.
        negative: noise words for each target, with the loss "ns".
        word_ngrams: most words of an n-gram; 1: words alone.
        loss: "hs", "ns", "softmax" or "ova".
        model: "cbow", "skipgram" or "supervised".
        buckets: rows that all n-grams share.
        min_n: fewest characters of a character n-gram.
        max_n: most; 0: there are none.
        update_rate: words between two changes of the learning rate.
        sample: the share of the text above which a word is thinned out.
    """

    dim: int = 100
    window: int = 5
    epochs: int = 5
    min_count: int = 5
    negative: int = 5
    word_ngrams: int = 1
    loss: str = "ns"
    model: str = "skipgram"
    buckets: int = 2_000_000
    min_n: int = 3
    max_n: int = 6
    update_rate: int = 100
    sample: float = 1e-4

    @property
    def supervised(self) -> bool:
        """Whether this is a classifier."""
        return self.model == "supervised"

    @property
    def has_ngrams(self) -> bool:
        """Whether any n-gram, of words or of characters, has a row."""
        return self.buckets > 0 and (self.word_ngrams > 1 or self.max_n > 0)

    def with_dim(self, dim: int) -> Arguments:
        """The same for vectors of another width."""
        return replace(self, dim=dim)
