"""GPT-2 folders as Hugging Face's ``transformers`` writes and reads them: ``config.json``, ``model.safetensors``, a tokenizer.

The same network under other names, so its answers are the same. Their layers keep the matrices of queries, keys and values side by side:

    theirs (behind ``transformer.``)      ours                                             shape
    wte.weight                            embedding, of the rows that units have           (V, D)
    wpe.weight                            positions                                        (C, D)
    h.N.ln_1, h.N.ln_2, ln_f              norm_attention, norm_inner, norm: gain, shift    (D,)
    h.N.attn.c_attn                       attention.query | key_value                      (D, D) | (D, 2D)
    h.N.attn.c_proj                       attention.output                                 (D, D)
    h.N.mlp.c_fc, h.N.mlp.c_proj          widen, narrow                                    (D, I) (I, D)

Nothing in a folder is believed: sizes are compared with the file before memory is taken, and no code in it is run. Weights of
half precision are widened. Writing: ``hugging_face_writing.py``. Not here: quantized weights, adapters, a softmax with vectors of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from erya.errors import ModelFileError, quoted, typed
from erya.language import say
from erya.models.gpt import hugging_face_text as text
from erya.parts import foreign_tensors
from erya.parts.foreign_tensors import TensorFile, damaged
from erya.state import Arrays
from erya.text.unit_ids import UnitVocabulary
from erya.text.units import Units

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
DEFAULTS = {"n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
LIMITS = {"n_embd": 1 << 16, "n_layer": 64, "n_head": 1 << 10, "n_positions": 1 << 20, "vocab_size": 1 << 24}
MOST_INNER = 1_000_000
GELU = ("gelu_new", "gelu_pytorch_tanh")  # two names of one function
MUST_BE = {  # what changes the answers, and the only value that is known here
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "add_cross_attention": False,
}
MUST_LACK = ("quantization_config", "auto_map")
PREFIX = "transformer."
HEAD = "lm_head.weight"
_MASKS = re.compile(r"(transformer\.)?h\.\d+\.attn\.(bias|masked_bias)")  # triangles that older versions saved
_SHARD = re.compile(r"[\w-][\w.-]*\.safetensors")
MOST_SHARDS = 1000

Floats = NDArray[np.float32]


class Sizes(NamedTuple):
    """Of the network: D, layers, A, C, R rows of the embedding, I, ε, dropout, the number of the end of a text."""

    dim: int
    layers: int
    heads: int
    context: int
    rows: int
    inner_width: int | None
    norm_epsilon: float
    dropout: float
    border: int | None


def read(folder: Path) -> tuple[dict[str, Any], Units, UnitVocabulary, Arrays]:
    """The model in a folder: settings of ``GPT``, what cuts texts, the units, the weights as ``network.NAME``.

    Raises:
        ModelFileError: a file is missing, damaged or hostile; the configuration asks for what is not known here.
    """
    sizes = read_config(folder / CONFIG)
    tensors = _Tensors(folder)
    tensors.check(sizes)
    cutter, vocabulary, rows = text.units_of(folder, text.read_pieces(folder), sizes.rows, sizes.border)
    weights = {f"network.{name}": array for name, array in _weights(tensors, sizes, rows)}
    settings = {
        "tokenizer": "bpe",
        "dim": sizes.dim,
        "layers": sizes.layers,
        "heads": sizes.heads,
        "inner_width": sizes.inner_width,
        "norm_epsilon": sizes.norm_epsilon,
        "context": sizes.context,
        "dropout": sizes.dropout,
    }
    return settings, cutter, vocabulary, weights


def read_config(path: Path) -> Sizes:
    """``config.json``. Raises ModelFileError where it is none of a GPT-2, or of one that is not known here."""
    told = text.read_json(path)
    kind = told.get("model_type") if isinstance(told, dict) else None
    if kind != "gpt2":
        raise ModelFileError(
            "other-model",
            say(
                f"{quoted(path.parent)} holds no GPT-2; its config.json says model_type {quoted(kind, 40)}",
                f"{quoted(path.parent)} 里不是 GPT-2；config.json 的 model_type 为 {quoted(kind, 40)}",
            ),
            where=quoted(path, 200),
        )
    for name, value in MUST_BE.items():
        if told.get(name, value) is not value:
            raise _unknown(path, name, told[name])
    for name in MUST_LACK:
        if told.get(name) is not None:
            raise _unknown(path, name, told[name])
    if told.get("activation_function", GELU[0]) not in GELU:
        raise _unknown(path, "activation_function", told["activation_function"])
    found = {name: _whole(path, name, told.get(name, DEFAULTS[name]), LIMITS[name]) for name in DEFAULTS}
    inner = told.get("n_inner")
    if inner is not None:
        _whole(path, "n_inner", inner, MOST_INNER)
    if found["n_embd"] % found["n_head"]:
        raise _unknown(path, "n_head", found["n_head"])
    border = told.get("eos_token_id")
    return Sizes(
        found["n_embd"],
        found["n_layer"],
        found["n_head"],
        found["n_positions"],
        found["vocab_size"],
        inner,
        _number(path, "layer_norm_epsilon", told.get("layer_norm_epsilon", 1e-5), 1.0),
        _number(path, "resid_pdrop", told.get("resid_pdrop", 0.1), 1.0),
        border if type(border) is int and border >= 0 else None,
    )


def _whole(path: Path, name: str, value: Any, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise _unknown(path, name, value)
    return value


def _number(path: Path, name: str, value: Any, below: float) -> float:
    if type(value) not in (int, float) or not 0 <= value < below:
        raise _unknown(path, name, value)
    return float(value)


def _unknown(path: Path, name: str, value: Any) -> ModelFileError:
    shown = quoted(json.dumps(value), 60)
    return ModelFileError(
        "other-model",
        say(
            f"{quoted(path.parent)}: a GPT-2 with {name} = {shown} is not known here",
            f"{quoted(path.parent)}：不支持 {name} = {shown} 的 GPT-2",
        ),
        where=quoted(path, 200),
    )


class _Tensors:
    """The arrays of all weight files of a folder, by their name without ``transformer.``"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: dict[str, tuple[TensorFile, str]] = {}
        for path in _weight_files(folder):
            file = foreign_tensors.opened(path)
            for name in file.entries:
                if _MASKS.fullmatch(name):
                    continue
                short = name.removeprefix(PREFIX)
                if short in self.places:
                    raise damaged(path, say(f"'{quoted(name)}' is there twice", f"'{quoted(name)}' 出现两次"))
                self.places[short] = (file, name)

    def check(self, sizes: Sizes) -> None:
        """Raises ModelFileError where an array is missing, has another shape, or is none of a GPT-2."""
        wanted = dict(_shapes(sizes))
        for name, shape in wanted.items():
            if name not in self.places:
                raise damaged(self.folder, say(f"the array '{name}' is missing", f"缺少数组 '{name}'"))
            self._compare(name, shape)
        for name, (file, whole) in self.places.items():
            if name == HEAD:
                self._compare(name, wanted["wte.weight"])
            elif name not in wanted:
                raise damaged(
                    file.path,
                    say(f"the array '{quoted(whole)}' is none of GPT-2's", f"数组 '{quoted(whole)}' 不属于 GPT-2"),
                )

    def _compare(self, name: str, shape: tuple[int, ...]) -> None:
        file, whole = self.places[name]
        found = file.entries[whole].shape
        if found != shape:
            raise damaged(
                file.path,
                say(
                    f"'{quoted(whole)}' has the shape {found}; config.json asks for {shape}",
                    f"'{quoted(whole)}' 的形状是 {found}，而 config.json 要求 {shape}",
                ),
            )

    def read(self, name: str) -> Floats:
        """One array."""
        file, whole = self.places[name]
        return file.read(whole)


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).exists() or not (folder / INDEX).exists():
        if not (folder / WEIGHTS).exists() and (folder / "pytorch_model.bin").exists():
            raise ModelFileError(
                "pickled",
                say(
                    f"{quoted(folder)} has its weights in pytorch_model.bin, which may run code when it is opened",
                    f"{quoted(folder)} 的权重在 pytorch_model.bin 里，打开它可能会执行代码",
                ),
                where=quoted(folder, 200),
                help=f'GPT2LMHeadModel.from_pretrained({typed(folder)!r}).save_pretrained("safe")',
            )
        return [folder / WEIGHTS]
    index = folder / INDEX
    told = text.read_json(index)
    places = told.get("weight_map") if isinstance(told, dict) else None
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise damaged(index, say("it has no weight_map", "缺少 weight_map"))
    names = sorted(set(places.values()))
    for name in names:
        if not _SHARD.fullmatch(name):
            raise damaged(
                index, say(f"{quoted(name)} is no file of this folder", f"{quoted(name)} 不是本文件夹里的文件")
            )
    if not 1 <= len(names) <= MOST_SHARDS:
        raise damaged(index, say(f"it names {len(names):,} files", f"列出了 {len(names):,} 个文件"))
    return [folder / name for name in names]


def _shapes(sizes: Sizes) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every array that must be there."""
    dim, inner = sizes.dim, sizes.inner_width or 4 * sizes.dim
    yield "wte.weight", (sizes.rows, dim)
    yield "wpe.weight", (sizes.context, dim)
    for layer in range(sizes.layers):
        for name, shape in (
            ("ln_1", (dim,)),
            ("attn.c_attn", (dim, 3 * dim)),
            ("attn.c_proj", (dim, dim)),
            ("ln_2", (dim,)),
            ("mlp.c_fc", (dim, inner)),
            ("mlp.c_proj", (inner, dim)),
        ):
            yield f"h.{layer}.{name}.weight", shape
            yield f"h.{layer}.{name}.bias", shape[-1:]
    yield "ln_f.weight", (dim,)
    yield "ln_f.bias", (dim,)


def _weights(tensors: _Tensors, sizes: Sizes, rows: list[int]) -> Iterator[tuple[str, Floats]]:
    """Ours by name. The unknown unit's vector is zeros: where all bytes are known nothing asks for it."""
    table = tensors.read("wte.weight")
    if HEAD in tensors.places and not np.array_equal(tensors.read(HEAD), table):
        raise damaged(
            tensors.folder,
            say(
                "its softmax has vectors of its own (lm_head), which is not known here",
                "softmax 另有一组向量（lm_head），这里不支持",
            ),
        )
    unknown = np.zeros((1, sizes.dim), dtype=np.float32)
    yield "embedding", np.concatenate([table[rows[:1]], unknown, table[rows[1:]]])
    yield "positions", tensors.read("wpe.weight")
    for theirs, ours in norms(sizes.layers):
        yield f"{ours}.gain", tensors.read(f"{theirs}.weight")
        yield f"{ours}.shift", tensors.read(f"{theirs}.bias")
    for layer in range(sizes.layers):
        for part, ending in (("weight", ""), ("bias", "_bias")):
            joined = tensors.read(f"h.{layer}.attn.c_attn.{part}")  # (…, 3D): queries, keys, values
            yield f"layers.{layer}.attention.query{ending}", joined[..., : sizes.dim]
            yield f"layers.{layer}.attention.key_value{ending}", joined[..., sizes.dim :]
            for theirs, ours in matrices(layer):
                yield f"{ours}{ending}", tensors.read(f"{theirs}.{part}")


def norms(layers: int) -> Iterator[tuple[str, str]]:
    """Names of the norms, theirs and ours."""
    for layer in range(layers):
        yield f"h.{layer}.ln_1", f"layers.{layer}.norm_attention"
        yield f"h.{layer}.ln_2", f"layers.{layer}.norm_inner"
    yield "ln_f", "norm"


def matrices(layer: int) -> Iterator[tuple[str, str]]:
    """Names of the matrices that are the same in both, theirs and ours."""
    yield f"h.{layer}.attn.c_proj", f"layers.{layer}.attention.output"
    yield f"h.{layer}.mlp.c_fc", f"layers.{layer}.widen"
    yield f"h.{layer}.mlp.c_proj", f"layers.{layer}.narrow"
