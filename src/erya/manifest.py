"""What an ``.erya`` file must hold, and the checks of its manifest against that and against the parts themselves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from erya.container import Piece, Refused
from erya.errors import quoted
from erya.language import say

FORMAT = 1
MANIFEST, TOKENIZER, TRAINING, CARD, WEIGHTS = (
    "manifest.json",
    "tokenizer.json",
    "training.json",
    "card.md",
    "weights.safetensors",
)
PARTS = (MANIFEST, TOKENIZER, TRAINING, CARD, WEIGHTS)  # in the order of the file
KINDS = ("model", "checkpoint")
LARGEST = {MANIFEST: 2 << 20, TOKENIZER: 16 << 20, TRAINING: 4 << 20, CARD: 1 << 20}  # bytes
MOST_VALUES = {MANIFEST: 100_000, TOKENIZER: 400_000, TRAINING: 200_000}
_FIELDS = {
    "format": int,
    "kind": str,
    "model": str,
    "erya": str,
    "params": dict,
    "state_version": int,
    "state": dict,
    "parts": dict,
}
_ID = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*", re.ASCII)


def check_format(manifest: Any) -> None:
    """The one field that every format has. Raises Refused, code ``model-newer`` for a format still unknown here."""
    number = manifest.get("format") if isinstance(manifest, dict) else None
    if type(number) is not int or number < 1:
        raise Refused(MANIFEST, say("it has no format number", "缺少格式编号"))
    if number > FORMAT:
        wrote = quoted(manifest.get("erya", "?"), 20)
        raise Refused(
            MANIFEST,
            say(
                f"it was written by a newer Erya ({wrote}, format {number}); this one reads format {FORMAT}",
                f"它由更新版本的 Erya（{wrote}，格式 {number}）写成，当前版本只能读到格式 {FORMAT}",
            ),
            code="model-newer",
        )


def check_manifest(manifest: dict[str, Any]) -> None:
    """Every field there, of its type, and no other; else Refused."""
    if set(manifest) != set(_FIELDS) or any(type(manifest[name]) is not kind for name, kind in _FIELDS.items()):
        raise Refused(MANIFEST, say("its fields are not those of this format", "字段与该格式不符"))
    if not _ID.fullmatch(manifest["model"]) or len(manifest["model"]) > 200:
        raise Refused(MANIFEST, say("its model id makes no sense", "模型编号不合理"))
    if manifest["kind"] not in KINDS or not 1 <= manifest["state_version"] < 1 << 31 or len(manifest["erya"]) > 100:
        raise Refused(MANIFEST, say("a field makes no sense", "有字段不合理"))
    if "tokenizer" in manifest["state"]:
        raise Refused(MANIFEST, say("the tokenizer belongs into its own part", "分词器应单独存放"))


def check_parts(promised: dict[str, Any], parts: dict[str, memoryview]) -> None:
    """Every part against the size and SHA-256 that the manifest promises; else Refused."""
    for name in (TRAINING, CARD, WEIGHTS):
        if name not in parts:
            raise Refused(name, say("it is missing", "缺失"))
    if set(promised) != set(parts) - {MANIFEST}:
        raise Refused(MANIFEST, say("it lists other parts than the file has", "所列部分与文件不符"))
    for name, expected in promised.items():
        if len(parts[name]) > LARGEST.get(name, len(parts[name])):
            raise Refused(name, say("it is too large", "过大"))
        if expected != fingerprint([parts[name]]):
            raise Refused(name, say(f"{name} does not match its SHA-256", f"{name} 与其 SHA-256 不符"))


def fingerprint(pieces: Sequence[Piece]) -> dict[str, Any]:
    """What the manifest says of a part."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return {"size": sum(len(piece) for piece in pieces), "sha256": digest.hexdigest()}
