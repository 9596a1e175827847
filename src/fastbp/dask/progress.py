"""`Progress`: what a fit says of its rounds, in a terminal and in a notebook, and keeps of them."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

NAMES = (
    "round", "epoch", "rows", "loss", "validation_loss", "validation_score", "learning_rate",
    "rows_per_second", "seconds", "seconds_computing", "seconds_moving",
)  # fmt: skip
SECONDS_BETWEEN_LINES = 0.5


class Progress:
    """The rounds of a fit: one line that is rewritten, in a file a line for each.

    Parameters
    ----------
    n_rounds : int
    verbose : bool
    rounds : dict of str to list, default=None
        Of the rounds before.
    """

    def __init__(
        self, n_rounds: int, verbose: bool, rounds: dict[str, list[Any]] | None = None
    ) -> None:
        self.n_rounds, self.verbose = n_rounds, verbose
        self.rounds: dict[str, list[Any]] = rounds or {name: [] for name in NAMES}
        self._said = -math.inf
        self._display: Any = None
        self._width = 0

    def add(
        self, epoch: int, n_rows: int, loss: float, rate: float, times: tuple[float, float]
    ) -> None:
        """Note a round: its rows, and the seconds that it took and those of computing."""
        seconds, computing = times
        before = self.rounds["rows"][-1] if self.rounds["rows"] else 0
        row = (
            len(self.rounds["round"]) + 1, epoch + 1, before + n_rows, loss, math.nan, math.nan,
            rate, n_rows / max(seconds, 1e-9), seconds, computing, max(seconds - computing, 0.0),
        )  # fmt: skip
        for name, value in zip(NAMES, row, strict=True):
            self.rounds[name].append(value)

    def add_validation(self, loss: float, score: float) -> None:
        """Note how the state after the last round does on rows held out."""
        self.rounds["validation_loss"][-1] = loss
        self.rounds["validation_score"][-1] = score

    def line(self) -> str:
        """Return the last round as a line."""
        last = {name: values[-1] for name, values in self.rounds.items()}
        text = (
            f"Round {last['round']} of {self.n_rounds}, loss = {last['loss']:.6f}, "
            f"{last['rows_per_second']:,.0f} rows/s, {last['seconds_computing']:.2f} s computing, "
            f"{last['seconds_moving']:.2f} s moving"
        )
        if not math.isnan(last["validation_score"]):
            text += f", score = {last['validation_score']:.4f}"
        return text

    def say(self) -> None:
        """Show the last round, unless that was done a moment ago."""
        is_last = len(self.rounds["round"]) >= self.n_rounds
        if not self.verbose or (
            time.monotonic() < self._said + SECONDS_BETWEEN_LINES and not is_last
        ):
            return
        self._said = time.monotonic()
        line = self.line()
        if self._in_notebook(line):
            return
        if sys.stdout.isatty():
            self._width = max(self._width, len(line))
            print(f"\r{line:{self._width}}", end="\n" if is_last else "", flush=True)
        else:
            print(line, flush=True)

    def _in_notebook(self, line: str) -> bool:
        """Show the line in a notebook, below a bar; return whether this is one."""
        ipython = sys.modules.get("IPython")
        shell = None if ipython is None else ipython.get_ipython()
        if shell is None or not hasattr(shell, "kernel"):
            return False
        from IPython.display import HTML, display

        done = len(self.rounds["round"]) / max(self.n_rounds, 1)
        page = HTML(f'<progress value="{done:.4f}" max="1"></progress> {line}')
        if self._display is None:
            self._display = display(page, display_id=True)
        else:
            self._display.update(page)
        return True
