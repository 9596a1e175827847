"""Progress bars on stderr, for what takes longer than two seconds."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from .._printable import printable, shortened

REFRESH_SECONDS = 0.1
PATIENCE_SECONDS = 2.0  # before a bar is shown


class Bar:
    """A progress bar, moved on by the code that does the work; on terminals only.

    Parameters
    ----------
    label : str
    total : int
        Of the units of `show`.
    """

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total = printable(label), total
        self._began = time.perf_counter()
        self._shown = False

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown:
            overwrite("")

    def show(self, done: int) -> None:
        """Show how much is done."""
        seconds = time.perf_counter() - self._began
        if seconds >= PATIENCE_SECONDS and sys.stderr.isatty():
            self._shown = True
            overwrite(line_of(self.label, done / max(self.total, 1), f"{seconds:6.1f} s"))


class Progress:
    """While something runs in the ``with`` block, show how far it has come.

    Only on a terminal: elsewhere nothing is written.

    Parameters
    ----------
    label : str
    done : callable
        Returns how much is done.
    total : int
    unit : str
    """

    def __init__(self, label: str, done: Callable[[], int], total: int, unit: str) -> None:
        self.label, self.done, self.total, self.unit = printable(label), done, total, unit
        self._finished = threading.Event()
        self._shown = False
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> Progress:
        self._began = time.perf_counter()
        if sys.stderr.isatty():
            self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._finished.set()
        if self._thread.is_alive():
            self._thread.join()
            if self._shown:
                overwrite("")

    def _show(self) -> None:
        if self._finished.wait(PATIENCE_SECONDS):
            return
        while not self._finished.wait(REFRESH_SECONDS):
            self._shown = True
            overwrite(self._line(time.perf_counter() - self._began))

    def _line(self, seconds: float) -> str:
        done = self.done()
        text = f"{done:>4} of {self.total} {self.unit} {seconds:6.1f} s"
        return line_of(self.label, done / self.total, text)


class Waiting(Progress):
    """While something runs of which nobody knows how far it has come, show for how long."""

    def __init__(self, label: str) -> None:
        super().__init__(label, lambda: 0, 0, "")

    def _line(self, seconds: float) -> str:
        return f"    {self.label}  {seconds:6.1f} s"


def epochs_of(label: str, model: Any, epochs: int) -> Progress:
    """Return the progress of a `fit` that appends to the model's ``loss_curve_``."""
    return Progress(label, lambda: epochs_done(model), epochs, "epochs")


def epochs_done(model: Any) -> int:
    """Return the length of the loss curve so far, of the model or of the one it wraps."""
    model = getattr(model, "regressor_", model)
    return len(getattr(model, "loss_curve_", ()))


def overwrite(line: str) -> None:
    """Show this instead of what stands on the terminal's last line, the cursor at its start."""
    sys.stderr.write(f"\r{line:<{shutil.get_terminal_size().columns - 1}}\r{line}")
    sys.stderr.flush()


def line_of(label: str, share: float, text: str) -> str:
    """Return a line with a bar that fits the terminal."""
    columns = shutil.get_terminal_size().columns
    label = shortened(label, max(columns - len(text) - 6, 4))
    return f"    {label}  {bar(share, min(columns - len(label) - len(text) - 12, 40))} {text}"


def bar(share: float, width: int) -> str:
    """Return a bar of ``width`` characters between brackets, filled to ``share``."""
    if width < 4:
        return ""
    full = round(min(share, 1.0) * width)
    return f"[{'#' * full}{'.' * (width - full)}]"
