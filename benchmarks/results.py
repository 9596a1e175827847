"""Figures kept as CSV, so that groups can be measured one after another."""

import csv
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from .measure import Figures

COLUMNS = ("group", "case", "subject", "unit", "round", "value")
FILE = "benchmarks.csv"


def read(folder: Path) -> list[Figures]:
    """Return what the folder holds, nothing at first."""
    path = folder / FILE
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return [
        Figures(*key, values=tuple(float(row[5]) for row in of_subject))
        for key, of_subject in groupby(rows, key=lambda row: tuple(row[:4]))
    ]


def write(folder: Path, figures: Iterable[Figures]) -> None:
    """Write one line for each round of each subject."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / FILE, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for one in figures:
            for number, value in enumerate(one.values):
                key = (one.group, one.case, one.subject, one.unit)
                rows.writerow([*key, number, f"{value:.5g}"])


def add(folder: Path, new: list[Figures]) -> None:
    """Write the figures of a case, in the place of older ones of the same case."""
    case = new[0].group, new[0].case
    old = [one for one in read(folder) if (one.group, one.case) != case]
    write(folder, [*old, *new])
