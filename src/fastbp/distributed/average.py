"""`average`: the mean of states, in an order that does not depend on which comes first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .state import RoundState

GROUP = 8  # parts that are merged at once: whole levels of the tree of pairs


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """A mean of states and its weight, on the way up the tree.

    Attributes
    ----------
    state : RoundState
        In float64.
    weight : float
        Number of rows; a part of weight 0 does not count.
    of_values : ndarray of shape (n,), or None
        Weights of the parameters, where each has its own.
    """

    state: RoundState
    weight: float
    of_values: NDArray[np.float64] | None = None


def part_of(state: RoundState, weight: float, of_values: NDArray[np.float64] | None = None) -> Part:
    """Return a leaf of the tree."""
    moments = {name: (n, _as(np.float64, one)) for name, (n, one) in state.moments.items()}
    values = _as(np.float64, state.values)
    return Part(RoundState(values, moments, state.n_samples), float(weight), of_values)


def merge(parts: Sequence[Part]) -> Part:
    """Return the mean of parts: of neighbours, then of the means of neighbours, and so on.

    Merging each `GROUP` of parts, and then what comes of that, gives the same bits.
    """
    level = list(parts)
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [pair[0] if len(pair) == 1 else _of_two(*pair) for pair in pairs]
    return level[0]


def grouped(parts: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Yield the parts that are merged together."""
    for start in range(0, len(parts), GROUP):
        yield parts[start : start + GROUP]


def average(
    states: Sequence[RoundState],
    weights: Sequence[float],
    of_values: Sequence[NDArray[np.float64]] | None = None,
) -> RoundState:
    """Return the mean of states, to the bit the same wherever it is worked out.

    Parameters
    ----------
    states : sequence of RoundState
        In a fixed order, that of the partitions.
    weights : sequence of float, >= 0
        Numbers of rows. States of weight 0 do not count.
    of_values : sequence of ndarray of shape (n,), default=None
        Weights of each parameter in place of these, see `adagrad_weights`.

    Returns
    -------
    RoundState
        Of one state that counts, or several equal ones, that state to the bit.

    Raises
    ------
    ValueError
        If there is no state, or a weight that is negative or not finite.
    """
    if not states or len(states) != len(weights):
        raise ValueError(
            f"average needs a weight for each state, and at least one state; got {len(states)} "
            f"states and {len(weights)} weights"
        )
    for i, weight in enumerate(weights):
        if not 0 <= weight < np.inf:
            raise ValueError(f"weights[{i}] must be a finite number, at least 0; got {weight!r}")
    each = [None] * len(states) if of_values is None else of_values
    parts = [part_of(*one) for one in zip(states, weights, each, strict=True)]
    return as_state(merge(parts), states[0].values.dtype)


def as_state(part: Part, dtype: Any) -> RoundState:
    """Return the state of the tree's root, in the dtype of the network."""
    moments = {name: (n, _as(dtype, one)) for name, (n, one) in part.state.moments.items()}
    return RoundState(_as(dtype, part.state.values), moments, part.state.n_samples)


def _as(dtype: Any, values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(dtype, copy=False)  # nothing writes to the arrays of a state


def adagrad_weights(state: RoundState, start: RoundState) -> NDArray[np.float64] | None:
    """Return AdaGrad's squared gradients of a round, which say how much a shard knows of a weight.

    Parameters
    ----------
    state, start : RoundState
        After the round and before it.

    Returns
    -------
    ndarray of shape (n,), or None of another solver
    """
    if "adagrad" not in state.moments:
        return None
    found: NDArray[np.float64] = state.moments["adagrad"][1][0].astype(np.float64)
    before = start.moments.get("adagrad")
    if before is not None:
        np.maximum(found - before[1][0], 0, out=found)
    return found


def _of_two(one: Part, other: Part) -> Part:
    """Return the mean of two parts: a step from one towards the other (Chan et al., 1979)."""
    if not other.weight:
        return one
    if not one.weight:
        return other
    total = one.weight + other.weight
    share = other.weight / total
    shares: Any = share
    of_values = None
    if one.of_values is not None and other.of_values is not None:
        of_values = one.of_values + other.of_values
        known = np.where(of_values > 0, of_values, 1)
        shares = np.where(of_values > 0, other.of_values / known, share)
    values = _between(one.state.values, other.state.values, shares)
    moments = {}
    for name, (n_steps, mine) in one.state.moments.items():
        their_steps, theirs = other.state.moments[name]
        moments[name] = max(n_steps, their_steps), _between(mine, theirs, share)
    n_samples = max(one.state.n_samples, other.state.n_samples)
    return Part(RoundState(values, moments, n_samples), total, of_values)


def _between(one: NDArray[Any], other: NDArray[Any], share: Any) -> NDArray[Any]:
    """Return what is this share of the way from one to the other."""
    # In one new array: of large ones, each more takes longer than its numbers do.
    found: NDArray[Any] = other - one
    found *= share
    found += one
    return found
