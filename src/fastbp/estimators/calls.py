"""Calls of partial_fit with one row: what the last call has checked, and a step in microseconds."""

from __future__ import annotations

import dataclasses
import functools
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network, Solver
from ..training.schedule import Schedule
from .features import has_one_row, plain_features
from .labels import numbers_of

if TYPE_CHECKING:
    from .base import Backprop

# Parameters that only assigning to them changes, and lists, of which copies are kept.
CONSTANTS = (int, float, str, tuple, list, np.generic, np.random.RandomState, type(None))


@dataclasses.dataclass(frozen=True)
class PreparedCall:
    """What a call of partial_fit has checked, so that the next one need not.

    Attributes
    ----------
    network : Network
        The network that the parameters were found to describe.
    solver : Solver
        What they make of the solver.
    schedule : Schedule
        And of its learning rate.
    parameters : tuple
        The objects that were checked. None of them can change, but for the lists.
    lists : tuple of pairs of list
        Those among them that are lists, and copies of them.
    steps : bool
        Whether a row's call is a step that `Network._run_row` takes.
    classes : ndarray or None
        The classes that a classifier knows.
    numbers : dict
        Number of each of them.
    """

    network: Network
    solver: Solver
    schedule: Schedule
    parameters: tuple[Any, ...]
    lists: tuple[tuple[list[Any], list[Any]], ...]
    steps: bool
    classes: NDArray[Any] | None
    numbers: dict[Any, int]

    def has_classes(self, classes: Any) -> bool:
        """Whether these are the classes that the classifier knows, as far as a glance shows it."""
        if type(classes) not in (list, tuple):  # an array, a series of pandas or of polars
            to_list = getattr(classes, "tolist", None) or getattr(classes, "to_list", None)
            classes = None if to_list is None else to_list()
        try:
            return type(classes) in (list, tuple) and self.numbers.keys() == set(classes)
        except TypeError:  # there is something in it that cannot be a label
            return False

    def is_current(self, model: Backprop) -> bool:
        """Whether the model still has this network and these parameters."""
        return (
            self.network is model.__dict__.get("network_")
            and self.classes is model.__dict__.get("classes_")
            and all(map(operator.is_, self.parameters, parameters_of(model)))
            and all(now == before for now, before in self.lists)
        )


def prepared_call(model: Backprop) -> PreparedCall:
    """Return what was checked; store it for the next call, unless it could change."""
    solver, parameters = model._solver(), parameters_of(model)
    lists = tuple((value, list(value)) for value in parameters if isinstance(value, list))
    classes = getattr(model, "classes_", None)
    steps = solver.takes_rows and not model.verbose
    prepared = PreparedCall(
        model.network_,
        solver,
        model._schedule(),
        parameters,
        lists,
        steps,
        classes,
        {} if classes is None else numbers_of(classes),
    )
    if all(isinstance(value, CONSTANTS) for value in parameters):
        model._prepared = prepared
    return prepared


def try_row(model: Backprop, prepared: PreparedCall, X: Any, y: Any) -> bool:
    """Train on one row and return True, if that needs no conversion.

    All else takes the general path, and raises its errors there.
    """
    row = _plain_row(model, X) if prepared.steps else None
    if row is None:
        return False
    target = model._target_of_one(y, prepared)
    if target is None:
        return False
    rate, units, gaps = prepared.schedule.rate(model._history.n_rows), None, model._gaps
    network = prepared.network
    if gaps is not None:
        if row.dtype != network.dtype or row.shape != gaps.means.shape:
            return False
        gaps = gaps.with_row(row)
        row = gaps.filled(row)
    if model._units is not None:
        units = model._units.of_row(network.dtype)
        seen = None if units is None else units.seen(row, target)
        if seen is None:
            return False
        row, target = seen[0], model._units.near(network, *seen)
    loss = network._run_row(row, target, prepared.solver, rate)
    if loss is None:
        return False
    if units is not None:
        units.commit()
    model._gaps = gaps
    model._history.begin_call()
    model._history.add_call(loss, 1)
    return True


def _plain_row(model: Backprop, X: Any) -> Any:
    """Return the only row of X, if there is one that needs no conversion, or None."""
    if type(X) is np.ndarray:
        if X.ndim != 2 or len(X) != 1 or "feature_names_in_" in model.__dict__:
            return None
        return X[0]
    plain = plain_features(model, X) if has_one_row(X) else None
    return None if plain is None else plain[0]


def parameters_of(model: Backprop) -> tuple[Any, ...]:
    """Return the values of all parameters, in the order of their names."""
    kind: Any = type(model)
    values: tuple[Any, ...] = _getter_of(kind)(model)
    return values


@functools.cache
def _getter_of(kind: Any) -> operator.attrgetter[Any]:
    return operator.attrgetter(*kind._get_param_names())
