"""A table of people for the tests of the commands, and how to run these."""

import json

import numpy as np
import pandas as pd

from fastbp.cli import main


def people(n_rows=300, seed=0):
    """A table with numbers, text, truth values, dates, gaps, and columns of no use."""
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, n_rows).astype(float)
    city = random.choice(["Bern", "Zürich", "Genève"], n_rows)
    member = random.integers(0, 2, n_rows).astype(bool)
    pay = 20 + 0.5 * age + 10 * (city == "Bern") + 5 * member + random.normal(size=n_rows)
    age[::7] = np.nan
    city[::11] = ""
    return pd.DataFrame(
        {
            "id": np.arange(n_rows),
            "name": [f"person {i}" for i in range(n_rows)],
            "age": age,
            "city": city,
            "member": member,
            "since": pd.date_range("2001-02-03", periods=n_rows, freq="37D").strftime("%Y-%m-%d"),
            "country": "CH",
            "pay": pay,
        }
    )


def run(capsys, *arguments):
    """Return exit code, standard output and standard error of a command."""
    try:
        code = main(list(map(str, arguments)))
    except SystemExit as exit_:
        code = exit_.code
    return code, *capsys.readouterr()


def done(capsys, *arguments):
    """Return what a command prints that has nothing to complain of."""
    code, out, err = run(capsys, *arguments)
    assert (code, err) == (0, "")
    return out


def result(capsys, *arguments):
    """Return the object that a command prints with ``--json``."""
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out)


def refusal(capsys, *arguments):
    """Return the one line on stderr of a command that cannot be done."""
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert err.startswith("fastbp: ")
    assert err.count("\n") == 1
    return err.removeprefix("fastbp: ").strip()
