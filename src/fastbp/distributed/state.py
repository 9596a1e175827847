"""`RoundState`: the numbers of a network that go from machine to machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..network.construction import Undrawn
from ..network.rules import RULES


@dataclasses.dataclass(frozen=True, eq=False)
class RoundState:
    """All numbers that training changes, as plain arrays, which nothing writes to.

    Attributes
    ----------
    values : ndarray of shape (n,)
        Weights and biases of all layers, as the network's memory has them, padding included.
    moments : dict of str to (int, ndarray of shape (n_moments, n))
        By the name of the solver's rule: the steps that it has taken, and what it keeps.
    n_samples : int
        Rows of training with dropout so far.
    """

    values: NDArray[Any]
    moments: Mapping[str, tuple[int, NDArray[Any]]] = dataclasses.field(default_factory=dict)
    n_samples: int = 0

    @classmethod
    def of(cls, network: Network) -> RoundState:
        """Return a copy of the numbers of a network."""
        state = network._state
        moments = {name: (one.n_steps, one.values.copy()) for name, one in state.moments.items()}
        return cls(state.parameters.values.copy(), moments, state.n_samples or 0)

    def into(self, network: Network) -> None:
        """Give a network these numbers."""
        state = network._state
        np.copyto(state.parameters.values, self.values)
        state.moments = {}
        for name, (n_steps, values) in self.moments.items():
            moments = state.moments_of(RULES[name])
            assert moments is not None  # the rule has some, since there are values
            np.copyto(moments.values, values)
            moments.n_steps = n_steps
        state.n_samples = self.n_samples
        network._layers.forget_size()

    def network(self, made_with: Mapping[str, Any]) -> Network:
        """Return a network with these numbers."""
        network = Network(**made_with, random_state=Undrawn())
        self.into(network)
        return network

    def without_moments(self) -> RoundState:
        """Return the parameters alone: solvers begin again."""
        return dataclasses.replace(self, moments={})

    def to_tree(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        moments = {name: list(one) for name, one in self.moments.items()}
        return {"values": self.values, "moments": moments, "n_samples": self.n_samples}

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any]) -> RoundState:
        """Return the state of `to_tree`."""
        moments = {name: (int(n), values) for name, (n, values) in tree["moments"].items()}
        return cls(tree["values"], moments, int(tree["n_samples"]))
