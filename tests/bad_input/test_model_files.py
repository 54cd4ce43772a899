"""Damaged, renamed and hostile model files: refused with exit 4 by every verb, and nothing of them is used."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile

import pytest

import erya as package
from erya import container
from erya.errors import ModelFileError

from .shell import FAST, MODEL, command_in

VERBS = {
    "predict": ["predict", "bad.erya", "--input", "a superb film"],
    "evaluate": ["evaluate", "bad.erya", "reviews.csv"],
    "explain": ["explain", "bad.erya", "a superb film"],
    "show": ["show", "bad.erya"],
    "check": ["check", "bad.erya"],
    "compare": ["compare", "reviews.csv", "bad.erya"],
}


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def inside(data: bytes, part: str) -> int:
    """The middle of a part."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = archive.getinfo(part)
        return entry.header_offset + 30 + len(part) + 64 + entry.file_size // 2


DAMAGE = {
    "empty": (
        lambda data: b"",
        "model-damaged",
        "error: bad.erya is damaged: it is empty; nothing was loaded",
        "bad.erya",
    ),
    "cut off": (
        lambda data: data[: len(data) // 2],
        "model-damaged",
        "error: bad.erya is damaged: its end is missing, or bytes were appended; nothing was loaded",
        "bad.erya",
    ),
    "appended to": (
        lambda data: data + b"\n",
        "model-damaged",
        "error: bad.erya is damaged: its end is missing, or bytes were appended; nothing was loaded",
        "bad.erya",
    ),
    "a changed weight": (
        lambda data: flipped(data, inside(data, "weights.safetensors")),
        "model-damaged",
        "error: bad.erya is damaged: weights.safetensors does not match its SHA-256; nothing was loaded",
        "bad.erya: weights.safetensors",
    ),
    "a changed manifest": (
        lambda data: flipped(data, inside(data, "manifest.json")),
        "model-damaged",
        "error: bad.erya is damaged: manifest.json does not match its SHA-256; nothing was loaded",
        "bad.erya: manifest.json",
    ),
    "a csv renamed": (
        lambda data: b"text,label\na,b\n",
        "model-unknown",
        "error: bad.erya cannot be opened: it is not an .erya file",
        "bad.erya",
    ),
    "a zip renamed": (
        lambda data: b"PK\x03\x04" + bytes(200),
        "model-damaged",
        "error: bad.erya is damaged: its end is missing, or bytes were appended; nothing was loaded",
        "bad.erya",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged(erya, name):
    damage, code, first, place = DAMAGE[name]
    (erya.folder / "bad.erya").write_bytes(damage((erya.folder / "m.erya").read_bytes()))
    before = erya.contents()
    english = erya(*VERBS["predict"], "--json")
    assert english.code == 4
    assert english.first == first
    assert english.place == place
    assert english.help
    document = english.document
    assert (document["schema"], document["code"], document["exit"]) == ("erya.error/1", code, 4)
    assert (document["error"], document["where"], document["help"]) == (first[7:], place, english.help)
    chinese = erya(*VERBS["predict"], lang="zh")
    assert chinese.code == 4
    assert chinese.first.startswith(("错误：bad.erya 已损坏：", "错误：无法打开 bad.erya："))
    assert chinese.place == place
    assert erya.contents() == before


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_refuses(erya, verb):
    data = (erya.folder / "m.erya").read_bytes()
    (erya.folder / "bad.erya").write_bytes(flipped(data, inside(data, "weights.safetensors")))
    before = erya.contents()
    ended = erya(*VERBS[verb])
    assert ended.code == 4
    assert ended.first == DAMAGE["a changed weight"][2]
    assert ended.out == ""
    assert erya.contents() == before


def test_every_byte_changed(erya, tmp_path):
    """In this process, for there are some ten thousand; not one change goes through."""
    data = (erya.folder / "m.erya").read_bytes()
    path = tmp_path / "bad.erya"
    generator = random.Random(7)
    for place in range(len(data)):
        bad = bytearray(data)
        bad[place] ^= generator.randrange(1, 256)
        path.write_bytes(bad)
        with pytest.raises(ModelFileError):
            package.load(path)


def test_cut_anywhere(erya, tmp_path):
    data = (erya.folder / "m.erya").read_bytes()
    path = tmp_path / "bad.erya"
    for length in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            package.load(path)


def test_another_name_is_no_harm(erya):
    """What a file is does not depend on what it is called."""
    (erya.folder / "m.erya").rename(erya.folder / "model.bin")
    assert erya("predict", "model.bin", "--input", "a superb film").code == 0
    assert erya("check", "model.bin").code == 0
    assert erya("compare", "reviews.csv", "model.bin").code == 0


def test_missing(erya):
    ended = erya("predict", "n.erya", "--input", "x", "--json")
    assert ended.code == 4
    assert ended.first == "error: there is no file n.erya"
    assert ended.place == "n.erya"
    assert ended.help == "did you mean 'm.erya'?  →  m.erya"
    assert ended.document["code"] == "model-missing"
    assert erya("predict", command_in(ended), "--input", "x").code == 0


def test_checkpoint_is_no_model(erya):
    """A training's checkpoint has the same format; it is called what it is."""
    process = erya("train", MODEL, "reviews.csv", *FAST, "-o", "x.erya", env={"ERYA_CHECKPOINT_SECONDS": "0"})
    assert process.code == 0
    content = package.artefact.load(erya.folder / "m.erya")
    package.artefact.save(erya.folder / "bad.erya", content, kind="checkpoint")
    ended = erya(*VERBS["predict"])
    assert ended.code == 4
    assert "it is a checkpoint of a training that has not ended" in ended.first
    assert "erya resume" in ended.help


# ---- hand-made, with a seal that holds ----------------------------------------------------------------------------


def written(path, entries) -> None:
    """An archive in the one form that Erya writes, seal and all, whatever its parts are called."""
    with path.open("wb") as stream:
        container.write(stream, [(name, [data]) for name, data in entries])


def zipped(path, entries) -> None:
    """An ordinary zip with a seal that holds."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
        archive.comment = container.SEAL + b"0" * 64
    data = path.read_bytes()[:-64]
    path.write_bytes(data + hashlib.sha256(data).hexdigest().encode())


def parts_of(path) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def with_fingerprint(parts, name, data):
    """The parts and one more, which the manifest knows."""
    manifest = json.loads(parts[0][1])
    manifest["parts"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return [(parts[0][0], json.dumps(manifest, indent=1).encode()), *parts[1:], (name, data)]


HOSTILE = {
    "a name that climbs out": lambda parts: with_fingerprint(parts, "../evil.txt", b"evil"),
    "a name that climbs out, backwards": lambda parts: with_fingerprint(parts, "..\\evil.txt", b"evil"),
    "an absolute name": lambda parts: with_fingerprint(parts, "/tmp/erya-evil.txt", b"evil"),
    "a climbing name for the weights": lambda parts: [
        (f"../{name}" if name == "weights.safetensors" else name, data) for name, data in parts
    ],
    "a name with NUL": lambda parts: with_fingerprint(parts, "evil\0.txt", b"evil"),
    "a part twice": lambda parts: [*parts, parts[-1]],
    "a part too many": lambda parts: with_fingerprint(parts, "extra.json", b"{}"),
    "a pickle": lambda parts: with_fingerprint(parts, "model.pkl", b"cos\nsystem\n(S'touch evil.txt'\ntR."),
    "nothing but the seal": lambda parts: [],
}


def test_the_forger_can_forge(erya):
    """The parts as they are pass through the forger and open: what is refused below is refused for what was changed."""
    written(erya.folder / "bad.erya", parts_of(erya.folder / "m.erya"))
    assert erya(*VERBS["predict"]).code == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives(erya, name):
    written(erya.folder / "bad.erya", HOSTILE[name](parts_of(erya.folder / "m.erya")))
    refused(erya)


@pytest.mark.parametrize("entry", ["../evil.txt", "card.md"])
def test_hostile_links(erya, entry):
    link = zipfile.ZipInfo(entry)
    link.external_attr = 0o120777 << 16  # a symbolic link
    parts = [part for part in parts_of(erya.folder / "m.erya") if part[0] != entry]
    zipped(erya.folder / "bad.erya", [*parts, (link, b"/etc/passwd")])
    refused(erya)


def refused(erya) -> None:
    everything = set(erya.folder.parent.rglob("*"))
    before = erya.contents()
    ended = erya(*VERBS["predict"])
    assert ended.code == 4
    assert ended.first.startswith(("error: bad.erya is damaged: ", "error: bad.erya cannot be opened: "))
    assert ended.place.startswith("bad.erya")
    assert erya.contents() == before
    assert set(erya.folder.parent.rglob("*")) == everything  # nothing outside the folder either
