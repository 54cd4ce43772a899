"""The bricks of the networks: batches of distinct tokens, Adam by rows, dropout, held-out texts, occlusion, torch's mode."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from erya.errors import ResourceError, UsageError
from erya.parts import torch_mode as torch_mode_module
from erya.parts.adam import Adam
from erya.parts.dropout import dropout
from erya.parts.held_out import Reading, corpora
from erya.parts.occlusion import log_odds, occlusion
from erya.parts.token_batches import Corpus
from erya.parts.torch_mode import need_torch, torch_mode
from erya.progress import Report, quiet
from erya.tasks import classify
from erya.text.tokenizers import Words

TEXTS = [[4, 2, 4], [], [7, 3, 2, 2, 5], [5], [2, 3, 4]]


def test_a_batch_holds_its_texts_longest_first():
    corpus = Corpus(TEXTS, 9, np.arange(5), np.array([1.0, 1.0, 2.0, 0.5, 0.5]))
    batch = corpus.batch(np.array([1, 2, 0, 3]))
    assert batch.rows.tolist() == [2, 0, 3, 1]
    assert batch.lengths.tolist() == [5, 3, 1, 0]
    assert batch.tokens.tolist() == [0, 2, 3, 4, 5, 7]
    assert batch.token_count == 9
    assert batch.targets.tolist() == [2, 0, 3, 1]
    assert batch.weights.tolist() == [2.0, 1.0, 0.5, 1.0]
    for row, places, length in zip(batch.rows, batch.places, batch.lengths, strict=True):
        assert batch.tokens[places[:length]].tolist() == TEXTS[row]
        assert not places[length:].any()


def test_an_epoch_holds_every_text_once_and_depends_on_its_seed_alone():
    generator = np.random.default_rng(0)
    corpus = Corpus([[1] * size for size in generator.integers(0, 40, size=503)], 2)
    order = corpus.shuffled(4, [7, 1])
    assert sorted(np.concatenate(order).tolist()) == list(range(503))
    assert [rows.tolist() for rows in order] == [rows.tolist() for rows in corpus.shuffled(4, [7, 1])]
    assert [rows.tolist() for rows in order] != [rows.tolist() for rows in corpus.shuffled(4, [7, 2])]
    spread = [int(np.ptp(corpus.lengths[rows])) for rows in order]
    mixed = generator.permutation(503)[:500].reshape(-1, 4)
    assert np.mean(spread) < np.ptp(corpus.lengths[mixed], axis=1).mean() / 2, "of like length, not sorted through"
    assert sorted(row for batch in corpus.in_order(8) for row in batch.rows.tolist()) == list(range(503))


def test_dropout_keeps_the_mean_and_is_repeatable():
    values = torch.ones(400, 250)
    dropped = dropout(values, 0.3, torch.Generator().manual_seed(1))
    assert float(dropped.mean()) == pytest.approx(1, abs=0.01)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert torch.equal(dropped, dropout(values, 0.3, torch.Generator().manual_seed(1)))
    assert dropout(values, 0.3, None) is values
    assert dropout(values, 0.0, torch.Generator()) is values


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_is_torchs_adamw_where_everything_is_touched(decay):
    start = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    dense, rows, peer = (torch.nn.Parameter(start.clone()) for _ in range(3))
    ours = Adam([dense, rows], 0.05, weight_decay=decay)
    theirs = torch.optim.AdamW([peer], 0.05, weight_decay=decay)
    generator = torch.Generator().manual_seed(2)
    for _ in range(20):
        gradient = torch.randn(5, 3, generator=generator)
        dense.grad, peer.grad = gradient.clone(), gradient.clone()
        order = torch.randperm(5, generator=generator)
        rows.grad = torch.sparse_coo_tensor(order[None], gradient[order], (5, 3), check_invariants=True)
        ours.step()
        theirs.step()
    torch.testing.assert_close(dense, peer, atol=1e-6, rtol=0)
    torch.testing.assert_close(rows, peer, atol=1e-6, rtol=0)


def test_adam_leaves_untouched_rows_alone_and_gives_each_its_clock():
    table = torch.nn.Parameter(torch.ones(4, 2))
    optimizer = Adam([table], 0.1)
    for step in range(6):
        rows = torch.tensor([0, 3]) if step == 5 else torch.tensor([0])
        vectors = functional.embedding(rows, table, sparse=True)
        optimizer.zero_grad()
        (vectors * 3).sum().backward()
        optimizer.step()
    assert table[1:3].tolist() == [[1, 1], [1, 1]]
    # a first step of Adam is the learning rate, at whatever step of the others it is taken
    torch.testing.assert_close(table[3].detach(), torch.full((2,), 0.9), atol=1e-6, rtol=0)
    assert optimizer.state[table]["clock"].tolist() == [6, 0, 0, 1]


def test_a_tenth_is_held_out_of_every_class():
    X = [f"text {number}" for number in range(200)]
    y = ["a"] * 150 + ["b"] * 45 + ["c"] * 5
    examples = classify.examples(X, y)

    def split(seed, **settings):
        options = {"min_count": 1, "patience": 2, **settings}
        return corpora(examples, options.pop("validation", None), Words(), Reading(seed=seed, **options), quiet)

    vocabulary, learned, listened, _ = split(0)
    assert np.bincount(listened.targets.numpy(), minlength=3).tolist() == [15, 4, 0]
    assert len(learned) + len(listened) == 200
    held = {vocabulary.tokens[0]} | set(vocabulary.tokens)
    assert sum(str(number) in held for number in range(200)) == len(learned), "words of held-out texts are unknown"
    assert not np.array_equal(split(1)[2].ids, listened.ids) or split(1)[0].tokens != vocabulary.tokens
    assert split(0, patience=None)[2] is None
    given = split(0, validation=(["text 1", "new"], ["b", "unseen"]))
    assert len(given[1]) == 200
    assert given[2].targets.tolist() == [1, -1]
    with pytest.raises(UsageError):
        split(0, validation=(["one"], ["a", "b"]))
    with pytest.raises(UsageError):
        split(0, validation="dev.csv")


def test_few_rows_are_all_learned_from():
    examples = classify.examples(["x", "y"] * 20, ["a", "b"] * 20)
    assert corpora(examples, None, Words(), Reading(1, 2, 0), quiet)[2] is None


def test_what_is_held_out_is_said():
    class Listening(Report):
        sentences: list[str] = []  # noqa: RUF012

        def note(self, sentence):
            self.sentences.append(sentence)

    examples = classify.examples(["x", "y"] * 100, ["a", "b"] * 100)
    corpora(examples, None, Words(), Reading(1, 2, 0), Listening())
    assert "20 of 200" in Listening.sentences[0]


def by_counting(lists):
    """A model whose log odds of "good" are the words "good" in the text, less the words "bad"."""
    odds = np.array([tokens.count("good") - tokens.count("bad") for tokens in lists], dtype=np.float64)
    return np.stack([-np.logaddexp(0, odds), -np.logaddexp(0, -odds)], axis=1)


def test_occlusion_finds_what_a_token_adds():
    classes = np.array(["bad", "good"])
    text = "Good soup, bad salt, good 汤"
    found = occlusion("classify/x", Words(), text, classes, None, by_counting)
    heat = found.views[0]
    assert [text[start:end] for start, end in heat.spans] == ["Good", "soup", ",", "bad", "salt", ",", "good", "汤"]
    np.testing.assert_allclose(heat.values, [1, 0, 0, -1, 0, 0, 1, 0], atol=1e-9)
    against = occlusion("classify/x", Words(), text, classes, "bad", by_counting)
    np.testing.assert_allclose(against.views[0].values, -np.asarray(heat.values), atol=1e-9)
    assert len(occlusion("classify/x", Words(), "", classes, None, by_counting).arrays["contributions"]) == 0
    with pytest.raises(UsageError, match="no label"):
        occlusion("classify/x", Words(), text, classes, "ugly", by_counting)


def test_occlusion_of_a_long_text_asks_a_bounded_number_of_questions():
    asked = []

    def answer(lists):
        asked.extend(lists)
        return by_counting(lists)

    found = occlusion("classify/x", Words(), "soup " * 3000 + "good", np.array(["bad", "good"]), "good", answer)
    assert len(asked) <= 401
    values = found.arrays["contributions"]
    assert values.sum() == pytest.approx(1)
    assert values[:2900].sum() == pytest.approx(0, abs=1e-9)


def test_log_odds_keep_their_digits_near_certainty():
    shares = np.array([[-1e-20, -46.0, -47.0]])
    assert log_odds(shares, 0)[0] == pytest.approx(46 - np.log1p(np.exp(-1.0)), rel=1e-9)


def test_torchs_mode_is_put_back(monkeypatch):
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    monkeypatch.setenv("ERYA_THREADS", "3")
    with pytest.raises(ZeroDivisionError), torch_mode():  # noqa: PT012
        assert torch.get_num_threads() == 3
        assert torch.are_deterministic_algorithms_enabled()
        raise ZeroDivisionError
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_fewer_threads_stay_fewer(monkeypatch):
    monkeypatch.delenv("ERYA_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch_mode():
            assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_without_torch_the_help_can_be_pasted(monkeypatch):
    monkeypatch.setattr(torch_mode_module, "find_spec", lambda name: None)
    with pytest.raises(ResourceError, match="PyTorch") as caught:
        need_torch("classify/lstm")
    assert caught.value.code == "extra-missing"
    assert caught.value.exit == 5
    assert caught.value.help.startswith('pip install "erya[neural]"')


def test_very_long_texts_are_learned_from_in_pieces_and_none_is_cut(monkeypatch):
    monkeypatch.setattr("erya.parts.held_out.LONGEST", 4)
    sentences = []

    class Listening(Report):
        def note(self, sentence):
            sentences.append(sentence)

    X = ["one two three four five six seven eight nine", "one", ""]
    examples = classify.examples(X, ["a", "b", "a"], sample_weight=[3.0, 1.0, 1.0])
    _, learned, _, _ = corpora(examples, None, Words(), Reading(1, 2, 0), Listening())
    assert learned.lengths.tolist() == [4, 4, 1, 1, 0]
    assert learned.targets.tolist() == [0, 0, 0, 1, 0]
    np.testing.assert_allclose(learned.weights.numpy(), np.ones(5))
    assert "1 text of" in sentences[0]


def test_batches_of_long_texts_hold_fewer(monkeypatch):
    monkeypatch.setattr("erya.parts.token_batches.TOKENS_A_STEP", 100)
    corpus = Corpus([[1] * 30] * 20, 2)
    assert max(len(rows) for rows in corpus.shuffled(8, [0])) == 3
