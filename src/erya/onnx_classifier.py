"""A network that classifies as one ONNX file, tokenizer and vocabulary inside; and back: such a file as a classifier.

Other programs find in the file's metadata what they need: ``erya`` (JSON: task, model, classes, tokenizer, …) and ``erya.vocabulary`` (a
JSON list; a token's place is its id, 0 is padding, 1 the unknown token). A file is untrusted: before the runtime sees it, its size, its
operators and its constants are looked at; no external data, no functions, no operators of other domains.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from erya import __version__, machine
from erya.atomic import atomic_write
from erya.contract import Model
from erya.errors import ModelFileError, UsageError, quoted
from erya.language import say
from erya.parts import label_thresholds
from erya.parts.answer_shares import independent, log_softmax, probabilities
from erya.parts.long_texts import read_in_windows
from erya.parts.onnx_graph import Graph, need_onnx
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers
from erya.text.batches import bucketed, padded
from erya.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from erya.trace import Trace

FORMAT = 1
MOST_BYTES = (1 << 31) - 1  # protobuf's own limit
MOST_WHOLE = 1 << 20  # a whole number among the constants: sizes and axes, never more
_OPERATORS = """Add Cast Concat Conv CumSum Equal Gather GRU Identity LSTM Div LessOrEqual MatMul Max Mul Not Pad ReduceMax ReduceMean
    ReduceSum Relu Reshape RNN Sigmoid Softmax Softplus Squeeze Sub Tanh Transpose Unsqueeze Where"""
OPERATORS = frozenset(_OPERATORS.split())
TEXTS_AT_ONCE, TOKENS_AT_ONCE = 256, 32_768  # padding counted


def write(path: Path, model: Any) -> None:
    """Write a fitted network as an ONNX file, atomically.

    Raises:
        UsageError: a model whose network has no graph here, or a variant of it that has none.
        ResourceError: ``onnx`` is not installed; the disk is full.
    """
    if not hasattr(model, "onnx_logits"):
        raise UsageError(
            "other-format",
            say(
                f"{model.id} cannot be written as ONNX: it has no graph (onnx_graph.py in its folder)",
                f"{model.id} 无法写成 ONNX：它还没有计算图（所在文件夹中的 onnx_graph.py）",
            ),
            help="erya train classify/textcnn DATA -o m.erya",
        )
    need_onnx("onnx")
    model._check_fitted()
    graph = Graph()
    logits = model.onnx_logits(graph)
    told = {
        "format": FORMAT,
        "erya": __version__,
        "task": "classify",
        "model": model.id,
        "classes": model.classes_.tolist(),
        "tokenizer": model.tokenizer_.to_plain(),
        "several": bool(model.several_),
        "thresholds": model.thresholds_.tolist(),
        "most_tokens": model.most_tokens,
    }
    # ASCII alone: JSON's escapes hold lone surrogates, which UTF-8 does not
    metadata = {"erya": json.dumps(told), "erya.vocabulary": json.dumps(model.vocabulary_.tokens)}
    data = graph.model(logits, len(model.classes_), model.several_, metadata)
    atomic_write(path, lambda file: file.write(data) and None)


class OnnxFile(Model):
    """A classifier in an ONNX file that Erya wrote. Made by ``erya.load("m.onnx")``; needs onnxruntime, not torch.

    Attributes:
        classes_: (C,) labels, sorted.
        several_: whether texts have several labels.
        thresholds_: (C,) the probability from which each is answered; (0,) for one label a text.
        tokenizer_, vocabulary_: how text becomes ids.
        source_: the id of the model that was written.
    """

    id: ClassVar[str] = "classify/onnx_file"

    def __init__(self) -> None:
        pass

    @classmethod
    def open(cls, path: Path) -> Self:
        """The classifier in a file.

        Raises:
            ModelFileError: missing, too large, damaged, hostile, or not written by Erya.
            ResourceError: onnx or onnxruntime is not installed.
        """
        need_onnx("onnx", "onnxruntime")
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ValueError("larger than 2 GB")
            data = path.read_bytes()
            made = cls()
            made._take(data)
        except OSError as problem:
            raise _bad_file(path, str(problem)) from problem
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as problem:
            raise _bad_file(path, str(problem)) from problem
        return made

    def _take(self, data: bytes) -> None:
        import onnxruntime

        told, vocabulary = _checked(data)
        classes = np.array(told["classes"])
        if classes.ndim != 1 or len(classes) < 2 or classes.tolist() != np.unique(classes).tolist():
            raise ValueError("the classes are not two or more sorted labels")
        thresholds = np.array(told["thresholds"], dtype=np.float64)
        several, most = told["several"], told["most_tokens"]
        if type(several) is not bool or thresholds.shape != ((len(classes),) if several else (0,)):
            raise ValueError("the thresholds do not fit the labels")
        if type(most) is not int or not 1 <= most <= 1_000_000 or not np.isfinite(thresholds).all():
            raise ValueError("a number is out of its range")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = machine.threads()
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # the runtime's exceptions have no common base but this one
            raise ValueError(f"the graph cannot be run: {problem}") from problem
        if [one.name for one in session.get_inputs()] != ["ids", "lengths"]:
            raise ValueError("the graph does not take ids and lengths")
        self._data, self._session = data, session
        self.tokenizer_, self.vocabulary_ = tokenizers.from_plain(told["tokenizer"]), vocabulary
        self.classes_, self.several_, self.thresholds_ = classes, several, thresholds
        self._most, self.source_ = most, str(told["model"])

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> NoReturn:
        """There is nothing to train: UsageError."""
        raise UsageError(
            "not-trained",
            say("an ONNX file holds a model that is trained already", "ONNX 文件里的模型已经训练好了"),
            help="erya train classify/textcnn DATA -o m.erya",
        )

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each label; rows sum to 1, unless texts have several labels."""
        self._check_fitted()
        found = self._logits([tokenizers.tokens_of(self.tokenizer_, document) for document in classify.documents(X)])
        return independent(found) if self.several_ else probabilities(found)

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable label of each text; of several labels tuples of those that reach their thresholds."""
        return label_thresholds.decided(self, self.predict_proba(X))

    def _logits(self, token_lists: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """(N, C); of a text longer than the network reads at once the mean over its windows, by their tokens."""
        windows: list[tuple[int, list[int], float]] = []
        for row, tokens in enumerate(token_lists):
            ids = self.vocabulary_.ids(tokens)
            for start in range(0, max(1, len(ids)), self._most):
                piece = ids[start : start + self._most]
                windows.append((row, piece, max(1, len(piece)) / max(1, len(ids))))
        found = np.zeros((len(token_lists), len(self.classes_)))
        long = sum(len(tokens) > self._most for tokens in token_lists)
        if long:
            read_in_windows(long, self._most)
        for rows in bucketed([len(piece) for _, piece, _ in windows], TEXTS_AT_ONCE, None, max_tokens=TOKENS_AT_ONCE):
            matrix, lengths = padded([windows[row][1] for row in rows.tolist()], width=1)
            (answers,) = self._session.run(["logits"], {"ids": matrix, "lengths": lengths})
            for row, answer in zip(rows.tolist(), answers, strict=True):
                found[windows[row][0]] += windows[row][2] * answer.astype(np.float64)
        return found

    # ---- looking inside ---------------------------------------------------------------------------------------

    def explain(self, x: Any, label: Any = None) -> Trace:
        """Why this label: what its log odds lose when a token is left out, see ``parts/occlusion.py``. Raises UsageError: no such label."""
        from erya.parts.occlusion import occlusion

        self._check_fitted()

        def answer(token_lists: Sequence[Sequence[str]]) -> NDArray[np.float64]:
            found = self._logits(token_lists)
            return found if self.several_ else log_softmax(found)

        document = classify.documents([x])[0]
        return occlusion(self.id, self.tokenizer_, document, self.classes_, label, answer, several=self.several_)

    def trace(self, x: Any) -> Trace:
        """The same: a graph of another program shows no steps of its own."""
        return self.explain(x)

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """The file, byte for byte."""
        self._check_fitted()
        return State({"onnx": np.frombuffer(self._data, dtype=np.uint8)}, {})

    def set_state(self, state: State) -> None:
        """The inverse of ``state``. Raises ValueError, KeyError: the file makes no sense; ResourceError: onnx is not installed."""
        need_onnx("onnx", "onnxruntime")
        self._take(state.arrays["onnx"].tobytes())

    def __getstate__(self) -> dict[str, Any]:
        return {"data": self._data} if "_data" in vars(self) else {}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        if kept:
            self._take(kept["data"])


def _checked(data: bytes) -> tuple[dict[str, Any], Vocabulary]:
    """What a file says of itself, and its vocabulary, once its graph has been looked at. Raises ValueError or KeyError."""
    import onnx
    from google.protobuf.message import DecodeError

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
    head, tokens = json.loads(told["erya"]), json.loads(told["erya.vocabulary"])
    if not isinstance(head, dict) or head["task"] != "classify" or head["format"] != FORMAT:
        raise ValueError("it is no classifier, or of a newer Erya")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError("the vocabulary is no list of tokens")
    vocabulary = Vocabulary(tokens, specials=2)
    if vocabulary.unknown != 1:
        raise ValueError("the vocabulary does not begin with padding and the unknown token")
    return head, vocabulary


def _check_nodes(graph: Any) -> None:
    """Raises ValueError where an operator is unknown, or holds more than numbers."""
    for node in graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            raise ValueError(f"the operator {quoted(f'{node.domain}.{node.op_type}')} is not allowed")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs or attribute.HasField("t") or attribute.tensors:
                raise ValueError("graphs and tables within operators are not read")
            if any(abs(number) > MOST_WHOLE for number in (attribute.i, *attribute.ints)):
                raise ValueError("a size is out of its range")


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


def _bad_file(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(
        "model-nonsense",
        say(f"{path} cannot be opened: {reason}", f"无法打开 {path}：{reason}"),
        help="erya convert m.erya m.onnx",
    )
