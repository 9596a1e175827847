"""Tuning of what can be run and observed, but not differentiated.

A shower has two valves, one for the house and one in the shower, and one flow that is just right.
The formula of the pipes is unknown. But one can turn a valve and see what changes: that is a
sensitivity, and sensitivities chained backwards are backpropagation.

`Stage` and `Knob` describe the system, `ChainTuner` turns the knobs, `TuningResult` is what came
of it; `StageError` is raised for stages that fail.
"""

from .result import Evaluation, TuningResult
from .stage import Knob, Stage, StageError
from .tuner import ChainTuner

__all__ = ["ChainTuner", "Evaluation", "Knob", "Stage", "StageError", "TuningResult"]
