"""Which language Erya speaks to its user: English or Chinese, and nothing else.

Every sentence that a user may read is written twice, side by side, where it is used: ``say("no rows", "没有数据行")``.
Nothing is looked up, so nothing can be missing and a sentence is found by searching for it.
"""

from __future__ import annotations

import os

LANGUAGES = ("en", "zh")


def language() -> str:
    """``"zh"`` or ``"en"``: from ERYA_LANG, else from the locale's variables in the order POSIX gives them."""
    for name in ("ERYA_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def say(en: str, zh: str) -> str:
    """The one of the two sentences that this user reads."""
    return zh if language() == "zh" else en
