"""--set and config files: parsed by the constructor's types, and who wins over whom."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from erya.cli.settings import expected, parse_settings, parse_value, shown
from erya.contract import Model
from erya.errors import UsageError


class Example(Model):
    id = "classify/example"

    def __init__(
        self,
        *,
        dim: int = 10,
        rate: float = 0.5,
        deterministic: bool = True,
        patience: int | None = None,
        widths: tuple[int, ...] = (3, 4, 5),
        kind: Literal["mean", "max"] = "mean",
        tokenizer: "str | Secret" = "auto",  # noqa: F821, UP037  (a type that only a checker can see)
        class_weight: str | dict[Any, float] | None = None,
        anything=None,
    ):
        self.dim = dim


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("dim", "50", 50), ("dim", "1_000", 1000), ("dim", "1e3", 1000), ("dim", "-1", -1),
        ("rate", "0.1", 0.1), ("rate", "3", 3.0), ("rate", "1e-4", 1e-4),
        ("deterministic", "false", False), ("deterministic", "True", True), ("deterministic", "off", False),
        ("patience", "none", None), ("patience", "3", 3),
        ("widths", "2,3", (2, 3)), ("widths", "7", (7,)), ("widths", "[3, 4]", (3, 4)), ("widths", "(3,)", (3,)),
        ("kind", "max", "max"),
        ("tokenizer", "characters", "characters"),
        ("class_weight", "none", None), ("class_weight", "balanced", "balanced"), ("class_weight", '{"a": 2}', {"a": 2}),
    ],
)  # fmt: skip
def test_values(name, text, value):
    found = parse_value(Example, name, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dim", "abc"), ("dim", "1.5"), ("dim", "none"), ("dim", "inf"), ("rate", "nan"), ("rate", "fast"), ("rate", ""),
        ("deterministic", "2"), ("patience", "x"), ("widths", "a,b"), ("widths", ""), ("widths", "3,none"), ("kind", "median"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit(name, text):
    with pytest.raises(UsageError) as caught:
        parse_value(Example, name, text)
    assert caught.value.code == "bad-setting"
    assert f"--set {name}={shown(Example.parameters()[name].default)}" == caught.value.help
    parse_value(Example, name, shown(Example.parameters()[name].default))  # the help can be pasted


def test_pairs():
    assert parse_settings(Example, ["dim=5", "dim=6", "kind=max"]) == {"dim": 6, "kind": "max"}
    assert parse_settings(Example, ["tokenizer=a=b"]) == {"tokenizer": "a=b"}
    assert parse_settings(Example, ["dim=7"], {"dim": 5, "widths": [1, 2], "patience": 4}) == {
        "dim": 7,
        "widths": (1, 2),
        "patience": 4,
    }
    with pytest.raises(UsageError, match="dmi") as caught:
        parse_settings(Example, ["dmi=5"])
    assert "dim" in caught.value.help
    with pytest.raises(UsageError, match="dmi"):
        parse_settings(Example, [], {"dmi": 5})


def test_what_is_expected_is_said():
    assert expected(Example, "patience") == "none or a whole number"
    assert "mean" in expected(Example, "kind")


# ---- config files ---------------------------------------------------------------------------------------------


def seed_of(erya, *arguments, **settings):
    found = erya(
        "train", "classify/naive_bayes", "reviews.csv", "-o", "m.erya", "--dry-run", "--json", *arguments, **settings
    )
    assert found.code == 0, found.err
    return found.document["data"]["digest"]


def test_flag_beats_environment_beats_config_beats_own_config_beats_default(erya, reviews, tmp_path):
    digest = {seed: seed_of(erya, "--seed", seed) for seed in "01234"}
    assert len(set(digest.values())) == 5
    assert seed_of(erya) == digest["0"]
    (tmp_path / "config" / "erya").mkdir(parents=True)
    (tmp_path / "config" / "erya" / "config.toml").write_text("seed = 1\n")
    assert seed_of(erya) == digest["1"]
    (tmp_path / "config" / "erya" / "config.toml").write_text("[train]\nseed = 1\n")
    assert seed_of(erya) == digest["1"]
    (tmp_path / "c.toml").write_text("seed = 2\n")
    assert seed_of(erya, "--config", "c.toml") == digest["2"]
    assert seed_of(erya, "--config", "c.toml", env={"ERYA_SEED": "3"}) == digest["3"]
    assert seed_of(erya, "--config", "c.toml", "--seed", "4", env={"ERYA_SEED": "3"}) == digest["4"]


def test_config_with_settings_and_options(erya, reviews, tmp_path):
    (tmp_path / "c.toml").write_text('label = "stars"\nbad-rows = "skip"\n[settings]\nsmoothing = 0.25\n')
    arguments = [
        "train",
        "classify/naive_bayes",
        "reviews.csv",
        "-o",
        "m.erya",
        "--dry-run",
        "--json",
        "--config",
        "c.toml",
    ]
    assert erya(*arguments).document["settings"]["smoothing"] == 0.25
    assert erya(*arguments, "--set", "smoothing=2").document["settings"]["smoothing"] == 2


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("sed = 1", "seed"),
        ("[train]\nlable = 'x'", "label"),
        ("[settings]\nsmothing = 1", "smoothing"),
        ("x = [", "c.toml"),
    ],
)
def test_a_wrong_config_is_named(erya, reviews, tmp_path, text, help):
    (tmp_path / "c.toml").write_text(text)
    found = erya("train", "classify/naive_bayes", "reviews.csv", "-o", "m.erya", "--dry-run", "--config", "c.toml")
    assert found.code == 2
    assert help in found.err


def test_the_language_of_the_config(erya, tmp_path, monkeypatch):
    path = tmp_path / "mine.toml"
    path.write_text('lang = "zh"\n')
    assert "学习" not in erya("--help", env={"ERYA_CONFIG": str(path)}).out  # the environment wins
    assert "学习" in erya("--help", lang="", env={"ERYA_CONFIG": str(path)}).out
