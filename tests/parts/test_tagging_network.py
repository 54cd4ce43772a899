"""The bricks of the networks that tag: units, batches, characters, plain descent, scores for early stopping."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from erya.parts.character_layers import convolved, spelled_out
from erya.parts.epochs import OPTIMIZERS
from erya.parts.keyed_vectors import KeyedVectors
from erya.parts.pretrained_vectors import opened
from erya.parts.sgd import SGD, Momentum
from erya.parts.tag_batches import TagCorpus
from erya.parts.tagger_answers import Judge
from erya.parts.token_units import CASES, LETTERS, Lexicon, case_of, read_of, with_lower_case

SENTENCES = [["Anna", "saw", "IBM"], ["saw"], ["Anna", "and", "anna", "saw", "x"], ["and", "and"]]
WORDS, WIDTH, LETTER_DIM, FILTERS, WINDOW = 5, 7, 4, 6, 3


def lexicon(**settings):
    told = {"min_count": 1, "lower_case": False, "paired": False, "spelled": True, **settings}
    return Lexicon.of(SENTENCES, **told)


# ---- units -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "case"),
    [
        ("paris", "lower"),
        ("Paris", "title"),
        ("I", "title"),
        ("IBM", "upper"),
        ("iPhone", "mixed"),
        ("McDonald", "mixed"),
        ("1996", "digits"),
        ("1,000", "digits"),
        ("A4", "digits among others"),
        ("王", "no case"),
        ("--", "marks"),
        ("Ärger", "title"),
    ],
)
def test_case(token, case):
    assert CASES[case_of(token)] == case


def test_every_distinct_token_is_one_unit():
    units, codes, starts = lexicon().numbered(SENTENCES)
    assert starts.tolist() == [0, 3, 4, 9, 11]
    assert codes.tolist() == [1, 2, 3, 2, 1, 4, 5, 2, 6, 4, 4]
    assert len(units.words) == 7
    assert units.words[0] == units.sizes[0] == units.cases[0] == 0
    assert units.words[1] != units.words[5], "Anna and anna are two words"
    assert units.sizes.tolist() == [0, 4, 3, 3, 3, 4, 1]
    assert not units.characters[2, 3:].any()


def test_unknown_words_are_looked_up_in_lower_case():
    found = lexicon().numbered([["SAW", "Saw", "never", "IBM", "ibm"]])[0].words[1:]
    index = lexicon().words.index
    assert found.tolist() == [index["saw"], index["saw"], 1, index["IBM"], 1]
    lowered = lexicon(lower_case=True)
    assert "IBM" not in lowered.words
    assert lowered.numbered([["IBM"]])[0].words[1] == lowered.words.index["ibm"]


def test_with_pairs_a_unit_is_a_token_and_its_neighbour():
    sentences = [["中", "国"], ["中", "文"], ["中"]]
    built = Lexicon.of(sentences, min_count=1, lower_case=False, paired=True, spelled=False)
    units, codes, _ = built.numbered([*sentences, ["中", "山"]])
    assert codes.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert len(set(units.words[[1, 3, 5, 6]].tolist())) == 1
    assert len(set(units.pairs[[1, 3, 5]].tolist())) == 3
    assert units.pairs[6] == 1, "a pair that training never showed"
    assert units.characters.shape == (8, 0)


def test_only_the_ends_of_an_endless_token_are_read():
    assert read_of("a" * 100 + "b" * 5000) == "a" * 24 + "b" * 24
    assert lexicon().numbered([["a" * 5000]])[0].characters.shape == (2, LETTERS)


def test_vectors_know_words_in_lower_case_and_give_more_words():
    table = opened(KeyedVectors.of(["anna", "ibm", "IBM", "far", "farther"], np.eye(5)))
    found = with_lower_case(table, ["Anna", "IBM", "nobody"])
    assert found.rows["Anna"] == 0
    assert found.rows["IBM"] == 2
    assert "nobody" not in found.rows
    built = lexicon(min_count=9, vectors=found, extra_words=4)
    assert set(built.words.tokens[2:]) == {"Anna", "IBM", "anna", "ibm", "far"}
    assert built.words.counts[built.words.index["far"]] == 0


def test_a_lexicon_comes_back_and_a_hostile_one_does_not():
    built = lexicon(paired=True)
    again = Lexicon.restored(built.to_arrays(), built.to_plain())
    assert [part.tokens for part in (again.words, again.characters, again.pairs)] == [
        part.tokens for part in (built.words, built.characters, built.pairs)
    ]
    with pytest.raises(ValueError):
        Lexicon.restored(built.to_arrays(), built.to_plain() | {"paired": 1})
    with pytest.raises(KeyError):
        Lexicon.restored(built.to_arrays(), {})


# ---- batches -----------------------------------------------------------------------------------------------------------


def test_a_batch_holds_its_sentences_longest_first():
    tags = np.arange(11)
    corpus = TagCorpus(SENTENCES, lexicon(), tags, np.array([1.0, 2.0, 3.0, 2.0]), word_dropout=1.0)
    batch = corpus.batch(np.array([0, 1, 2]))
    assert batch.lengths.tolist() == [5, 3, 1]
    assert batch.starts.tolist() == [0, 5, 8, 9]
    assert batch.tokens.tolist() == batch.tags.tolist() == [4, 5, 6, 7, 8, 0, 1, 2, 3]
    assert batch.weights.tolist() == [1.5, 0.5, 1.0]
    assert batch.token_count == 9
    units, codes, _ = lexicon().numbered(SENTENCES)
    assert batch.words[batch.flat_places].tolist() == units.words[codes[batch.tokens]].tolist()
    doubts = dict(zip(batch.words.tolist(), batch.doubts.tolist(), strict=True))
    index = lexicon().words.index
    assert doubts[index["x"]] == pytest.approx(1 / 2)
    assert doubts[index["saw"]] == pytest.approx(1 / 4)
    assert doubts[0] == 0


def test_a_sentence_without_end_is_read_in_pieces():
    corpus = TagCorpus(SENTENCES, lexicon(), np.arange(11), np.array([1.0, 1.0, 2.0, 1.0]), longest=2)
    assert len(corpus) == 7
    batches = list(corpus.in_order(3, 1000))
    assert sorted(np.concatenate([batch.tokens for batch in batches]).tolist()) == list(range(11))
    assert max(int(batch.lengths.max()) for batch in batches) == 2
    assert corpus.batch(np.array([2, 3])).weights.tolist() == [1.6, 0.8], "longest first"


# ---- characters ----------------------------------------------------------------------------------------------------------


def spelling(seed=0):
    """Words of 0 to 7 letters: (U, W), (U,)."""
    generator = np.random.default_rng(seed)
    sizes = np.array([3, 7, 0, 1, 2])
    characters = generator.integers(1, 9, (WORDS, WIDTH))
    characters[np.arange(WIDTH) >= sizes[:, None]] = 0
    return torch.from_numpy(characters), torch.from_numpy(sizes)


def random(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def test_the_convolution_is_the_naive_one():
    characters, sizes = spelling()
    letters, filters, bias = random(9, LETTER_DIM), random(WINDOW, LETTER_DIM, FILTERS, seed=2), random(FILTERS, seed=3)
    letters[0] = 0
    found = convolved(characters, sizes, letters, filters, bias)
    for row in range(WORDS):
        word = characters[row, : sizes[row]].tolist()
        answers = []
        for place in range(len(word)):
            total = bias.clone()
            for offset in range(WINDOW):
                neighbour = place + offset - WINDOW // 2
                if 0 <= neighbour < len(word):
                    total += letters[word[neighbour]] @ filters[offset]
            answers.append(torch.tanh(total))
        naive = torch.stack(answers).amax(dim=0) if answers else torch.zeros(FILTERS, dtype=torch.double)
        torch.testing.assert_close(found[row], naive, atol=1e-12, rtol=0)
    assert convolved(characters[:, :0], sizes * 0, letters, filters, bias).abs().sum() == 0


def test_the_readers_of_characters_are_torchs():
    characters, sizes = spelling()
    units = 3
    letters, into = random(9, LETTER_DIM), random(LETTER_DIM, 2, 4 * units, seed=2)
    recurrent, bias = random(2, units, 4 * units, seed=3), random(2, 4 * units, seed=4)
    found = spelled_out(characters, sizes, letters, (into, recurrent, bias))
    twin = torch.nn.LSTM(LETTER_DIM, units, batch_first=True, bidirectional=True).double()
    columns = torch.cat(
        [torch.arange(units) + units * block for block in [0, 1, 3, 2]]
    )  # torch: i f g o, here: i f o g
    with torch.no_grad():
        for reader, name in enumerate(("l0", "l0_reverse")):
            getattr(twin, f"weight_ih_{name}").copy_(into[:, reader].T[columns])
            getattr(twin, f"weight_hh_{name}").copy_(recurrent[reader].T[columns])
            getattr(twin, f"bias_ih_{name}").copy_(bias[reader][columns])
            getattr(twin, f"bias_hh_{name}").zero_()
        for row in range(WORDS):
            word = characters[row, : sizes[row]]
            if not len(word):
                assert not found[row].any()
                continue
            _, (last, _) = twin(letters[word][None])
            torch.testing.assert_close(found[row], last[:, 0].flatten(), atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", ["cnn", "lstm"])
def test_company_changes_no_word(kind):
    characters, sizes = spelling()
    letters = random(9, LETTER_DIM)
    letters[0] = 0
    weights = random(LETTER_DIM, 2, 8, seed=2), random(2, 2, 8, seed=3), random(2, 8, seed=4)
    filters, bias = random(WINDOW, LETTER_DIM, FILTERS, seed=2), random(FILTERS, seed=3)

    def features(rows):
        length = int(sizes[rows].max())
        some = characters[rows][:, :length], sizes[rows], letters
        return convolved(*some, filters, bias) if kind == "cnn" else spelled_out(*some, weights)

    together = features(torch.arange(WORDS))
    for row in range(WORDS):
        torch.testing.assert_close(features(torch.tensor([row]))[0], together[row], atol=1e-12, rtol=0)


def test_gradients_of_the_convolution():
    characters, sizes = spelling()
    given = random(9, LETTER_DIM), random(WINDOW, LETTER_DIM, FILTERS, seed=2), random(FILTERS, seed=3)

    def answer(letters, filters, bias):
        return convolved(characters, sizes, letters, filters, bias)

    assert torch.autograd.gradcheck(answer, tuple(one.requires_grad_() for one in given))


# ---- descent ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "momentum"), [("sgd", 0.0), ("momentum", 0.9)])
def test_plain_descent_is_torchs(name, momentum):
    mine, theirs = (torch.nn.Parameter(random(4, 3)) for _ in range(2))
    own = OPTIMIZERS[name]([mine], 0.1, weight_decay=0.02)
    twin = torch.optim.SGD([theirs], lr=0.1, momentum=momentum, weight_decay=0.02)
    for step in range(5):
        gradient = random(4, 3, seed=step + 2)
        mine.grad, theirs.grad = gradient.clone(), gradient.clone()
        own.step()
        twin.step()
    torch.testing.assert_close(mine.detach(), theirs.detach(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", [SGD, Momentum])
def test_plain_descent_touches_the_rows_of_a_sparse_gradient_alone(kind):
    table = torch.nn.Parameter(random(5, 3))
    before, optimizer = table.detach().clone(), kind([table], 0.1)
    for _ in range(2):
        rows = torch.nn.functional.embedding(torch.tensor([1, 3]), table, sparse=True)
        optimizer.zero_grad()
        (rows * torch.tensor([[1.0], [2.0]], dtype=torch.double)).sum().backward()
        optimizer.step()
    moved = table.detach() - before
    torch.testing.assert_close(moved[:, 0], torch.tensor([0, -0.2, 0, -0.4, 0], dtype=torch.double))


# ---- scores ----------------------------------------------------------------------------------------------------------------


class Answering:
    """A network that gives the true tags but for some."""

    def __init__(self, path):
        self.path, self.body = path, SimpleNamespace(classes=3)

    def __call__(self, batch):
        return torch.zeros(len(batch.tokens), 3)

    def decoded(self, emissions, starts):
        return self.path

    def losses(self, emissions, starts, tags):
        assert (tags >= 0).all()
        return np.arange(len(starts) - 1, dtype=np.float64)


def test_early_stopping_listens_to_spans_or_tokens():
    tags = np.array([0, 1, 2, 2, 0, 1, 1, 2, 2, -1, 2])  # B-X I-X O | O | B-X I-X I-X O O | ? O
    wrong = tags.copy()
    wrong[6], wrong[9] = 2, 2
    corpus = TagCorpus(SENTENCES, lexicon(), tags)
    found = Judge(np.array(["B-X", "I-X", "O"]), "iob2")(Answering(wrong), corpus)
    assert found["validation_f1"] == pytest.approx(2 * 1 / (3 + 2))  # of 3 spans, one of them unheard of; 2 answered
    assert found["validation_accuracy"] == pytest.approx(9 / 11)
    assert found["validation_loss"] == pytest.approx((0 + 1 + 2) / 9), "of the sentences whose tags are all known"
    plain = Judge(np.array(["DET", "NOUN", "VERB"]), "none")(Answering(wrong), corpus)
    assert set(plain) == {"validation_accuracy", "validation_loss"}
