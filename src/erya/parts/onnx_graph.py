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


class Graph:
    """A graph over texts as ids.

    Attributes:
        ids: the name of the ids (B, T), 0 behind each text's end, whatever the file's user gave there.
        lengths: of the tokens of each text (B,).
        counts: of the places 1, 2, … T, (B, T).
    """

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.lengths = "lengths"
        one = self.constant("one", np.array(1, dtype=np.int64))
        ones = self.add("Cast", self.add("Equal", "ids", "ids"), to=7)  # int64
        self.counts = self.add("CumSum", ones, one)  # (B, T)
        column = self.add("Unsqueeze", "lengths", one)  # (B, 1)
        inside = self.add("Cast", self.add("LessOrEqual", self.counts, column), to=7)
        self.ids = self.add("Mul", "ids", inside)

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """A constant by a name that is not taken yet; gives the name."""
        from onnx import numpy_helper

        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values) if values.ndim else values, name))
        return name

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """A node; gives the name of its first output."""
        from onnx import helper

        names = [f"{operator}_{len(self._nodes)}_{number}" for number in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]

    def model(self, logits: str, classes: int, several: bool, metadata: dict[str, str]) -> bytes:
        """The whole file: inputs ``ids`` (B, T) and ``lengths`` (B,), outputs ``logits`` and ``probabilities`` (B, C)."""
        import onnx
        from onnx import TensorProto, helper

        self._nodes.append(helper.make_node("Identity", [logits], ["logits"]))
        if several:
            self._nodes.append(helper.make_node("Sigmoid", ["logits"], ["probabilities"]))
        else:
            self._nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
        told = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes,
            "erya",
            [told("ids", TensorProto.INT64, ["texts", "tokens"]), told("lengths", TensorProto.INT64, ["texts"])],
            [told(name, TensorProto.FLOAT, ["texts", classes]) for name in ("logits", "probabilities")],
            self._constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="erya")
        made.ir_version = IR_VERSION
        helper.set_model_props(made, metadata)
        onnx.checker.check_model(made, full_check=True)
        data: bytes = made.SerializeToString()
        return data
