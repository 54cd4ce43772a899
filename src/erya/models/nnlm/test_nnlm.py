"""The windows are those of the paper: equation 1 by hand, no look over a border, the same in batches, alone and step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from erya.errors import UsageError
from erya.models.nnlm.estimator import NNLM
from erya.models.nnlm.network import Windows, _within
from erya.parts.stream_batches import StreamBatches
from erya.tasks import generate

V, D, H, N = 7, 3, 5, 4  # n − 1 = 3 units before


@pytest.fixture(
    params=[(True, False), (False, False), (True, True), (False, True)],
    ids=["direct", "hidden alone", "direct, tied", "hidden alone, tied"],
)
def network(request):
    direct, tied = request.param
    found = Windows(V, D, H, N - 1, direct, generator=torch.Generator().manual_seed(1), tied=tied).double()
    for name in ("straight", "output") if direct else ():  # begins with zeros
        if getattr(found, name) is not None:
            getattr(found, name).data.normal_(generator=torch.Generator().manual_seed(2))
    return found


def by_hand(network, window):
    """Equation 1 of the paper, with loops; tied, U = C Pᵀ and W = C Qᵀ."""
    weights = {name: values.detach().numpy() for name, values in network.named_parameters()}
    x = np.concatenate([weights["embedding"][unit] for unit in window])
    hidden = np.tanh(weights["hidden_bias"] + x @ weights["input"])
    if "output" in weights:
        u, w = weights["output"][:, :H], weights["output"][:, H:]
    else:
        u, w = (
            weights["embedding"] @ weights["narrow"].T,
            weights["embedding"] @ weights.get("straight", np.zeros((1, D))).T,
        )
    y = weights["output_bias"] + u @ hidden
    if network.direct:
        y = y + w @ x
    return y - np.log(np.exp(y).sum())


def test_the_equation(network):
    window = [3, 0, 5]
    _, rows = network.decoder().start([[2, 4]])
    assert np.allclose(rows[0], by_hand(network, [0, 2, 4]))
    assert np.allclose(np.exp(rows).sum(), 1)
    states = network.states(torch.tensor([window]))
    logits = states @ network.table.T + network.output_bias
    assert np.allclose(torch.log_softmax(logits, 1).detach().numpy()[0], by_hand(network, [0, 0, 5])), (
        "3 lies before a border"
    )


def test_windows_end_at_the_border():
    windows = torch.tensor([[1, 2, 3], [1, 0, 3], [0, 0, 3], [4, 5, 0], [0, 2, 0]])
    assert _within(windows).tolist() == [[1, 2, 3], [0, 0, 3], [0, 0, 3], [0, 0, 0], [0, 0, 0]]


def test_a_batch_sums_what_is_said_of_its_documents(network):
    documents = [[1, 2, 3, 4, 5, 6], [2], [], [6, 5, 4, 3, 2, 1, 1, 2]]
    ids = np.array([0, *(unit for document in documents for unit in (*document, 0))], dtype=np.int32)
    texts = [np.array(document, dtype=np.int32) for document in documents]
    alone = -sum(float(logs.sum()) for logs in network.log_probabilities(texts))
    batches = StreamBatches(ids, 1, 4)
    epoch = batches.epoch(0)
    earlier = batches.between(int(epoch.starts[0]) - (N - 2), N - 2)[:-1]  # an epoch begins anywhere in the ring
    memory, total = ((torch.from_numpy(earlier.astype(np.int64))[:, None],),), 0.0
    for place in range(len(epoch)):
        batch = epoch.batch(place)
        loss, memory = network.loss(batch, memory)
        total += float(loss.detach()) * batch.share
    assert np.isclose(total, alone), "each unit once, and no look over a border"


def test_gradients(network):
    batch = StreamBatches(np.array([0, 1, 2, 3, 0, 4, 5, 0], dtype=np.int32), 2, 3).epoch(0).batch(0)

    def loss(*values):
        named = dict(zip([name for name, _ in network.named_parameters()], values, strict=True))
        return torch.func.functional_call(
            _Lossy(network), {f"network.{name}": one for name, one in named.items()}, (batch,)
        )

    assert torch.autograd.gradcheck(loss, tuple(network.parameters()), atol=1e-6)


class _Lossy(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, batch):
        return self.network.loss(batch, self.network.begin(batch.inputs.shape[1]))[0]


def test_over_borders_looks_into_the_document_before():
    network = Windows(V, D, H, N - 1, True, over_borders=True, generator=torch.Generator().manual_seed(2))
    texts = [np.array([1, 2, 3], dtype=np.int32), np.array([4, 5], dtype=np.int32)]
    together, alone = network.log_probabilities(texts)[1], network.log_probabilities(texts[1:])[0]
    assert not np.allclose(together[:2], alone[:2])
    assert np.allclose(together[2], alone[2]), "the window no longer reaches it"


def test_vectors_alone_and_a_bigram():
    texts = generate.toy(seed=1, rows=60)
    for settings in ({"order": 2}, {"direct": False}, {"tied": False}):
        model = NNLM(dim=8, hidden_width=8, epochs=2, learning_rate=0.01, **settings).fit(texts)
        assert -model.score(texts) < generate.baseline(texts, texts)
    with pytest.raises(UsageError, match="order"):
        NNLM(order=1).fit(texts)


@pytest.mark.parametrize("tied", [False, True])
def test_the_trace_adds_up(tied):
    model = NNLM(dim=8, hidden_width=8, epochs=1, tied=tied).fit(generate.toy(seed=1, rows=40))
    found = model.trace("the cat").arrays
    y = found["through"] + found["direct"] + model.network_.output_bias.detach().numpy()
    assert np.allclose(np.exp(y - y.max()) / np.exp(y - y.max()).sum(), found["probabilities"], atol=1e-5)
