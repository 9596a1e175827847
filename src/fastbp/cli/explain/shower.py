"""`shower`: two valves turned until the flow is right."""

from __future__ import annotations

import math

from ...measured import ChainTuner, Knob, Stage, TuningResult

PRESSURE, TARGET = 60.0, 3.0
LEARNING_RATE = 0.05  # some fifty moves: few enough to look at each


def house_flow(main_valve: float) -> float:
    """Return the flow into the house, whose formula is unknown."""
    return float(math.sqrt(PRESSURE) * (1 - math.exp(-main_valve / 4)))


def shower_flow(house_flow: float, handle: float) -> float:
    """Return what of it reaches the shower."""
    return float(house_flow * (handle / 10) ** 1.5)


def shower() -> TuningResult:
    """Return what came of turning the main valve and the handle."""
    stages = [
        Stage("house flow", house_flow, Knob("main valve", low=1, high=10, start=4)),
        Stage("shower flow", shower_flow, Knob("handle", low=1, high=10, start=4)),
    ]
    return ChainTuner(stages, target=TARGET, learning_rate=LEARNING_RATE).tune()
