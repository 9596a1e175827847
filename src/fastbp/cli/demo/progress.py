"""A progress bar on stderr that reads a model's ``loss_curve_`` while ``fit`` appends to it."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from typing import Any

REFRESH_SECONDS = 0.1


class Progress:
    """While a model is fitted in the ``with`` block, show how many epochs it has done.

    Only on a terminal: elsewhere nothing is written.

    Parameters
    ----------
    label : str
    model
        An estimator that appends to ``loss_curve_`` after each epoch, or one around it.
    epochs : int
    """

    def __init__(self, label: str, model: Any, epochs: int) -> None:
        self.label, self.model, self.epochs = label, model, epochs
        self._finished = threading.Event()
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
            overwrite("")

    def _show(self) -> None:
        while not self._finished.wait(REFRESH_SECONDS):
            done = epochs_done(self.model)
            text = f"{done:>4} of {self.epochs} epochs {time.perf_counter() - self._began:6.1f} s"
            room = shutil.get_terminal_size().columns - len(self.label) - len(text) - 12
            line = f"    {self.label}  {bar(done / self.epochs, min(room, 40))} {text}"
            overwrite(line)


def overwrite(line: str) -> None:
    """Show this instead of what stands on the terminal's last line, the cursor at its start."""
    sys.stderr.write(f"\r{line:<{shutil.get_terminal_size().columns - 1}}\r{line}")
    sys.stderr.flush()


def epochs_done(model: Any) -> int:
    """Return the length of the loss curve so far, of the model or of the one it wraps."""
    model = getattr(model, "regressor_", model)
    return len(getattr(model, "loss_curve_", ()))


def bar(share: float, width: int) -> str:
    """Return a bar of ``width`` characters between brackets, filled to ``share``."""
    if width < 4:
        return ""
    full = round(min(share, 1.0) * width)
    return f"[{'#' * full}{'.' * (width - full)}]"
