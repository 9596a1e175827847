"""`shower`: the valves of a shower turned until the flow is right, as a page to step through."""

from __future__ import annotations

import html
import json
import math
from importlib import resources
from pathlib import Path
from typing import Any

from .._page.document import written
from ..measured import ChainTuner, Evaluation, Knob, Stage

PRESSURE, TARGET, LEARNING_RATE = 60.0, 3.0, 0.05
LOW, HIGH, START = 1.0, 10.0, 4.0  # of both valves
CHAIN = (("x", "m"), ("y", "x"), ("y", "h"))  # dx/dm, dy/dx, dy/dh


def house_flow(main_valve: float) -> float:
    """Return the flow into the house. The page has the same formula, for valves turned there."""
    return float(math.sqrt(PRESSURE) * (1 - math.exp(-main_valve / 4)))


def shower_flow(house_flow: float, handle: float) -> float:
    """Return what of it reaches the shower."""
    return float(house_flow * (handle / 10) ** 1.5)


class Shower:
    """The shower tuned, with the sensitivities as they were known after every look.

    Attributes
    ----------
    looks : list of dict
        ``number``, ``purpose``, ``m``, ``h``, ``x``, ``y``, ``error`` and ``slopes``: dx/dm, dy/dx
        and dy/dh, None before they were first measured.
    message : str
        Why tuning ended.
    """

    def __init__(self) -> None:
        stages = [
            Stage("x", house_flow, Knob("m", LOW, HIGH, START)),
            Stage("y", shower_flow, Knob("h", LOW, HIGH, START)),
        ]
        tuner = ChainTuner(stages, target=TARGET, learning_rate=LEARNING_RATE)
        self.looks: list[dict[str, Any]] = []

        def note(look: Evaluation) -> None:
            slopes = [tuner.sensitivity(of, to) or None for of, to in CHAIN]  # 0: not measured yet
            self.looks.append(
                {
                    "number": look.number,
                    "purpose": look.purpose,
                    **look.settings,
                    **look.values,
                    "error": look.error,
                    "slopes": slopes,
                }
            )

        self.message = tuner.tune(callback=note).message

    def to_html(self, path: Any = None) -> Path | str:
        """Write the page, one file that needs no network; None returns its text instead.

        Raises
        ------
        OSError
            If it cannot be written there.
        """
        data = {
            "looks": self.looks,
            "message": self.message,
            "target": TARGET,
            "eta": LEARNING_RATE,
            "pressure": PRESSURE,
            "range": [LOW, HIGH],
        }
        template = resources.files(__package__).joinpath("shower.html").read_text(encoding="utf-8")
        text = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        page = template.replace("@@data@@", text).replace("@@message@@", html.escape(self.message))
        return page if path is None else written(page, path)
