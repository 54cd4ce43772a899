"""A trained classifier as a model of the original program, where it can be told so. Files are ``binary.py``'s matter.

The original knows one way to cut text, at white space, and gives every bucket a row. Erya keeps rows only of n-grams met in training;
what has no row is left out of a text's mean, while the original would count it. So a model with n-grams comes in two shapes:

    pruned (.ftz)   just the rows that there are; the original reads such files only if they are quantized
    whole (.bin)    zeros for the other rows: where a text holds n-grams that were never learned, the same answers, less sure
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from erya.errors import DataError, UsageError, quoted
from erya.language import say
from erya.models.fasttext.arguments import LABEL_PREFIX, Arguments
from erya.models.fasttext.dictionary import SPACES, Dictionary
from erya.models.fasttext.forward import LOSSES
from erya.models.fasttext.original import Original
from erya.models.fasttext.quantized import Quantized
from erya.text import tokenizers

if TYPE_CHECKING:
    from erya.models.fasttext.estimator import FastText

LARGEST = 4 << 30  # bytes of a dense input matrix; a file beyond it is hardly what was meant
SMALLEST_DSUB = 1  # columns that share a byte: the most faithful

Floats = NDArray[np.float32]


def to_original(model: FastText, *, pruned: bool = False) -> Original:
    """The model as the original program's.

    Args:
        model: trained.
        pruned: keep just the rows that there are and quantize them.

    Raises:
        UsageError: the model cuts text otherwise than the original does.
        DataError: a word or a label that the original's files cannot hold, or a matrix too large for a file.
    """
    if not isinstance(model.tokenizer_, tokenizers.Whitespace):
        name = getattr(model.tokenizer_, "name", type(model.tokenizer_).__name__)
        raise UsageError(
            "other-tokenizer",
            say(
                f"this model cuts text by '{name}'; a file of fastText knows white space alone, and would answer otherwise",
                f"这个模型的分词方式是 '{name}'；fastText 的文件只认空白分隔，回答会不一样",
            ),
            help="erya train classify/fasttext DATA --set tokenizer=whitespace -o m.erya",
        )
    features, loss = model.features_, LOSSES[model.loss_]
    grams = len(features.kept) > 0
    if grams and loss == "hs" and not pruned:
        _refuse_tree()
    order, counts = _order(model)
    words = [_name(word) for word in features.words]
    labels = [_name(LABEL_PREFIX + str(label)) for label in model.classes_[order].tolist()]
    arguments = Arguments(
        dim=model.input_.shape[1],
        window=5,
        epochs=int(model.epochs_),
        min_count=int(model.min_count),
        negative=int(model.negative),
        word_ngrams=features.word_ngrams if grams else 1,
        loss=loss,
        model="supervised",
        buckets=features.buckets if grams else 0,
        min_n=features.min_n if grams else 0,
        max_n=features.max_n if grams else 0,
    )
    # a tree is known by its counts; other losses do not ask for them
    known = np.zeros(len(words), dtype=np.int64)
    prune = {int(bucket): row for row, bucket in enumerate(features.kept.tolist())} if pruned and grams else None
    dictionary = Dictionary.of(words, known, labels, counts, arguments, prune=prune)
    output = np.array(model.output_ if loss == "hs" else model.output_[order], dtype=np.float32)
    if pruned:
        rows = np.ascontiguousarray(model.input_, dtype=np.float32)
        return Original(arguments, dictionary, Quantized.of(rows, dsub=SMALLEST_DSUB), output)
    return Original(arguments, dictionary, _whole(model, arguments), output)


def _order(model: FastText) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The classes as the original orders them, most frequent first, and their counts."""
    order = np.argsort(-model.label_counts_, kind="stable")
    return order, model.label_counts_[order]


def _whole(model: FastText, arguments: Arguments) -> Floats:
    """(V + buckets, D) with zeros where nothing was learned."""
    size = len(model.features_.words)
    rows = size + arguments.buckets
    if 4 * rows * arguments.dim > LARGEST:
        raise DataError(
            "too-large",
            say(
                f"{rows:,} rows of {arguments.dim} numbers make a file of {4 * rows * arguments.dim / 1e9:.1f} GB",
                f"{rows:,} 行 × {arguments.dim} 列，文件将有 {4 * rows * arguments.dim / 1e9:.1f} GB",
            ),
            help=say(
                "write .ftz, or train with fewer: --set buckets=2000000", "改写 .ftz，或减少桶数：--set buckets=2000000"
            ),
        )
    found = np.zeros((rows, arguments.dim), dtype=np.float32)
    found[:size] = model.input_[:size]
    if arguments.buckets:
        found[size + model.features_.kept] = model.input_[size:]
    return found


def _name(text: str) -> bytes:
    name = text.encode("utf-8", "surrogatepass")
    if not name or set(name) & set(SPACES):
        raise DataError(
            "word-with-space",
            say(
                f"'{quoted(text, 40)}' holds white space: fastText's files cannot",
                f"“{quoted(text, 40)}”含有空白字符：fastText 的文件不支持",
            ),
            help=say("rename the label, e.g. with _ for the blank", "请改名，例如用 _ 代替空格"),
        )
    return name


def _refuse_tree() -> NoReturn:
    raise DataError(
        "not-expressible",
        say(
            "a tree of labels over n-grams would answer otherwise as .bin: the original counts n-grams that were never learned",
            "层次 softmax 加 n 元组的模型写成 .bin 后回答会不一样：原版会把没学过的 n 元组也计入平均",
        ),
        help=say("write .ftz: it holds just the rows that there are", "改写 .ftz：只存确有的行"),
    )
