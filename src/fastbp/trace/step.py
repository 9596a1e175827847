"""`trace_step`: every number of one step on one row, as the kernels compute them."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._html import HtmlMixin
from ..network import Network, Solver
from ..network.divergence import warn_of_divergence
from ..network.runner import Epochs
from ..network.scaling import UnitsTrace
from ..network.tables import loss_derivative
from ..training.order import SampleRepeats
from .chain_rule import Factors, chain_rule
from .inspected import (
    InspectedModel,
    Names,
    Pair,
    RowSubset,
    as_layer,
    as_unit,
    inspected_model,
    network_of,
    pairs_of,
    solver_state,
)
from .layers import LayerTrace
from .text import derivation
from .to_json import jsonable

if TYPE_CHECKING:
    import pandas


@dataclasses.dataclass(frozen=True)
class StepTrace(HtmlMixin):
    """One step on one row: forward, loss, backward, update.

    ``str(trace)`` is a derivation to read, `to_html` an interactive page; `factors` writes out the
    chain rule of one parameter.

    Attributes
    ----------
    layer_sizes : tuple of int
        Units of each layer, inputs first.
    loss_name, dtype : str
        Of the network.
    loss_parameter : float
        ``huber_delta`` or ``quantile`` of the network, where its loss is the one; else 0.
    solver : Solver
        Learning rate, momentum and so on of the step.
    names : Names
        ``names.features`` and ``names.outputs``, numbers where there are no names.
    x, y : ndarray of shape (n_in,) and (n_out,)
        The row, and its targets as the network takes them.
    weight : float
        Factor on the row's gradient: 1, but for an estimator with class weights.
    n_steps : int
        Steps that the solver had taken before, where it counts them: Adam.
    loss, new_loss : float
        Loss of the row before and after the step, without the penalty.
    refused : bool
        Whether the step would have led to numbers that are not finite, or to a loss beyond all
        bounds: parameters and the solver's state are then left as they were.
    layers : tuple of LayerTrace
        ``layers[0]`` is layer 1, the first.
    dropout_off : bool
        Whether the model trains with dropout. The step is that of the whole network all the same:
        none of its units is dropped.
    note : str
        What else a reader of the page should know.
    units : UnitsTrace, or None
        Of an estimator with ``standardize=True``: the row and its target in their own units, and
        the scaling to ``x`` and ``y``.
    """

    layer_sizes: tuple[int, ...]
    loss_name: str
    loss_parameter: float
    dtype: str
    solver: Solver
    names: Names
    x: NDArray[Any]
    y: NDArray[Any]
    weight: float
    n_steps: int
    loss: float
    new_loss: float
    refused: bool
    layers: tuple[LayerTrace, ...]
    dropout_off: bool = False
    note: str = ""
    units: UnitsTrace | None = None

    def factors(self, layer: int, i: int | None, j: int) -> Factors:
        """Return the chain-rule product that is the gradient of one parameter.

        ``dE/dW[i, j] = dE/da[j] x da[j]/dz[j] x dz[j]/dW[i, j]``, and where ``dE/da[j]`` comes
        from, layer by layer back to the loss.

        Parameters
        ----------
        layer : int
            1 is the first.
        i : int or None
            Input of the layer that the weight comes from; None for the bias.
        j : int
            Unit of the layer that the weight, or bias, goes to.

        Returns
        -------
        Factors
            ``str()`` writes the product out with its numbers.
        """
        at = self.layers[as_layer(layer, len(self.layers)) - 1]
        i = None if i is None else as_unit("i", i, len(at.x))
        return chain_rule(self.layers, at.layer, i, as_unit("j", j, len(at.z)), self.weight)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as dicts, lists and numbers, ready for `json.dumps`.

        Returns
        -------
        dict
            The attributes by name; ``solver`` and ``names`` as dicts; of a layer all of
            `LayerTrace`, ``state`` as ``{name: {"W": ..., "b": ...}}``. Arrays are nested lists;
            what is not finite is None. ``format`` is ``"fastbp.step/1"``.
        """
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain = {
            "solver": dataclasses.asdict(self.solver),
            "names": dataclasses.asdict(self.names),
            "units": None if self.units is None else dataclasses.asdict(self.units),
            "layers": [layer.to_dict() for layer in self.layers],
        }
        result: dict[str, Any] = jsonable({"format": "fastbp.step/1", **fields, **plain})
        return result

    def to_frame(self, of: str = "parameters") -> pandas.DataFrame:
        """Return a table of the parameters or of the units.

        Parameters
        ----------
        of : {"parameters", "units"}, default="parameters"

        Returns
        -------
        pandas.DataFrame
            A row for each weight and bias: ``layer``, ``kind``, ``i`` (missing for a bias), ``j``,
            ``a`` (the input it is multiplied with), ``delta``, ``gradient``, ``before``,
            ``after`` and, for a solver that keeps any, its state before and after. Or a row for
            each unit: ``layer``, ``unit``, ``z``, ``a``, ``derivative``, ``dE_da``, ``delta``;
            ``derivative`` is missing for softmax, where it is a matrix.

        Raises
        ------
        ImportError
            Without pandas.
        """
        if of not in ("parameters", "units"):
            raise ValueError(f'of must be "parameters" or "units"; got {of!r}')
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "to_frame needs pandas: python -m pip install pandas. to_dict does without."
            ) from error
        tables = [
            layer.parameters() if of == "parameters" else layer.units() for layer in self.layers
        ]
        frame = pandas.concat([pandas.DataFrame(table) for table in tables], ignore_index=True)
        return frame.astype({"i": "Int64"}) if of == "parameters" else frame

    def _page_data(self) -> dict[str, Any]:
        from ..page.data import step_page_data

        return step_page_data(self)

    def _page_title(self) -> str:
        return f"One step of backpropagation: {'-'.join(map(str, self.layer_sizes))}"

    def __str__(self) -> str:
        return derivation(self)


def trace_step(
    model: Any,
    x: Any,
    y: Any,
    learning_rate: float | None = None,
    **solver: Any,
) -> StepTrace:
    """Take one step on one row with a copy of a network, and note every number on the way.

    The model is not changed. Weights after the step are, to the bit, those that the same step
    gives the model: for a `Network` that of `Network.step`, or with options that of
    `Network.train_epoch` on this row; for an estimator that of ``partial_fit``. What stands
    between is computed by the row-by-row kernels, as in `Network.step`; other ways to run an epoch
    (see `Network.plan`) give the same numbers to rounding.

    Parameters
    ----------
    model : Network, or fitted BackpropClassifier or BackpropRegressor
    x : array-like of shape (n_in,), one row of a DataFrame, or one row as a matrix
        The row, as the model takes rows.
    y : number, label, or array-like of shape (n_out,)
        Its target, as the model takes targets: for a classifier the label.
    learning_rate : float, default=None
        None is the estimator's; a network needs one.
    **solver
        More options of the step, as of `Network.train_epoch`: ``momentum``, ``nesterov``,
        ``alpha``, ``solver``. By default the estimator's, and none for a network. An estimator's
        dropout is left out: the step is that of the whole network, which the trace says.

    Returns
    -------
    StepTrace

    Raises
    ------
    ValueError
        For a row or target that the model cannot take, or that has weight 0; for ``dropout``; for
        options that float32 cannot hold, or an ``epsilon`` below 1.1e-19, of a model in float32.
    TypeError
        If it is no model of fastbp, or for an unknown option.
    sklearn.exceptions.NotFittedError
        For an estimator that was not fitted.

    Warns
    -----
    DivergenceWarning
        If the step is refused, as in training: the weights after are those before.

    Examples
    --------
    >>> from fastbp import Network, trace_step
    >>> network = Network((1, 1), out_activation="identity", random_state=0)
    >>> network.weights[0][...], network.biases[0][...] = 0.5, 0.0
    >>> trace = trace_step(network, [2.0], 3.0, learning_rate=0.1)
    >>> print(trace.factors(1, 0, 0))
    dE/dW[1][0, 0] = dE/da[1][0] x da[1][0]/dz[1][0] x dz[1][0]/dW[1][0, 0]
                   = -2 x 1 x 2
                   = -4
      dz[1][0]/dW[1][0, 0] = x[0] = 2
      da[1][0]/dz[1][0] = f'(z) = 1  (identity, z = 1)
      dE/da[1][0] = -2  (derivative of the loss)
    """
    network_of(model)
    if Solver(1.0, dropout=solver.get("dropout", 0.0)).drops_units:
        raise ValueError(
            "A trace shows the step of the whole network, but training with dropout drops units "
            "at random. Leave dropout out; that of an estimator is left out anyway"
        )
    inspected = inspected_model(model, x, _as_targets(y), one_row=True)
    step = solver_of(inspected, learning_rate, solver)
    if learning_rate is None and "learning_rate" not in solver and inspected.solver is not None:
        begun = dataclasses.replace(step, learning_rate=model._initial_rate())
        begun.check_dtype(inspected.network.dtype, "learning_rate_init")  # a schedule may lower it
    else:
        step.check_dtype(inspected.network.dtype)
    return trace_of(inspected, step)


def solver_of(
    inspected: InspectedModel, learning_rate: float | None, options: dict[str, Any]
) -> Solver:
    """Return the model's solver with these options."""
    if learning_rate is not None:
        options = {"learning_rate": learning_rate, **options}
    names = [field.name for field in dataclasses.fields(Solver)]
    for name in options:
        if name not in names:
            raise TypeError(f"there is no option {name!r}; a step has {', '.join(names)}")
    if inspected.solver is not None:
        return dataclasses.replace(inspected.solver, **options)
    if "learning_rate" not in options:
        raise ValueError("A network needs a learning_rate, such as learning_rate=0.01")
    return Solver(**options)


def trace_of(inspected: InspectedModel, solver: Solver) -> StepTrace:
    """Trace one step on an inspected model's only row, of the whole network: without dropout."""
    dropout_off = solver.drops_units
    solver = dataclasses.replace(solver, dropout=0.0)
    network = inspected.network
    dense = RowSubset(inspected).rows([0])
    x, y = dense.X[0], dense.y
    repeats = SampleRepeats.of(inspected.sample_weight, 1)
    weighted_row = network._rows(inspected.X, y, repeats.weights)
    row = network._rows(inspected.X, y)
    z = _z(network, row)
    loss, deltas = _gradients(network, row)
    _, gradients = _gradients(network, weighted_row)
    network_copy = network.copy()
    refused = not math.isfinite(_run_step(network_copy, inspected, weighted_row, solver))
    return StepTrace(
        layer_sizes=network.layer_sizes,
        loss_name=network.loss_name,
        loss_parameter=network._loss_parameter,
        dtype=network.dtype.name,
        solver=solver,
        names=inspected.names,
        x=x,
        y=y[0],
        weight=1.0 if repeats.weights is None else float(repeats.weights[0]),
        n_steps=_n_steps(network, solver),
        loss=loss,
        new_loss=network_copy._layers.loss_sum(row, 0, 1),
        refused=refused,
        layers=_layers(
            network, network_copy, solver, x, y[0], z, [delta for _, delta in deltas], gradients
        ),
        dropout_off=dropout_off,
        note=inspected.note,
        units=inspected.units,
    )


def _layers(
    network: Network,
    network_copy: Network,
    solver: Solver,
    x: NDArray[Any],
    y: NDArray[Any],
    zs: list[NDArray[Any]],
    deltas: list[NDArray[Any]],
    gradients: list[Pair],
) -> tuple[LayerTrace, ...]:
    """Put the numbers together layer by layer, from the last to the first."""
    names = [*network.activation, network.out_activation]
    isa = network._layers.isa
    a = [x, *(_core.apply_activation(f, z, isa) for f, z in zip(names, zs, strict=True))]
    before, after = list(pairs_of(network._arena)), list(pairs_of(network_copy._arena))
    states, new_states = (
        _states(network, network_copy, solver),
        _states(network_copy, network, solver),
    )
    layers: list[LayerTrace] = []
    dE_da = loss_derivative(
        network.loss_name, network.out_activation, a[-1], y, network._loss_parameter
    )
    for l in range(len(names) - 1, -1, -1):
        (W, b), (new_W, new_b), (grad_W, grad_b) = before[l], after[l], gradients[l]
        layers.insert(
            0,
            LayerTrace(
                layer=l + 1,
                activation=names[l],
                x=a[l],
                z=zs[l],
                a=a[l + 1],
                derivative=_derivative(names[l], zs[l], a[l + 1], isa),
                dE_da=dE_da,
                delta=deltas[l],
                W=W,
                b=b,
                grad_W=grad_W,
                grad_b=grad_b,
                new_W=new_W,
                new_b=new_b,
                state={name: pairs[l] for name, pairs in states.items()},
                new_state={name: pairs[l] for name, pairs in new_states.items()},
            ),
        )
        with np.errstate(over="ignore", invalid="ignore"):  # of weights that are huge
            dE_da = W @ deltas[l]
    return tuple(layers)


def _z(network: Network, row: _core.Rows) -> list[NDArray[Any]]:
    """Return z of each layer: what the network gives that ends there, without an activation.

    A pass overwrites z with a, except in its last layer.
    """
    names, zs = [*network.activation, network.out_activation], []
    for n in range(1, len(names) + 1):
        part = _core.Layers(
            network._arena.values,
            network.weights[:n],
            network.biases[:n],
            [*names[: n - 1], "identity"],
            "squared_error",
            0.0,
            network._layers.isa,
        )
        z = np.empty((1, network.layer_sizes[n]), dtype=network.dtype)
        part.forward(row, 0, 1, z)
        zs.append(z[0])
    return zs


def _gradients(network: Network, row: _core.Rows) -> tuple[float, list[Pair]]:
    """Return the row's loss, and its gradients times its weight; those of biases are delta."""
    gradients = network._arena.zeros_like()
    loss = network._layers.sum_gradients(row, 0, 1, gradients.values)
    return loss, list(pairs_of(gradients))


def _run_step(
    network_copy: Network, inspected: InspectedModel, weighted_row: _core.Rows, solver: Solver
) -> float:
    """Take the step that the model itself would take; its loss is not finite if it is refused."""
    if (
        inspected.solver is None
        and solver == Solver(solver.learning_rate)
        and not weighted_row.sparse
    ):
        return network_copy.step(
            np.asarray(inspected.X)[0], np.asarray(inspected.y)[0], solver.learning_rate
        )
    loss = network_copy._run_epoch(Epochs(weighted_row, np.zeros(1, dtype=np.int64), solver))
    if not math.isfinite(loss):
        warn_of_divergence("learning_rate", solver.learning_rate)
    return loss


def _n_steps(network: Network, solver: Solver) -> int:
    moments = network._state.moments.get(solver.rule.name)
    return 0 if moments is None else moments.n_steps


def _states(network: Network, other: Network, solver: Solver) -> dict[str, list[Pair]]:
    """Return the network's solver state, zeros for what only the other one or the solver has.

    A first step that is refused leaves none behind.
    """
    own = solver_state(network, solver)
    return {
        name: list(pairs_of(own[name] if name in own else network._arena.zeros_like()))
        for name in sorted({*own, *solver_state(other), *solver.rule.moments})
    }


def _derivative(activation: str, z: NDArray[Any], a: NDArray[Any], isa: str) -> NDArray[Any]:
    """Return f'(z), of a = f(z)."""
    if activation == "softmax":
        matrix: NDArray[Any] = np.diag(a) - np.outer(a, a)
        return matrix
    if activation == "exp":
        return a.copy()
    return _core.apply_derivative(activation, np.ones_like(a), z, a, isa)


def _as_targets(y: Any) -> Any:
    """Return the target of one row as the targets of rows."""
    array = np.asarray(y)
    if array.ndim == 0 or (array.ndim == 1 and len(array) > 1):
        return array[np.newaxis]
    return array
