"""`Network`, and all it needs: NumPy only."""

from .network import Network
from .plan import Plan
from .solver import Solver

__all__ = ["Network", "Plan", "Solver"]
