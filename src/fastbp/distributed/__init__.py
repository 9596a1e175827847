"""Networks that train apart and are averaged, round after round: without an engine.

A round on a shard, `train_round`, is a pure function: whatever runs it, on any machine and however
often, the numbers are the same. `fastbp.dask` runs it on the workers of Dask.
"""

from ..network.network import made_with
from .average import average
from .layout import Layout
from .outer import OuterStep
from .round import Round, train_round
from .shard import Shard
from .simulate import InProcess, run_all
from .state import RoundState
from .training import Settings, Training

__all__ = [
    "InProcess",
    "Layout",
    "OuterStep",
    "Round",
    "RoundState",
    "Settings",
    "Shard",
    "Training",
    "average",
    "made_with",
    "run_all",
    "train_round",
]
