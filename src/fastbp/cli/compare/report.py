"""The lines and the table that the demo prints."""

from __future__ import annotations

from ..._printable import display_width, padded, shortened
from ..task import Task
from .training import Comparison, Run, fastbp_model

LONGEST_NAME = 24  # of a data set in the table, in columns of a terminal


def run_line(label: str, run: Run, score_name: str) -> str:
    """Return one line about one training."""
    time = duration(run.seconds)
    if run.score is None:
        return f"    {label:<12}  would take {time}: only its speed was measured"
    outcome = "diverged" if run.diverged else f"held-out {score_name} {run.score:.3f}"
    return f"    {label:<12}  {time:>8}  {outcome}"


def remarks(comparison: Comparison, default_learning_rate: float) -> list[str]:
    """Return what to say of a training that went wrong: one line, or none."""
    task, run = comparison.task, comparison.fastbp
    if run.diverged:
        rate = task.learning_rate
        other, of_it = rate / 10, ""
        if rate > default_learning_rate:
            other, of_it = default_learning_rate, ", the default here"
        return [f"{task.name} diverged: try --learning-rate {other:g}{of_it}"]
    if run.score is not None and round(run.score, 3) < task.guess:
        return [
            f"{task.name}: fastbp's held-out {task.score_name} {run.score:.3f} is worse than "
            f"guessing ({task.guess:.3f})"
        ]
    return []


def in_python(task: Task, seed: int) -> list[str]:
    """Return how to make the demo's network in a program."""
    model = repr(fastbp_model(task, task.epochs, seed)).splitlines()
    return [
        "`fastbp fit` trains a model for use, by other settings, and saves it. The network of the "
        "comparison:",
        *(f"    {line}" for line in model),
    ]


def duration(seconds: float) -> str:
    """Return a time as people say it: ``2.5 ms``, ``12 s``, ``25 min``, ``3.2 h``."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def table(comparisons: list[Comparison]) -> list[str]:
    """Return the comparison of all data sets as aligned lines."""
    theirs = ("scikit-learn", "rows/s", "ratio")
    head = ("data set", "network", "held out", "fastbp", "rows/s", *theirs)
    rows = [
        (
            shortened(one.task.name, LONGEST_NAME),
            one.network,
            one.task.score_name,
            *_score_and_speed(one.fastbp),
            *_score_and_speed(one.scikit_learn),
            f"{one.ratio:,.0f} x" if one.ratio else "-",
        )
        for one in comparisons
    ]
    return aligned([head, *rows], left=3)


def _score_and_speed(run: Run) -> tuple[str, str]:
    if run.diverged:
        return "diverged", "-"
    return "-" if run.score is None else f"{run.score:.3f}", f"{run.rows_per_second:,.0f}"


def aligned(rows: list[tuple[str, ...]], left: int) -> list[str]:
    """Return rows of cells in columns, the first ``left`` of them aligned to the left."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]

    def line(row: tuple[str, ...]) -> str:
        cells = enumerate(zip(row, widths, strict=True))
        return "  ".join(padded(cell, width, left=i < left) for i, (cell, width) in cells)

    return list(map(line, rows))
