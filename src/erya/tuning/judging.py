"""What a search asks of its task: the rows for the trainings' processes, their answers, the scores, and what knows nothing."""

from __future__ import annotations

from typing import Any

from erya import tasks
from erya.tasks import classify, tag
from erya.text.dataset import Dataset
from erya.trial_rows import RowsTrial
from erya.trial_tags import TagsTrial

SEARCHED = ("classify", "tag")


def task_of(dataset: Dataset) -> Any:
    """The task's module: ``scores``, ``paired_test``, ``LOWER_IS_BETTER``."""
    return tasks.find(dataset.task)


def trial_of(dataset: Dataset) -> RowsTrial | TagsTrial:
    """The data set as the trainings' processes read it; its first column is the score that ranks."""
    return TagsTrial(dataset) if dataset.task == "tag" else RowsTrial(dataset)


def baseline(dataset: Dataset) -> dict[str, Any]:
    """What always giving the most frequent label scores on the test rows; of tags each token's own most frequent one."""
    train, test = dataset.train, dataset.test
    targets = (test.targets if test else None) or []
    if dataset.task == "tag":
        rule = tag.most_frequent(train.inputs, train.targets or [], test.inputs if test else [])
        return {"label": None, "majority": tag.headline(targets, rule)}
    label, share = classify.majority(train.targets or [], targets)
    return {"label": label, "majority": share}
