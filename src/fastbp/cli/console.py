"""What the commands share: a mistake of the user's is one line and an exit code.

All that the commands print goes through here, where every line is made printable: names and
messages from files, from pandas or from the command line cannot reach the terminal otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NoReturn, TextIO

from .._printable import printable, printable_lines

CANNOT, INTERRUPTED = 1, 130  # exit codes; argparse ends with 2


class UserError(Exception):
    """Something the user can put right; shown as one line, without a traceback."""


class Parser(argparse.ArgumentParser):
    """A parser of arguments that shows them as printable text when it refuses them."""

    def error(self, message: str) -> NoReturn:
        """Print usage and the message, and exit."""
        super().error(printable(message))


class _Output:
    """Where lines go: to stderr where stdout is for a result."""

    lines_on_stderr = False
    lost: ClassVar[list[OSError]] = []  # why stdout takes nothing any more


def say(*lines: str) -> None:
    """Print lines, each as soon as it is known.

    Where nobody reads them any more, they go nowhere, and the command goes on.
    """
    for line in lines:
        _write(sys.stderr if _Output.lines_on_stderr else sys.stdout, f"{printable(line)}\n")


def tell(*lines: str) -> None:
    """Print lines beside a result that is on stdout."""
    for line in lines:
        _write(sys.stderr, f"{printable(line)}\n")


def say_result(result: dict[str, Any]) -> None:
    """Print an object as JSON, if ``--json`` asks for it."""
    if _Output.lines_on_stderr:
        write_out(json.dumps(_plain(result), allow_nan=False) + "\n")


def write_out(text: str) -> None:
    """Write a result as it is, such as a CSV file, to stdout."""
    _write(sys.stdout, text)


def nobody_reads() -> bool:
    """Return whether what goes to stdout is lost: its reader has gone, or its device is full."""
    return bool(_Output.lost)


def _write(file: TextIO | None, text: str) -> None:
    """Write to stdout or stderr; to the null device from then on if that fails."""
    if file is None:  # it was closed when the process began
        return
    try:
        file.write(text)
        file.flush()
    except OSError as error:
        if file is sys.stdout:
            _Output.lost.append(error)
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, file.fileno())
            os.close(null)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (int, float, str, bool, type(None))) else str(value)


@contextmanager
def mistakes_of_files() -> Iterator[None]:
    """Turn the errors of `write_file` into the user's, who has chosen the path."""
    try:
        yield
    except OSError as error:
        raise UserError(error.strerror or str(error)) from error


def keep_stdout_for_result() -> None:
    """Have `say` print to stderr, and `say_result` to stdout, until the command ends."""
    _Output.lines_on_stderr = True


def exit_code_of(command: Callable[[], int]) -> int:
    """Run a command and return its exit code, with one line on stderr for what went wrong."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # show what its encoding does not have, as stderr
        sys.stdout.reconfigure(errors="backslashreplace")
    _Output.lost.clear()
    exit_: SystemExit | None = None
    try:
        code = _code_of(command)
    except SystemExit as error:  # of argparse
        exit_, code = error, 0
    finally:
        write_out("")  # what argparse has left in the buffer
        _Output.lines_on_stderr = False
    for error_of_stdout in _Output.lost:
        if not isinstance(error_of_stdout, BrokenPipeError):  # which a reader wants, such as `head`
            reason = error_of_stdout.strerror
            return _failed(f"what should be printed cannot be written: {reason}")
    if exit_ is not None:
        raise exit_
    return code


def _code_of(command: Callable[[], int]) -> int:
    try:
        with _printable_warnings():
            return command()
    except UserError as error:
        return _failed(printable(str(error)))
    except ImportError as error:  # of a wrong FASTBP_ISA, or a package that is broken
        return _failed(printable_lines(str(error)))
    except KeyboardInterrupt:
        _write(sys.stderr, "\nfastbp: stopped\n")
        return INTERRUPTED
    except MemoryError:
        return _failed("there is not enough memory for this")


def _failed(message: str) -> int:
    _write(sys.stderr, f"fastbp: {message}\n")
    return CANNOT


@contextmanager
def _printable_warnings() -> Iterator[None]:
    """Show warnings as the commands show errors: without the line of code that they come from.

    The same sentence is shown once, such as of the networks of an ensemble that all diverge.
    """
    shown = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) in shown:
            return
        shown.add(str(message))
        _write(sys.stderr, f"fastbp: warning: {printable_lines(str(message))}\n")

    before, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        warnings.showwarning = before
