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
from erya.errors import ModelFileError, UsageError
from erya.language import say
from erya.parts import label_thresholds
from erya.parts.answer_shares import independent, log_softmax, probabilities
from erya.parts.long_texts import read_in_windows
from erya.parts.onnx_check import MOST_BYTES, metadata_of, strings
from erya.parts.onnx_graph import Graph, need_onnx
from erya.parts.onnx_inputs import Inputs
from erya.parts.token_pattern import token_pattern
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import classify
from erya.text import tokenizers
from erya.text.batches import bucketed
from erya.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from erya.trace import Trace

FORMAT = 1
TEXTS_AT_ONCE, TOKENS_AT_ONCE = 256, 32_768  # padding counted
MOST_TOKENS = 1_000_000  # that a graph is given at once, whatever it could read


def write(path: Path, model: Any) -> None:
    """Write a fitted classifier as an ONNX file, atomically; one that is calibrated by a temperature with it.

    Raises:
        UsageError: a model that has no graph here, or a variant of it or a calibration that has none.
        ResourceError: ``onnx`` is not installed; the disk is full.
    """
    if isinstance(model, OnnxFile):
        model._check_fitted()
        atomic_write(path, lambda file: file.write(model._data) and None)
        return
    given, scale = model, 1.0
    if model.id == "classify/calibrated":
        model._check_fitted()
        given, scale = model.model_, 1 / _temperature(model)
    if not hasattr(given, "onnx_logits"):
        raise UsageError(
            "other-format",
            _no_graph(given.id),
            help="erya predict m.erya FILE",
        )
    need_onnx("onnx")
    given._check_fitted()
    graph = Graph()
    logits = given.onnx_logits(graph)
    if scale != 1:
        logits = graph.add("Mul", logits, graph.number(scale))
    several = bool(given.several_)
    told = {
        "format": FORMAT,
        "erya": __version__,
        "task": "classify",
        "model": given.id,
        "classes": given.classes_.tolist(),
        "tokenizer": given.tokenizer_.to_plain(),
        "token_pattern": token_pattern(given.tokenizer_),
        "several": several,
        "thresholds": model.thresholds_.tolist() if several else [],
        "most_tokens": min(MOST_TOKENS, getattr(given, "most_tokens", MOST_TOKENS)),
        "texts_at_once": graph.texts_at_once,
    }
    if getattr(model, "precision", None):
        told |= {"precision": float(model.precision), "threshold": float(model.threshold_)}
    tokens = given.vocabulary_.tokens if graph.tokens is None else graph.tokens
    # ASCII alone: JSON's escapes hold lone surrogates, which UTF-8 does not
    metadata = {"erya": json.dumps(told), "erya.vocabulary": json.dumps(tokens)}
    metadata |= {f"erya.{name}": json.dumps(values) for name, values in graph.lists.items()}
    data = graph.model(logits, len(given.classes_), several, metadata)
    atomic_write(path, lambda file: file.write(data) and None)


def _no_graph(id: str) -> str:
    from erya import catalog

    if id not in catalog.READY and catalog.card_of(id).extra is not None:
        return say(f"{id} cannot be written as ONNX: it has no graph", f"{id} 无法写成 ONNX：它没有计算图")
    return say(
        f"{id} cannot be written as ONNX: it has no graph. Its .erya answers without torch",
        f"{id} 无法写成 ONNX：它没有计算图。它的 .erya 不需要 torch 就能预测",
    )


def _temperature(model: Any) -> float:
    """The T of a calibrated model: its probabilities are those of the logits divided by T. Raises UsageError: curves have none."""
    value = getattr(model.calibration_, "value", None)
    if value is None:
        raise UsageError(
            "other-format",
            say(
                "as ONNX, a calibrated model has one temperature; isotonic curves change probabilities, not logits",
                "校准过的模型写成 ONNX 时只支持温度校准；保序曲线改变的是概率而不是得分",
            ),
            help="erya calibrate m.erya DEV --method temperature -o calibrated.erya",
        )
    return float(value)


class OnnxFile(Model):
    """A classifier in an ONNX file that Erya wrote. Made by ``erya.load("m.onnx")``; needs onnxruntime, not torch.

    Attributes:
        classes_: (C,) labels, sorted.
        several_: whether texts have several labels.
        thresholds_: (C,) the probability from which each is answered; (0,) for one label a text.
        precision, threshold_: of a model that was calibrated for a precision: this, and the probability from which answers reach it.
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
            made = cls()
            made._take(path.read_bytes())
        except OSError as problem:
            raise _bad_file(path, str(problem)) from problem
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as problem:
            raise _bad_file(path, str(problem)) from problem
        return made

    def _take(self, data: bytes) -> None:
        import onnxruntime

        found = metadata_of(data)
        told, vocabulary = _head(found["erya"]), Vocabulary(strings(found["erya.vocabulary"], "vocabulary"), specials=2)
        if vocabulary.unknown != 1:
            raise ValueError("the vocabulary does not begin with padding and the unknown token")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = machine.threads()
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # the runtime's exceptions have no common base but this one
            raise ValueError(f"the graph cannot be run: {problem}") from problem
        asked = [one.name for one in session.get_inputs()]
        characters = strings(found["erya.characters"], "characters") if "characters" in asked else None
        known = None if characters is None else {character: place for place, character in enumerate(characters)}
        inputs = Inputs(vocabulary, known, "hashes" in asked)
        if asked != inputs.names:
            raise ValueError("the graph does not take ids and lengths")
        self._data, self._session, self._inputs = data, session, inputs
        self.tokenizer_, self.vocabulary_ = tokenizers.from_plain(told["tokenizer"]), vocabulary
        self.classes_, self.several_ = np.array(told["classes"]), told["several"]
        self.thresholds_ = np.array(told["thresholds"], dtype=np.float64)
        self._most, self._some = told["most_tokens"], min(TEXTS_AT_ONCE, told.get("texts_at_once", TEXTS_AT_ONCE))
        self.precision, self.threshold_ = told.get("precision"), told.get("threshold", 0.0)
        self.source_ = str(told["model"])

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
        windows: list[tuple[int, Sequence[str], float]] = []
        for row, tokens in enumerate(token_lists):
            for start in range(0, max(1, len(tokens)), self._most):
                piece = tokens[start : start + self._most]
                windows.append((row, piece, max(1, len(piece)) / max(1, len(tokens))))
        found = np.zeros((len(token_lists), len(self.classes_)))
        long = sum(len(tokens) > self._most for tokens in token_lists)
        if long:
            read_in_windows(long, self._most)
        for rows in bucketed([len(piece) for _, piece, _ in windows], self._some, None, max_tokens=TOKENS_AT_ONCE):
            answers = self._asked([windows[row][1] for row in rows.tolist()])
            for row, answer in zip(rows.tolist(), answers, strict=True):
                found[windows[row][0]] += windows[row][2] * answer
        return found

    def _asked(self, token_lists: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """The graph's logits (B, C) of a batch."""
        try:
            (answers,) = self._session.run(["logits"], self._inputs.of(token_lists))
        except Exception as problem:  # as in ``_take``
            raise _cannot_run(str(problem)) from problem
        if answers.shape != (len(token_lists), len(self.classes_)):
            raise _cannot_run(f"logits {answers.shape}")
        logits: NDArray[np.float64] = answers.astype(np.float64)
        return logits

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


def _head(told: Any) -> dict[str, Any]:
    """What a file says of itself, looked at. Raises ValueError, KeyError or TypeError."""
    if isinstance(told, dict) and told["task"] == "tag":
        raise ValueError("it holds a tagger's emissions, for other programs; here the .erya answers")
    if not isinstance(told, dict) or told["task"] != "classify" or told["format"] != FORMAT:
        raise ValueError("it is no classifier, or of a newer Erya")
    classes, thresholds = np.array(told["classes"]), np.array(told["thresholds"], dtype=np.float64)
    if classes.ndim != 1 or len(classes) < 2 or classes.tolist() != np.unique(classes).tolist():
        raise ValueError("the classes are not two or more sorted labels")
    several = told["several"]
    if type(several) is not bool or thresholds.shape != ((len(classes),) if several else (0,)):
        raise ValueError("the thresholds do not fit the labels")
    if not np.isfinite(thresholds).all():
        raise ValueError("a threshold is not finite")
    for name, most in (("most_tokens", MOST_TOKENS), ("texts_at_once", TEXTS_AT_ONCE)):
        if type(told.get(name, 1)) is not int or not 1 <= told.get(name, 1) <= most:
            raise ValueError(f"{name} is out of its range")
    for name in ("precision", "threshold"):
        if not isinstance(told.get(name, 1.0), float) or not 0 <= told.get(name, 1.0) <= 1:
            raise ValueError(f"{name} is no share")
    return told


def _cannot_run(reason: str) -> ModelFileError:
    return ModelFileError(
        "model-nonsense",
        say(f"the graph in the ONNX file cannot answer: {reason}", f"ONNX 文件里的计算图无法给出答案：{reason}"),
        help="erya convert m.erya m.onnx",
    )


def _bad_file(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(
        "model-nonsense",
        say(f"{path} cannot be opened: {reason}", f"无法打开 {path}：{reason}"),
        help="erya convert m.erya m.onnx",
    )
