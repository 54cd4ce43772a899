"""``kill -9`` at any moment: what is on the disk is old or new, never mixed, and resuming ends with the same bits."""

from __future__ import annotations

import random
import subprocess
import time

import pytest

from erya import artefact, catalog

from .shell import FAST, MODEL, weights_of
from .test_signals import EACH_STEP, events

KILLS = 20
LSTM = "classify/lstm"
VECTORS = "vectors/word2vec"


@pytest.mark.slow
def test_lstm_killed_at_twenty_moments(erya):
    """Most moments lie between two steps or in the middle of a checkpoint; some before the first step of a resume."""
    if LSTM not in catalog.ids() or not catalog.card_of(LSTM).installed:
        pytest.skip(f"{LSTM} needs an extra that is not installed")
    killed_and_resumed(erya, [LSTM, "--set", "epochs=100", "--set", "batch_size=2", "--set", "patience=none"], seed=1)


def test_fasttext_killed_at_moments(erya):
    killed_and_resumed(erya, [MODEL, "--set", "epochs=3000"], seed=2, kills=4)


def test_vectors_killed_at_moments(erya):
    """Word vectors are trained on a file that is streamed, not on rows."""
    from erya.tasks import vectors

    (erya.folder / "corpus.txt").write_text("\n".join(vectors.toy(seed=3, rows=400)[0]) + "\n", encoding="utf-8")
    settings = ["--set", "epochs=400", "--set", "dim=16", "--set", "min_count=1"]
    killed_and_resumed(erya, [VECTORS, *settings], seed=4, kills=4, data="corpus.txt")


def killed_and_resumed(erya, model: list[str], *, seed: int, kills: int = KILLS, data: str = "reviews.csv") -> None:
    """One training, killed and resumed again and again, against one that was left alone."""
    generator = random.Random(seed)
    train = ["train", model[0], data, *FAST, *model[1:], "-o"]
    before = erya.contents()
    folder = erya.folder / "new.erya.run"
    for kill in range(kills):
        command = ["resume", "new.erya"] if kill else [*train, "new.erya"]
        process = erya.start(*command, env=EACH_STEP, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if kill == 0 or generator.random() < 0.8:
            wait_for_a_step(process, folder)
            time.sleep(generator.uniform(0, 0.1))
        else:
            time.sleep(generator.uniform(0, 1.5))
        process.kill()
        err = process.communicate()[1].decode()
        assert process.returncode == -9, f"it ended before kill {kill}: {err}"
        assert not (erya.folder / "new.erya").exists()
        if (folder / "checkpoint.erya").exists():
            artefact.load(folder / "checkpoint.erya", kind="checkpoint")  # whole, whatever the moment
        assert {name: sum for name, sum in erya.contents().items() if not name.startswith("new.erya.run")} == before

    ended = erya("resume", "new.erya")
    assert ended.code == 0, ended.err
    assert not folder.exists()
    assert erya(*train, "whole.erya").code == 0
    assert weights_of(erya.folder / "new.erya") == weights_of(erya.folder / "whole.erya")
    assert (erya.folder / "new.erya").read_bytes() == (erya.folder / "whole.erya").read_bytes()


def wait_for_a_step(process, folder) -> None:
    """Until this process has made a checkpoint of its own."""
    seen = events(folder).count("checkpoint")
    while events(folder).count("checkpoint") == seen:
        assert process.poll() is None, process.stderr.read().decode()
        time.sleep(0.002)


def test_killed_while_writing_the_model(erya):
    """Killed in the middle of the last write: the old model is whole, the torn file goes at the next start."""
    old = (erya.folder / "m.erya").read_bytes()
    script = (
        "import os, signal, sys\n"
        "from erya import container\n"
        "real = container.write\n"
        "def torn(stream, parts):\n"
        '    if parts[0][1][0].find(b\'"kind": "model"\') < 0: return real(stream, parts)\n'
        "    real(stream, parts[:2]); stream.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "container.write = torn\n"
        "from erya.cli.app import run\n"
        "sys.exit(run(sys.argv[1:]))"
    )
    train = ["train", MODEL, "reviews.csv", *FAST, "--set", "epochs=6", "-o", "m.erya"]
    process = erya.start(*train, program=("-c", script), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.communicate(timeout=100)
    assert process.returncode == -9
    assert (erya.folder / "m.erya").read_bytes() == old
    assert [path for path in erya.folder.iterdir() if path.name.endswith(".erya-tmp")]
    assert erya("resume", "m.erya").code == 0  # the harness looks for strays
    assert (erya.folder / "m.erya").read_bytes() != old
