"""A loss that is no number any more: exit 6, the last good step is named and kept, and a lower rate trains."""

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
# fastText trains an epoch of so few texts at once: in its third, the kernel gives up after 16 of them; or Ctrl-C comes
# while the second is on.
AT_AN_EPOCH = """
import os, signal, sys
from erya.models.fasttext import loop
real = loop.Run._steps
def steps(self, first, last, threads):
    {what}
    return real(self, first, last, threads)
loop.Run._steps = steps
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


def test_nan_in_an_epoch_of_fasttext(erya):
    nan = AT_AN_EPOCH.format(what="if self.epoch == 2: return real(self, first, 16, threads)")
    stop = AT_AN_EPOCH.format(what=f"if self.epoch == 1: {CTRL_C}")
    ended = erya(*train(MODEL, "m.erya"), "--json", program=("-c", nan), env=EACH_STEP)
    assert ended.code == 6
    assert re.match(r"error: training diverged in epoch 3 after 16 documents \(learning_rate=0\.5\)", ended.first)
    assert "last good step" in ended.first
    assert ended.help == "--set learning_rate=0.05"
    keeps_the_last_good_step(erya, train(MODEL, "other.erya"), stop)
    trains_again(erya, ended)


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
        (MODEL, ["learning_rate=1e6"]),
        ("classify/textcnn", ["learning_rate=1", "weight_decay=900000"]),
        ("classify/lstm", ["learning_rate=1", "weight_decay=900000"]),
    ],
)
def test_settings_that_diverge_by_themselves(erya, model, settings):
    installed(model)
    before = erya.contents()
    arguments = train(model, "m.erya", *[word for setting in settings for word in ("--set", setting)])
    ended = erya(*arguments, lang="zh" if model == MODEL else "en")
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
    assert ended.help == "--set learning_rate=0.5"
    assert erya(*with_option(ended)).code == 0
