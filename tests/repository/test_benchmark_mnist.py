"""What the MNIST study computes, on a data set of its own."""

import csv
import importlib.util

import numpy as np
import pytest

from benchmarks.mnist import curves, digits, report, settings
from benchmarks.mnist.learners import Setting


@pytest.fixture
def easy():
    """Ten classes, a column of ones each, and noise."""
    random = np.random.default_rng(0)
    y = random.integers(0, 10, 12_000)
    X = random.uniform(0, 0.1, (12_000, 784)).astype(np.float32)
    X[np.arange(12_000), y] = 1
    return digits.Digits(X[:11_000], y[:11_000], X[11_000:], y[11_000:])


class Clock:
    """A second later whenever it is read."""

    now = 0

    def __call__(self):
        self.now += 1
        return self.now


@pytest.mark.slow
@pytest.mark.parametrize("library", ["fastbp", "scikit-learn", "PyTorch"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_every_learner_learns(easy, library, optimizer):
    if library == "fastbp" and optimizer == "Adam":
        pytest.skip("compared with plain SGD only")
    if library == "PyTorch" and importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    batch_size = 1 if library == "fastbp" else 64
    rate = 0.01 if optimizer == "SGD" else 0.002
    curve = curves.run(
        Setting(library, 16, "float32", optimizer, batch_size, rate, 3), easy, 0, Clock()
    )
    assert curve.rows == [10_000, 11_000, 21_000, 22_000, 32_000, 33_000]
    assert curve.seconds == [1, 2, 3, 4, 5, 6]  # looking at the test digits is not counted
    assert curve.accuracy[-1] > 0.98


def test_the_learning_rate_falls_to_nothing_in_a_straight_line(easy, monkeypatch):
    rates = []

    class Spy:
        def __init__(self, *_):
            pass

        def train(self, rows, rate):
            rates.append(rate)

        def predict(self):
            return easy.y_test

    monkeypatch.setitem(curves.LEARNERS, "spy", Spy)
    curves.run(Setting("spy", 1, "float32", "SGD", 1, 0.5, 2), easy, 0, Clock())
    assert rates == pytest.approx([0.5 * (1 - done / 22) for done in (0, 10, 11, 21)])


def curve_of(library, seed, seconds, accuracy):
    setting = Setting(library, 8, "float32", "SGD", 1, 0.1, 1)
    rows = [10_000 * n for n in range(1, 1 + len(seconds))]
    return curves.Curve(setting, seed, rows, seconds, accuracy)


def test_report_has_medians_worst_and_ratios(tmp_path):
    taken = [
        curve_of("fastbp", 0, [1.0, 2.0, 4.0], [0.90, 0.97, 0.98]),
        curve_of("fastbp", 1, [1.0, 3.0, 4.0], [0.90, 0.97, 0.98]),
        curve_of("scikit-learn", 0, [5.0, 10.0, 20.0], [0.9, 0.97, 0.97]),
        curve_of("scikit-learn", 1, [5.0, 10.0, 20.0], [0.9, 0.97, 0.97]),
    ]
    text = report.markdown(taken, processor_time=False)
    assert "| 2.50 (3.00) | 2.00 | 4.00 (4.00) | 3.00 | 98.00% (98.00%) |" in text
    assert "| 10.00 (10.00) | 10.00 | not reached (not reached) | not reached |" in text
    assert "- 97%: times sooner than the best of the others: 4.0; 5.0, undisturbed" in text

    report.write(tmp_path, text, taken, processor_time=False)
    with open(tmp_path / "mnist.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert rows[1]["seconds"] == "2.0000"
    assert (tmp_path / "mnist.png").read_bytes().startswith(b"\x89PNG")


def test_best_are_the_first_to_each_goal():
    quick = curve_of("a", 0, [1.0, 2.0, 9.0], [0.97, 0.97, 0.98])
    good = curve_of("b", 0, [2.0, 3.0, 4.0], [0.96, 0.97, 0.98])
    poor = curve_of("c", 0, [5.0, 6.0, 7.0], [0.96, 0.96, 0.96])
    assert settings.best([poor, good, quick]) == [quick.setting, good.setting]
