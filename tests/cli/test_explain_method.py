"""``explain --method``: networks answer in two ways, the others say that they have one."""

from __future__ import annotations

import pytest

from erya.tasks import classify
from tests.conftest import small_model


@pytest.fixture
def network(erya, tmp_path):
    return small_model("classify/textcnn").fit(*classify.toy(seed=1)).save(tmp_path / "n.erya")


def test_a_network_is_asked_in_two_ways(erya, network):
    found = erya("explain", "n.erya", "the soup is here", "--method", "integrated-gradients")
    assert found.code == 0, found.err
    assert "the shares sum to it up to" in found.out
    document = erya(
        "explain", "n.erya", "the soup", "--method", "integrated_gradients", "--label", "music", "--json"
    ).document
    assert "difference" in document["arrays"]
    assert (
        erya("explain", "n.erya", "the soup", "--method", "occlusion").out == erya("explain", "n.erya", "the soup").out
    )
    chinese = erya("explain", "n.erya", "好吃 的 汤", "--method", "integrated_gradients", lang="zh")
    assert "全零向量" in chinese.out


def test_an_unknown_method_names_those_there_are(erya, network):
    found = erya("explain", "n.erya", "soup", "--method", "gradients")
    assert found.code == 2
    assert "--method integrated_gradients" in found.err


def test_a_model_with_one_way_says_so(erya, trained):
    found = erya("explain", "m.erya", "soup", "--method", "occlusion")
    assert found.code == 2
    assert "one way only" in found.err
