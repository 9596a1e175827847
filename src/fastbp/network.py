"""`Network`: the parameters of a multilayer perceptron, and everything one can do with them.

NumPy only. All parameters stand in one arena, aligned for the kernels; ``weights`` and ``biases``
are views on it. The algorithm itself is in ``_core.pyx``.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _core
from ._arena import Arena
from ._jacobian import sensitivities
from ._validation import (
    as_numbers,
    as_order,
    as_rows,
    as_targets,
    as_weights,
    check_choice,
    check_finite,
    check_layer_sizes,
    check_number,
    check_whole,
)
from .exceptions import DivergenceWarning

HIDDEN_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
LOSSES = ("squared_error", "absolute_error", "log_loss", "poisson")
# Output activations each loss can be used with, the usual one first.
OUT_ACTIVATIONS = {
    "squared_error": HIDDEN_ACTIVATIONS,
    "absolute_error": HIDDEN_ACTIVATIONS,
    "log_loss": ("softmax", "logistic"),
    "poisson": ("exp",),
}

# A row whose loss is above this has met a network that has diverged: outputs ten thousand times as
# large as the largest target, or a class that counts as certain to ten thousand digits of e.
LARGEST_LOSSES: dict[str, Callable[[float], float]] = {
    "squared_error": lambda target: 1e8 * (1 + target) * (1 + target),
    "absolute_error": lambda target: 1e4 * (1 + target),
    "log_loss": lambda target: 1e4,
    "poisson": lambda target: 1e8 * (1 + target),
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """How an epoch of a network is run on this machine.

    Attributes
    ----------
    path : {"registers", "blocks", "rows", "batches"}
        "registers": the whole network, its first layer one row behind; "blocks": the first layer
        one block of rows behind; "rows": every layer row by row; "batches": one step a batch. The
        first three give the same numbers, to rounding.
    rows : int
        Rows that the first layer takes together.
    isa, lanes, dtype
        Instruction set, numbers in one of its vectors, and their type.
    """

    path: str
    rows: int
    isa: str
    lanes: int
    dtype: str

    def __str__(self) -> str:
        rows = {"blocks": f" of {self.rows} rows", "batches": f" of {self.rows} rows"}
        return f"{self.path}{rows.get(self.path, '')}, {self.dtype}, {self.isa} x {self.lanes}"


@dataclasses.dataclass(frozen=True)
class Solver:
    """What a step does with a gradient; the names are those of `Network.train_epoch`."""

    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False
    alpha: float = 0.0
    batch_size: int = 1

    def __post_init__(self) -> None:
        check_number("learning_rate", self.learning_rate, above=0)
        check_number("momentum", self.momentum, at_least=0, below=1)
        check_number("alpha", self.alpha, at_least=0)
        check_whole("batch_size", self.batch_size)


class Network:
    """A multilayer perceptron on contiguous memory, trained by backpropagation in compiled code.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of each layer, inputs first, outputs last: ``(8, 16, 1)``.
    activation : {"identity", "logistic", "tanh", "relu"} or list of these, default="relu"
        Activation of the hidden layers; a list names one for each.
    out_activation : str, default=None
        Activation of the output layer. None takes the one that belongs to the loss: "identity" for
        squared and absolute error, "logistic" for log loss with one output and "softmax" with
        more ("logistic" there means one yes or no per output), "exp" for poisson.
    loss : {"squared_error", "absolute_error", "log_loss", "poisson"}, default="squared_error"
        Loss of one row, a sum over its outputs: ``1/2 (a - y)**2``; ``|a - y|``; cross-entropy;
        half the Poisson deviance ``y log(y / a) - y + a``.
    dtype : {"float64", "float32"}, default="float64"
        Type of parameters and arithmetic.
    random_state : int, RandomState, Generator or None, default=None
        Draws the initial parameters: uniform within ``sqrt(6 / (n_in + n_out))`` (2 instead of 6
        for a logistic layer), weights before biases, layer by layer (Glorot and Bengio, 2010).

    Attributes
    ----------
    weights : list of ndarray of shape (n_in, n_out)
        Writable views on the network's memory, one a layer.
    biases : list of ndarray of shape (n_out,)
        Likewise.
    n_parameters : int
        Number of weights and biases.

    Examples
    --------
    >>> import numpy as np, fastbp
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> y = np.array([0.0, 1.0, 1.0, 0.0])
    >>> network = fastbp.Network((2, 8, 1), activation="tanh", random_state=0)
    >>> for epoch in range(2000):
    ...     loss = network.train_epoch(X, y, learning_rate=0.1)
    >>> network.forward(X).ravel().round(1) + 0.0
    array([0., 1., 1., 0.])
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: str | Sequence[str] = "relu",
        out_activation: str | None = None,
        loss: str = "squared_error",
        dtype: DTypeLike = "float64",
        random_state: Any = None,
    ) -> None:
        self.dtype = _float_dtype(dtype)
        self.layer_sizes = check_layer_sizes(layer_sizes, self.dtype.itemsize)
        self.activation = hidden_activations(activation, len(self.layer_sizes) - 2)
        self.loss_name = check_choice("loss", loss, LOSSES)
        self.out_activation = _out_activation(out_activation, loss, self.layer_sizes[-1])
        self._allocate()
        self._initialise(_random(random_state))

    # -- memory ------------------------------------------------------------------------------

    def _allocate(self) -> None:
        """Make room for the parameters and open it for the kernels."""
        self._arena = Arena(self.layer_sizes, self.dtype)
        self._in_training = threading.Lock()
        self._velocities: Arena | None = None
        self._gradients: Arena | None = None
        self._batches: dict[bool, _core.Batch] = {}
        self._blocks: dict[tuple[bool, bool], _core.Block] = {}
        binary = self.loss_name == "log_loss" and self.out_activation == "logistic"
        self._engine = _core.Engine(
            self._arena.values,
            list(self.weights),
            list(self.biases),
            [*self.activation, self.out_activation],
            "binary_log_loss" if binary else self.loss_name,
            self.loss_name in ("log_loss", "poisson"),
            _core.isa_for(self.layer_sizes, self.dtype),
        )

    def _initialise(self, random: Any) -> None:
        for W, b, activation in zip(
            self.weights, self.biases, [*self.activation, self.out_activation], strict=True
        ):
            bound = math.sqrt((2 if activation == "logistic" else 6) / sum(W.shape))
            W[...] = random.uniform(-bound, bound, W.shape)
            b[...] = random.uniform(-bound, bound, b.shape)

    @property
    def weights(self) -> list[NDArray[Any]]:
        """Weights of each layer, (n_in, n_out): writable views on the network's memory."""
        return self._arena.weights

    @weights.setter
    def weights(self, values: Sequence[ArrayLike]) -> None:
        self._arena.weights[:] = values

    @property
    def biases(self) -> list[NDArray[Any]]:
        """Biases of each layer, (n_out,): writable views on the network's memory."""
        return self._arena.biases

    @biases.setter
    def biases(self, values: Sequence[ArrayLike]) -> None:
        self._arena.biases[:] = values

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return sum(W.size + b.size for W, b in zip(self.weights, self.biases, strict=True))

    # -- using the network -------------------------------------------------------------------

    def forward(self, X: ArrayLike) -> NDArray[Any]:
        """Return the activations of the output layer.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_in), or one row of shape (n_in,)

        Returns
        -------
        ndarray of shape (n, n_out), or (n_out,) for one row
        """
        one = self._engine.forward_one(X)
        if one is not None:
            return one
        if not hasattr(X, "tocsr"):
            X = as_numbers("X", X, self.dtype)
            if X.ndim == 1:
                row: NDArray[Any] = self.forward(X[np.newaxis])[0]
                return row
        rows = self._rows(X)
        out = np.empty((rows.n, self.layer_sizes[-1]), dtype=self.dtype)
        for start, stop in self._slices(rows, rows.n):
            self._engine.forward(rows, start, stop, out)
        return out

    def loss(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the (weighted) mean over rows of each row's loss, a sum over its outputs.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_in)
        y : array-like of shape (n, n_out); (n,) for one output; class numbers (n,) for softmax
        sample_weight : array-like of shape (n,), default=None

        Returns
        -------
        float
        """
        rows = self._rows(X, y, sample_weight, needs_y=True)
        total = sum(self._engine.loss_sum(rows, *piece) for piece in self._slices(rows, rows.n))
        return total / _total_weight(rows)

    def gradients(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, list[NDArray[Any]], list[NDArray[Any]]]:
        """Return the loss and its derivative with respect to every parameter.

        Parameters are those of `loss`.

        Returns
        -------
        loss : float
        grad_weights : list of ndarray of shape (n_in, n_out)
        grad_biases : list of ndarray of shape (n_out,)
        """
        rows = self._rows(X, y, sample_weight, needs_y=True)
        total, piece, loss_sum = self._arena.like(), self._arena.like(), 0.0
        for start, stop in self._slices(rows, rows.n):
            loss_sum += self._engine.sum_gradients(rows, start, stop, piece.values)
            total.values += piece.values
        weight = _total_weight(rows)
        total.values /= weight
        return loss_sum / weight, list(total.weights), list(total.biases)

    def sensitivity(
        self, X: ArrayLike, *, summary: str | None = None, relative: bool = False
    ) -> NDArray[Any]:
        """Return how much each output changes with each input: exact derivatives da/dx.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_in)
        summary : {"mean", "mean_absolute"}, default=None
            None returns the derivatives of every row. "mean" returns their mean over the rows,
            with its sign, "mean_absolute" the mean of their sizes: how much an input matters,
            whichever way. Neither holds more than a few rows' derivatives at a time.
        relative : bool, default=False
            Elasticities ``da/dx * x/a``: by how many per cent an output changes if the input
            changes by one per cent.

        Returns
        -------
        ndarray of shape (n, n_out, n_in), or (n_out, n_in) for a summary
            Rows' derivatives are of the network's dtype, summaries float64.

        Raises
        ------
        ValueError
            If X cannot be used, or for relative ones if an output is 0.

        Notes
        -----
        The chain rule as in training, but from an output instead of the loss, and one layer
        further, to the inputs. At the kink of a ReLU its derivative is 0.
        """
        self._check_parameters()
        checked = as_rows(X, self.layer_sizes[0], self.dtype)
        return sensitivities(self._engine, self._arena, checked, summary, relative)

    # -- training ----------------------------------------------------------------------------

    def step(self, x: ArrayLike, y: ArrayLike, learning_rate: float) -> float:
        """Train on one row, in place, by plain gradient descent.

        Fastest with contiguous arrays of the network's dtype: microseconds.

        Parameters
        ----------
        x : array-like of shape (n_in,)
        y : array-like of shape (n_out,); a number for one output; a class number for softmax
        learning_rate : float, > 0

        Returns
        -------
        float
            The row's loss before the step. If it is not finite, no step is taken and a
            `DivergenceWarning` is given.
        """
        if not (isinstance(learning_rate, float) and 0 < learning_rate < math.inf):
            learning_rate = check_number("learning_rate", learning_rate, above=0)
        loss = self._engine.step(x, y, learning_rate)
        if loss is None:
            x_rows = as_rows(np.asarray(x)[np.newaxis], self.layer_sizes[0], self.dtype)
            y_rows = self._targets(np.asarray(y)[np.newaxis], 1)
            loss = self._engine.step(
                np.ascontiguousarray(x_rows[0]), np.ascontiguousarray(y_rows[0]), learning_rate
            )
            assert loss is not None  # both are now as the kernels read them
        if not math.isfinite(loss):
            self._check_parameters()
            warn_of_divergence("learning_rate", learning_rate)
        return loss

    def train_epoch(
        self,
        X: ArrayLike,
        y: ArrayLike,
        learning_rate: float,
        order: ArrayLike | None = None,
        momentum: float = 0.0,
        nesterov: bool = False,
        alpha: float = 0.0,
        batch_size: int = 1,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Train on every row once, in place.

        A batch of b rows moves along ``g = (sum of weighted row gradients + alpha W) / b`` (biases
        without alpha): ``W -= learning_rate g``. With momentum,
        ``v = momentum v - learning_rate g`` and ``W += v``, or with Nesterov's
        ``W += momentum v - learning_rate g``; v stays with the network between calls, see
        `reset_solver`.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_in)
        y : array-like of shape (n, n_out); (n,) for one output; class numbers (n,) for softmax
        learning_rate : float, > 0
        order : array-like of int, default=None
            Rows to visit, in this order; may repeat rows or leave some out. None: 0 to n - 1.
        momentum : float in [0, 1), default=0.0
        nesterov : bool, default=False
        alpha : float, >= 0, default=0.0
            Strength of the L2 penalty on weights.
        batch_size : int, default=1
            Rows a step; 1 is row by row.
        sample_weight : array-like of shape (n,), default=None
            Factors on the rows' gradients.

        Returns
        -------
        float
            The (weighted) mean over visited rows of the row's loss just before its own step; not
            finite if training diverged (a row's loss is not finite, or larger than any sensible
            network's: see `LARGEST_LOSSES`), which stops the epoch, keeps the weights from before
            and gives a `DivergenceWarning`.
        """
        solver = Solver(learning_rate, momentum, bool(nesterov), alpha, batch_size)
        rows = self._rows(X, y, sample_weight, needs_y=True)
        loss = self._run_epoch(rows, as_order(order, rows.n), solver)
        if not math.isfinite(loss):
            warn_of_divergence("learning_rate", learning_rate)
        return loss

    def _run_epoch(self, rows: _core.Rows, order: NDArray[np.int64], solver: Solver) -> float:
        """Run `train_epoch` on what was checked before, and without the warning."""
        if not self._in_training.acquire(blocking=False):
            raise RuntimeError(
                "This network is being trained by another thread. Give each thread a network of "
                "its own, for instance a copy."
            )
        try:
            return self._run_slices(rows, order, solver)
        finally:
            self._in_training.release()

    def _run_slices(self, rows: _core.Rows, order: NDArray[np.int64], solver: Solver) -> float:
        """Run an epoch piece by piece; Ctrl-C is honoured in between."""
        plan = self.plan(
            len(order),
            batch_size=solver.batch_size,
            momentum=solver.momentum,
            sparse=rows.sparse,
        )
        block = batch = gradients = velocities = None
        if plan.path in ("registers", "blocks"):
            kind = rows.sparse, solver.momentum > 0
            if kind not in self._blocks:
                self._blocks[kind] = _core.Block(self._engine, *kind)
            block = self._blocks[kind]
        elif plan.path == "batches":
            self._gradients = self._gradients or self._arena.like()
            gradients = self._gradients.values
            if not rows.sparse:
                has_momentum = solver.momentum > 0
                if has_momentum not in self._batches:
                    self._batches[has_momentum] = _core.Batch(self._engine, has_momentum)
                batch = self._batches[has_momentum]
        if solver.momentum:
            self._velocities = self._velocities or self._arena.like()
            velocities = self._velocities.values

        total_weight = _total_weight(rows, order)
        if total_weight == 0:
            raise ValueError("Every row of order has sample_weight 0: nothing to learn from")
        options = dataclasses.asdict(solver)
        options["batch_size"] = min(solver.batch_size, len(order))
        options["largest_loss"] = rows.largest_loss
        before, loss_sum = np.empty_like(self._arena.values), 0.0
        everything = self.n_parameters if rows.sparse else 0
        moved = {"batches": 4 * everything, "blocks": everything if solver.alpha else 0}
        per_row = moved.get(plan.path, 0) / plan.rows
        for start, stop in self._slices(rows, len(order), plan.rows, per_row):
            np.copyto(before, self._arena.values)
            sound = False
            try:
                stopped, slice_loss = self._engine.train(
                    rows,
                    order,
                    start,
                    stop,
                    gradients=gradients,
                    velocities=velocities,
                    block=block,
                    batch=batch,
                    **options,
                )
                sound = stopped == stop and _core.all_finite(self._arena.values)
            finally:
                if not sound:  # it diverged, or was interrupted in the middle of a piece
                    np.copyto(self._arena.values, before)
            if not sound:
                self.reset_solver()
                return math.inf
            loss_sum += slice_loss
        return loss_sum / total_weight

    def reset_solver(self) -> None:
        """Forget the velocities that momentum has built up."""
        self._velocities = None

    # -- about the network -------------------------------------------------------------------

    def plan(
        self,
        n_rows: int = 1000,
        *,
        batch_size: int = 1,
        momentum: float = 0.0,
        sparse: bool = False,
    ) -> Plan:
        """Return how `train_epoch` runs n_rows rows: code path, instruction set, dtype.

        Parameters
        ----------
        n_rows : int, default=1000
        batch_size, momentum
            As given to `train_epoch`.
        sparse : bool, default=False
            Whether X is a CSR matrix.

        Returns
        -------
        Plan
        """
        engine, rows = self._engine, self._engine.block_rows
        lanes = _core.lanes(engine.isa, self.dtype)
        if batch_size > 1 or (momentum and (sparse or n_rows < 2 * rows)):
            path, rows = "batches", batch_size
        elif engine.tiny and not sparse and not momentum:
            path, rows = "registers", 1
        elif n_rows >= 2 * rows and (lanes > 1 or sparse or momentum):
            path = "blocks"  # which do not pay for plain numbers
        else:
            path, rows = "rows", 1
        return Plan(path, rows, engine.isa, lanes, self.dtype.name)

    def copy(self) -> Network:
        """Return an independent network with the same parameters and solver state."""
        other = type(self).__new__(type(self))
        other.__setstate__(self.__getstate__())
        return other

    def __getstate__(self) -> dict[str, Any]:
        return {
            "layer_sizes": self.layer_sizes,
            "activation": self.activation,
            "out_activation": self.out_activation,
            "loss_name": self.loss_name,
            "dtype": self.dtype,
            "parameters": self._arena.arrays(),
            "velocities": self._velocities and self._velocities.arrays(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        parameters, velocities = state.pop("parameters"), state.pop("velocities")
        self.__dict__.update(state)
        self._allocate()
        self._arena.load(parameters)
        if velocities is not None:
            self._velocities = self._arena.like()
            self._velocities.load(velocities)

    def __repr__(self) -> str:
        names = self.activation[0] if len(set(self.activation)) == 1 else list(self.activation)
        return (
            f"Network({self.layer_sizes}, activation={names!r}, "
            f"out_activation={self.out_activation!r}, loss={self.loss_name!r}, "
            f"dtype={self.dtype.name!r})"
        )

    # -- boundary ----------------------------------------------------------------------------

    def _rows(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, needs_y: bool = False
    ) -> _core.Rows:
        """Check data and lay it open for the kernels."""
        self._check_parameters()
        checked = as_rows(X, self.layer_sizes[0], self.dtype)
        n_rows = len(checked[2]) - 1 if isinstance(checked, tuple) else len(checked)
        if needs_y and not n_rows:
            raise ValueError("X has no rows")
        if needs_y and y is None:
            raise TypeError("y must be an array of targets, one for each row of X; got None")
        targets = None if y is None else self._targets(y, n_rows)
        weights = as_weights(sample_weight, n_rows)
        if weights is not None and float(weights.max()) > 1e300 / max(n_rows, 1):
            raise ValueError("sample_weight is too large to sum up: scale the weights down")
        rows = _core.Rows(checked, self.layer_sizes[0], targets, weights)
        if targets is not None and targets.size:
            largest = max(float(targets.max()), -float(targets.min()))
            rows.largest_loss = min(1e300, LARGEST_LOSSES[self.loss_name](largest))
        return rows

    def _check_parameters(self) -> None:
        """Refuse parameters that someone has made NaN or infinite through the views."""
        if not _core.all_finite(self._arena.values):
            for name, views in (("weights", self.weights), ("biases", self.biases)):
                for i, view in enumerate(views):
                    check_finite(f"{name}[{i}]", view)

    def _targets(self, y: Any, n_rows: int) -> NDArray[Any]:
        return as_targets(
            y, n_rows, self.layer_sizes[-1], self.dtype, self.loss_name, self.out_activation
        )

    def _slices(
        self, rows: _core.Rows, n: int, multiple: int = 1, params_per_row: float = 0.0
    ) -> Iterator[tuple[int, int]]:
        """Cut range(n) into pieces of some 20 ms of work, longer where a piece costs much to begin.

        Their length is estimated, not measured: rounding depends on where a piece begins, and the
        same training must give the same bits every time. ``params_per_row`` is how many of the
        parameters a row moves besides those of its non-zeros.
        """
        unused = (self.layer_sizes[0] - rows.values_per_row) * self.layer_sizes[1]
        used = self.n_parameters - unused + params_per_row
        seconds = min(0.1, max(0.02, 8e-8 * self.n_parameters))
        size = max(1, int(seconds / (2e-8 + 2.5e-10 * used)) // multiple) * multiple
        for start in range(0, n, size):
            yield start, min(start + size, n)


def _float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f'dtype must be "float64" or "float32"; got {dtype!r}')
    return kind


def hidden_activations(activation: Any, n_hidden: int) -> tuple[str, ...]:
    """Return one name a hidden layer, each an activation that hidden layers can have."""
    if isinstance(activation, str):
        return (check_choice("activation", activation, HIDDEN_ACTIVATIONS),) * n_hidden
    try:
        names = tuple(activation)
    except TypeError:
        names = (activation,)
    if len(names) != n_hidden:
        raise ValueError(
            f"activation lists {len(names)} names, but the network has {n_hidden} hidden layers"
        )
    return tuple(
        check_choice(f"activation[{i}]", name, HIDDEN_ACTIVATIONS) for i, name in enumerate(names)
    )


def _out_activation(out_activation: str | None, loss: str, n_outputs: int) -> str:
    allowed = OUT_ACTIVATIONS[loss]
    if out_activation is None:
        return "logistic" if loss == "log_loss" and n_outputs == 1 else allowed[0]
    if out_activation not in allowed:
        raise ValueError(
            f"out_activation must be one of {', '.join(allowed)} with loss={loss!r}; "
            f"got {out_activation!r}"
        )
    if out_activation == "softmax" and n_outputs == 1:
        raise ValueError("softmax needs at least two outputs; use logistic for one")
    return out_activation


def _random(random_state: Any) -> Any:
    """Return a generator that has `uniform`."""
    if hasattr(random_state, "uniform"):
        return random_state
    if random_state is not None:
        random_state = check_whole("random_state", random_state, at_least=0)
    return np.random.RandomState(random_state)


def _total_weight(rows: _core.Rows, order: NDArray[np.int64] | None = None) -> float:
    """Return the sum of the weights of the rows visited."""
    if rows.sample_weight is None:
        return rows.n if order is None else len(order)
    weights = rows.sample_weight if order is None else rows.sample_weight[order]
    return float(weights.sum())


def warn_of_divergence(name: str, learning_rate: float, stacklevel: int = 3) -> None:
    """Give a `DivergenceWarning` that names the learning rate as the user knows it."""
    warnings.warn(
        f"Training diverged with {name}={learning_rate:g}: the loss has grown beyond all bounds, "
        "or a weight is no longer finite. It stopped, and the last finite weights from before this "
        f"are kept. Try a smaller {name}, or scale "
        "inputs and targets (for instance with sklearn.preprocessing.StandardScaler and "
        "sklearn.compose.TransformedTargetRegressor).",
        DivergenceWarning,
        stacklevel=stacklevel,
    )
