"""A loss that is no number any more: exit 6, the last good step is named and kept, and a lower rate trains.

fastText, which needs a second for it, halves the rate by itself and says so; exit 6 only where no rate helps.
"""

from __future__ import annotations

import re

import pytest

from erya import artefact, catalog

from .shell import FAST, MODEL, weights_of, with_option
from .test_signals import EACH_STEP

NETWORKS = {"classify/textcnn": ("textcnn", "TextCNN"), "classify/lstm": ("lstm", "BiLSTM")}
STEP = 9  # of 48, in which the loss goes wrong

# At the given call of the network's loss: NaN, or Ctrl-C, so that training ends with this step.
AT_A_STEP = """
import os, signal, sys
from erya.models.{room} import network
real, calls = network.{name}.loss, 0
def loss(self, batch, generator=None):
    global calls
    calls += 1
    if calls == {step}:
        {what}
    return real(self, batch, generator)
network.{name}.loss = loss
from erya.cli.app import run
sys.exit(run(sys.argv[1:]))
"""
# fastText trains an epoch of so few texts at once: in its third, the kernel gives up.
AT_AN_EPOCH = """
import os, signal, sys
from erya.models.fasttext import supervised
real = supervised.Run._steps
def steps(self, first, last, threads):
    if self.epoch == 2 and {when}:
        self.broken = True
        return first
    return real(self, first, last, threads)
supervised.Run._steps = steps
from erya.cli.app import run
sys.exit(run(sys.argv[1:]))
"""
CTRL_C = "os.kill(os.getpid(), signal.SIGINT)"


def train(model, output, *settings):
    return ["train", model, "reviews.csv", *FAST, *settings, "-o", output]


def installed(model) -> None:
    if model not in catalog.ids() or not catalog.card_of(model).installed:
        pytest.skip(f"{model} needs an extra that is not installed")


@pytest.mark.parametrize("model", NETWORKS)
def test_nan_at_a_step(erya, model):
    installed(model)
    room, name = NETWORKS[model]
    settings = ["--set", "batch_size=8", "--set", "epochs=8"]
    nan = AT_A_STEP.format(room=room, name=name, step=STEP, what="return real(self, batch, generator) * float('nan')")
    stop = AT_A_STEP.format(room=room, name=name, step=STEP - 1, what=CTRL_C)

    ended = erya(*train(model, "m.erya", *settings), "--json", program=("-c", nan), env=EACH_STEP)
    assert ended.code == 6
    assert ended.first == (
        f"error: the loss became nan at step {STEP} (learning_rate=0.02); "
        f"the weights are those of step {STEP - 1}, the last good one"
    )
    assert ended.help == "--set learning_rate=0.002"
    assert (ended.document["code"], ended.document["exit"]) == ("diverged", 6)
    keeps_the_last_good_step(erya, train(model, "other.erya", *settings), stop)
    trains_again(erya, ended)


def test_fasttext_halves_its_rate(erya):
    twice = AT_AN_EPOCH.format(when="self.halved < 2")
    ended = erya(*train(MODEL, "m.erya"), program=("-c", twice), env=EACH_STEP)
    assert ended.code == 0
    assert (
        "training diverged in epoch 3; learning rate 0.5 halved to 0.25, going on from the last checkpoint" in ended.err
    )
    assert "learning rate 0.25 halved to 0.125" in ended.err
    assert artefact.load(erya.folder / "m.erya").state.data["learning_rate"] == 0.125


def test_fasttext_gives_up_where_no_rate_helps(erya):
    ended = erya(*train(MODEL, "m.erya"), "--json", program=("-c", AT_AN_EPOCH.format(when="True")), env=EACH_STEP)
    assert ended.code == 6
    assert re.match(r"error: training diverged in epoch 3, even with learning rate", ended.first)
    assert (ended.document["code"], ended.document["exit"]) == ("diverged", 6)
    trains_again(erya, ended)


def test_fasttext_survives_a_rate_beyond_sense(erya):
    ended = erya(*train(MODEL, "m.erya", "--set", "learning_rate=900000"), lang="zh")
    assert ended.code == 0
    assert "学习率由 900000 减半为 450000" in ended.err


def keeps_the_last_good_step(erya, arguments, stop) -> None:
    """The checkpoint is, to the bit, that of a training that was stopped after the last good step."""
    assert erya(*arguments, program=("-c", stop), env=EACH_STEP).code == 130
    bad, good = (erya.folder / f"{name}.erya.run" / "checkpoint.erya" for name in ("m", "other"))
    assert weights_of(bad) == weights_of(good)
    assert artefact.load(bad, kind="checkpoint").state.data == artefact.load(good, kind="checkpoint").state.data


def trains_again(erya, ended) -> None:
    """The old model is there; the help pasted, training works, though an unfinished one lies there."""
    assert erya("predict", "m.erya", "--input", "a superb film").out.startswith("good\t")
    again = with_option(ended)
    again.remove("--json")
    assert erya(*again).code == 0
    assert not (erya.folder / "m.erya.run").exists()


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("classify/textcnn", ["learning_rate=1", "weight_decay=900000"]),
        ("classify/lstm", ["learning_rate=1", "weight_decay=900000"]),
    ],
)
def test_settings_that_diverge_by_themselves(erya, model, settings):
    installed(model)
    before = erya.contents()
    arguments = train(model, "m.erya", *[word for setting in settings for word in ("--set", setting)])
    ended = erya(*arguments, lang="zh" if model == "classify/lstm" else "en")
    assert ended.code == 6
    assert re.search(r"last good (step|one)|最后一个正常的", ended.first)
    assert ended.help.startswith("--set learning_rate=")
    assert erya.contents() == before  # the old model, and no run folder


@pytest.mark.parametrize("value", ["1e30", "-1", "nan"])
def test_rates_that_make_no_sense(erya, value):
    """Said before anything is trained."""
    ended = erya(*train(MODEL, "m.erya", "--set", f"learning_rate={value}"))
    assert ended.code == 2
    assert ended.first.startswith("error: learning_rate=")
    assert ended.help == "--set learning_rate=none"
    assert erya(*with_option(ended)).code == 0
