"""Arguments of a training call, and the data prepared for it."""

from __future__ import annotations

import dataclasses
import functools
import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network, Solver
from ..training.schedule import Schedule
from ..training.stopping import Validation
from .defaults import Settings
from .units import Units

if TYPE_CHECKING:
    from .base import Backprop


@dataclasses.dataclass
class EncodedTargets:
    """Targets as a network takes them, and what follows from them."""

    targets: NDArray[Any]
    sample_weight: NDArray[np.float64] | None
    n_outputs: int
    out_activation: str | None
    loss: str
    classes: NDArray[Any] | None = None
    loss_parameters: dict[str, float] = dataclasses.field(default_factory=dict)

    def part(self, numbers: NDArray[np.int64]) -> EncodedTargets:
        """Return the encoded targets of some of the rows."""
        weights = self.sample_weight
        return dataclasses.replace(
            self,
            targets=self.targets[numbers],
            sample_weight=None if weights is None else weights[numbers],
        )


@dataclasses.dataclass(frozen=True)
class ValidationSet:
    """An explicit validation set, as given to `fit`."""

    X: Any
    y: Any
    sample_weight: Any


@dataclasses.dataclass(frozen=True)
class Member:
    """A network to be trained, the order of its rows and those that it leaves out."""

    network: Network
    order: NDArray[np.int64]
    validation: Validation | None = None


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """What is trained on what.

    ``rows`` are of ``X`` and ``targets``, in the units given; ``targets`` are in these already.
    """

    X: Any
    targets: NDArray[Any]
    rows: _core.Rows
    members: tuple[Member, ...]
    units: Units | None
    settings: Settings

    def inputs(self, numbers: Any) -> Any:
        """Return some rows of X, by a slice or their numbers, as the network sees them."""
        return (
            self.X[numbers] if self.units is None else self.units.inputs.transform(self.X[numbers])
        )


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


@dataclasses.dataclass(frozen=True)
class FitRequest:
    """How an estimator is to be trained.

    Attributes
    ----------
    warm_start : bool
        From the present weights, not from new ones.
    incremental : bool
        By partial_fit: on some of the rows.
    classes : array-like or None
        The argument of the classifier's partial_fit.
    prepared : PreparedCall or None
        What need not be checked.
    held_out : ValidationSet or None
    """

    warm_start: bool
    incremental: bool = False
    classes: Any = None
    prepared: PreparedCall | None = None
    held_out: ValidationSet | None = None


def parameters_of(model: Backprop) -> tuple[Any, ...]:
    """Return the values of all parameters, in the order of their names."""
    kind: Any = type(model)
    values: tuple[Any, ...] = _getter_of(kind)(model)
    return values


@functools.cache
def _getter_of(kind: Any) -> operator.attrgetter[Any]:
    return operator.attrgetter(*kind._get_param_names())
