"""``kill -9`` in the middle of an epoch of a language model: the memory that it carries from batch to batch comes back, too."""

from __future__ import annotations

import subprocess

import pytest

from erya import artefact, catalog
from erya.tasks import generate

from .shell import FAST
from .test_kill import wait_for_a_step
from .test_signals import EACH_STEP

LSTM = "generate/lstm"
SETTINGS = {
    "layers": 2,
    "context": 6,
    "batch_size": 3,
    "epochs": 2,
    "dropout": 0.2,
    "truncation": "varied",
    "optimizer": "averaged_sgd",
    "learning_rate": 2.0,
    "averaging_patience": 1,
    "patience": "none",
}


def test_a_recurrent_model_killed_in_mid_epoch(erya):
    if not catalog.card_of(LSTM).installed:
        pytest.skip(f"{LSTM} needs an extra that is not installed")
    (erya.folder / "corpus.txt").write_text("\n".join(generate.toy(seed=3, rows=60)) + "\n", encoding="utf-8")
    given = [word for name, value in SETTINGS.items() for word in ("--set", f"{name}={value}")]
    train = ["train", LSTM, "corpus.txt", *FAST, *given, "-o"]
    folder, stood = erya.folder / "new.erya.run", []
    for kill in range(2):
        command = ["resume", "new.erya"] if kill else [*train, "new.erya"]
        process = erya.start(*command, env=EACH_STEP, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for_a_step(process, folder)
        process.kill()
        process.communicate()
        assert process.returncode == -9
        assert not (erya.folder / "new.erya").exists()
        stood.append(artefact.load(folder / "checkpoint.erya", kind="checkpoint").state)
    steps = [state.data["fit"]["steps"] for state in stood]
    assert steps == sorted(set(steps))  # each went on where the one before was killed
    assert any(state.data["fit"]["position"] > 0 for state in stood)
    assert all("memory.1.1" in state.arrays for state in stood)  # h and c of both layers

    ended = erya("resume", "new.erya")
    assert ended.code == 0, ended.err
    assert not folder.exists()
    assert erya(*train, "whole.erya").code == 0
    assert (erya.folder / "new.erya").read_bytes() == (erya.folder / "whole.erya").read_bytes()
