"""The Python module of the original fastText, function for function: ``import erya.fasttext as fasttext``.

    model = fasttext.train_supervised("train.txt", wordNgrams=2)
    labels, probabilities = model.predict("which tea goes with soup", k=3)
    model.save_model("model.bin")

Names, argument names and answers are the original's; models go to and come from its files. Beyond it: NumPy 2, wheels, one result
for one seed whatever the number of threads, models that may be shared between threads, lists of texts answered at once.

    model.py      what ``_FastText`` can do         training.py   train_supervised, train_unsupervised
    util.py       fasttext.util                     FastText.py   fasttext.FastText, as programs import it

The rooms behind it: ``erya.models.fasttext``. Not here: explanations, calibration, sample weights (``erya.classify.FastText``).
"""

from __future__ import annotations

import sys
from typing import Any

from erya.errors import UsageError
from erya.fasttext import FastText, util
from erya.fasttext.FastText import BOW, EOS, EOW
from erya.fasttext.model import BadModelFile, FastTextMeter, FastTextModel, load_model, tokenize
from erya.fasttext.training import train_supervised, train_unsupervised
from erya.fasttext.util import reduce_model
from erya.language import say

_FastText = FastTextModel
EARLIER_NAMES = ("cbow", "skipgram", "supervised")  # of version 0.8: gone, as in the original


def take_the_name() -> None:
    """From here on ``import fasttext`` gives this module, to programs that cannot be changed; its submodules likewise.

    Raises:
        UsageError: the original has been imported already.
    """
    present = sys.modules.get("fasttext")
    if present is not None and present is not sys.modules[__name__]:
        raise UsageError(
            "name-taken",
            say("the original fasttext is already imported", "原版 fasttext 已经导入"),
            help=say("call this first of all", "请在最开始调用"),
        )
    sys.modules["fasttext"] = sys.modules[__name__]
    sys.modules["fasttext.FastText"] = FastText
    sys.modules["fasttext.util"] = sys.modules["fasttext.util.util"] = util  # there a package with one module


def __getattr__(name: str) -> Any:
    if name in EARLIER_NAMES:
        raise AttributeError(f"fasttext.{name} is gone since 0.9: use train_supervised or train_unsupervised")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BOW",
    "EOS",
    "EOW",
    "BadModelFile",
    "FastText",
    "FastTextMeter",
    "FastTextModel",
    "load_model",
    "reduce_model",
    "take_the_name",
    "tokenize",
    "train_supervised",
    "train_unsupervised",
    "util",
]
