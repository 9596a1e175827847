"""`trace_step`: every number of one step, and what looks at networks needs."""

from .chain_rule import Factors
from .layers import LayerTrace
from .step import StepTrace, trace_step

__all__ = ["Factors", "LayerTrace", "StepTrace", "trace_step"]
