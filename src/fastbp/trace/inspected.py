"""`InspectedModel`: a network and its data, from a `Network` or a fitted estimator.

Rows and labels are given as the model takes them. NumPy only: estimators are recognised by
their methods.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..network import Network, Solver
from ..network.arena import Arena
from ..network.checks import check_whole
from ..network.data import as_matrix_of_row, as_rows, dense_rows
from ..network.frames import names_of_columns
from ..network.scaling import UnitsTrace

Pair = tuple[NDArray[Any], NDArray[Any]]  # of W and of b


@dataclasses.dataclass(frozen=True)
class InspectedModel:
    """A network and data for it.

    Attributes
    ----------
    network : Network
    X : array-like or CSR matrix of shape (n, n_in)
    y : array-like
        Targets as the network takes them.
    sample_weight : ndarray of shape (n,), or None
    solver : Solver, or None
        The estimator's; a network alone has none.
    names : Names
    units : UnitsTrace, or None
        How X and y of an estimator's row were scaled to these.
    note : str
        What a reader of the page should know of their units.
    """

    network: Network
    X: Any
    y: Any
    sample_weight: NDArray[np.float64] | None
    solver: Solver | None
    names: Names
    units: UnitsTrace | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Names:
    """What the user calls inputs and outputs; numbers where there are no names."""

    features: tuple[str, ...]
    outputs: tuple[str, ...]


def network_of(model: Any) -> Network:
    """Return the network of a fitted estimator, or the network itself.

    Raises
    ------
    TypeError
        For anything else.
    sklearn.exceptions.NotFittedError
        For an estimator that was not fitted.
    """
    check_is_model(model)
    if isinstance(model, Network):
        return model
    network: Network = model.coefs_ and model.network_  # coefs_ says so if it is not fitted
    return network


def is_model(model: Any) -> bool:
    """Return whether it is a `Network` or an estimator of fastbp."""
    return isinstance(model, Network) or hasattr(model, "_encoded_again")


def check_is_model(model: Any) -> None:
    """Refuse anything else."""
    if is_model(model):
        return
    way = ""
    if hasattr(model, "steps"):
        way = (
            ". Of a pipeline pass the last step, pipeline[-1], with rows that the other steps "
            "have transformed, pipeline[:-1].transform(X)"
        )
    elif type(model).__name__ in ("MLPClassifier", "MLPRegressor"):
        kind = type(model).__name__.replace("MLP", "Backprop")
        way = f". Convert it: {kind}.from_sklearn(model)"
    raise TypeError(
        "model must be a fastbp.Network, or a fitted BackpropClassifier or BackpropRegressor; "
        f"got {type(model).__name__}{way}"
    )


def inspected_model(
    model: Any, X: Any, y: Any, sample_weight: Any = None, *, one_row: bool = False
) -> InspectedModel:
    """Check data for a model and return both as `InspectedModel`.

    One row may be a vector or a matrix; for an estimator whose features have names also a Series or
    a mapping.
    """
    network = network_of(model)
    names = names_of(model)
    if not hasattr(model, "classes_"):  # else outputs are called what the classes are
        names = _with_names_of_targets(names, y)
    if network is model:
        X = as_matrix_of_row(X) if one_row else X
        return InspectedModel(network, X, y, sample_weight, None, names)
    X, encoded, units = model._encoded_again(X, y, sample_weight, one_row=one_row)
    return InspectedModel(
        network,
        X,
        encoded.targets,
        encoded.sample_weight,
        model._solver(),
        names,
        units,
        _note_on_units(model),
    )


def _note_on_units(model: Any) -> str:
    """Return what was done to the rows of an estimator that standardizes."""
    if model.input_scaling_ is None:
        return ""
    what = "Inputs" if model.target_scaling_ is None else "Inputs and targets"
    return f"{what} are shown as the network sees them: standardized, not in their own units."


class RowSubset:
    """The rows of an inspected model, checked once, to take a subset of them.

    Parameters
    ----------
    inspected : InspectedModel

    Attributes
    ----------
    n : int
        How many rows there are.
    """

    def __init__(self, inspected: InspectedModel) -> None:
        network = inspected.network
        self._inspected, self._n_in = inspected, network.layer_sizes[0]
        self._X = as_rows(inspected.X, self._n_in, network.dtype)
        self.n = len(self._X[2]) - 1 if isinstance(self._X, tuple) else len(self._X)
        self._y = network._targets(inspected.y, self.n)

    def rows(self, numbers: list[int]) -> InspectedModel:
        """Return an `InspectedModel` with dense copies of these rows."""
        weights = self._inspected.sample_weight
        parts = [dense_rows(self._X, self._n_in, row, row + 1) for row in numbers]
        if isinstance(self._y, tuple):  # indicators of each class, and the rows' classes
            indicators, classes = self._y
            y = indicators[classes[numbers]]
        else:
            y = self._y[numbers]
        return dataclasses.replace(
            self._inspected,
            X=np.concatenate(parts),
            y=y,
            sample_weight=None if weights is None else weights[numbers],
        )

    def some(self, most: int) -> InspectedModel:
        """Return an `InspectedModel` of at most so many rows, evenly spaced."""
        numbers = np.linspace(0, self.n - 1, min(self.n, most)).astype(np.int64)
        return self.rows(np.unique(numbers).tolist())


def names_of(model: Any) -> Names:
    """Return the names of a model's inputs and outputs."""
    sizes = network_of(model).layer_sizes
    numbers = range(getattr(model, "n_features_in_", sizes[0]))
    features = [*getattr(model, "feature_names_in_", numbers), *_names_of_marks(model)]
    outputs = getattr(model, "classes_", range(sizes[-1]))
    if len(outputs) > sizes[-1]:  # one output for two classes: the probability of the second
        outputs = outputs[-1:]
    return Names(tuple(map(str, features)), tuple(map(str, outputs)))


def _names_of_marks(model: Any) -> list[str]:
    """Return what the columns of an estimator that say where values are missing are called."""
    marked = getattr(model, "missing_features_", None)
    if marked is None:
        return []
    known = getattr(model, "feature_names_in_", None)
    return [f"{f'x[{k}]' if known is None else known[k]} missing" for k in marked]


def _with_names_of_targets(names: Names, y: Any) -> Names:
    """Return the names with those of a Series, or of a DataFrame's columns, for the outputs."""
    given = tuple(map(str, names_of_columns(y)))
    return dataclasses.replace(names, outputs=given) if len(given) == len(names.outputs) else names


def solver_state(network: Network, solver: Solver | None = None) -> dict[str, Arena]:
    """Return the moments of all solvers, name by name: arenas like the parameters'.

    Of those that have moments of the same name, this solver counts, or else the one used last.
    """
    own = "" if solver is None else solver.rule.name
    return {
        name: arena
        for _, moments in sorted(network._state.moments.items(), key=lambda one: one[0] == own)
        for name, arena in moments.arenas.items()
    }


def pairs_of(arena: Arena) -> Iterator[Pair]:
    """Yield copies of W and b, layer by layer."""
    for W, b in zip(arena.weights, arena.biases, strict=True):
        yield np.array(W), np.array(b)


def as_layer(layer: Any, n_layers: int) -> int:
    """Return the number of a layer, of which 1 is the first."""
    if check_whole("layer", layer) > n_layers:
        raise ValueError(f"layer must be 1 to {n_layers}; got {layer!r}")
    return int(layer)


def as_unit(name: str, unit: Any, n_units: int) -> int:
    """Return the number of an input or unit, of which 0 is the first."""
    if check_whole(name, unit, at_least=0) >= n_units:
        raise ValueError(f"{name} must be 0 to {n_units - 1}; got {unit!r}")
    return int(unit)
