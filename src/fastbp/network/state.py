"""`State`: all numbers that training changes, to be saved, restored, copied and grown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .arena import Arena
from .checks import check_whole
from .rules import RULES, Rule

MAX_STEPS = 2**53  # of a network's life: doubles and 64-bit integers hold them all


class Moments:
    """The moments of a solver: what it keeps beside the weights, such as velocities.

    Attributes
    ----------
    arenas : dict of str to Arena
        By the names of `Rule.moments`.
    values : ndarray
        All of them, one a row.
    n_steps : int
        Steps that the solver has taken.
    """

    def __init__(self, parameters: Arena, rule: str) -> None:
        names = RULES[rule].moments
        self.values, arenas = parameters.state_arrays(len(names))
        self.arenas = dict(zip(names, arenas, strict=True))
        self.n_steps = 0


class State:
    """All numbers that training changes: of a network, or saved from one.

    Attributes
    ----------
    parameters : Arena
    moments : dict of str to Moments
        Those of each solver that was used, by the name of its rule.
    n_samples : int or None
        Rows of training with dropout so far; None where the parameters alone were saved.
    """

    def __init__(self, layer_sizes: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.parameters = Arena(layer_sizes, dtype)
        self.moments: dict[str, Moments] = {}
        self.n_samples: int | None = 0

    def moments_of(self, rule: Rule) -> Moments | None:
        """Return the moments of a solver with this rule, if it has any; zeros at first."""
        if rule.moments and rule.name not in self.moments:
            self.moments[rule.name] = Moments(self.parameters, rule.name)
        return self.moments.get(rule.name)

    def save(self, into: State | None = None) -> State:
        """Return a copy; ``into`` is one whose memory is used again."""
        saved = self.save_parameters(into)
        saved._copy_moments(self.moments)
        saved.n_samples = self.n_samples
        return saved

    def save_parameters(self, into: State | None = None) -> State:
        """Return a copy of the parameters alone: `restore` forgets the moments."""
        saved = into or State(self.parameters.layer_sizes, self.parameters.dtype)
        np.copyto(saved.parameters.values, self.parameters.values)
        saved.n_samples = None
        return saved

    def restore(self, saved: State) -> None:
        """Return to what was saved."""
        np.copyto(self.parameters.values, saved.parameters.values)
        self._copy_moments(saved.moments)
        if saved.n_samples is not None:
            self.n_samples = saved.n_samples

    def _copy_moments(self, moments: Mapping[str, Moments]) -> None:
        for rule in [rule for rule in self.moments if rule not in moments]:
            del self.moments[rule]
        for rule, theirs in moments.items():
            if rule not in self.moments:
                self.moments[rule] = Moments(self.parameters, rule)
            np.copyto(self.moments[rule].values, theirs.values)
            self.moments[rule].n_steps = theirs.n_steps

    def grown(
        self, layer_sizes: tuple[int, ...], draw: Callable[[Arena], object] | None = None
    ) -> State:
        """Return a state of larger layers: each number stays where its unit is.

        Parameters of new units are 0, or what ``draw`` writes into an arena; their
        moments are 0.
        """
        sizes = self.parameters.layer_sizes
        if len(layer_sizes) != len(sizes) or any(map(int.__lt__, layer_sizes, sizes)):
            raise ValueError(f"layers {sizes} cannot grow to {layer_sizes}")
        other = State(layer_sizes, self.parameters.dtype)
        if draw is not None:
            draw(other.parameters)
        self.parameters.copy_into(other.parameters)
        for rule, moments in self.moments.items():
            grown = other.moments[rule] = Moments(other.parameters, rule)
            grown.n_steps = moments.n_steps
            for name, arena in moments.arenas.items():
                arena.copy_into(grown.arenas[name])
        other.n_samples = self.n_samples
        return other

    def to_dict(self, *, copied: bool = True) -> dict[str, Any]:
        """Return all numbers, or copies, as lists of arrays, W and b layer by layer."""
        return {
            "n_samples": self.n_samples,
            "parameters": self.parameters.arrays(copied=copied),
            "moments": {
                rule: (
                    kept.n_steps,
                    {name: one.arrays(copied=copied) for name, one in kept.arenas.items()},
                )
                for rule, kept in self.moments.items()
            },
        }

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take the numbers of `to_dict`, checked, in place of those that there are."""
        n_samples = saved["n_samples"]
        self.n_samples = None if n_samples is None else _count("n_samples", n_samples)
        self.parameters.load(saved["parameters"])
        self.moments = {}
        for rule, (n_steps, arrays) in saved["moments"].items():
            if rule not in RULES or not arrays or list(arrays) != list(RULES[rule].moments):
                raise ValueError(f"moments[{rule!r}] holds what no solver keeps")
            kept = self.moments[rule] = Moments(self.parameters, rule)
            kept.n_steps = _count("n_steps", n_steps)
            for name, one in arrays.items():
                kept.arenas[name].load(one, may_overflow=True)

    @classmethod
    def from_dict(
        cls, layer_sizes: tuple[int, ...], dtype: np.dtype[Any], saved: Mapping[str, Any]
    ) -> State:
        """Return a new state of what `to_dict` returned."""
        state = cls(layer_sizes, dtype)
        state.load(saved)
        return state


def _count(name: str, value: Any) -> int:
    """Return a number of steps or rows that training can go on from."""
    count = check_whole(name, value, at_least=0)
    if count > MAX_STEPS:
        raise ValueError(f"{name} must be at most {MAX_STEPS}; got {count}")
    return count
