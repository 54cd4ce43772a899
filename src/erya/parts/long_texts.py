"""What is said where a text is longer than a network reads at once. Never is one cut without a word."""

from __future__ import annotations

import warnings

from erya.language import say


class LongTextWarning(UserWarning):
    """A text was read in windows, or only a part of it is shown."""


def read_in_windows(texts: int, most: int) -> None:
    """Warn that so many texts have more than ``most`` tokens and are answered window by window."""
    some = "1 text" if texts == 1 else f"{texts:,} texts"
    _warn(
        say(
            f"{some} of more than {most:,} tokens: read in windows; the answer is the mean of theirs",
            f"{texts} 条文本超过 {most:,} 个词，分窗阅读，答案取各窗的平均",
        )
    )


def shown_in_part(tokens: int, most: int) -> None:
    """Warn that of a text of so many tokens only the first ``most`` are shown."""
    _warn(
        say(
            f"the trace shows the first {most:,} of {tokens:,} tokens",
            f"只显示前 {most:,} 个词（共 {tokens:,} 个）",
        )
    )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, LongTextWarning, stacklevel=5)  # whoever called predict or trace
