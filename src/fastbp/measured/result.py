"""What came of tuning: `TuningResult`, and `Evaluation`, one look at the system."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._html import HtmlMixin
from .._printable import display_width, padded, plain_label, printable

Purpose = Literal["start", "repeat", "probe", "move"]
Status = Literal[
    "running", "reached", "out_of_reach", "no_answer", "stalled", "max_evaluations", "stopped"
]
MAX_LINES = 12  # of knobs, and of stages, in a printed result


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One look at the system.

    Attributes
    ----------
    number : int
        1 is the first.
    purpose : {"start", "repeat", "probe", "move"}
        The first settings, the same again to learn the noise, a knob moved to measure
        sensitivities for the first time, or a step towards the target.
    settings : dict of str to float
        Of every knob.
    values : dict of str to float
        Observed at every stage.
    error : float
        Sum of the losses of all targets.
    """

    number: int
    purpose: Purpose
    settings: dict[str, float]
    values: dict[str, float]
    error: float

    def __str__(self) -> str:
        numbers = [*self.settings.items(), *self.values.items()]
        shown = [f"{printable(name)} = {x:.6g}" for name, x in numbers]
        more = f", and {len(shown) - MAX_LINES} more" if len(shown) > MAX_LINES else ""
        return (
            f"{self.number:6d} {self.purpose:<6}  error {self.error:<11.6g} "
            f"{', '.join(shown[:MAX_LINES])}{more}"
        )


@dataclasses.dataclass(frozen=True)
class TuningResult(HtmlMixin):
    """The best settings found, why tuning ended, and how it went.

    Attributes
    ----------
    status : str
        "reached": every target is met within its tolerance. "out_of_reach": all knobs that could
        lower the error stand at a bound. "no_answer": no knob changes any target. "stalled": the
        error no longer falls. "max_evaluations", "stopped" (by the callback), "running": it may
        go on.
    message : str
        The same in a sentence.
    settings : dict of str to float
        Of the knobs, where the error was least.
    values : dict of str to float
        Observed there.
    error : float
        Observed there: sum of the losses of all targets.
    target, tol : dict of str to float
        What was aimed at, stage by stage, and how close is close enough.
    n_evaluations : int
        Looks at the whole system.
    sensitivities : dict of str to dict of str to float
        The last estimate for every stage and each of its inputs: ``sensitivities["y"]["x"]`` is
        dy/dx.
    noise : dict of str to float
        Standard deviation of one observation of every stage, as given or else as judged from what
        the sensitivities did not foresee, which is rather too much. NaN if not known.
    history : dict of str to ndarray of shape (n_evaluations,)
        "evaluation", "purpose", "error", and every knob and stage by name.
    sensitivity_history : dict of str to dict of str to ndarray of shape (n_evaluations,)
        ``sensitivities`` as they were known after every evaluation; NaN where nothing had been
        measured yet.
    bounds : dict of str to (float, float)
        Of the knobs.
    """

    status: Status
    message: str
    settings: dict[str, float]
    values: dict[str, float]
    error: float
    target: dict[str, float]
    tol: dict[str, float]
    n_evaluations: int
    sensitivities: dict[str, dict[str, float]]
    noise: dict[str, float]
    history: dict[str, NDArray[Any]] = dataclasses.field(repr=False)
    sensitivity_history: dict[str, dict[str, NDArray[np.float64]]] = dataclasses.field(repr=False)
    bounds: dict[str, tuple[float, float]] = dataclasses.field(repr=False)

    @property
    def success(self) -> bool:
        """Whether every target was reached."""
        return self.status == "reached"

    def to_frame(self) -> Any:
        """Return the history as a pandas DataFrame, one row an evaluation. Needs pandas."""
        import pandas as pd

        return pd.DataFrame(self.history).set_index("evaluation")

    def _page_data(self) -> dict[str, Any]:
        from ..page.tuning import tuning_page_data

        return tuning_page_data(self)

    def _page_title(self) -> str:
        return "Tuning, one look at a time"

    def plot(self, axes: Any = None) -> Any:
        """Draw the targets' stages, the knobs and the error against the number of evaluations.

        Dashed lines are the targets. Of many stages or knobs, the first dozen. Needs matplotlib.

        Parameters
        ----------
        axes : sequence of three matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        ndarray of three matplotlib Axes
        """
        if axes is None:
            import matplotlib.pyplot as plt

            _, axes = plt.subplots(3, sharex=True, layout="constrained", figsize=(6.4, 6.4))
        above, middle, below = axes
        number = self.history["evaluation"]
        marker = "." if len(number) <= 100 else None
        for name in list(self.target)[:MAX_LINES]:
            (line,) = above.plot(number, self.history[name], marker=marker, label=plain_label(name))
            above.axhline(self.target[name], color=line.get_color(), linestyle="--", linewidth=1)
        for name in list(self.settings)[:MAX_LINES]:
            middle.plot(number, self.history[name], marker=marker, label=plain_label(name))
        below.semilogy(number, np.maximum(self.history["error"], 1e-16), marker=marker, color="k")
        for ax, title in ((above, "observed"), (middle, "knobs"), (below, "error")):
            ax.set_ylabel(title)
        above.legend(loc="best", fontsize="small")
        middle.legend(loc="best", fontsize="small")
        below.set_xlabel("evaluation")
        return np.asarray(axes)

    def __str__(self) -> str:
        lines = [self.message, ""]
        lines += _table(
            ("knob", "setting", "bounds"),
            [
                (printable(name), f"{x:.6g}", "{:g} to {:g}".format(*self.bounds[name]))
                for name, x in self.settings.items()
            ],
        )
        lines += [""]
        lines += _table(
            ("stage", "observed", "target", "noise", "sensitivity to"),
            [self._row_of_stage(name) for name in self.values],
        )
        return "\n".join(lines)

    def _row_of_stage(self, name: str) -> tuple[str, ...]:
        target = self.target.get(name)
        noise = self.noise[name]
        inputs = ", ".join(f"{printable(a)} {s:.4g}" for a, s in self.sensitivities[name].items())
        return (
            printable(name),
            f"{self.values[name]:.6g}",
            "" if target is None else f"{target:.6g}",
            "" if math.isnan(noise) or noise == 0 else f"{noise:.2g}",
            inputs,
        )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table, the first dozen rows of it."""
    shown = [head, *rows[:MAX_LINES]]
    widths = [max(display_width(row[i]) for row in shown) for i in range(len(head))]
    lines = ["  ".join(map(padded, row, widths)).rstrip() for row in shown]
    if len(rows) > MAX_LINES:
        lines += [f"... and {len(rows) - MAX_LINES} more"]
    return [f"  {line}" for line in lines]


def as_dict(names: list[str], values: NDArray[np.float64]) -> Mapping[str, float]:
    """Return names with their values."""
    return dict(zip(names, values.tolist(), strict=True))
