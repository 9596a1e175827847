"""``fastbp compare``: the same network, learned by fastbp and by scikit-learn."""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...io.files import is_regular_file
from ..console import say, say_result
from ..parser import PICTURE, QUICK_EPOCHS
from ..task import Task

if TYPE_CHECKING:
    from .training import Comparison, Run

DIVERGED = 1  # exit code


def run(options: argparse.Namespace) -> int:
    """Compare the libraries on what the options ask for; return the exit code."""
    from . import picture, report

    path = options.output or PICTURE
    draws = picture.is_possible(path, options.file)
    say(
        f"fastbp {__version__} next to scikit-learn's MLP: the same network, one row at a time,",
        "plain gradient descent, the same learning rate and number of epochs.",
    )
    if not draws:
        say("matplotlib is not installed: no picture of the learning curves.")
    tasks = _tasks(options)
    comparisons = [_compare(_as_asked(task, options), options.seed) for task in tasks]
    say("", *report.table(comparisons), "")
    if draws:
        say(_draw(comparisons, path))
    for default, comparison in zip(tasks, comparisons, strict=True):
        say(*report.remarks(comparison, default.learning_rate))
    say_result({"comparisons": [_as_dict(one) for one in comparisons]})
    if any(one.fastbp.diverged for one in comparisons):
        return DIVERGED
    if options.file is not None:
        say("", *report.in_python(comparisons[0].task, options.seed))
    return 0


def _as_dict(comparison: Comparison) -> dict[str, Any]:
    task = comparison.task
    return {
        "data": task.name,
        "network": comparison.network,
        "score": task.score_name,
        "baseline": task.guess,
        "fastbp": _run_as_dict(comparison.fastbp),
        "scikit_learn": _run_as_dict(comparison.scikit_learn),
        "ratio": comparison.ratio,
    }


def _run_as_dict(run: Run) -> dict[str, Any]:
    score = math.nan if run.score is None else run.score
    return {"score": score, "seconds": run.seconds, "rows_per_second": run.rows_per_second}


def _draw(comparisons: list[Comparison], path: Path) -> str:
    """Write the picture, if there is anything to draw; return a line about it."""
    from . import picture

    if not any(one.has_curves for one in comparisons):
        return f"No learning curves to draw: {path} was not written."
    replaced = " (replaced)" if is_regular_file(path) else ""
    picture.draw(comparisons, path)
    return f"Learning curves: {path}{replaced}"


def _tasks(options: argparse.Namespace) -> list[Task]:
    """Return what to learn."""
    if options.file is None:
        from .bundled import bundled_tasks

        return bundled_tasks(options.seed)
    from ..problem import problem_of
    from .table import table_task

    problem = problem_of(options)
    say("", *problem.report())
    return [table_task(problem, options.seed)]


def _as_asked(task: Task, options: argparse.Namespace) -> Task:
    """Return the task with the settings of the command line."""
    chosen = {
        "epochs": options.epochs or (QUICK_EPOCHS if options.quick else None),
        "hidden_layer_sizes": options.hidden,
        "learning_rate": options.learning_rate,
    }
    changes: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
    return dataclasses.replace(task, **changes)


def _compare(task: Task, seed: int) -> Comparison:
    """Have both libraries learn a task, and say how it goes."""
    from .report import run_line
    from .training import Comparison, train_fastbp, train_scikit_learn

    X = task.preprocessing.fit_transform(task.X_train)
    say(
        "",
        f"{task.name}: {len(task.y_train):,} rows to train on, {len(task.y_test):,} held out "
        f"(guessing has {task.score_name} {task.guess:.3f})",
        f"{X.shape[1]:,} inputs, {'-'.join(map(str, task.hidden_layer_sizes))} hidden units, "
        f"{task.epochs} epochs, learning rate {task.learning_rate:g}",
    )
    ours = train_fastbp(task, X, seed)
    say(run_line("fastbp", ours, task.score_name))
    theirs = train_scikit_learn(task, X, seed)
    say(run_line("scikit-learn", theirs, task.score_name))
    return Comparison(task, ours, theirs)
