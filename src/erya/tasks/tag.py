"""The task ``tag``: a tag for every token of a sentence, and the spans that the tags tell.

Entities (B-PER I-PER O), words of unsegmented text (B M E S), parts of speech (tags that tell no spans): the tags themselves
say which. Owns what goes in (``sentences``, ``examples``: see ``_tag_examples.py``), what comes out (``answers``: tags, and
spans with character offsets), how answers are scored (``_tag_scores.py``), and toy sets on which context decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from erya.tasks._answers import LabelScore
from erya.tasks._tag_answers import Span, Tagging, answers, token_spans
from erya.tasks._tag_examples import Examples, examples, sentences, tokenizer_for
from erya.tasks._tag_raw import RawScore, raw_score, tagged
from erya.tasks._tag_reliability import reliability
from erya.tasks._tag_scores import (
    Mistakes,
    TagRun,
    compare,
    headline,
    mistakes,
    paired_test,
    per_label,
    row_errors,
    scores,
    strict_f1,
)
from erya.text.segmented import sentences as from_words
from erya.text.sentences import Sentence, joined
from erya.text.span_tags import SpansError, TextSpan, spans_to_tags
from erya.text.tag_schemes import SCHEMES, Allowed, Flat, Scheme, allowed, convert, detect

__all__ = [
    "BASELINE",
    "HEADLINE",
    "LOWER_IS_BETTER",
    "SCHEMES",
    "SCORE_NAMES",
    "Allowed",
    "Examples",
    "LabelScore",
    "Mistakes",
    "RawScore",
    "Scheme",
    "Sentence",
    "Span",
    "SpansError",
    "TagRun",
    "Tagging",
    "TextSpan",
    "allowed",
    "answers",
    "compare",
    "convert",
    "examples",
    "from_words",
    "headline",
    "headline_of",
    "joined",
    "majority",
    "mistakes",
    "most_frequent",
    "paired_test",
    "per_label",
    "raw_score",
    "reliability",
    "row_errors",
    "scheme_of",
    "scores",
    "sentences",
    "sklearn_tags",
    "spans_to_tags",
    "strict_f1",
    "tagged",
    "token_spans",
    "tokenizer_for",
    "toy",
    "toy_pos",
]

INPUT = "sentences"  # of tokens with tags
FIRST_USE = 'erya predict FILE.erya --input "TEXT"'
HEADLINE = "f1"
SCORE_NAMES = ("f1", "precision", "recall", "accuracy")
LOWER_IS_BETTER: tuple[str, ...] = ()
BASELINE = "most-frequent-tag"  # the rule of ``most_frequent``, by name


def scheme_of(targets: Sequence[Sequence[str]]) -> Scheme:
    """Which scheme tags are in; ``"none"``: they tell no spans."""
    return detect(Flat.of(targets))


def headline_of(scheme: str) -> str:
    """The name of the score that ranks models: ``HEADLINE``, or ``"accuracy"`` of tags that tell no spans."""
    return "accuracy" if scheme == "none" else HEADLINE


# ---- what knows nothing -------------------------------------------------------------------------------------------


def most_frequent(
    train_inputs: Sequence[Sequence[str]], train_targets: Sequence[Sequence[str]], inputs: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Tags for ``inputs`` by a rule that reads no context: a token's most frequent tag in training, the first by name of
    equal ones; of an unknown token the most frequent tag of all.
    """
    counts: dict[str, Counter[str]] = {}
    for tokens, tags in zip(train_inputs, train_targets, strict=True):
        for token, tag in zip(tokens, tags, strict=True):
            counts.setdefault(token, Counter())[tag] += 1
    best = {token: min(seen, key=lambda tag: (-seen[tag], tag)) for token, seen in counts.items()}
    other = _commonest(train_targets)
    return [[best.get(token, other) for token in tokens] for tokens in inputs]


def _commonest(targets: Sequence[Sequence[str]]) -> str:
    seen = Counter(tag for tags in targets for tag in tags)
    return min(seen, key=lambda tag: (-seen[tag], tag), default="O")


def majority(train_targets: Sequence[Sequence[str]], test_targets: Sequence[Sequence[str]]) -> tuple[str, float]:
    """The training data's most frequent tag, and the accuracy of always answering it."""
    tag = _commonest(train_targets)
    found = [tag == other for tags in test_targets for other in tags]
    return tag, float(np.mean(found)) if found else 0.0


# ---- what scikit-learn and the battery ask --------------------------------------------------------------------------


def sklearn_tags() -> Any:
    """From lists of tokens to lists of tags: no classifier in scikit-learn's sense, whose targets are one a row."""
    from sklearn.utils import InputTags, Tags, TargetTags

    return Tags(
        estimator_type=None,
        target_tags=TargetTags(required=True, one_d_labels=False, two_d_labels=False),
        input_tags=InputTags(one_d_array=False, two_d_array=False, string=True),
    )


TOY_NAMES = {
    "PER": (("Anna", "Jordan", "Smith", "Lee", "Martin", "Kim"), ("王", "李", "张", "明", "华", "强")),
    "LOC": (("Paris", "York", "Cambridge", "Lima", "Victoria", "Troy"), ("京", "海", "州", "江", "山", "城")),
}
_TOY_FRAMES = (
    (("PER", "met", "PER", "in", "LOC", "today"), ("PER", "went", "from", "LOC", "to", "LOC", ".")),
    (("PER", "在", "LOC", "见", "到", "PER"), ("PER", "从", "LOC", "去", "LOC", "。")),
)
_TOY_REST = (("it", "rained", "all", "day"), ("今", "天", "下", "雨"))


def toy(seed: int = 0, rows: int = 240) -> tuple[list[list[str]], list[list[str]]]:
    """Sentences in English (words) and Chinese (characters) with IOB2 tags of PER and LOC.

    A span takes one to three tokens of one pool, so that what came before decides between ``B-`` and ``I-``: the most
    frequent tag of each token gets less than half of the spans.
    """
    generator = np.random.default_rng(seed)
    inputs, targets = [], []
    for number in range(rows):
        language = number % 2
        tokens: list[str] = []
        tags: list[str] = []
        frames = _TOY_FRAMES[language]
        frame = _TOY_REST[language] if number % 10 > 7 else frames[int(generator.integers(len(frames)))]
        for word in frame:
            if word not in TOY_NAMES:
                tokens.append(word)
                tags.append("O")
                continue
            count = int(generator.integers(1, 4))
            tokens.extend(generator.choice(TOY_NAMES[word][language], count).tolist())
            tags.extend([f"B-{word}", *[f"I-{word}"] * (count - 1)])
        inputs.append(tokens)
        targets.append(tags)
    return inputs, targets


def toy_pos(seed: int = 0, rows: int = 240) -> tuple[list[list[str]], list[list[str]]]:
    """Sentences whose tags tell no spans: ``can``, ``run`` and ``fish`` are nouns behind an article, else verbs."""
    generator = np.random.default_rng(seed)
    both = ("can", "run", "fish")
    inputs, targets = [], []
    for _ in range(rows):
        subject = [("PRON", str(generator.choice(["they", "we", "you"])))]
        if generator.integers(2):
            subject = [("DET", "the"), ("NOUN", str(generator.choice([*both, "cat", "dog"])))]
        verb = [("VERB", str(generator.choice([*both, "see", "eat"])))]
        rest = [("DET", "a"), ("NOUN", str(generator.choice([*both, "house", "tree"]))), ("PUNCT", ".")]
        pairs = [*subject, *verb, *rest]
        inputs.append([word for _, word in pairs])
        targets.append([tag for tag, _ in pairs])
    return inputs, targets
