"""A tokenizer as one regular expression, for programs that have the expression and not the tokenizer."""

from __future__ import annotations

from erya.text.tokenizers import HAN, Characters, Tokenizer, Whitespace, Words, _between_blanks, _characters, _patterns


def token_pattern(tokenizer: Tokenizer) -> str | None:
    """The expression whose matches in a text, one behind the other, are the tokens; None where no expression says it.

    It is Python's dialect from 3.11 on, as PCRE's and Java's: ``++`` and ``*+`` give nothing back. Of ``Characters`` each run of white
    space is first made one blank, and none is left at the ends; with ``lower`` each match is lower-cased. Segmenters and learned
    subwords are no expression.
    """
    if isinstance(tokenizer, Whitespace):
        return _between_blanks().pattern
    if isinstance(tokenizer, Words):
        pattern = _patterns("")[1].pattern
    elif isinstance(tokenizer, Characters):
        pattern = _characters().pattern
    else:
        return None
    return pattern if tokenizer.punctuation else f"(?=[^\\W_]|[{HAN}])(?:{pattern})"
