"""``fastbp stream``: rows predicted and learned as they come."""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from pathlib import Path
from typing import Any

from ..io.files import is_regular_file, is_same_file
from ..io.models import save
from ..network.pauses import next_due
from .console import UserError, mistakes_of_files, nobody_reads, say, say_result, tell
from .model_file import is_of_streams, loaded
from .outputs import check_output
from .stopping import Stopping
from .stream_rows import Rows, opened

FIRST_ROWS = 30  # that say whether the target is a class or a number
FEW = 5  # rows a value must have on average, if whole numbers are to be classes
WINDOW = 500  # rows that the score of the last ones is of
SAVE_SECONDS = 30.0  # from one time that the model is saved to the next, at least


def run(options: argparse.Namespace) -> int:
    """Learn a stream, and print scores on the way and at the end; return the exit code."""
    model = None if options.begin is None else _begun(options)
    if options.save is not None:
        _check_save(options)
    learner = _Learner(options, model)
    with Stopping() as stopping, opened(options) as rows:
        try:
            learner.learn(rows, stopping)
        except Exception:  # what has been learned is not lost
            learner.save()
            raise
        learner.end()
    return stopping.exit_code


def _begun(options: argparse.Namespace) -> Any:
    """Return the model to go on with."""
    model = loaded(options.begin)
    if not is_of_streams(model):
        raise UserError(
            f"{options.begin} holds a {type(model).__name__}: --from takes models of streams"
        )
    is_classifier = hasattr(model, "classes_")
    if options.task not in ("auto", "classification" if is_classifier else "regression"):
        what = "classes" if is_classifier else "numbers"
        raise UserError(f"the model in {options.begin} predicts {what}: leave --task out")
    return model


def _check_save(options: argparse.Namespace) -> None:
    """Refuse to replace a model that is not gone on with."""
    path = options.save
    check_output(path, None if options.file == "-" else options.file, is_model=True)
    is_gone_on_with = options.begin is not None and is_same_file(path, options.begin)
    if not is_gone_on_with and is_regular_file(path) and path.stat().st_size:
        raise UserError(f"{path} is there: go on with it by --from {path}, or choose another file")


class _Learner:
    """A model, and how well it has predicted the rows before it learned them."""

    def __init__(self, options: argparse.Namespace, model: Any = None) -> None:
        self.options = options
        self.rows: Rows | None = None
        self.model = model
        self.scores: Any = None
        self.n = self.n_told = 0
        self.due = time.monotonic() + SAVE_SECONDS

    def learn(self, rows: Rows, stopping: Stopping) -> None:
        """Learn all rows."""
        self.rows = rows
        stream = stopping.rows(rows)
        decides = self.model is None and self.options.task == "auto"
        first = list(itertools.islice(stream, FIRST_ROWS if decides else 0))
        self._begin([target for _, target in first])
        with warnings.catch_warnings():  # `rows` tells it, with what can be done here
            warnings.filterwarnings("ignore", r"x\[.* which looks like a number")
            for x, target in itertools.chain(first, stream):
                self._learn_one(x, target)
                if nobody_reads() and self.options.save is None:
                    return  # nothing would come of it
                if time.monotonic() >= self.due:
                    self._save_on_the_way()

    def _begin(self, targets: list[str]) -> None:
        from ..online import OnlineClassifier, OnlineRegressor
        from ..online.progress import Scores

        assert self.rows is not None
        if self.model is None:
            kind = OnlineClassifier if self._are_classes(targets) else OnlineRegressor
            self.model = kind(random_state=self.options.seed)
        self.rows.note_features(self.model.feature_names_)
        self.classifies = isinstance(self.model, OnlineClassifier)
        self.labels = {str(label): label for label in getattr(self.model, "classes_", ())}
        self.scores = Scores(self.classifies, WINDOW)
        what, baseline = "a number", "the mean of the rows before"
        if self.classifies:
            what, baseline = "a class", "the class of the row before"
        other = "regression" if self.classifies else "classification"
        choice = "" if self.options.begin else f" (--task {other} for another)"
        say(f"{self.options.target}: {what}{choice}; baseline: {baseline}")

    def _are_classes(self, targets: list[str]) -> bool:
        if self.options.task != "auto":
            return bool(self.options.task == "classification")
        assert self.rows is not None
        values = list(map(self.rows.value, targets))
        return any(isinstance(value, str) for value in values) or (
            all(float(value).is_integer() for value in values)
            and len(set(values)) <= max(2, len(values) / FEW)
        )

    def _learn_one(self, x: dict[str, Any], target: str) -> None:
        assert self.rows is not None
        y: Any = self.labels.get(target, target) if self.classifies else self.rows.value(target)
        if not self.classifies and isinstance(y, str):
            return self.rows.pass_over(f"has {target[:40]!r} as {self.options.target}, no number")
        began = time.perf_counter()
        predicted = self.model.predict_one(x)
        self.model.learn_one(x, y)
        self.scores.progress.seconds += time.perf_counter() - began
        self.scores.add(y, predicted)
        self.n += 1
        if self.n % self.options.every == 0:
            self._say()
        return None

    def _say(self) -> None:
        self.scores.note(self.model, self.n)
        self.n_told = self.n
        say(str(self.scores.progress))

    def _save_on_the_way(self) -> None:
        began = time.monotonic()
        try:
            self.save()
        except UserError as error:  # such as a full disk, which may not be full for long
            tell(f"{error}; it is tried again later")
        self.due = next_due(began, SAVE_SECONDS)

    def save(self) -> None:
        """Save the model, if asked to and it has learned something."""
        if self.options.save is not None and self.n:
            with mistakes_of_files():
                save(self.model, self.options.save)

    def end(self) -> None:
        """Print the last score, and save the model."""
        if self.rows is None or not self.n:
            raise UserError("the stream has no rows with a target")
        self.save()
        if self.n_told != self.n:
            self._say()
        say(*self.rows.remarks())
        if self.options.save is not None:
            say(f"saved: {Path(self.options.save)}")
        progress = self.scores.progress
        say_result(
            {
                "rows": self.n,
                "passed_over": self.rows.n_passed_over,
                "read_as_missing": dict(self.rows.n_unread),
                "metric": progress.metric,
                "score": progress.score[-1],
                "baseline": progress.baseline[-1],
                "last_rows": progress.window_score[-1],
                "file": None if self.options.save is None else str(self.options.save),
            }
        )
