"""Building an ONNX graph by hand: constants, operators, and what every exported classifier has at its beginning and end.

The graph is written with ``onnx.helper`` from the weights; nothing is traced. https://onnx.ai/onnx/operators
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erya.errors import ResourceError
from erya.language import say

OPSET = 18
IR_VERSION = 10
FLOAT, INT32, INT64 = 1, 6, 7  # the numbers that ONNX has for its types
LOWEST = float(np.finfo(np.float32).min)  # instead of −∞, which no constant may be


def need_onnx(*modules: str) -> None:
    """Raises ResourceError where one of ``modules`` (``onnx``, ``onnxruntime``) is not installed. Imports nothing."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ResourceError(
            "extra-missing",
            say(
                f"ONNX files need {' and '.join(missing)}, which is not installed",
                f"处理 ONNX 文件需要 {'、'.join(missing)}，但当前环境没有安装",
            ),
            help='pip install "erya[onnx]"',
        )


def weights_of(network: Any) -> dict[str, NDArray[Any]]:
    """The weights of a torch network by name."""
    return {name: value.detach().cpu().numpy() for name, value in network.named_parameters()}


class Graph:
    """A graph over texts as ids.

    Attributes:
        ids: the name of the ids (B, T), 0 behind each text's end, whatever the file's user gave there. T counts one place more than
            the user's ids have, so that it is never 0.
        lengths: of the tokens of each text (B,).
        places: 0, 1, … T − 1, (T,).
        inside: (B, T) true where a text has a token.
        texts_at_once: so many texts of this graph are asked in one go; fewer where each takes much memory.
        tokens: what the ids stand for, where the model has no vocabulary of its own.
        lists: what else is written into the file's metadata, by name.
    """

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._numbers: dict[tuple[int, ...] | float, str] = {}
        self.texts_at_once = 256
        self.tokens: list[str] | None = None
        self.lists: dict[str, list[str]] = {}
        self._inputs = {"ids": ["texts", "tokens"], "lengths": ["texts"]}
        self.lengths = "lengths"
        ids = self.add("Pad", "ids", self.whole(0, 0, 0, 1))
        self.places = self.counted(ids, 1)
        self.inside = self.below(self.places, self.lengths)
        self.ids = self.add("Mul", ids, self.add("Cast", self.inside, to=INT64))

    # ---- numbers ----------------------------------------------------------------------------------------------

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """A constant by a name that is not taken yet; gives the name."""
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values) if values.ndim else values, name))
        return name

    def whole(self, *values: int) -> str:
        """Whole numbers (n,): axes, shapes, lengths; of one number (1,), which fits itself to any shape."""
        if values not in self._numbers:
            self._numbers[values] = self.constant(f"whole_{len(self._numbers)}", np.array(values, dtype=np.int64))
        return self._numbers[values]

    def scalar(self, value: int) -> str:
        """One whole number without an axis, ()."""
        return self.add("Squeeze", self.whole(value))

    def number(self, value: float) -> str:
        """One float32."""
        value = float(value)
        if value not in self._numbers:
            self._numbers[value] = self.constant(f"number_{len(self._numbers)}", np.array(value, dtype=np.float32))
        return self._numbers[value]

    def asked(self, name: str, *axes: str) -> str:
        """One more input (B, …) of whole numbers, see ``onnx_inputs.py``; gives its name.

        Args:
            name: of the input.
            axes: what its axes behind the first one count.
        """
        self._inputs[name] = ["texts", *axes]
        return name

    # ---- steps ------------------------------------------------------------------------------------------------

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """A node; gives the name of its first output. An input of the name "" is left out."""
        return self.add_all(operator, *inputs, outputs=outputs, **attributes)[0]

    def add_all(self, operator: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """A node; gives the names of all its outputs."""
        from onnx import helper

        names = [f"{operator}_{len(self._nodes)}_{number}" for number in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def size(self, values: str, axis: int) -> str:
        """How long one axis of ``values`` is, (1,)."""
        return self.add("Shape", values, start=axis, end=axis + 1)

    def upto(self, count: str) -> str:
        """0, 1, … count − 1, from a count (1,)."""
        zero, one = (self.scalar(number) for number in (0, 1))
        return self.add("Range", zero, self.add("Squeeze", count), one)

    def counted(self, values: str, axis: int) -> str:
        """0, 1, … along one axis of ``values``, (L,)."""
        return self.upto(self.size(values, axis))

    def below(self, places: str, lengths: str) -> str:
        """(N, L) true where a place (L,) is one of a sequence of that length (N,)."""
        return self.add("Less", places, self.add("Unsqueeze", lengths, self.whole(1)))

    def affine(self, values: str, name: str, weights: NDArray[Any], bias: NDArray[Any]) -> str:
        """(…, O) from values (…, I): their product with weights (I, O), and a bias (O,); ``name`` is what both are called."""
        product = self.add("MatMul", values, self.constant(name, weights))
        return self.add("Add", product, self.constant(f"{name}_bias", bias))

    def normed(self, states: str, name: str, gain: NDArray[Any], shift: NDArray[Any], epsilon: float = 1e-5) -> str:
        """γ (x − mean) / √(variance + ε) + β of the last axis; ``name`` is what gain γ and shift β are called."""
        own = self.constant(f"{name}.gain", gain), self.constant(f"{name}.shift", shift)
        return self.add("LayerNormalization", states, *own, axis=-1, epsilon=epsilon)

    # ---- the file ---------------------------------------------------------------------------------------------

    def model(self, logits: str, classes: int, several: bool, metadata: dict[str, str]) -> bytes:
        """The whole file: inputs ``ids``, ``lengths`` and what was ``asked``; outputs ``logits`` and ``probabilities`` (B, C)."""
        shares = self.add("Sigmoid", logits) if several else self.add("Softmax", logits, axis=1)
        axes: list[str | int] = ["texts", classes]
        return self.file({"logits": (logits, axes), "probabilities": (shares, axes)}, metadata)

    def file(self, outputs: dict[str, tuple[str, list[str | int]]], metadata: dict[str, str]) -> bytes:
        """The whole file.

        Args:
            outputs: by name, which values these are, float32, and their axes: a number, or what an axis counts.
            metadata: what it says of itself.
        """
        import onnx
        from onnx import TensorProto, helper

        self._nodes += [helper.make_node("Identity", [values], [name]) for name, (values, _) in outputs.items()]
        told = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "erya",
            [told(name, TensorProto.INT64, axes) for name, axes in self._inputs.items()],
            [told(name, TensorProto.FLOAT, axes) for name, (_, axes) in outputs.items()],
            self._constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="erya")
        made.ir_version = IR_VERSION
        helper.set_model_props(made, metadata)
        onnx.checker.check_model(made, full_check=True)
        data: bytes = made.SerializeToString()
        return data
