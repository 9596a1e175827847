"""What the benchmark of the drop-in compares, and where its table goes."""

import time
from pathlib import Path

import pytest

from benchmarks import drop_in

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_both_learn_the_same_and_the_table_replaces_the_last_one(tmp_path):
    found = drop_in.measured(drop_in.FITS[4], 1, time.perf_counter)
    assert found.shape == (178, 13)
    assert found.difference < 1e-10
    assert found.ratio > 0
    page = tmp_path / "drop_in.md"
    page.write_text(f"before\n{drop_in.BEGIN}\nold\n{drop_in.END}\nafter\n")
    drop_in.renew(page, drop_in.text([found], 1, processor_time=True))
    text = page.read_text()
    assert text.startswith(f"before\n{drop_in.BEGIN}\n\n| data | rows x features |")
    assert "| wine | 178 x 13 | SGD, batch default, 100 |" in text
    assert "old" not in text
    assert text.endswith(f"{drop_in.END}\nafter\n")


def measured_like(fit):
    return drop_in.Measured(fit, (10, 2), [(2.0, 1.0), (6.0, 2.0)], 1e-15, 3)


@pytest.mark.parametrize(
    ("rounds", "processor_time", "said"),
    [
        (1, True, "Processor time, one thread each: one round, after one to warm up."),
        (5, False, "Time that passed, all threads: the medians of 5 rounds, after one to warm up."),
    ],
)
def test_all_that_is_said_of_a_table_comes_from_how_it_was_made(rounds, processor_time, said):
    results = [measured_like(fit) for fit in reversed(drop_in.FITS)]
    text = drop_in.text(results, rounds, processor_time)
    assert text.endswith(said)
    rows = [tuple(cell.strip() for cell in line.split("|")[1:4:2]) for line in text.splitlines()]
    assert rows[2:14] == [(fit.data, fit.settings) for fit in drop_in.FITS]
    assert "| 4.00 s | 1.50 s | 2.5 | 1e-15 |" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "wine", "--docs", "docs"], "--docs needs all rows"),
        (["--only", "whine"], "there are: digits, breast cancer, diabetes"),
        (["--rounds", "0"], "--rounds must be at least 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        drop_in.main(arguments)
    assert message in capsys.readouterr().err


def test_the_rows_on_the_page_are_those_of_the_fits():
    page = Path(__file__).parents[2] / "docs" / "drop_in.md"
    table = page.read_text().partition(drop_in.BEGIN)[2].partition(drop_in.END)[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("|")][2:]
    shown = [(row[1].strip(), row[3].strip()) for row in rows]
    assert shown == [(fit.data, fit.settings) for fit in drop_in.FITS]


def test_twelve_fits_are_compared():
    assert len(drop_in.FITS) == 12
