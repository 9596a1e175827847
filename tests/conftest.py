import signal

import pytest
from chromium import Browser, check_installed

from fastbp import _core

# Ctrl-C is tested, also where it is ignored, as it is in what a shell has put into the background.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=_core.available_isas())
def isa(request, monkeypatch):
    """Each instruction set of this machine in turn; networks made by the test run on it."""
    monkeypatch.setattr(_core.isa, "ISA", request.param)
    monkeypatch.setattr(_core.isa, "ISA_IS_FORCED", True)
    return request.param


@pytest.fixture(scope="module")
def chromium():
    """A browser for the tests of a module."""
    check_installed()
    browser = Browser()
    yield browser
    browser.driver.quit()


@pytest.fixture
def browser(chromium):
    """The same browser, which must have nothing to complain of in the end."""
    yield chromium
    assert chromium.complaints() == []
