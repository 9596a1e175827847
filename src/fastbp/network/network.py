"""`Network`: the parameters of a multilayer perceptron, and everything one can do with them.

NumPy only. All parameters stand in one arena, aligned for the kernels; ``weights`` and ``biases``
are views on it. The algorithm itself is in ``_core/backprop.pyx``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _core
from .arrays import as_numbers, check_finite
from .catalogue import LOSSES, hidden_activations, out_activation_of
from .checks import (
    check_choice,
    check_fits_dtype,
    check_layer_sizes,
    check_number,
    check_whole,
)
from .construction import Undrawn, float_dtype, random_of, sizes_in_one_sequence
from .data import as_order, as_rows, as_summable_weights, as_targets, largest_target
from .divergence import warn_of_divergence
from .exportable import Exportable
from .jacobian import sensitivities
from .passes import gradients_of, loss_of, outputs_of
from .plan import EpochWorkload, Plan
from .read_only import read_only
from .rules import documented
from .runner import EpochRunner, Epochs
from .solver import Solver, solver_of_options
from .state import State
from .tables import LOSS_PARAMETERS, kernel_loss, parameter_of
from .tables import LOSSES as CATALOGUE

if TYPE_CHECKING:
    from .stored import StoredNetwork


class Network(Exportable):
    """A multilayer perceptron on contiguous memory, trained by backpropagation in compiled code.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of each layer, inputs first, outputs last: ``(8, 16, 1)``.
    activation : {"identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", \
            "silu", "gelu", "mish"} or list of these, default="relu"
        Activation of the hidden layers; a list names one for each. "leaky_relu" has a slope of
        0.01 below 0, and "elu" an alpha of 1; "gelu" is the one with the error function. "relu"
        is the fastest; the derivatives of "softplus", "silu", "gelu" and "mish" take longest.
    out_activation : str, default=None
        Activation of the output layer. None takes the one that belongs to the loss: "identity" for
        squared and absolute error, huber and quantile, "logistic" for log loss with one output and
        "softmax" with more ("logistic" there means one yes or no per output), "exp" for poisson.
    loss : {"squared_error", "absolute_error", "huber", "quantile", "log_loss", "poisson"}, \
            default="squared_error"
        Loss of one row, a sum over its outputs: ``1/2 (a - y)**2``; ``|a - y|``; see
        ``huber_delta`` and ``quantile``; cross-entropy; half the Poisson deviance
        ``y log(y / a) - y + a``.
    huber_delta : float, > 0, default=1.0
        Of huber: with ``r = |a - y|`` the loss is ``1/2 r**2`` up to this error, and beyond it
        ``huber_delta r - 1/2 huber_delta**2`` (Huber, 1964).
    quantile : float in (0, 1), default=0.5
        Of quantile: the loss is ``quantile (y - a)`` where a is too small and
        ``(1 - quantile) (a - y)`` where it is too large (Koenker and Bassett, 1978).
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
        Writable views on the network's memory, one a layer.
    n_parameters : int
        Number of weights and biases.
    layer_sizes, activation, out_activation, loss_name, huber_delta, quantile, dtype
        As the network was made, with names for what None stands for. Like ``n_parameters`` they
        cannot be assigned to.

    Notes
    -----
    One thread at a time trains a network. Other threads should not write to X, y or sample_weight
    meanwhile: training may meet the old values or the new ones. Row numbers, class numbers and the
    indices of sparse matrices are copied before they are checked and used.

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

    @sizes_in_one_sequence
    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: str | Sequence[str] = "relu",
        out_activation: str | None = None,
        loss: str = "squared_error",
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        dtype: DTypeLike = "float64",
        random_state: Any = None,
    ) -> None:
        self._dtype = float_dtype(dtype)
        self._layer_sizes = check_layer_sizes(layer_sizes, self.dtype.itemsize)
        self._activation = hidden_activations(activation, len(self.layer_sizes) - 2)
        self._loss_name = check_choice("loss", loss, LOSSES)
        self._huber_delta = check_number("huber_delta", huber_delta, above=0)
        self._quantile = check_number("quantile", quantile, above=0, below=1)
        if self._loss_parameter:
            check_fits_dtype(str(CATALOGUE[loss].parameter), self._loss_parameter, self.dtype)
        self._out_activation = out_activation_of(out_activation, loss, self.layer_sizes[-1])
        self._allocate()
        self._initialise(random_of(random_state))

    dtype: np.dtype[Any] = read_only("dtype", "Type of parameters and arithmetic.")
    layer_sizes: tuple[int, ...] = read_only("layer_sizes", "Units of each layer, inputs first.")
    activation: tuple[str, ...] = read_only("activation", "Activation of each hidden layer.")
    out_activation: str = read_only("out_activation", "Activation of the output layer.")
    loss_name: str = read_only("loss_name", "Name of the loss.")
    huber_delta: float = read_only("huber_delta", "Of huber: where it becomes linear.")
    quantile: float = read_only("quantile", "Of quantile: which one is predicted.")

    # -- memory ------------------------------------------------------------------------------

    def _allocate(self, state: State | None = None) -> None:
        """Make room for the parameters, or take that of a state, and open it for the kernels."""
        self._state = state or State(self.layer_sizes, self.dtype)
        self._arena = self._state.parameters
        self._layers = _core.Layers(
            self._arena.values,
            list(self.weights),
            list(self.biases),
            [*self.activation, self.out_activation],
            self._kernel_loss,
            self._loss_parameter,
            _core.isa_for(self.layer_sizes, self.dtype),
        )
        self._runner = EpochRunner(self._layers, self._state)

    @property
    def _kernel_loss(self) -> str:
        return kernel_loss(self.loss_name, self.out_activation)

    @property
    def _loss_parameter(self) -> float:
        return parameter_of(self.loss_name, self)

    def _max_loss(self, target: float) -> float:
        """Return what a row's loss may be where the largest target is this: `Loss.largest`."""
        return CATALOGUE[self.loss_name].largest(target, self._loss_parameter)

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
        return self._arena.weights.new_views()

    @weights.setter
    def weights(self, values: Sequence[ArrayLike]) -> None:
        self._arena.weights[:] = values
        self._layers.forget_size()

    @property
    def biases(self) -> list[NDArray[Any]]:
        """Biases of each layer, (n_out,): writable views on the network's memory."""
        return self._arena.biases.new_views()

    @biases.setter
    def biases(self, values: Sequence[ArrayLike]) -> None:
        self._arena.biases[:] = values
        self._layers.forget_size()

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return self._arena.n_parameters

    # -- using the network -------------------------------------------------------------------

    def forward(self, X: ArrayLike, n_threads: int = 1) -> NDArray[Any]:
        """Return the activations of the output layer.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_in), or one row of shape (n_in,)
        n_threads : int, default=1
            Most threads to share many rows among; the numbers are the same for every count.

        Returns
        -------
        ndarray of shape (n, n_out), or (n_out,) for one row
        """
        one = self._layers.forward_one(X)
        if one is not None:
            return one
        if not hasattr(X, "tocsr"):
            X = as_numbers("X", X, self.dtype)
            if X.ndim == 1:
                row: NDArray[Any] = self.forward(X[np.newaxis])[0]
                return row
            if X.ndim == 2 and len(X) == 1:
                one = self._layers.forward_one(X[0])
                if one is not None:
                    return one[np.newaxis]
        rows = self._rows(X)
        return self._forward_rows(rows, rows.n, check_whole("n_threads", n_threads))

    def _forward_rows(self, rows: _core.Rows, n: int, n_threads: int = 1) -> NDArray[Any]:
        """Return the activations of the output layer for the first n rows."""
        return outputs_of(self._layers, self._arena, self._runner, rows, n, n_threads)

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
        return self._loss_of(rows)

    def _loss_of(self, rows: _core.Rows) -> float:
        """Return the (weighted) mean loss of rows that were checked before."""
        return loss_of(self._layers, self._arena, rows)

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
        loss, gradients = gradients_of(self._layers, self._arena, rows)
        return loss, list(gradients.weights), list(gradients.biases)

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
        return self._sensitivity(X, summary, relative)

    def _sensitivity(
        self, X: Any, summary: str | None, relative: bool, units: Any = None
    ) -> NDArray[Any]:
        """Return `sensitivity` to inputs in units that are not the network's own, if given."""
        self._check_parameters()
        checked = as_rows(X, self.layer_sizes[0], self.dtype)
        return sensitivities(self._layers, self._arena, checked, summary, relative, units)

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
        loss = take_plain_row(self._layers, x, y, learning_rate)
        if loss is None:
            learning_rate = check_number("learning_rate", learning_rate, above=0)
            check_fits_dtype("learning_rate", learning_rate, self.dtype)
            x_rows = as_rows(np.asarray(x)[np.newaxis], self.layer_sizes[0], self.dtype)
            y_rows = self._dense_targets(np.asarray(y)[np.newaxis], 1)
            x, y = np.ascontiguousarray(x_rows[0]), np.ascontiguousarray(y_rows[0])
            loss = take_plain_row(self._layers, x, y, learning_rate)
            assert loss is not None  # both are now as the kernels read them
        if not math.isfinite(loss):
            self._check_parameters()
            warn_of_divergence("learning_rate", learning_rate)
        return loss

    @documented
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
        *,
        solver: str = "sgd",
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        dropout: float | Sequence[float] = 0.0,
        dropout_seed: int = 0,
        n_threads: int = 1,
        plan: str | Plan | None = None,
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
            Rows to train on, in this order; may repeat rows or leave some out. None: 0 to n - 1.
        momentum : float in [0, 1), default=0.0
        nesterov : bool, default=False
        alpha : float, >= 0, default=0.0
            Strength of the L2 penalty on weights.
        batch_size : int, default=1
            Rows a step; 1 is row by row.
        sample_weight : array-like of shape (n,), default=None
            Factors on the rows' gradients.
        solver : $solvers, default="sgd"
            How a step follows the gradient g:

            $about_solvers

            Adam has ``m = beta_1 m + (1 - beta_1) g`` and ``s = beta_2 s + (1 - beta_2) g**2`` and
            moves in step t by
            ``-learning_rate sqrt(1 - beta_2**t) / (1 - beta_1**t) m / (sqrt(s) + epsilon)``; AdamW
            by ``-learning_rate m / (1 - beta_1**t) / (sqrt(s / (1 - beta_2**t)) + epsilon)``;
            AdaGrad, with ``s = s + g**2``, and RMSprop, with Adam's s, by
            ``-learning_rate g / (sqrt(s) + epsilon)``.
        beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        epsilon : float, > 0, default=1e-8
            In float32 at least 1.1e-19, whose square it still holds.
        dropout : float in [0, 1) or sequence of these, default=0.0
            Probability with which a row leaves out each hidden unit, or one for each hidden layer;
            the others count for ``1 / (1 - dropout)`` as much (Srivastava et al., 2014). It takes
            the path "rows" or "batches" of `plan`.
        dropout_seed : int in [0, 2**32), default=0
            Which units a row leaves out follows from this and from how many rows the network was
            trained on with dropout before, whatever the batch size.
        n_threads : int, default=1
            Most threads to share the work of a batch among, which pays for large ones only; row by
            row it is one. The numbers are the same for every count.
        plan : {"registers", "blocks", "rows", "batches"} or Plan, default=None
            The path to take, instead of the fastest: see `plan`. An error if these rows cannot be
            trained on by it.

        Returns
        -------
        float
            The (weighted) mean over these rows of the row's loss just before its own step; not
            finite if training diverged (a row's loss is not finite, or larger than any sensible
            network's), which stops the epoch, keeps the weights from before
            the epoch and gives a `DivergenceWarning`.
        """
        follow = solver_of_options(locals(), nesterov=bool(nesterov))
        follow.check_dtype(self.dtype)
        n_threads = check_whole("n_threads", n_threads)
        rows = self._rows(X, y, sample_weight, needs_y=True)
        order = as_order(order, rows.n)
        loss = self._run_epoch(Epochs(rows, order, follow, n_threads=n_threads, path=plan))
        if not math.isfinite(loss):
            warn_of_divergence("learning_rate", learning_rate)
        return loss

    def _run_row(self, x: Any, y: Any, solver: Solver, rate: float) -> float | None:
        """Run an epoch of one row as `_run_epoch` does, or change nothing and return None.

        With the learning rate given instead of the solver's.

        None stands for everything out of the ordinary about data, loss or solver, which is for
        `_rows` and `_run_epoch` to look into.
        """
        if self._runner.lock.locked():
            return None
        with self._runner.lock:
            max_loss = self._max_loss(0.0)  # whatever the target is
            moments = self._state.moments_of(solver.rule)
            kept, n_steps = (None, 0) if moments is None else (moments.values, moments.n_steps)
            take_row = solver.compiled(0).take_row
            loss = take_row(self._layers, x, y, rate, kept, n_steps, max_loss)
            if loss is None or not loss <= max_loss:
                return None
            if moments is not None:
                moments.n_steps += 1
        return loss

    def _run_epoch(self, epochs: Epochs) -> float:
        """Run `train_epoch` on what was checked before, and without the warning."""
        (loss,) = self._runner.run(epochs)
        if not math.isfinite(loss):
            self.reset_solver()
        return loss

    def reset_solver(self) -> None:
        """Forget the moments of all solvers, such as velocities: what they keep of the steps."""
        self._state.moments = {}

    # -- about the network -------------------------------------------------------------------

    def plan(
        self,
        n_rows: int = 1000,
        *,
        batch_size: int = 1,
        momentum: float = 0.0,
        sparse: bool = False,
        solver: str = "sgd",
        dropout: float | Sequence[float] = 0.0,
        n_threads: int = 1,
        path: str | None = None,
    ) -> Plan:
        """Return how `train_epoch` runs n_rows rows: code path, instruction set, dtype, threads.

        Parameters
        ----------
        n_rows : int, default=1000
        batch_size, momentum, solver, dropout, n_threads
            As given to `train_epoch`.
        sparse : bool, default=False
            Whether X is a CSR matrix, of rows that are nearly empty: less than an eighth not zero.
        path : {"registers", "blocks", "rows", "batches"}, default=None
            A path to take instead of the fastest: `train_epoch` takes the plan that is returned.

        Returns
        -------
        Plan

        Raises
        ------
        ValueError
            If that path cannot be taken.
        """
        follow = solver_of_options(locals(), learning_rate=1.0)
        work = EpochWorkload(self._layers, self._arena, sparse, n_rows, follow)
        work.choose(n_threads, path)
        return work.plan()

    def copy(self) -> Network:
        """Return an independent network with the same parameters and solver state."""
        other = type(self).__new__(type(self))
        other.__setstate__(self.__getstate__())
        return other

    @staticmethod
    def load(path: Any) -> StoredNetwork:
        """Return the network in a file of `fastbp.save`, whatever model that holds.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        StoredNetwork
            With the units, names and classes of an estimator, of which it makes the predictions
            with NumPy alone: scikit-learn is not imported. Of a recording it is a plain `Network`,
            the last snapshot; of a stream's model, too: the one that predicts, of several the fast
            one. These have no units but their own.

        Raises
        ------
        OSError
            If there is no such file, or it cannot be read.
        ValueError
            If it is no model of fastbp, a damaged one, or one of a newer version.
        """
        from ..io.models import load_network

        network: StoredNetwork = load_network(path)
        return network

    def _grown(self, layer_sizes: tuple[int, ...]) -> Network:
        """Return a network with larger layers; each number stays where its unit is, others are 0.

        Moments are there, too.
        """
        other = type(self).__new__(type(self))
        for name in MADE_WITH:
            setattr(other, f"_{name}", getattr(self, name))
        other._layer_sizes = check_layer_sizes(layer_sizes, self.dtype.itemsize)
        other._allocate(self._state.grown(other.layer_sizes))
        return other

    def __getstate__(self) -> dict[str, Any]:
        made_with = {name: getattr(self, name) for name in MADE_WITH}
        with self._runner.at_rest():
            return {**made_with, "dtype": self.dtype.name, **self._state.to_dict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Become the network of a saved state, or stay unchanged where that is invalid.

        A network that is there already keeps its memory, which other threads may use: it takes the
        state of one that was made like it.
        """
        try:
            network = _of_state(type(self), dict(state))
        except (KeyError, IndexError, AttributeError) as error:
            raise ValueError(f"This is not the state of a Network: {error!r}") from error
        if "_layers" in self.__dict__:
            self._take_over(network)
        else:
            self.__dict__.update(network.__dict__)

    def _take_over(self, other: Network) -> None:
        """Take the numbers of a network that was made like this one."""
        for name in MADE_WITH:
            own, saved = getattr(self, name), getattr(other, name)
            if own != saved:
                raise ValueError(
                    f"This is the state of a network with {name}={saved!r}, and this network has "
                    f"{own!r}: let pickle or copy make a new one of it"
                )
        with self._runner.training():
            self._state.restore(other._state)
            self._layers.forget_size()

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
        """Check data and return it as pointers for C."""
        self._check_parameters()
        checked = as_rows(X, self.layer_sizes[0], self.dtype)
        n_rows = len(checked[2]) - 1 if isinstance(checked, tuple) else len(checked)
        if needs_y and not n_rows:
            raise ValueError("X has no rows")
        if needs_y and y is None:
            raise TypeError("y must be an array of targets, one for each row of X; got None")
        targets = None if y is None else self._targets(y, n_rows)
        weights = as_summable_weights(sample_weight, n_rows)
        rows = _core.Rows(checked, self.layer_sizes[0], targets, weights)
        if targets is not None:
            rows.max_loss = min(1e300, self._max_loss(largest_target(targets)))
        return rows

    def _check_parameters(self) -> None:
        """Refuse parameters that someone has made NaN or infinite through the views."""
        if not _core.all_finite(self._arena.values):
            for name, views in (("weights", self.weights), ("biases", self.biases)):
                for i, view in enumerate(views):
                    check_finite(f"{name}[{i}]", view)

    def _targets(
        self, y: Any, n_rows: int
    ) -> NDArray[Any] | tuple[NDArray[Any], NDArray[np.int32]]:
        return as_targets(
            y, n_rows, self.layer_sizes[-1], self.dtype, self.loss_name, self.out_activation
        )

    def _dense_targets(self, y: Any, n_rows: int) -> NDArray[Any]:
        """Return `_targets` as a dense array, with indicators of each row's class."""
        targets = self._targets(y, n_rows)
        return targets[0][targets[1]] if isinstance(targets, tuple) else targets


take_plain_row = Solver(learning_rate=1.0).compiled(0).take_row
# What a network is made with, and its memory and compiled parts for.
MADE_WITH = (
    "dtype", "layer_sizes", "activation", "out_activation", "loss_name", *LOSS_PARAMETERS
)  # fmt: skip


def made_with(network: Network, *but: str) -> dict[str, Any]:
    """Return the arguments of a network like this one, without those named."""
    return _as_arguments({name: getattr(network, name) for name in MADE_WITH if name not in but})


def _as_arguments(values: dict[str, Any]) -> dict[str, Any]:
    return {"loss" if name == "loss_name" else name: value for name, value in values.items()}


def _of_state(kind: type[Network], state: dict[str, Any]) -> Network:
    """Return the network of what `Network.__getstate__` returned, checked like a new one."""
    network = kind.__new__(kind)
    arguments = _as_arguments({name: state[name] for name in MADE_WITH})
    Network.__init__(network, **arguments, random_state=Undrawn())
    network._state.load(state)
    return network
