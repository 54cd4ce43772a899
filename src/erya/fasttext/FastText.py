"""``fasttext.FastText``: the original's inner module, whose names programs import or replace."""  # noqa: N999

from __future__ import annotations

import sys

from erya.fasttext.model import FastTextMeter, FastTextModel, load_model, tokenize
from erya.fasttext.training import train_supervised, train_unsupervised

EOS, BOW, EOW = "</s>", "<", ">"
_FastText, _Meter = FastTextModel, FastTextMeter


def eprint(*words: object) -> None:
    """A line on standard error. Programs replace it to silence a warning that is not given here."""
    sys.stderr.write(" ".join(map(str, words)) + "\n")


__all__ = ["BOW", "EOS", "EOW", "eprint", "load_model", "tokenize", "train_supervised", "train_unsupervised"]
