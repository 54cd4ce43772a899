"""What was asked for, checked before anything long begins, and the errors that say what to ask instead."""

from __future__ import annotations

import json
from typing import Any

from erya.errors import DataError, UsageError
from erya.language import say
from erya.text.dataset import Dataset

METHODS = ("random", "optuna")


def check(data: Any, budget: float | None, trials: int | None, refit: str, method: str) -> None:
    """Raises UsageError for what can be seen to be wrong without reading anything."""
    if data is None:
        raise UsageError("no-data", say("tune needs data", "tune 需要数据"), help='erya.tune(data="sample:snips")')
    if budget is not None and not 0 < budget < float("inf"):
        raise UsageError(
            "bad-value", say(f"budget={budget}: seconds, more than 0", f"budget={budget}：应为大于 0 的秒数")
        )
    if trials is not None and trials < 1:
        raise UsageError("bad-value", say(f"trials={trials}: 1 or more", f"trials={trials}：应不小于 1"))
    if refit not in ("train+dev", "train"):
        raise UsageError(
            "bad-value", say(f"refit={refit!r}: train+dev or train", f"refit={refit!r}：可选 train+dev 或 train")
        )
    if method not in METHODS:
        raise UsageError(
            "bad-value",
            say(f"method={method!r}: random or optuna", f"method={method!r}：可选 random 或 optuna"),
            help=" · ".join(METHODS),
        )


def dataset(data: Any, seed: int, task: str = "classify") -> Dataset:
    """All three parts. Raises DataError where one of them is empty."""
    if not isinstance(data, Dataset):
        from erya.text.read import read

        data = read(data, task=task)
    dataset: Dataset = data if data.dev is not None and data.test is not None else data.split(seed=seed)
    for name, part in (("validation", dataset.dev), ("test", dataset.test)):
        if part is None or not len(part) or part.targets is None:
            chinese = {"validation": "验证", "test": "测试"}[name]
            raise DataError(
                f"no-{name}", say(f"there are no {name} rows", f"没有{chinese}数据"), help="--split 0.8/0.1/0.1"
            )
    return dataset


def frozen(settings: dict[str, Any] | None, dataset: Dataset) -> dict[str, Any]:
    """Settings by hand as JSON data, and the tokenizer that a sample recommends."""
    frozen = {name: list(value) if isinstance(value, tuple) else value for name, value in (settings or {}).items()}
    if dataset.tokenizer:
        frozen.setdefault("tokenizer", dataset.tokenizer)
    for name, value in frozen.items():
        try:
            json.dumps(value)
        except TypeError:
            raise UsageError(
                "setting-not-plain",
                say(
                    f"{name}: a value for another process is needed, not a {type(value).__name__}",
                    f"{name}：需要能传给其他进程的值，而不是 {type(value).__name__}",
                ),
            ) from None
    return frozen


def too_few(trials: int, models: int) -> UsageError:
    """The error for fewer trials than defaults."""
    return UsageError(
        "too-few-trials",
        say(
            f"--trials {trials}: {models} models begin with their default settings, so {models + 1} are the least",
            f"--trials {trials}：{models} 个模型各从默认设置开始，至少需要 {models + 1} 次",
        ),
        help=f"--trials {10 * models}",
    )


def too_short(budget: float, needed: float, models: int) -> UsageError:
    """The error for a budget in which nothing could be finished; ``needed``: an estimate in seconds."""
    step = 5 if needed < 60 else 60
    seconds = max(int(-(-needed // step) * step), int(budget * 2))
    told = f"{seconds}s" if seconds < 120 else f"{-(-seconds // 60)}m"
    return UsageError(
        "budget-too-short",
        say(
            f"{budget:g} s are too short for a single trial",
            f"{budget:g} 秒不够完成一次试验",
        ),
        help=say(
            f"name fewer models, or give it about {told}: --budget {told}",
            f"减少模型，或给大约 {told}：--budget {told}",
        )
        if models > 1
        else say(f"about {told} are needed: --budget {told}", f"大约需要 {told}：--budget {told}"),
    )
