"""What the networks ask of the machine: torch, and no device that they cannot use."""

from __future__ import annotations

import pytest

from erya import catalog
from erya.errors import ResourceError
from erya.tasks import classify


@pytest.mark.parametrize("id", ["classify/textcnn", "classify/lstm"])
def test_a_device_that_is_not_supported_is_an_error_not_a_silence(id, monkeypatch):
    monkeypatch.setenv("ERYA_DEVICE", "cuda")
    with pytest.raises(ResourceError) as caught:
        catalog.model(id, "tiny").fit(*classify.toy())
    assert caught.value.exit == 5
    assert "CPU" in str(caught.value)
