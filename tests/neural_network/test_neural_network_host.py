"""scikit-learn's own tests of its perceptrons, run against ours in their place."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

REPORT = """
import json
from pathlib import Path

import pytest
from fastbp import neural_network
from fastbp.neural_network import calls

neural_network.FEW_TO_PREDICT = 0  # predictions go the fast way too, few as their rows are

@pytest.fixture  # scikit-learn's own conftest.py has it
def global_random_seed():
    return 42


def pytest_sessionfinish(session):
    Path(__file__).with_name("calls.json").write_text(json.dumps(calls))
"""
IMPORT = re.compile(r"^from sklearn\.neural_network import (MLP\w+(?:, MLP\w+)*)$", re.MULTILINE)


def own_tests():
    """The text of scikit-learn's test file, as it is installed; it is not part of this project."""
    found = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    if found is None or found.origin is None:
        pytest.skip("this scikit-learn was installed without its tests")
    return Path(found.origin).read_text()


def run(folder, text):
    """Run tests in a process of their own; the names of those passed and not, and calls made."""
    (folder / "conftest.py").write_text(REPORT)
    (folder / "test_mlp.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command += ["-W", "ignore:scipy.optimize:DeprecationWarning"]  # SciPy is newer than 1.6
    command += ["--rootdir", str(folder), "--junitxml", "report.xml", "test_mlp.py"]
    # Options that the caller passed to pytest, such as several processes, are not for this run.
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    assert (folder / "report.xml").exists(), done.stdout + done.stderr
    cases = list(ElementTree.parse(folder / "report.xml").iter("testcase"))
    passed = [case.get("name") for case in cases if not list(case)]
    others = [case.get("name") for case in cases if list(case)]
    return passed, others, json.loads((folder / "calls.json").read_text()), done.stdout


@pytest.mark.slow
def test_scikit_learns_own_tests_pass_on_the_fast_path(tmp_path):
    text, n = IMPORT.subn(r"from fastbp.neural_network import \1", own_tests())
    assert n == 1
    passed, others, calls, output = run(tmp_path, text)
    assert not others, output
    assert len(passed) >= 55
    fast = calls.pop("fast")
    assert fast > 300
    # lbfgs trains full batches by itself; the few others are mixed or diverging on purpose.
    assert sum(calls.values()) < 0.2 * fast, calls
