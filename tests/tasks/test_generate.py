"""The task of language models: what is counted, intervals, paired tests, the toy language."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from erya import trial_texts
from erya.errors import DataError
from erya.tasks import generate
from erya.tasks.generate import Surprisal


def said(bits, *, unknown=None, spelling=None, characters=None):
    """A document whose units cost so many bits, the end the last."""
    count = len(bits) - 1
    return Surprisal(
        ["u"] * count,
        np.array(bits, dtype=np.float64),
        np.array(unknown if unknown is not None else [False] * count, dtype=bool),
        np.array(spelling if spelling is not None else [0.0] * count),
        characters if characters is not None else count + 1,
    )


def test_perplexity_is_one_at_best_and_the_vocabulary_for_the_uniform_guess():
    assert generate.scores([[said([0, 0, 0])]])["perplexity"].value == 1
    assert generate.scores([[said([math.log2(50)] * 9)]])["perplexity"].value == pytest.approx(50)
    assert said([3, 3]).perplexity == 8
    for bits in ([math.inf, 1], [3000.0, 3000.0]):  # finite, so that JSON can hold it
        assert said(bits).perplexity == generate.WORST


def test_bits_per_character_count_ends_and_spelling():
    one = said([2, 4, 3], unknown=[False, True], spelling=[0, 21], characters=10)
    assert one.bits_per_character == pytest.approx(3.0)
    other = said([1], characters=1)  # an empty document: its end
    found = generate.scores([[one, other]])
    assert found["bits_per_character"].value == pytest.approx(31 / 11)
    assert generate.headline([one, other]) == pytest.approx(31 / 11)
    assert found["perplexity"].value == pytest.approx(2 ** (10 / 4))  # without the spelling
    assert found["unknown"].value == pytest.approx(1 / 4)


def test_leaving_words_out_of_the_vocabulary_does_not_help():
    known = said([8, 8], characters=6)
    hidden = said(
        [1, 8], unknown=[True], spelling=[generate.spelling_bits("zebra", "abcdefghijklmnopqrstuvwxyz")], characters=6
    )
    assert hidden.perplexity < known.perplexity
    assert hidden.bits_per_character > known.bits_per_character


def test_spelling_is_a_code():
    assert generate.spelling_bits("ab", "ab") == pytest.approx(3 * math.log2(4))
    assert generate.spelling_bits("", "ab") == pytest.approx(2)
    assert generate.spelling_bits("aξ", {"a", "b"}) == pytest.approx(3 * 2 + math.log2(0x110000))
    # Kraft: all texts over the alphabet together have a probability of at most 1
    assert sum(2**size * 2 ** -generate.spelling_bits("a" * size, "ab") for size in range(50)) <= 1


def test_a_book_is_scored_in_blocks():
    bits = np.random.default_rng(0).exponential(5, size=20_501)
    book = said(bits)
    rows = generate.counted([book, said([1, 1])])
    assert len(rows.bits) == 21 + 1
    assert rows.units.sum() == 20_501 + 2
    assert rows.bits.sum() == pytest.approx(bits.sum() + 2)
    assert rows.characters.sum() == pytest.approx(20_501 + 2)
    assert rows.units[:-1].min() >= generate.BLOCK // 2
    score = generate.scores([[book]])["bits_per_character"]
    assert score.low < score.value < score.high
    assert score.value == pytest.approx(bits.mean())
    for size in (1, generate.BLOCK, generate.BLOCK + 1, generate.BLOCK * 3 // 2, generate.BLOCK * 3 // 2 + 1, 5000):
        assert generate.counted([said(np.ones(size))]).bits.sum() == size


def test_several_seeds_are_one_mean():
    first, second = [said([2, 2]), said([4, 4])], [said([3, 3]), said([5, 5])]
    assert generate.scores([first, second])["bits_per_character"].value == pytest.approx(3.5)


def test_paired_by_document():
    generator = np.random.default_rng(1)
    a = [said(generator.exponential(4, size=30)) for _ in range(60)]
    b = [said(one.bits * 1.1) for one in a]
    found = generate.paired_test(a, b)
    assert found.p_value < 0.01
    same = generate.paired_test(a, a)
    assert same.p_value == 1
    assert found.difference * generate.paired_test(b, a).difference < 0


def test_nothing_to_score():
    for call in (generate.headline, lambda runs: generate.scores([runs])):
        with pytest.raises(DataError):
            call([])


def test_letters_counted_one_by_one():
    train, test = ["aab", "b"], ["ab", ""]
    total = 4 + 2 + 2 + 2  # letters, ends, one more of each letter, of the end and of what is strange
    expected = -math.log2(3 / total) - math.log2(3 / total) - 2 * math.log2(3 / total)
    assert generate.baseline(train, test) == pytest.approx(expected / 4)
    strange = generate.baseline(train, ["ξ"])
    assert strange == pytest.approx((-math.log2(1 / total) + math.log2(0x110000) - math.log2(3 / total)) / 2)


def test_letters_of_pieces():
    whole = generate.baseline(["abcabc", "b"], ["cab"])
    pieces = [("abc", False), ("abc", True), ("b", True)]
    assert generate.baseline_of_pieces(pieces, ["cab"]) == whole
    assert generate.baseline_of_pieces(pieces, ["cab"], most=6) == generate.baseline(["abcabc"], ["cab"])


def test_the_toy_language():
    texts = generate.toy(3)
    assert texts == generate.toy(3) != generate.toy(4)
    assert len(texts) == 300
    verbs = Counter((text.split()[1], text.split()[2]) for text in texts if " " in text)
    assert all((noun.endswith("s")) != verb.endswith("s") for noun, verb in verbs)
    assert 3 < generate.baseline(texts, generate.toy(4)) < 5


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("a child walks to the garden and sings", "a child"),
        ("every morning she reads in the garden", "every"),
        ("the old man sings over the hill and far", "the old man"),
        ("hello world", "hello"),
        ("Supercalifragilisticexpialidocious is one word of them", "Supercalifra"),
        ("pneumonoultramicroscopic", "pneumono"),
        ("窗前明月光，疑是地上霜。举头望明月，低头思故乡。窗前明月光，疑是地上霜。", "窗前明月光，疑是地上霜。"),
        ("第一章 风雪惊变钱塘江浩浩江水日日夜夜无穷无休的从临安牛家村边绕过", "第一章 风雪惊变钱塘江"),
        ("ab", "a"),
    ],
)
def test_beginnings_that_are_gone_on_with_are_of_whole_words(text, beginning):
    assert trial_texts._beginning(text) == beginning
