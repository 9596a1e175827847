"""``fastbp predict``: the rows of a file through a saved model."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from .._messages import counted
from ..io.files import write_file
from .console import UserError, mistakes_of_files, say, say_result, tell, write_out
from .encoding import KINDS, groups_of
from .model_file import is_of_streams, loaded
from .outputs import check_output, is_tensors
from .problem import words_of
from .progress import Bar
from .reading.table import Table, read_table, similar
from .stream_rows import value_of

MOST_NAMES = 12  # of columns in a message
ROWS_OF_A_PART = 50_000


def run(options: argparse.Namespace) -> int:
    """Write a prediction for each row; return the exit code."""
    if options.output is not None:
        check_output(options.output, options.model, options.file)
    _check_order(options)
    model = loaded(options.model)
    table, X = _rows(model, options)
    names, columns = _predictions(model, X, options)
    kept = _kept(options)
    names, columns = [*kept, *names], [*kept.values(), *columns]
    if options.json:
        say_result({"rows": len(table.frame), **dict(zip(names, columns, strict=True))})
    text = _as_csv(names, columns)
    if options.output is not None:
        with mistakes_of_files():
            write_file(options.output, text)
        say(f"{options.output}: {counted(len(table.frame), 'prediction')}")
    elif not options.json:
        write_out(text)
    return 0


def _kept(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the columns to write before the predictions, as they stand in the file."""
    if not options.keep:
        return {}
    table = read_table(
        options.file,
        options.keep,
        dict.fromkeys(options.keep, "text"),
        encoding=options.encoding,
        has_names=not options.no_names,
    )
    return {name: table.frame[name].tolist() for name in map(table.name_of, options.keep)}


def _check_order(options: argparse.Namespace) -> None:
    if not is_tensors(options.model) and is_tensors(options.file):
        raise UserError(
            f"{options.file} is a model and {options.model} is none: first the model, then the rows"
        )


def _rows(model: Any, options: argparse.Namespace) -> tuple[Table, Any]:
    """Return the file, and the columns of it that the model takes."""
    kinds = _kinds(model, options)
    names = list(kinds)
    table = read_table(
        options.file, names, kinds, encoding=options.encoding, has_names=not options.no_names
    )
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise UserError(_about_missing(missing, table))
    for name in names:
        column = table.columns[name]
        if column.kind == "numbers" and column.n_unread == len(table.frame) - column.n_gaps > 0:
            raise UserError(
                f"the column {name} of {options.file} has no numbers, such as "
                f"{column.unread[0]!r}; the model was trained on numbers"
            )
        if words := words_of(column):
            tell(f"{name}{words.replace(';', ':', 1)}")
    for name, unknown in _unknown_texts(model, table):
        seen = f"the model has not seen {counted(len(unknown), 'value')}"
        tell(f"{name}: {seen} such as {unknown[0]!r}")
    frame = table.frame[names]
    return table, _rows_of_stream(model, frame) if is_of_streams(model) else frame


def _about_missing(missing: list[str], table: Table) -> str:
    what = ", ".join(missing[:MOST_NAMES]) + (", ..." if len(missing) > MOST_NAMES else "")
    noun = "column" if len(missing) == 1 else "columns"
    near = similar(missing[0], list(table.columns)) if len(missing) == 1 else []
    ask = f"; did you mean {', '.join(near)}?" if near else ""
    return f"{table.path} has no {noun} {what}, which the model was trained on{ask}"


def _kinds(model: Any, options: argparse.Namespace) -> dict[str, str]:
    """Return the columns that the model takes, and what they are to be read as."""
    if is_of_streams(model):
        features = model.feature_names_
        kinds = {str(name): "numbers" for name in features if not isinstance(name, tuple)}
        return kinds | {str(name[0]): "text" for name in features if isinstance(name, tuple)}
    groups = groups_of(model)
    kinds = {name: KINDS[group] for group, names in groups.items() for name in names}
    return kinds or dict.fromkeys(_names_of(model, options), "numbers")


def _rows_of_stream(model: Any, frame: Any) -> list[dict[Any, float | str]]:
    """Return rows as streams have them: without their gaps, and with numbers among texts."""
    named = [name[0] if isinstance(name, tuple) else name for name in model.feature_names_]
    names = {str(name): name for name in named}
    rows: list[dict[Any, float | str]] = [{} for _ in range(len(frame))]
    for column, values in frame.items():
        for row, value in zip(rows, values, strict=True):
            value = value_of(value) if isinstance(value, str) else value
            if value not in ("", None) and value == value:
                row[names[column]] = value
    return rows


def _names_of(model: Any, options: argparse.Namespace) -> list[str]:
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        raise UserError(
            f"the model in {options.model} does not say what its columns are called: use Python, "
            "or train it with fastbp fit"
        )
    return list(map(str, names))


def _unknown_texts(model: Any, table: Table) -> Any:
    """Yield columns of text with values that the model has not been trained on, and these."""
    for group, transformer, names in getattr(_first_step(model), "transformers_", ()):
        if group != "texts":
            continue
        for name, known in zip(names, transformer.categories_, strict=True):
            values = table.frame[name].unique().tolist()
            unknown = [value for value in values if value not in set(known)]
            if unknown:
                yield name, unknown


def _first_step(model: Any) -> Any:
    return model.steps[0][1] if hasattr(model, "steps") else None


def _predictions(model: Any, X: Any, options: argparse.Namespace) -> tuple[list[str], list[Any]]:
    """Return names and values of the columns to write."""
    if options.proba and not hasattr(model, "classes_"):
        raise UserError("--proba is for classes; this model predicts numbers")
    try:
        predict, predict_proba = _methods(model)
        if not hasattr(model, "steps") and not is_of_streams(model):
            X = X.to_numpy() if not hasattr(model, "feature_names_in_") else X
        predicted = _in_parts(predict, X)
        names, columns = ["prediction"], [predicted.tolist()]
        if predicted.ndim == 2:
            names = [f"prediction {k}" for k in range(predicted.shape[1])]
            columns = list(predicted.T.tolist())
        if options.proba:
            names += [f"probability of {label}" for label in model.classes_]
            columns += _in_parts(predict_proba, X).T.tolist()
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the model cannot take the rows of {options.file}: {reason}") from error
    return names, columns


def _methods(model: Any) -> tuple[Any, Any]:
    """Return what predicts many rows, and what their probabilities, if the model has any."""
    many = "_many" if is_of_streams(model) else ""
    names = (f"predict{many}", f"predict_proba{many}")
    return getattr(model, names[0]), getattr(model, names[1], None)


def _in_parts(predict: Callable[[Any], Any], X: Any) -> Any:
    """Return predictions of all rows, made some rows at a time so that a bar can move."""
    parts = []
    with Bar("Predicting", len(X)) as bar:
        for start in range(0, len(X), ROWS_OF_A_PART):
            parts.append(predict(X[start : start + ROWS_OF_A_PART]))
            bar.show(start + len(parts[-1]))
    return np.concatenate(parts)


def _as_csv(names: list[str], columns: list[Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()
