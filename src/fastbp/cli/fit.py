"""``fastbp fit``: a model from a file, and how well it predicts rows that it has not seen."""

from __future__ import annotations

import argparse
import dataclasses
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .._messages import counted
from ..estimators.defaults import epochs_of_rows
from ..io.checkpoint import resume
from ..io.files import is_same_file
from ..io.models import save
from .console import UserError, mistakes_of_files, say, say_result, tell
from .encoding import code_of, pipeline_of
from .outputs import check_output
from .problem import Problem, problem_of
from .progress import Waiting, epochs_of
from .reading.dialect import PIP
from .task import split

HELD_OUT = 0.2  # share of the rows


@dataclasses.dataclass(frozen=True)
class Scores:
    """How well held-out rows were predicted.

    Attributes
    ----------
    name : {"accuracy", "R2"}
    model, baseline : float
        Of the model, and of the most frequent class or the mean.
    n_train, n_held_out : int
    error, baseline_error : float, or None
        Mean absolute errors, of numbers.
    """

    name: str
    model: float
    baseline: float
    n_train: int
    n_held_out: int
    error: float | None = None
    baseline_error: float | None = None

    def lines(self) -> list[str]:
        """Return the scores for people."""
        guess = "the most frequent class" if self.name == "accuracy" else "the mean"
        rows = f"{self.n_train:,} rows trained on, {self.n_held_out:,} held out"
        lines = [rows, f"{self.name} {self.model:.3f} ({guess}: {self.baseline:.3f})"]
        if self.error is not None:
            lines.append(f"mean error {self.error:.4g} (the mean: {self.baseline_error:.4g})")
        if not self.model > self.baseline:
            lines.append(
                f"the model predicts no better than {guess}: these columns may say little about "
                "the target, or the rows are too few"
            )
        return lines


def run(options: argparse.Namespace) -> int:
    """Train on a file, say how well it went, save the model; return the exit code."""
    if options.output is not None:  # before anything takes time
        if find_spec("skops") is None:
            raise UserError(f"saving a model needs skops, which is not installed: {PIP}")
        check_output(options.output, options.file, is_model=True)
    of_score, of_all = _checkpoints(options)
    problem = problem_of(options)
    say(*problem.report(), "")
    with _told_how_to_go_on(options):
        scores = _scores(problem, options, of_score)
    say(*scores.lines())
    began = time.perf_counter()
    with _told_how_to_go_on(options):
        model = _fitted(problem, problem.X, problem.y, options.seed, of_all)
    seconds = time.perf_counter() - began
    n_rows = counted(len(problem.y), "row")
    say(f"trained again on all {n_rows}, in {seconds:.1f} s")
    if options.output is not None:
        _save(model, options.output)
    for checkpoint in filter(None, (of_score, of_all)):  # they have served
        checkpoint.unlink(missing_ok=True)
    code = code_of(problem, options.seed)
    if not options.no_code:
        say("", "The same model in Python:", *(f"    {line}".rstrip() for line in code))
    say_result(
        {
            **problem.as_dict(),
            "held_out": dataclasses.asdict(scores),
            "seconds": seconds,
            "file": None if options.output is None else str(options.output),
            "code": "\n".join(code),
        }
    )
    return 0


def _scores(problem: Problem, options: argparse.Namespace, checkpoint: Path | None) -> Scores:
    """Return how well a model predicts a fifth of the rows when it is trained on the others."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.metrics import mean_absolute_error

    X_train, X_test, y_train, y_test = _parts(problem, options)
    model = _fitted(problem, X_train, y_train, options.seed, checkpoint)
    dummy = DummyClassifier() if problem.is_classification else DummyRegressor()
    dummy.fit(np.zeros((len(y_train), 1)), y_train)
    blank = np.zeros((len(y_test), 1))
    scores = Scores(
        "accuracy" if problem.is_classification else "R2",
        float(model.score(X_test, y_test)),
        float(dummy.score(blank, y_test)) + 0.0,
        len(y_train),
        len(y_test),
    )
    if problem.is_classification:
        return scores
    return dataclasses.replace(
        scores,
        error=float(mean_absolute_error(y_test, model.predict(X_test))),
        baseline_error=float(mean_absolute_error(y_test, dummy.predict(blank))),
    )


def _parts(problem: Problem, options: argparse.Namespace) -> tuple[Any, Any, Any, Any]:
    """Return rows to train on and rows held out: any fifth, or the last."""
    X, y = problem.X, problem.y.to_numpy()
    if options.order == "time":
        n = len(y) - max(round(HELD_OUT * len(y)), 2)
        return X.iloc[:n], X.iloc[n:], y[:n], y[n:]
    return split(
        X, y, is_classification=problem.is_classification, seed=options.seed, share=HELD_OUT
    )


def _fitted(problem: Problem, X: Any, y: Any, seed: int, checkpoint: Any = None) -> Any:
    """Return a trained pipeline: from the beginning, or from where a checkpoint was written."""
    model = pipeline_of(problem, seed)
    y = np.asarray(y)
    if checkpoint is not None and checkpoint.exists():
        return _resumed(model, X, y, checkpoint)
    name, last = model.steps[-1]
    more = {} if checkpoint is None else {f"{name}__checkpoint": checkpoint}
    with epochs_of("Training", last, epochs_of_rows(len(y))), _about_use():
        model.fit(X, y, **more)
    return model


def _resumed(model: Any, X: Any, y: Any, checkpoint: Path) -> Any:
    name, last = model.steps[-1]
    say(f"going on from {checkpoint}")
    inputs = model[:-1].fit_transform(X)
    try:
        with Waiting("Training"), _about_use():
            resumed = resume(checkpoint, inputs, y)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{checkpoint}: {reason}. To train anew, delete this file") from error
    if resumed.get_params() != last.get_params():
        raise UserError(
            f"the training in {checkpoint} has other settings: --seed {resumed.random_state}. To "
            "train anew, delete this file"
        )
    model.steps[-1] = (name, resumed)
    return model


def _checkpoints(options: argparse.Namespace) -> list[Path | None]:
    """Return where the two trainings are saved on their way, if anywhere."""
    path = options.checkpoint
    if path is None:
        return [None, None]
    check_output(path, options.file, is_model=True)
    if options.output is not None and is_same_file(path, options.output):
        raise UserError(f"{path} is deleted at the end: choose another file as --checkpoint")
    return [path.with_name(f"{path.stem}.score{path.suffix}"), path]


@contextmanager
def _told_how_to_go_on(options: argparse.Namespace) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if options.checkpoint is not None:
            tell("", f"the same command goes on from {options.checkpoint}")
        raise


@contextmanager
def _about_use() -> Iterator[None]:
    """Suppress what is said about settings that the user of a command line did not choose."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _save(model: Any, path: Any) -> None:
    with mistakes_of_files():
        save(model, path)
    say(f"saved: {path} ({path.stat().st_size / 1000:,.0f} kB)")
