"""A process that predicts with a network of a file has little to import."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastbp import BackpropClassifier

MOST = 0.060  # seconds beyond those in which Python and NumPy are there
PREDICT = "import numpy, fastbp; fastbp.Network.load({!r}).predict([1.0, 2.0, 3.0])"


@pytest.fixture
def path(tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 3))
    model = BackpropClassifier((8,), ensemble=1, max_iter=2, learning_rate_init=0.01)
    return str(model.partial_fit(X, X[:, 0] > 0, classes=[False, True]).save(tmp_path / "m.fbp"))


def test_what_predictions_do_without_is_not_imported(path):
    """As much of NumPy, too: its generators take milliseconds."""
    program = f"""
import sys, numpy
before = set(sys.modules)
{PREDICT.format(path)}
names = {{"numpy.random", "difflib", "inspect", "sklearn", "scipy", "pandas", "skops", "zipfile"}}
found = names & (set(sys.modules) - before)
assert not found, found
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="no times of child processes here")
def test_a_small_model_predicts_soon_after_the_start(path, tmp_path):
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    programs = "import numpy", PREDICT.format(path)
    times = [[processor_time(one, environment) for one in programs] for _ in range(10)]
    numpy_alone, both = np.min(times[1:], axis=0)
    assert both - numpy_alone < MOST


def processor_time(program, environment):
    """Seconds that a Python process takes, which other processes hardly change."""
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", program], environment)
    _, status, usage = os.wait4(child, 0)
    assert status == 0
    return usage.ru_utime + usage.ru_stime
