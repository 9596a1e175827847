"""The table of the page on fastbp.measured is what was counted."""

import functools
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "measured.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def benchmark():
    return runpy.run_path(str(ROOT / "benchmarks" / "shower.py"))


@pytest.mark.parametrize(
    ("row", "peer"),
    [
        (
            "SciPy Nelder-Mead, absolute error",
            {"function": "scipy", "method": "Nelder-Mead", "loss": "absolute"},
        ),
        (
            "SciPy Nelder-Mead, squared error",
            {"function": "scipy", "method": "Nelder-Mead", "loss": "squared"},
        ),
        (
            "finite-difference gradient descent, absolute error, rate 0.3",
            {"function": "gradient_descent", "rate": 0.3, "loss": "absolute"},
        ),
        (
            "finite-difference gradient descent, squared error, rate 1.5",
            {"function": "gradient_descent", "rate": 1.5, "loss": "squared"},
        ),
    ],
)
def test_a_shower_takes_a_third_of_the_evaluations_of_others(benchmark, row, peer):
    assert f"| {row} |" in PAGE
    function = benchmark[peer.pop("function")]
    ours = benchmark["evaluations"](benchmark["measured"])
    theirs = benchmark["evaluations"](functools.partial(function, **peer))
    assert sum(theirs) >= 3 * sum(ours)


def test_the_pages_first_row_is_what_is_counted(benchmark):
    ours = benchmark["evaluations"](benchmark["measured"])
    (row,) = benchmark["table"]([("ours", ours)]).splitlines()[2:]
    assert row.removeprefix("| ours") in PAGE
