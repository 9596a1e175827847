import pytest

from fastbp import _core


@pytest.fixture(params=_core.available_isas())
def isa(request, monkeypatch):
    """Each instruction set of this machine in turn; networks made by the test run on it."""
    monkeypatch.setattr(_core, "ISA", request.param)
    monkeypatch.setattr(_core, "ISA_IS_FORCED", True)
    return request.param
