"""A trained classifier with its probabilities put right, and a threshold below which it keeps silent: ``classify/calibrated``.

The model itself comes in as a value and lies whole in the new file; what was learned on top of it is one number or one
rising curve a class (see ``tasks/_calibration.py``; where texts have several labels, ``tasks/_label_calibration.py``). Not a room:
nothing is trained here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, NoReturn, Self, cast

import numpy as np
from numpy.typing import NDArray

from erya import catalog
from erya.contract import Model
from erya.errors import DataError, UsageError
from erya.language import say
from erya.parts import label_thresholds
from erya.progress import Report, quiet
from erya.state import State
from erya.tasks import _calibration as calibrating
from erya.tasks import _label_calibration as by_label
from erya.tasks import classify
from erya.tasks._calibration import Isotonic, Temperature
from erya.tasks._label_calibration import LabelCurves, LabelTemperature
from erya.tasks._targets import listed
from erya.trace import Bars, Trace, View

Floats = NDArray[np.float64]
Map = Temperature | Isotonic | LabelTemperature | LabelCurves

_INNER = "model."  # in front of the names of the model's own arrays


class Calibrated(Model):
    """A classifier around a classifier. Made by ``Calibrated.of`` or ``erya calibrate``.

    Args:
        method: "temperature" (one number; answers stay the same) or "isotonic" (a curve a class; wants 1,000 rows or more).
        precision: None, or the precision that answers are to reach: fixes ``threshold_``. Of several labels a text: what share of the
            labels given is to be right.

    Attributes:
        model_: the classifier inside.
        classes_: (C,) its labels.
        calibration_: the map from its probabilities to those given here.
        threshold_: an answer of a smaller probability had better not be given; 0 where no precision was asked for.
        several_: whether the model inside gives a text several labels.
        thresholds_: (C,) from which probability each label is given, where it does; else (0,). Under "temperature" they are those of the
            model inside, mapped as its probabilities are, so that answers stay; under "isotonic" learned anew from the held-out rows.

    Example:
        >>> from erya.classify import NaiveBayes
        >>> texts, labels = ["a fine film", "a dull film"] * 9, ["good", "bad"] * 9
        >>> Calibrated.of(NaiveBayes().fit(texts, labels), texts, labels).predict(["fine"]).tolist()
        ['good']
    """

    id: ClassVar[str] = "classify/calibrated"
    calibration_: Map

    def __init__(self, *, method: str = "temperature", precision: float | None = None) -> None:
        self.method = method
        self.precision = precision

    @classmethod
    def of(cls, model: Any, X: Any, y: Any, *, method: str = "temperature", precision: float | None = None) -> Self:
        """Put a trained classifier's probabilities right on rows that it was not trained on.

        Args:
            model: any classifier of Erya; one that is calibrated already is opened and calibrated anew.
            X: N held-out texts or pairs.
            y: N labels.

        Raises:
            DataError: no rows, lengths that differ, a precision that cannot be reached.
            UsageError: no classifier, no such method, a precision that is none.
        """
        if precision is not None:
            _check_precision(precision)
        made = cls(method=method, precision=precision)
        made.model_ = model.model_ if isinstance(model, Calibrated) else model
        _check_model(made.model_)
        made.classes_ = made.model_.classes_
        made.several_ = bool(getattr(made.model_, "several_", False))
        probabilities = made.model_.predict_proba(X)
        if not made.several_ and classify.kind_of(y) == "several":
            raise _one_label(made.model_.id)
        targets = listed(y)
        if len(targets) != len(probabilities):
            raise DataError(
                "lengths-differ",
                say(
                    f"{len(probabilities)} texts but {len(targets)} labels",
                    f"{len(probabilities)} 条文本，却有 {len(targets)} 个标签",
                ),
            )
        if made.several_:
            made._learn_labels(probabilities, truth_of(targets, made.classes_))
        else:
            made._learn(probabilities, columns_of(targets, made.classes_))
        return made

    def _learn(self, probabilities: Floats, targets: NDArray[np.int64]) -> None:
        """The map and the threshold of one label a text, from (N, C) and (N,)."""
        self.calibration_ = calibrating.fit(self.method, probabilities, targets)
        self.thresholds_, self.threshold_ = np.zeros(0), 0.0
        if self.precision is not None:
            found = self.calibration_(probabilities)
            hits = found.argmax(axis=1) == targets
            self.threshold_ = calibrating.threshold_for(self.precision, found.max(axis=1), hits).value

    def _learn_labels(self, probabilities: Floats, truth: NDArray[np.bool_]) -> None:
        """The map and the thresholds of several labels a text, from (N, C) and (N, C).

        A precision is that of all labels given together: what one label alone is held to would rest on a handful of rows.

        Raises:
            DataError: none is given on these rows.
        """
        map = self.calibration_ = by_label.fit(self.method, probabilities, truth)
        found = map(probabilities)
        if isinstance(map, LabelTemperature):
            self.thresholds_ = map(np.asarray(self.model_.thresholds_, dtype=np.float64))
        else:
            starts = np.concatenate([[0], np.cumsum(truth.sum(axis=1))]).astype(np.int64)
            self.thresholds_ = label_thresholds.drawn_together(found, starts, np.nonzero(truth)[1].astype(np.int64))
        self.threshold_ = 0.0
        if self.precision is not None:
            given = label_thresholds.chosen(found, self.thresholds_)
            if not given.any():
                raise DataError(
                    "nothing-answered",
                    say("the model gives these rows no label at all", "模型在这些数据上一个标签也没有给出"),
                )
            self.threshold_ = calibrating.threshold_for(self.precision, found[given], truth[given]).value

    def fit(
        self, X: Any, y: Any = None, *, sample_weight: Any = None, validation: Any = None, report: Report = quiet
    ) -> NoReturn:
        """There is nothing to train: UsageError. ``Calibrated.of(model, X, y)`` takes a trained model and held-out rows."""
        raise UsageError(
            "not-trained",
            say("classify/calibrated wraps a trained model", "classify/calibrated 用来包装训练好的模型"),
            help="erya calibrate m.erya DEV.csv -o calibrated.erya",
        )

    # ---- answering --------------------------------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """(N, C) the probability of each class; rows sum to 1, unless texts have several labels."""
        self._check_fitted()
        return self.calibration_(self.model_.predict_proba(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) the most probable class of each text, however improbable: ``classify.abstaining`` knows when to be silent.

        Of several labels the tuple of those that reach their ``thresholds_``.
        """
        return label_thresholds.decided(self, self.predict_proba(X))

    # ---- looking inside ---------------------------------------------------------------------------------------

    def trace(self, x: Any) -> Trace:
        """The way of one text through the model inside, then its probabilities as they are given here, (C,)."""
        inner = self.model_.trace(x)
        found = self.predict_proba([x])[0]
        names = [str(label) for label in self.classes_.tolist()]
        picture = Bars(say("calibrated probabilities", "校准后的概率"), names, found)
        return Trace(self.id, inner.input, {**inner.arrays, "calibrated": found}, [*inner.views, picture])

    @property
    def explain_methods(self) -> tuple[str, ...]:
        """The ways in which the model inside explains itself, where it has several."""
        found: tuple[str, ...] = getattr(self.model_, "explain_methods", ())
        return found

    def explain(self, x: Any, label: Any = None, method: str | None = None) -> Trace:
        """What the model inside says of an answer, with the probabilities as they are given here, (C,), and as they were.

        Args:
            x: one text or pair.
            label: one of ``classes_``; None: the answer given here.
            method: one of ``explain_methods``; None: the model's own choice.

        Raises:
            UsageError: that model does not explain itself, or has no such label.
        """
        self._check_fitted()
        if not hasattr(self.model_, "explain"):
            raise UsageError(
                "no-explanation",
                say(f"{self.model_.id} does not explain its answers", f"{self.model_.id} 不解释自己的回答"),
            )
        found = self.predict_proba([x])[0]
        # isotonic curves may change the answer: the one explained is the one given
        # (of several labels: the most probable one, which is what explaining without a label means there)
        asked = self.classes_[found.argmax()] if label is None else label
        inner: Trace = self.model_.explain(x, asked) if method is None else self.model_.explain(x, asked, method=method)
        names = [str(one) for one in self.classes_.tolist()]
        picture = Bars(say("calibrated probabilities", "校准后的概率"), names, found, percent=True)
        views: list[View] = []
        for view in inner.views:
            if isinstance(view, Bars) and view.percent:
                views += [picture, replace(view, title=say("probabilities before calibration", "校准前的概率"))]
            else:
                views.append(view)
        arrays = {**inner.arrays, "calibrated": found}
        return Trace(self.id, inner.input, arrays, views if picture in views else [*views, picture])

    # ---- what was learned -------------------------------------------------------------------------------------

    def state(self) -> State:
        """The model inside, whole; the map and the threshold."""
        self._check_fitted()
        inner = self.model_.state()
        data = dict(inner.data)
        arrays = {_INNER + name: array for name, array in inner.arrays.items()}
        found: dict[str, Any] = {"threshold": self.threshold_}
        if "tokenizer" in data:  # it has a part of its own in the file
            found["tokenizer"] = data.pop("tokenizer")
        if self.several_:
            arrays["thresholds"] = self.thresholds_
        if isinstance(self.calibration_, Temperature | LabelTemperature):
            found["temperature"] = self.calibration_.value
        else:
            arrays |= {
                "curves.x": np.concatenate(self.calibration_.x),
                "curves.y": np.concatenate(self.calibration_.y),
                "curves.lengths": np.array([len(x) for x in self.calibration_.x], dtype=np.int64),
            }
        found["model"] = {
            "id": self.model_.id,
            "params": self.model_.plain_params(),
            "state_version": self.model_.state_version,
            "data": data,
        }
        return State(arrays, found)

    def set_state(self, state: State) -> None:
        """The inverse of ``state``.

        Raises:
            KeyError: something is missing.
            ValueError: values that do not fit one another, a model that this Erya does not have.
            ResourceError: the model inside needs an extra that is not installed.
        """
        model = _inner(state)
        if "temperature" in state.data:
            calibration: Temperature | Isotonic = Temperature(float(state.data["temperature"]))
        else:
            lengths = state.arrays["curves.lengths"]
            x, y = state.arrays["curves.x"], state.arrays["curves.y"]
            if lengths.dtype != np.int64 or (lengths < 1).any() or x.dtype != np.float64 or y.dtype != np.float64:
                raise ValueError("the curves are not made of numbers")
            if x.ndim != 1 or x.shape != y.shape or lengths.sum() != len(x):
                raise ValueError("the curves do not fit their lengths")
            ends = np.cumsum(lengths)[:-1]
            calibration = Isotonic(np.split(x, ends), np.split(y, ends))
        calibrating.check(calibration, len(model.classes_))
        threshold = float(state.data["threshold"])
        if not 0 <= threshold <= 1:
            raise ValueError("the threshold is no probability")
        several, thresholds = bool(getattr(model, "several_", False)), np.zeros(0)
        if several:
            thresholds = state.arrays["thresholds"]
            by_label.check_thresholds(thresholds, len(model.classes_))
        self.model_, self.classes_ = model, model.classes_
        self.several_, self.thresholds_ = several, thresholds
        self.calibration_ = by_label.of_parts(calibration) if several else calibration
        self.threshold_ = threshold


def columns_of(y: Any, classes: NDArray[Any]) -> NDArray[np.int64]:
    """(N,) the place of each label (of shares: of the largest) among the classes, compared as text; −1 where there is none."""
    places = {str(label): place for place, label in enumerate(classes.tolist())}
    return np.array([places.get(label, -1) for label in classify.strings(y).tolist()], dtype=np.int64)


def truth_of(y: Any, classes: NDArray[Any]) -> NDArray[np.bool_]:
    """(N, C) which of the classes each row has, compared as text; labels that are none of them are left out."""
    places = {str(label): place for place, label in enumerate(classes.tolist())}
    sets = classify.sets(y)
    found = np.zeros((len(sets), len(places)), dtype=bool)
    for row, labels in enumerate(sets):
        found[row, [places[label] for label in labels if label in places]] = True
    return found


def _inner(state: State) -> Any:
    """The model inside, restored."""
    told = state.data["model"]
    kind = catalog.find(str(told["id"]), to_open=True)
    version = told["state_version"]
    if kind.task() != "classify" or kind is Calibrated or type(version) is not int or version > kind.state_version:
        raise ValueError("the model inside is none that can be opened here")
    data = dict(told["data"])
    if "tokenizer" in state.data:
        data["tokenizer"] = state.data["tokenizer"]
    arrays = {name.removeprefix(_INNER): array for name, array in state.arrays.items() if name.startswith(_INNER)}
    return cast(Any, kind.restore(told["params"], State(arrays, data), version))


def _check_model(model: Any) -> None:
    if not isinstance(model, Model) or model.task() != "classify" or not hasattr(model, "predict_proba"):
        name = getattr(model, "id", type(model).__name__)
        raise UsageError(
            "other-task",
            say(f"{name} is no classifier: it has no probabilities of labels", f"{name} 不是分类模型，没有标签概率"),
            help="erya train classify/fasttext DATA -o m.erya",
        )


def _one_label(id: str) -> UsageError:
    """Rows of several labels, and a model that knows one a text."""
    return UsageError(
        "several-labels",
        say(
            f"these rows have several labels, and {id} was trained to give one",
            f"这些数据每行有多个标签，而这个 {id} 训练时每行只有一个",
        ),
        help="erya train classify/fasttext DATA.jsonl -o m.erya",
    )


def _check_precision(precision: float) -> None:
    if not 0 < precision <= 1:
        raise UsageError(
            "bad-setting",
            say(f"precision={precision:g}: above 0, at most 1", f"precision={precision:g}：应大于 0 且不超过 1"),
            help="--precision 0.95",
        )
