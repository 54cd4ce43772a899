"""The tasks, one file each: what goes in, what comes out, how it is scored, which properties must hold.

A task is a module; its file's name is the task's name. ``find("classify")`` imports it.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from erya.errors import UsageError, nearest
from erya.language import say


def names() -> list[str]:
    """All tasks of this version, alphabetically; found by looking, not by a list."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def find(name: str) -> ModuleType:
    """The module of a task.

    Raises:
        UsageError: no such task.
    """
    if name not in names():
        guess = nearest(name, names())
        raise UsageError(
            "unknown-task",
            say(f"there is no task '{name}'", f"没有名为 '{name}' 的任务"),
            help=say(f"did you mean '{guess}'?", f"是不是 '{guess}'？") if guess else " ".join(names()),
        )
    return importlib.import_module(f"erya.tasks.{name}")
