"""A look at an ONNX file before it is run: its size, its operators, its constants, and what it says of itself."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np

from erya.errors import quoted

MOST_BYTES = (1 << 31) - 1  # protobuf's own limit
MOST_WHOLE = 1 << 20  # a whole number among the constants: sizes, axes and ids, never more
_OPERATORS = """Add And Cast Concat Conv CumSum Div Equal Erf Expand Flatten Gather GatherElements GRU Identity LayerNormalization
    Less LessOrEqual Log LSTM MatMul Max Min MaxPool Mod Mul Neg Not Pad Range ReduceL2 ReduceMax ReduceMean ReduceSum Relu Reshape
    ReverseSequence RNN ScatterElements ScatterND Shape Sigmoid Slice Softmax Softplus Squeeze Sub Tanh TfIdfVectorizer
    Transpose Unsqueeze Where"""
LONGEST = 100  # words or characters of an n-gram
COUNTING = {  # what a TfIdfVectorizer must say, and nothing more
    "mode": bytes,
    "min_gram_length": int,
    "max_gram_length": int,
    "max_skip_count": int,
    "ngram_counts": list,
    "ngram_indexes": list,
    "pool_int64s": list,
}
OPERATORS = frozenset(_OPERATORS.split())


def metadata_of(data: bytes) -> dict[str, Any]:
    """What a file has in its metadata, by name, read as JSON, once its graph has been looked at.

    Raises:
        ValueError: no ONNX file, or one that is not to be run; metadata that is no JSON.
    """
    import onnx
    from google.protobuf.message import DecodeError

    if len(data) > MOST_BYTES:
        raise ValueError("larger than 2 GB")
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as problem:
        raise ValueError("this is no ONNX file") from problem
    told = {entry.key: entry.value for entry in model.metadata_props}
    if "erya" not in told:
        raise ValueError("Erya did not write it: there is no tokenizer and no vocabulary inside")
    graph = model.graph
    if model.functions or model.training_info or graph.sparse_initializer:
        raise ValueError("functions, training steps and sparse constants are not read")
    _check_nodes(graph)
    _check_constants(graph)
    return {name: json.loads(value) for name, value in told.items() if name.split(".")[0] == "erya"}


def strings(found: Any, what: str) -> list[str]:
    """A list of strings as it is. Raises ValueError where it is none."""
    if not isinstance(found, list) or not all(isinstance(token, str) for token in found):
        raise ValueError(f"{what}: no list of strings")
    return found


def _check_nodes(graph: Any) -> None:
    """Raises ValueError where an operator is unknown, or holds more than numbers."""
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            raise ValueError(f"the operator {quoted(f'{node.domain}.{node.op_type}')} is not allowed")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs or attribute.HasField("t") or attribute.tensors:
                raise ValueError("graphs and tables within operators are not read")
            if abs(attribute.i) > MOST_WHOLE or any(abs(number) > MOST_WHOLE for number in attribute.ints):
                raise ValueError("a size is out of its range")
        if node.op_type == "TfIdfVectorizer":
            _check_counting(node)


def _check_counting(node: Any) -> None:
    """Raises ValueError where the lists of a TfIdfVectorizer do not fit one another: the runtime does not always look."""
    from onnx import helper

    form = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if set(form) != set(COUNTING) or any(type(form[name]) is not kind for name, kind in COUNTING.items()):
        raise ValueError("n-grams are not counted so")
    least, most, begins = form["min_gram_length"], form["max_gram_length"], form["ngram_counts"]
    if form["mode"] != b"TF" or form["max_skip_count"] != 0 or not 1 <= least <= most <= LONGEST or len(begins) != most:
        raise ValueError("lengths of n-grams out of range")
    sizes = [after - before for before, after in pairwise([*begins, len(form["pool_int64s"])])]
    if begins[0] != 0 or any(size < 0 or size % length for length, size in enumerate(sizes, 1)):
        raise ValueError("the n-grams do not fit their lengths")
    if sum(size // length for length, size in enumerate(sizes, 1)) != len(form["ngram_indexes"]):
        raise ValueError("the n-grams do not fit their features")
    if min(form["ngram_indexes"], default=-1) < 0 or any(sizes[: least - 1]):
        raise ValueError("there are no n-grams, or too short ones")


def _check_constants(graph: Any) -> None:
    """Raises ValueError where a constant is not in the file, no number, or large where it is a size."""
    import onnx

    for tensor in graph.initializer:
        if tensor.external_data or tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ValueError("data outside the file is not read")
        if tensor.data_type not in (onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.INT32):
            raise ValueError("constants are numbers")
        values = onnx.numpy_helper.to_array(tensor)
        if not np.isfinite(values).all() or (values.dtype.kind == "i" and np.abs(values).max(initial=0) > MOST_WHOLE):
            raise ValueError("a constant is out of its range")
