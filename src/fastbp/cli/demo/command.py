"""The command line of ``python -m fastbp``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...io.files import is_regular_file
from ..console import Parser, exit_code_of, say
from .task import Task

if TYPE_CHECKING:
    from .compare import Comparison

PICTURE = Path("fastbp_learning_curves.png")
QUICK_EPOCHS = 3

DIVERGED = 1  # exit code


def main(arguments: list[str] | None = None) -> int:
    """Run the demo and return its exit code.

    Parameters
    ----------
    arguments : list of str, default=None
        Of the command line; None takes those of this process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.data is None and (options.target or options.task != "auto"):
        parser.error("--target and --task need --data FILE")
    return exit_code_of(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m fastbp",
        description="Train neural networks row by row, next to scikit-learn's own: on three data "
        "sets that come with scikit-learn, or on a file of yours.",
        epilog="To see every number of a training step in the browser: python -m fastbp explain "
        "--help.",
    )
    add = parser.add_argument
    add("--data", type=Path, metavar="FILE", help="a CSV or Parquet file to learn from")
    add("--target", metavar="COLUMN", help="the column of FILE to predict")
    add(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="what predicting COLUMN is (default: decided by its values)",
    )
    add("--quick", action="store_true", help=f"only {QUICK_EPOCHS} epochs: a few seconds")
    add("--epochs", type=_whole, metavar="N", help="passes over the rows")
    add("--hidden", type=_sizes, metavar="N[,N...]", help="units of the hidden layers")
    add("--learning-rate", type=positive, metavar="ETA", help="length of a step")
    add("--seed", type=_seed, default=0, help="of the split and the first weights (default: 0)")
    add("--output", type=Path, metavar="FILE", help=f"the picture (default: {PICTURE})")
    add("--version", action="version", version=f"fastbp {__version__}")
    return parser


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**32 - 1")
    return int(text)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(_whole(size.strip()) for size in text.split(","))


def positive(text: str) -> float:
    """Read an option that must be a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _run(options: argparse.Namespace) -> int:
    from . import picture, report

    path = options.output or PICTURE
    draws = picture.is_possible(path)
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
    if any(one.fastbp.diverged for one in comparisons):
        return DIVERGED
    if options.data is not None:
        say("", *report.in_python(comparisons[0].task, options.seed))
    return 0


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
    if options.data is None:
        from .bundled import bundled_tasks

        return bundled_tasks(options.seed)
    from .table import table_task

    say("", f"Reading {options.data}")
    task, notes = table_task(options.data, options.target, options.task, options.seed)
    say(*notes)
    return [task]


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
    from .compare import Comparison, train_fastbp, train_scikit_learn
    from .report import run_line

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
