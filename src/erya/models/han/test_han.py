from __future__ import annotations

import doctest
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from erya import catalog
from erya.errors import Interrupted, UsageError
from erya.models.han.estimator import HAN
from erya.models.han.network import Form, HierarchicalAttention, Reader
from erya.models.han.sentences import kinds, split
from erya.parts.network_gradients import token_shares
from erya.parts.token_batches import Corpus
from erya.progress import Report
from erya.tasks import classify
from erya.text.tokenizers import Words

VOCABULARY, DIM, CLASSES = 11, 3, 7
FORM = Form(hidden_width=2, attention_width=5, most_words=4)
END, CLOSE = 9, 10  # ids of what ends a sentence and of what closes one
TEXTS = [[1, 2, END, 3, 4, 2, END], [4, 5, 6, 7, 2, 2, 3, END, END, CLOSE, 3], [], [8], [END, 3, CLOSE, 8, END]]


def corpus(texts=TEXTS):
    return Corpus(texts, VOCABULARY, np.arange(len(texts)), np.linspace(1, 2, len(texts)))


def everything(texts=TEXTS):
    return corpus(texts).batch(np.arange(len(texts)))


def network(form=FORM):
    net = HierarchicalAttention(VOCABULARY, DIM, CLASSES, form, torch.Generator().manual_seed(5)).double()
    with torch.no_grad():
        net.embedding[1:] *= 20  # sentences that differ
    net.know_sentences(np.array([0.0] * 9 + [1.0, 2.0], dtype=np.float32))
    return net


def sentences_of(*texts, most=50):
    """What ``split`` makes of texts, as lists of tokens."""
    found = []
    for text in texts:
        tokens = Words().tokens(text)
        some = split(torch.from_numpy(kinds(tokens))[None], torch.ones(1, len(tokens), dtype=torch.bool), most)
        spans = zip(some.start.tolist(), some.length.tolist(), strict=True)
        found.append([" ".join(tokens[start : start + length]) for start, length in spans])
    return found if len(found) > 1 else found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rains. We stay!", ["it rains .", "we stay !"]),
        ("Really?! Yes... no", ["really ? !", "yes . . .", "no"]),
        (
            'He said "stop." Then (so it is told.) he left.',
            ['he said " stop . "', "then ( so it is told . )", "he left ."],
        ),
        ("下雨了。我们不去！“好吗？”她问。", ["下 雨 了 。", "我 们 不 去 ！", "“ 好 吗 ？ ”", "她 问 。"]),
        ("她说：「走吧。」就走了……", ["她 说 ： 「 走 吧 。 」", "就 走 了 … …"]),
        ("no end", ["no end"]),
        (") a . ", [") a ."]),
        (".", ["."]),
        ("", []),
    ],
)
def test_sentences(text, expected):
    assert sentences_of(text) == expected


def test_a_long_sentence_is_read_in_pieces():
    assert sentences_of("a b c d e. f g h", most=3) == ["a b c", "d e .", "f g h"]
    assert sentences_of("a b c d", most=1) == ["a", "b", "c", "d"]


def test_sentences_of_a_batch_are_those_of_its_texts():
    batch, net = everything(), network()
    found = net.split(batch)
    for place, row in enumerate(batch.rows.tolist()):
        alone = net.split(everything([TEXTS[row]]))
        mine = found.text == place
        assert found.start[mine].tolist() == alone.start.tolist()
        assert found.length[mine].tolist() == alone.length.tolist()
        assert int(found.length[mine].sum()) == len(TEXTS[row]), "each token in one sentence"


def by_hand(reader, vectors):
    """A reader with torch's GRU and the formula, one sequence (T, width) at a time: its vector and the weights."""
    width = reader.recurrent.shape[1]
    twin = torch.nn.GRU(vectors.shape[1], width, bidirectional=True, batch_first=True).double()
    with torch.no_grad():
        for direction, suffix in enumerate(("_l0", "_l0_reverse")):
            getattr(twin, f"weight_ih{suffix}").copy_(reader.input[:, direction].T)
            getattr(twin, f"weight_hh{suffix}").copy_(reader.recurrent[direction].T)
            getattr(twin, f"bias_ih{suffix}").copy_(reader.bias[direction])
            getattr(twin, f"bias_hh{suffix}").zero_()
        states = twin(vectors[None])[0][0]  # (T, 2H)
        said = torch.tanh(states @ reader.attention.matrix + reader.attention.bias)
        weights = torch.softmax(said @ reader.attention.question, dim=0)
    return weights @ states, weights


def test_the_forward_pass_by_hand():
    """Document by document, sentence by sentence, with torch's GRU."""
    net, batch = network(), everything()
    with torch.no_grad():
        for value in (net.words.bias, net.sentences.bias, net.words.attention.bias):
            value.normal_(generator=torch.Generator().manual_seed(len(value)))
    logits = net(batch).detach()
    expected_sentences = {0: [(0, 3), (3, 4)], 1: [(0, 4), (4, 4), (8, 2), (10, 1)], 3: [(0, 1)], 4: [(0, 1), (1, 4)]}
    for place, row in enumerate(batch.rows.tolist()):
        if row == 2:
            torch.testing.assert_close(logits[place], net.output_bias.detach())
            continue
        vectors = net.embedding.detach()[TEXTS[row]]
        spans = [(int(s), int(n)) for t, s, n in zip(*net.split(batch), strict=True) if int(t) == place]
        assert spans == expected_sentences[row]
        sentences = torch.stack([by_hand(net.words, vectors[start : start + size])[0] for start, size in spans])
        document, _ = by_hand(net.sentences, sentences)
        torch.testing.assert_close(
            logits[place], document @ net.output.detach() + net.output_bias.detach(), atol=1e-12, rtol=0
        )


def test_gradients_are_those_of_finite_differences():
    net, batch, step = network(), everything(), 1e-5
    for name, value in net.named_parameters():
        if not value.requires_grad:
            continue
        gradient = torch.autograd.grad(net.loss(batch), value)[0].to_dense()
        direction = torch.randn(value.shape, dtype=torch.double, generator=torch.Generator().manual_seed(3))
        if name == "embedding":
            direction[0] = 0
            assert not gradient[0].any(), "padding learns nothing"
        with torch.no_grad():
            value += step * direction
            above = float(net.loss(batch))
            value -= 2 * step * direction
            below = float(net.loss(batch))
            value += step * direction
        slope = (above - below) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(slope, abs=1e-7), name


def test_padding_and_company_change_nothing():
    net, whole, batch = network().float(), corpus(), everything()
    together = torch.zeros(len(TEXTS), CLASSES)
    together[batch.rows] = net(batch).detach()
    for row in range(len(TEXTS)):
        torch.testing.assert_close(net(whole.batch(np.array([row])))[0].detach(), together[row], atol=1e-5, rtol=0)


def test_an_empty_sequence_has_no_weight():
    reader = Reader(DIM, FORM, torch.Generator().manual_seed(1))
    table = torch.randn(4, DIM, generator=torch.Generator().manual_seed(2))
    found, weights = reader(table, torch.tensor([[0, 0], [1, 2], [3, 0]]), torch.tensor([0, 2, 1]))
    assert (found[0] == 0).all()
    assert (weights[0] == 0).all()
    torch.testing.assert_close(weights[1:].sum(dim=1), torch.ones(2))
    assert weights[2, 1] == 0


def test_integrated_gradients_keep_the_sentences():
    """The shares sum to F(x) − F(x') only where the text is split as it is when it is answered."""
    net = network()
    for ids in (TEXTS[0], TEXTS[1]):
        shares, difference = token_shares(net, ["embedding"], ids, 2, 200)
        nothing = network()
        with torch.no_grad():
            nothing.embedding.zero_()
            batch = everything([ids])
            expected = float(net(batch)[0, 2] - nothing(batch)[0, 2])
        assert difference == pytest.approx(expected, abs=1e-12)
        assert shares.sum() == pytest.approx(difference, abs=1e-4)


def test_a_fitted_model_knows_its_sentences_and_keeps_them():
    X, y = classify.toy(seed=1, rows=60)
    X = [f"{text} . really ? yes" for text in X]
    model = catalog.model("classify/han", "tiny", {"epochs": 2}).fit(X, y)
    known = model.network_.kinds.numpy()
    assert [model.vocabulary_.tokens[number] for number in np.flatnonzero(known)] != []
    again = HAN(**model.get_params())
    again.set_state(model.state())
    assert np.array_equal(again.network_.kinds.numpy(), known)
    assert not again.network_.kinds.requires_grad
    assert model.trace(X[0]).arrays["starts"].shape == (3,)
    more = model.partial_fit(X[:30], y[:30])
    assert np.array_equal(more.network_.kinds.numpy(), known)


def test_the_trace_is_the_forward_pass():
    X, y = classify.toy(seed=1, rows=60)
    model = catalog.model("classify/han", "tiny", {"epochs": 2}).fit([f"{text} . yes !" for text in X], y)
    for text, sentences, tokens in (("the soup is tasty . yes ! the rain", 3, 9), ("soup", 1, 1), ("", 0, 0)):
        trace = model.trace(text)
        arrays = trace.arrays
        assert arrays["starts"].shape == arrays["sentence_weights"].shape == (sentences,)
        assert arrays["word_weights"].shape == (tokens,)
        total = np.add.reduceat(arrays["word_weights"], arrays["starts"]) if tokens else np.zeros(0)
        np.testing.assert_allclose(total, 1, atol=1e-6)
        assert arrays["shares"].sum() == pytest.approx(1.0 if tokens else 0.0, abs=1e-6)
        np.testing.assert_allclose(arrays["probabilities"], model.predict_proba([text])[0], atol=1e-6)
        output, bias = model.network_.output.detach().numpy(), model.network_.output_bias.detach().numpy()
        np.testing.assert_allclose(arrays["features"] @ output + bias, arrays["logits"], atol=1e-5)
        assert trace.text(color=False)
        assert "<" in trace.html()


def test_memory_is_that_of_the_tokens():
    """A text of one long sentence beside many short ones: what is padded stays below most_words times the sentences."""
    texts = [[2] * 3000, *[[3, END]] * 50]
    found = network(FORM._replace(most_words=50)).split(everything(texts))
    assert int(found.length.max()) == 50
    assert len(found.length) == math.ceil(3000 / 50) + 50


@pytest.mark.parametrize(
    ("name", "wrong"), [("hidden_width", 0), ("most_words", 0), ("attention_width", 1.5), ("word_dropout", 1.0)]
)
def test_settings_out_of_range(name, wrong):
    with pytest.raises(UsageError, match=name):
        HAN(**{name: wrong}).fit(*classify.toy(rows=30))


class StopAt(Report):
    """Asks to stop after so many steps and keeps the checkpoint; gives it back when training begins again."""

    def __init__(self, step=None, checkpoint=None):
        self.step, self.checkpoint, self.steps = step, checkpoint, 0

    def stopping(self):
        self.steps += 1
        return "interrupt" if self.steps == self.step else None

    def save_checkpoint(self, state):
        self.checkpoint = state

    def load_checkpoint(self):
        return self.checkpoint


def test_resuming_ends_with_the_same_bits():
    X, y = classify.toy(seed=2, rows=100)
    X = [f"{text} . so" for text in X]
    settings = {"dim": 6, "hidden_width": 4, "attention_width": 5, "epochs": 2, "batch_size": 16}
    whole = HAN(**settings).fit(X, y)
    report = StopAt(7)
    with pytest.raises(Interrupted):
        HAN(**settings).fit(X, y, report=report)
    again = HAN(**settings).fit(X, y, report=StopAt(None, report.checkpoint))
    assert again.fingerprint() == whole.fingerprint()


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_computes_what_it_says(name):
    path = Path(__file__).parent / name
    failures, tried = doctest.testfile(str(path), module_relative=False, encoding="utf-8")
    assert tried
    assert not failures
