"""The command line of ``python -m fastbp explain``."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path
from typing import Any

from ...io.files import check_writable, is_regular_file
from ..console import Parser, UserError, exit_code_of, mistakes_of_files, say
from ..demo.command import positive

PAGE = Path("fastbp_explain.html")


def main(arguments: list[str] | None = None) -> int:
    """Write the page, show it in a browser, and return the exit code.

    Parameters
    ----------
    arguments : list of str, default=None
        Of the command line, without ``explain``; None takes those of this process.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.data is None) != (options.target is None):
        parser.error("--data FILE and --target COLUMN go together")
    if options.row is not None and options.data is None:
        parser.error("--row needs --data FILE")
    if options.learning_rate is not None and options.model is None and options.row is None:
        parser.error("--learning-rate needs a MODEL, or --row: it is that of one step")
    return exit_code_of(lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m fastbp explain",
        description="See every number of backpropagation in the browser: one page a network, to "
        "play, step through and rewind, that needs no network connection. Without arguments: nine "
        "parameters learning what a graduate earns, and a shower. With --data alone: a small "
        "network learning from your file. With a MODEL: one step of it, on one row of your file.",
    )
    add = parser.add_argument
    add(
        "model",
        nargs="?",
        type=Path,
        metavar="MODEL",
        help="a file written by pickle or joblib: a fitted BackpropClassifier or "
        "BackpropRegressor, or scikit-learn's MLPClassifier or MLPRegressor; a pipeline or search "
        "that ends in one; or a Network. Loading such a file can run any code in it: open only "
        "files that you trust",
    )
    add("--data", type=Path, metavar="FILE", help="a CSV or Parquet file with rows")
    add(
        "--target",
        action="append",
        metavar="COLUMN",
        help="the column of FILE to predict; once for each output of MODEL",
    )
    add("--row", type=int, metavar="N", help="the row of FILE to learn from; 0 is the first")
    add(
        "--learning-rate",
        type=positive,
        metavar="ETA",
        help="of the step (default: the model's own)",
    )
    add("--output", type=Path, metavar="FILE", help=f"the page (default: {PAGE})")
    add("--no-open", action="store_true", help="write the page, and leave the browser alone")
    return parser


def _run(options: argparse.Namespace) -> int:
    output = options.output or PAGE
    with mistakes_of_files():  # before anything takes time
        check_writable(output)
    for page, path, name in _pages(options, output):
        with mistakes_of_files():
            page.to_html(path)
        _show(path, name, opens=not options.no_open and _has_display())
    return 0


def _show(path: Path, name: str, *, opens: bool) -> None:
    """Say what was written, and open it in a browser; a device or a pipe holds no page to open."""
    if not is_regular_file(path):
        return say(f"{name}: {path}")
    say(f"{name}: {path} ({path.stat().st_size / 1000:,.0f} kB)")
    address = path.resolve().as_uri()
    if not (opens and webbrowser.open(address)):
        say(f"    open it in a browser: {address}")
    return None


def _pages(options: argparse.Namespace, output: Path) -> list[tuple[Any, Path, str]]:
    """Return what can be written as a page, where to, and what to call it."""
    if options.model is not None:
        from .model_file import step_of_model

        return [(step_of_model(options), output, "One step of the model")]
    if options.data is not None:
        from .training import training_on

        return [(training_on(options), output, "Training")]
    from .salaries import salaries
    from .shower import shower

    if output.exists() and not is_regular_file(output):
        raise UserError(f"{output} is no regular file: two pages need two, see --output")
    beside = output.with_stem(f"{output.stem}_shower")
    return [(salaries(), output, "Nine parameters"), (shower(), beside, "The shower")]


def _has_display() -> bool:
    """Return whether a browser would have a screen to open a window on."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
