"""Arguments of a training call, and the data prepared for it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..network import Network
from ..training.stopping import Validation
from .calls import PreparedCall
from .defaults import Settings
from .gaps import Gaps
from .units import Units


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
class GivenData:
    """Rows in the units in which they were given: on each processor the same numbers."""

    X: Any
    targets: NDArray[Any]
    sample_weight: NDArray[np.float64] | None


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
    ``given`` are all rows but those of an explicit validation set, which are ``held_out``.
    """

    X: Any
    targets: NDArray[Any]
    rows: _core.Rows
    members: tuple[Member, ...]
    units: Units | None
    settings: Settings
    given: GivenData
    held_out: GivenData | None = None

    def inputs(self, numbers: Any) -> Any:
        """Return some rows of X, by a slice or their numbers, as the network sees them."""
        return (
            self.X[numbers] if self.units is None else self.units.inputs.transform(self.X[numbers])
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


@dataclasses.dataclass(frozen=True)
class TrainingSetup:
    """What a call has checked and found out, before the model changes.

    Attributes
    ----------
    request : FitRequest
    X : ndarray or CSR matrix
        In the units given, without gaps.
    encoded : EncodedTargets
        In the units of the network.
    targets_given : ndarray
        In those given.
    gaps : Gaps or None
    units : Units or None
    settings : Settings
    network : Network
        A new one, or the one to continue.
    random : RandomState or None
        Which drew the new one.
    seed : int
        Of which units are dropped and which rows are held out.
    """

    request: FitRequest
    X: Any
    encoded: EncodedTargets
    targets_given: NDArray[Any]
    gaps: Gaps | None
    units: Units | None
    settings: Settings
    network: Network
    random: np.random.RandomState | None
    seed: int
