"""Fixtures of the tests of exported models."""

import pytest

from fastbp import _core


@pytest.fixture
def scalar_kernels(monkeypatch):
    """Networks run the scalar kernels, as with FASTBP_ISA=scalar."""
    if "scalar" not in _core.available_isas():
        pytest.skip("this build has no scalar kernels")
    monkeypatch.setattr(_core, "isa_for", lambda *_: "scalar")
