"""What the benchmark of the drop-in compares, and where its table goes."""

import time

import pytest

from benchmarks import drop_in

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_both_learn_the_same_and_the_table_replaces_the_last_one(tmp_path):
    found = drop_in.measured(drop_in.Fit("wine", {"max_iter": 2}), 1, time.perf_counter)
    assert found.shape == (178, 13)
    assert found.difference < 1e-10
    assert found.ratio > 0
    page = tmp_path / "drop_in.md"
    page.write_text(f"before\n{drop_in.BEGIN}\nold\n{drop_in.END}\nafter\n")
    drop_in.renew(page, drop_in.text([found], processor_time=True))
    text = page.read_text()
    assert text.startswith(f"before\n{drop_in.BEGIN}\n\n| data | rows x features |")
    assert "| wine | 178 x 13 | Adam, batch default, 100 |" in text
    assert "old" not in text
    assert text.endswith(f"{drop_in.END}\nafter\n")


def test_twelve_fits_are_compared():
    assert len(drop_in.FITS) == 12
