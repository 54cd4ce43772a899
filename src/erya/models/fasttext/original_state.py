"""A model of the original program as arrays and plain data, to be kept in a model file: nothing is lost, every number checked anew.

    names.bytes, names.lengths   words, then labels, as they lie in the dictionary
    counts                       (V + C,)
    prune                        (K, 2) bucket and row, where buckets were cut
    input, output                float32 matrices; or .codes, .centroids, .norm_codes, .norm_centroids

Not here: the original's own files (``binary.py``).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.models.fasttext.arguments import LOSSES, MODELS, Arguments
from erya.models.fasttext.dictionary import SPACES, Dictionary
from erya.models.fasttext.line_kernels import PAD
from erya.models.fasttext.original import Original
from erya.models.fasttext.product_quantizer import ProductQuantizer
from erya.models.fasttext.quantized import Quantized
from erya.state import Arrays, State

MOST = 2**31 - 1
MOST_NGRAMS = 1000  # as in the original's files
SETTINGS = {  # the least and the greatest value of each
    "dim": (1, MOST),
    "window": (0, MOST),
    "epochs": (0, MOST),
    "min_count": (0, MOST),
    "negative": (0, MOST),
    "word_ngrams": (0, MOST_NGRAMS),
    "buckets": (0, MOST),
    "min_n": (0, MOST_NGRAMS),
    "max_n": (0, MOST_NGRAMS),
    "update_rate": (0, MOST),
}

Matrix = NDArray[np.float32] | Quantized


def state_of(original: Original) -> State:
    """Everything that the model is."""
    dictionary = original.dictionary
    starts, lengths = dictionary.name_starts, dictionary.name_lengths
    names = b"".join(dictionary.name(number) for number in range(len(starts)))
    arrays: Arrays = {
        "names.bytes": np.frombuffer(names, dtype=np.uint8),
        "names.lengths": lengths.astype(np.int64),
        "counts": np.array(dictionary.all_counts, dtype=np.int64),
        **_arrays_of("input", original.input),
        **_arrays_of("output", original.output),
    }
    if dictionary.prune_pairs is not None:
        arrays["prune"] = np.stack(dictionary.prune_pairs, axis=1).astype(np.int64)
    data = {
        "settings": asdict(original.arguments),
        "words": dictionary.size,
        "tokens": dictionary.tokens,
        "label_prefix": dictionary.label_prefix.decode("utf-8", "surrogateescape"),
    }
    return State(arrays, data)


def _arrays_of(name: str, matrix: Matrix) -> Arrays:
    if not isinstance(matrix, Quantized):
        return {name: np.asarray(matrix, dtype=np.float32)}
    found: Arrays = {f"{name}.codes": matrix.codes, f"{name}.centroids": matrix.quantizer.centroids}
    found[f"{name}.dsub"] = np.array([matrix.quantizer.dsub], dtype=np.int64)
    if matrix.norm_codes is not None and matrix.norm_quantizer is not None:
        found[f"{name}.norm_codes"] = matrix.norm_codes
        found[f"{name}.norm_centroids"] = matrix.norm_quantizer.centroids
    return found


def original_of(state: State) -> Original:
    """The inverse of ``state_of``.

    Raises:
        KeyError: something is missing.
        ValueError: shapes, numbers or values that do not fit one another.
    """
    arguments = _arguments(state.data["settings"])
    dictionary = _dictionary(state, arguments)
    input, output = (_matrix(name, state.arrays, arguments.dim) for name in ("input", "output"))
    rows, targets = input.shape[0], len(dictionary.target_counts)
    if rows != dictionary.rows and (rows != dictionary.size or arguments.has_ngrams):
        raise ValueError("the input matrix does not fit words and buckets")
    if output.shape[0] != targets:
        raise ValueError("the output matrix does not fit what is predicted")
    return Original(arguments, dictionary, input, output)


def _arguments(told: dict[str, Any]) -> Arguments:
    for name, (least, most) in SETTINGS.items():
        if type(told[name]) is not int or not least <= told[name] <= most:
            raise ValueError(f"{name} is out of range")
    if told["loss"] not in LOSSES or told["model"] not in MODELS:
        raise ValueError("there is no such loss or model")
    sample = float(told["sample"])
    if not 0 <= sample < float("inf"):
        raise ValueError("sample is out of range")
    return Arguments(loss=told["loss"], model=told["model"], sample=sample, **{name: told[name] for name in SETTINGS})


def _dictionary(state: State, arguments: Arguments) -> Dictionary:
    names, lengths, counts = (state.arrays[name] for name in ("names.bytes", "names.lengths", "counts"))
    words, tokens = state.data["words"], state.data["tokens"]
    if names.dtype != np.uint8 or lengths.dtype != np.int64 or counts.dtype != np.int64 or lengths.ndim != 1:
        raise ValueError("the names are not bytes with lengths and counts")
    if counts.shape != lengths.shape or (lengths < 1).any() or lengths.sum() != len(names) or (counts < 0).any():
        raise ValueError("the names do not fit their lengths or counts")
    if type(words) is not int or type(tokens) is not int or not 0 <= words <= len(lengths) or tokens < 0:
        raise ValueError("the numbers of words or tokens make no sense")
    if np.isin(names, np.frombuffer(SPACES, dtype=np.uint8)).any():
        raise ValueError("a name holds white space")
    prune = None
    if "prune" in state.arrays:
        pairs = state.arrays["prune"]
        whole = pairs.dtype == np.int64 and pairs.ndim == 2 and pairs.shape[1] == 2
        if not whole or not np.array_equal(np.sort(pairs[:, 1]), np.arange(len(pairs))):
            raise ValueError("kept buckets are not numbered one by one")
        if len(pairs) and not (pairs[:, 0].min() >= 0 and pairs[:, 0].max() < arguments.buckets):
            raise ValueError("a kept bucket does not exist")
        prune = pairs[:, 0].copy(), pairs[:, 1].copy()
    return Dictionary(
        np.concatenate([names, np.zeros(PAD, dtype=np.uint8)]),
        np.cumsum(lengths) - lengths,
        lengths.astype(np.int32),
        counts,
        words,
        arguments,
        tokens=tokens,
        prune=prune,
        label_prefix=str(state.data["label_prefix"]).encode("utf-8", "surrogateescape"),
    )


def _matrix(name: str, arrays: Arrays, dim: int) -> Matrix:
    if name in arrays:
        matrix = arrays[name]
        if matrix.dtype != np.float32 or matrix.ndim != 2 or matrix.shape[1] != dim:
            raise ValueError(f"the {name} is no float32 matrix of width {dim}")
        if not np.isfinite(matrix).all():
            raise ValueError(f"the {name} holds values that are not finite")
        return matrix
    dsub = arrays[f"{name}.dsub"]
    if dsub.dtype != np.int64 or dsub.shape != (1,):
        raise ValueError("the width of a part is no number")
    quantizer = _quantizer(arrays[f"{name}.centroids"], dim, int(dsub[0]))
    if f"{name}.norm_codes" not in arrays:
        return Quantized(arrays[f"{name}.codes"], quantizer)
    lengths = _quantizer(arrays[f"{name}.norm_centroids"], 1, 1)
    return Quantized(arrays[f"{name}.codes"], quantizer, arrays[f"{name}.norm_codes"], lengths)


def _quantizer(centroids: NDArray[Any], dim: int, dsub: int) -> ProductQuantizer:
    if not np.isfinite(centroids).all():
        raise ValueError("the centroids hold values that are not finite")
    return ProductQuantizer(dim, dsub, centroids)
