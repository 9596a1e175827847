"""`Tree`: stages and knobs as nodes, their inputs as edges; chains of sensitivities along them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._printable import printable
from ..network.frames import as_mapping
from .stage import Stage, as_observation

Floats = NDArray[np.float64]


class Tree:
    """Stages in the order of the flow.

    Nodes are the knobs, then the stages; an array over nodes holds the settings and after them the
    observed values. Edges are the inputs of stages, those of one stage next to each other, and an
    array over edges holds the sensitivity of the stage ``dest`` to the node ``source``. Stages of
    one level only have inputs from the levels before: ``levels`` lists their edges and nodes.

    Parameters
    ----------
    stages : sequence of Stage

    Raises
    ------
    ValueError
        If a name is used twice or unknown, or if the stages feed each other in a circle.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        upstream = _upstream(stages)
        depth = _depths(upstream)
        self.stages = sorted(stages, key=lambda stage: depth[stage.name])  # stable
        self.knobs = [knob for stage in self.stages for knob in stage.knobs]
        self.n_knobs = len(self.knobs)
        self.names = [knob.name for knob in self.knobs] + [stage.name for stage in self.stages]
        _check_unique(self.names)
        self.node = {name: i for i, name in enumerate(self.names)}

        self.inputs = {
            stage.name: [*upstream[stage.name], *(knob.name for knob in stage.knobs)]
            for stage in self.stages
        }
        edges = [(self.node[a], self.node[b]) for b, inputs in self.inputs.items() for a in inputs]
        self.source, self.dest = np.array(edges, dtype=np.intp).reshape(-1, 2).T
        depths = np.array([depth[stage.name] for stage in self.stages])
        first = [self.n_knobs + int(np.searchsorted(depths, d)) for d in range(depths[-1] + 2)]
        cuts = np.searchsorted(self.dest, first)
        self.levels = [
            (slice(*between), *nodes)
            for between, nodes in zip(
                itertools.pairwise(cuts), itertools.pairwise(first), strict=True
            )
        ]
        feeding = set(self.source.tolist())
        self.leaves = [s.name for s in self.stages if self.node[s.name] not in feeding]

    def run(self, settings: Mapping[str, float]) -> dict[str, float]:
        """Return what is observed at every stage."""
        values: dict[str, float] = dict(settings)
        for stage in self.stages:
            inputs = {name: values[name] for name in self.inputs[stage.name]}
            values[stage.name] = stage.observe(inputs)
        return {stage.name: values[stage.name] for stage in self.stages}

    def forward(self, slopes: Floats, knob_changes: Floats) -> Floats:
        """Return the changes of all nodes that follow from those of the knobs.

        ``change[b] = sum over inputs a of slope[a, b] * change[a]``, from the first stage on.
        """
        change = np.zeros(len(self.names))
        change[: self.n_knobs] = knob_changes
        for edges, first, last in self.levels:
            parts = slopes[edges] * change[self.source[edges]]
            change[first:last] = np.bincount(self.dest[edges] - first, parts, last - first)
        return change

    def backward(self, slopes: Floats, grad_stages: Floats) -> Floats:
        """Return the derivatives with respect to all nodes, by the chain rule.

        ``dE/da = own + sum over b fed by a of dE/db * slope[a, b]``, from the last stage back;
        ``grad_stages`` is the own part, an array over stages.
        """
        grad = np.zeros(len(self.names))
        grad[self.n_knobs :] = grad_stages
        for edges, _, _ in reversed(self.levels):
            np.add.at(grad, self.source[edges], slopes[edges] * grad[self.dest[edges]])
        return grad

    def edges_below(self) -> list[NDArray[np.intp]]:
        """Return for each knob the edges that its moves are seen through."""
        below: list[set[int]] = [set() for _ in self.names]
        for edge in range(len(self.source) - 1, -1, -1):
            below[self.source[edge]] |= {edge} | below[self.dest[edge]]
        return [np.array(sorted(edges), dtype=np.intp) for edges in below[: self.n_knobs]]

    def as_values(self, values: Mapping[str, Any]) -> Floats:
        """Return given observations as an array over stages, if there is one for each."""
        values = as_mapping(values)
        if not isinstance(values, Mapping):
            raise TypeError(f"values must map the name of every stage to its value; got {values!r}")
        names = self.names[self.n_knobs :]
        unknown = sorted(set(values) - set(names), key=str)
        missing = [name for name in names if name not in values]
        if unknown or missing:
            raise ValueError(
                "values must have one value for every stage"
                + (f"; missing: {_listed(missing)}" if missing else "")
                + (f"; not a stage: {_listed(unknown)}" if unknown else "")
            )
        return np.array([as_observation(name, values[name]) for name in names])


def _upstream(stages: Sequence[Stage]) -> dict[str, tuple[str, ...]]:
    """Return the names of the stages that each stage is fed by."""
    for stage in stages:
        if not isinstance(stage, Stage):
            raise TypeError(f"stages must hold objects of Stage; got {stage!r}")
    if not stages:
        raise ValueError("stages must hold at least one Stage")
    names = [stage.name for stage in stages]
    _check_unique(names)
    known = set(names)
    upstream: dict[str, tuple[str, ...]] = {}
    for i, stage in enumerate(stages):
        fed_by = tuple(names[i - 1 : i]) if stage.upstream is None else tuple(stage.upstream)
        for name in fed_by:
            if name not in known:
                raise ValueError(
                    f"stage {stage.name!r} is fed by {name!r}, but there is no such stage; "
                    f"there are: {_listed(names)}"
                )
        if len(set(fed_by)) < len(fed_by):
            raise ValueError(f"stage {stage.name!r} has the same stage upstream twice")
        upstream[stage.name] = fed_by
    return upstream


def _depths(upstream: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return how many stages lie before each stage; refuse circles."""
    depth: dict[str, int] = {}
    waiting = list(upstream)
    while waiting:
        ready = [name for name in waiting if all(other in depth for other in upstream[name])]
        if not ready:
            circle = " -> ".join(map(printable, _circle(upstream, depth)))
            raise ValueError(f"the stages feed each other in a circle: {circle}")
        for name in ready:
            depth[name] = 1 + max((depth[other] for other in upstream[name]), default=-1)
        waiting = [name for name in waiting if name not in depth]
    return depth


def _circle(upstream: Mapping[str, tuple[str, ...]], depth: Mapping[str, int]) -> list[str]:
    """Return the names along one circle, in the order of the flow."""
    path = [next(name for name in upstream if name not in depth)]
    while path[-1] not in path[:-1]:
        path.append(next(name for name in upstream[path[-1]] if name not in depth))
    return path[path.index(path[-1]) :][::-1]


def _check_unique(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"names of stages and knobs must differ; {name!r} is used twice")
        seen.add(name)


def _listed(names: Sequence[Any], n_max: int = 6) -> str:
    shown = ", ".join(repr(name) for name in names[:n_max])
    return shown + (f" and {len(names) - n_max} more" if len(names) > n_max else "")
