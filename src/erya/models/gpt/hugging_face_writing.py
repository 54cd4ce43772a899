"""A GPT as a folder that Hugging Face's ``transformers`` opens; the names are in ``hugging_face.py``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from erya.atomic import write_error
from erya.errors import UsageError, quoted, typed
from erya.language import say
from erya.models.gpt import hugging_face_text as text
from erya.models.gpt.hugging_face import CONFIG, GELU, MUST_BE, PREFIX, WEIGHTS, Floats, matrices, norms
from erya.parts import foreign_tensors
from erya.state import State
from erya.text.unit_ids import UNKNOWN

OURS = {CONFIG, WEIGHTS, "vocab.json", "merges.txt", "tokenizer_config.json"}
QUIET = 7.0  # nats by which pieces that were never seen are less probable together than one was alone
MOST_NOISE = 100.0  # of the vectors' spread, that this may add to what the layers see where such a piece is read


def write(folder: Path, model: Any) -> list[str]:
    """Write a model of this room as a folder; what is lost, in words.

    Args:
        folder: new, empty, or one that was written so.
        model: a fitted ``GPT``.

    Raises:
        UsageError: something else is in the folder; units that it cannot hold, see ``hugging_face_text.pieces_for``.
        ResourceError: the disk is full or closed.
    """
    check_folder(folder)
    pieces, chosen = text.pieces_for(model.units_, model.vocabulary_)
    state: State = model.state()
    arrays = {name.removeprefix("network."): array for name, array in state.arrays.items()}
    table, more = arrays["embedding"], chosen.count(UNKNOWN)
    quiet = _quiet(table, arrays["norm.gain"], arrays["norm.shift"], more)
    theirs: dict[str, Floats] = {
        "wte.weight": np.where(np.array(chosen)[:, None] == UNKNOWN, quiet, table[np.array(chosen)]),
        "wpe.weight": arrays["positions"],
    }
    for name, ours in norms(model.layers):
        theirs |= {f"{name}.weight": arrays[f"{ours}.gain"], f"{name}.bias": arrays[f"{ours}.shift"]}
    for layer in range(model.layers):
        begin = f"layers.{layer}.attention."
        for part, ending in (("weight", ""), ("bias", "_bias")):
            joined = [arrays[f"{begin}query{ending}"], arrays[f"{begin}key_value{ending}"]]
            theirs[f"h.{layer}.attn.c_attn.{part}"] = np.concatenate(joined, axis=-1)
            for name, ours in matrices(layer):
                theirs[f"{name}.{part}"] = arrays[f"{ours}{ending}"]
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    (folder / CONFIG).unlink(missing_ok=True)  # without it the folder is none, until everything stands
    foreign_tensors.write(folder / WEIGHTS, {f"{PREFIX}{name}": array for name, array in theirs.items()})
    text.write_pieces(folder, pieces, model.context)
    text.write_json(folder / CONFIG, _config(model, len(chosen)))
    lost = [say("settings of the training and its record", "训练设置与训练记录")]
    if more:
        lost.append(
            say(
                f"{more:,} pieces that were never seen are added, with next to no probability",
                f"补上 {more:,} 个没见过的片段，概率几乎为零",
            )
        )
    return lost


def _quiet(table: Floats, gain: Floats, shift: Floats, copies: int) -> Floats:
    """The unknown unit's vector (D,) for so many pieces, moved so that all of them together have next to no share of the softmax.

    A norm's numbers z sum to 0, and the softmax is given γ z + β. So a vector v / γ has with any state the product v Σ β / γ: it lowers a
    logit everywhere alike, and to the layers, whose norms take the mean away, it is nearly nothing. Where β is too small for that,
    the vector stays as it is.
    """
    row: Floats = table[UNKNOWN]
    if not copies or np.abs(gain).min() < 1e-3:
        return row
    inverse = 1 / gain.astype(np.float64)
    each = float(shift @ inverse)
    step = -(math.log(copies) + QUIET) / each if each else math.inf
    if abs(step) * inverse.std() > MOST_NOISE * table.std():
        return row
    return (row + step * inverse).astype(np.float32)


def check_folder(folder: Path) -> None:
    """Raises UsageError where files of something else lie in a folder."""
    if folder.is_dir():
        strange = sorted(path.name for path in folder.iterdir() if path.name not in OURS)
        if not strange:
            return
        reason = say(f"there is {quoted(strange[0], 40)} in it", f"里面有 {quoted(strange[0], 40)}")
    elif folder.exists():
        reason = say("it is no folder", "它不是文件夹")
    else:
        return
    raise UsageError(
        "output-in-the-way",
        say(
            f"{quoted(folder)} is no GPT-2 folder of Erya's: {reason}",
            f"{quoted(folder)} 不是 Erya 写的 GPT-2 文件夹：{reason}",
        ),
        help=typed(folder.with_name(f"{folder.name}-new")) + "/",
    )


def _config(model: Any, rows: int) -> dict[str, Any]:
    """``config.json`` of R rows."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": rows,
        "n_embd": model.dim,
        "n_layer": model.layers,
        "n_head": model.heads,
        "n_inner": model.inner_width,
        "n_positions": model.context,
        "activation_function": GELU[0],
        "layer_norm_epsilon": model.norm_epsilon,
        "resid_pdrop": model.dropout,
        "embd_pdrop": model.dropout,
        "attn_pdrop": 0.0,
        "tie_word_embeddings": True,
        "bos_token_id": rows - 1,
        "eos_token_id": rows - 1,
        "torch_dtype": "float32",
        **MUST_BE,
    }
