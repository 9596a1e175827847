"""`Network`: the parameters of a multilayer perceptron, and everything one can do with them.

NumPy only. All parameters stand in one arena, aligned for the kernels; ``weights`` and ``biases``
are views on it. The algorithm itself is in ``_core/backprop.pyx``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import os
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .. import _core
from ..exceptions import DivergenceWarning
from .arrays import as_numbers, check_finite
from .catalogue import LOSSES, hidden_activations, out_activation_of
from .checks import (
    LIMITS,
    check_choice,
    check_fits_dtype,
    check_layer_sizes,
    check_number,
    check_whole,
)
from .data import as_order, as_rows, as_targets, as_weights
from .jacobian import sensitivities
from .parameters import Arena
from .plan import (
    MAX_TOGETHER,
    MIN_FULL,
    SECONDS_PER_PARAMETER,
    SECONDS_PER_PARAMETER_IN_SCALARS,
    SECONDS_TO_KEEP,
    SPARSE_FACTOR,
    Plan,
    plan_of,
)
from .read_only import read_only
from .solver import Rates, Solver, checked_solver
from .solvers import RULES, documented
from .state import Moments, copy_each, empty_like
from .tables import LOSSES as CATALOGUE
from .tables import parameter_of
from .threads import ThreadTuner, Workers, thread_count


def _sizes_in_one_sequence(init: Callable[..., None]) -> Callable[..., None]:
    """Return `Network.__init__` with an error that helps where sizes are given one by one."""

    @functools.wraps(init)
    def checked_init(self: Any, *sizes: Any, **options: Any) -> None:
        if "_layers" in self.__dict__:
            raise TypeError(
                "A Network is made once: other threads may use its memory. Make another"
            )
        if len(sizes) > 1:
            are_sizes = all(hasattr(size, "__index__") for size in sizes)
            example = f"({', '.join(map(repr, sizes))})" if are_sizes else "(8, 16, 1), loss=..."
            raise TypeError(
                "Network takes the sizes of its layers as one sequence, and all else by name: "
                f"Network({example})"
            )
        init(self, *sizes, **options)

    return checked_init


class Network:
    """A multilayer perceptron on contiguous memory, trained by backpropagation in compiled code.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of each layer, inputs first, outputs last: ``(8, 16, 1)``.
    activation : {"identity", "logistic", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", \
            "silu", "gelu", "mish"} or list of these, default="relu"
        Activation of the hidden layers; a list names one for each. "leaky_relu" has a slope of
        0.01 below 0, and "elu" an alpha of 1; "gelu" is the one with the error function. "relu"
        is the fastest, and the derivative of the last four takes longest.
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

    @_sizes_in_one_sequence
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
        self._dtype = _float_dtype(dtype)
        self._layer_sizes = check_layer_sizes(layer_sizes, self.dtype.itemsize)
        self._activation = hidden_activations(activation, len(self.layer_sizes) - 2)
        self._loss_name = check_choice("loss", loss, LOSSES)
        self._huber_delta = check_number("huber_delta", huber_delta, above=0)
        self._quantile = check_number("quantile", quantile, above=0, below=1)
        if self._loss_parameter:
            check_fits_dtype(str(CATALOGUE[loss].parameter), self._loss_parameter, self.dtype)
        self._out_activation = out_activation_of(out_activation, loss, self.layer_sizes[-1])
        self._n_samples = 0  # in training with dropout
        self._allocate()
        self._initialise(_random(random_state))

    dtype: np.dtype[Any] = read_only("dtype", "Type of parameters and arithmetic.")
    layer_sizes: tuple[int, ...] = read_only("layer_sizes", "Units of each layer, inputs first.")
    activation: tuple[str, ...] = read_only("activation", "Activation of each hidden layer.")
    out_activation: str = read_only("out_activation", "Activation of the output layer.")
    loss_name: str = read_only("loss_name", "Name of the loss.")
    huber_delta: float = read_only("huber_delta", "Of huber: where it becomes linear.")
    quantile: float = read_only("quantile", "Of quantile: which one is predicted.")

    # -- memory ------------------------------------------------------------------------------

    def _allocate(self) -> None:
        """Make room for the parameters and open it for the kernels."""
        self._arena = Arena(self.layer_sizes, self.dtype)
        self._n_parameters = sum(n_out * (n_in + 1) for n_in, n_out in pairwise(self.layer_sizes))
        self._dtype_name = self.dtype.name  # which is slow to ask for
        self._rates = LIMITS[self.dtype]
        self._in_training = threading.Lock()
        self._moments: dict[str, Moments] = {}  # of each rule that has kept something
        self._batch: _core.BatchWorkspace | None = None
        self._before: list[NDArray[Any]] = []
        self._state_in_use: list[NDArray[Any]] = []  # what a piece of work under way changes
        self._tuners: dict[tuple[int, int], ThreadTuner] = {}
        self._workspaces: dict[tuple[str, bool, str], _core.Workspace] = {}
        self._layers = _core.Layers(
            self._arena.values,
            list(self.weights),
            list(self.biases),
            [*self.activation, self.out_activation],
            self._kernel_loss,
            self._loss_parameter,
            _core.isa_for(self.layer_sizes, self.dtype),
        )
        _alive.add(self)

    @property
    def _kernel_loss(self) -> str:
        """Name of the loss among the kernels, where log loss has two."""
        binary = self.loss_name == "log_loss" and self.out_activation == "logistic"
        return "binary_log_loss" if binary else self.loss_name

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

    @property
    def biases(self) -> list[NDArray[Any]]:
        """Biases of each layer, (n_out,): writable views on the network's memory."""
        return self._arena.biases.new_views()

    @biases.setter
    def biases(self, values: Sequence[ArrayLike]) -> None:
        self._arena.biases[:] = values

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return self._n_parameters

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
        out = np.empty((n, self.layer_sizes[-1]), dtype=self.dtype)
        if n < 2 * self._layers.block_rows:  # too few to pay for panels
            self._layers.forward(rows, 0, n, out)
            return out
        batch_threads = thread_count(n_threads, 2.0 * self._used_parameters(rows) * n)
        batch, tuner = (
            _core.BatchWorkspace(self._layers, rows.sparse, -1, n, batch_threads),
            self._tuner(-1, batch_threads),
        )
        for start, stop in self._slices(rows, n):
            with _timed(tuner, stop - start) as others:
                _core.forward_all(self._layers, batch, others, rows, start, stop, out)
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
        return self._loss_of(rows)

    def _loss_of(self, rows: _core.Rows) -> float:
        """Return the (weighted) mean loss of rows that were checked before."""
        total = sum(self._layers.loss_sum(rows, *piece) for piece in self._slices(rows, rows.n))
        return total / rows.weight()

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
        total, piece, loss_sum = self._arena.zeros_like(), self._arena.zeros_like(), 0.0
        for start, stop in self._slices(rows, rows.n):
            loss_sum += self._layers.sum_gradients(rows, start, stop, piece.values)
            total.values += piece.values
        weight = rows.weight()
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
        return sensitivities(self._layers, self._arena, checked, summary, relative)

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
        min_rate, max_rate = self._rates
        if not (isinstance(learning_rate, float) and min_rate <= learning_rate <= max_rate):
            learning_rate = check_number("learning_rate", learning_rate, above=0)
            check_fits_dtype("learning_rate", learning_rate, self.dtype)
        loss = self._layers.step(x, y, learning_rate)
        if loss is None:
            x_rows = as_rows(np.asarray(x)[np.newaxis], self.layer_sizes[0], self.dtype)
            y_rows = self._dense_targets(np.asarray(y)[np.newaxis], 1)
            loss = self._layers.step(
                np.ascontiguousarray(x_rows[0]), np.ascontiguousarray(y_rows[0]), learning_rate
            )
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

        Returns
        -------
        float
            The (weighted) mean over these rows of the row's loss just before its own step; not
            finite if training diverged (a row's loss is not finite, or larger than any sensible
            network's), which stops the epoch, keeps the weights from before
            the epoch and gives a `DivergenceWarning`.
        """
        follow = checked_solver(
            learning_rate,
            momentum,
            bool(nesterov),
            alpha,
            batch_size,
            solver,
            beta_1,
            beta_2,
            epsilon,
            False,
            dropout,
            dropout_seed,
        )
        follow.check_dtype(self.dtype)
        n_threads = check_whole("n_threads", n_threads)
        rows = self._rows(X, y, sample_weight, needs_y=True)
        loss = self._run_epoch(rows, as_order(order, rows.n), follow, n_threads)
        if not math.isfinite(loss):
            warn_of_divergence("learning_rate", learning_rate)
        return loss

    def _run_row(self, x: Any, y: Any, solver: Solver, rate: float) -> float | None:
        """Run an epoch of one row as `_run_epoch` does, or change nothing and return None.

        With the learning rate given instead of the solver's.

        None stands for everything out of the ordinary about data, loss or solver, which is for
        `_rows` and `_run_epoch` to look into.
        """
        if self._in_training.locked():
            return None
        with self._in_training:
            max_loss = self._max_loss(0.0)  # whatever the target is
            loss = self._layers.step(x, y, rate, solver.alpha, max_loss)
        return loss if loss is not None and loss <= max_loss else None

    def _run_epoch(
        self,
        rows: _core.Rows,
        order: NDArray[np.int64],
        solver: Solver,
        n_threads: int = 1,
        rates: Rates | None = None,
    ) -> float:
        """Run `train_epoch` on what was checked before, and without the warning.

        With ``rates``, if any, instead of the solver's learning rate.
        """
        planned = solver
        if rates is not None:
            planned = dataclasses.replace(solver, learning_rate=rates.largest(len(order)))
        with self._training():
            plan = self._plan(len(order), planned, rows, n_threads)
            return self._run_slices(rows, order, solver, plan, rates)

    def _training(self) -> threading.Lock:
        """Return the lock that training holds; raise if it is held.

        Use it in a ``with``: Ctrl-C may come between ``acquire`` and ``try``.
        """
        if self._in_training.locked():
            raise RuntimeError(
                "This network is being trained by another thread. Give each thread a network of "
                "its own, for instance a copy."
            )
        return self._in_training

    def _run_epochs(
        self,
        rows: _core.Rows,
        order: NDArray[np.int64],
        solver: Solver,
        max_epochs: int,
        shuffle: Any,
        rate: Callable[[int], float],
        n_threads: int = 1,
        reshuffle_from_start: bool = True,
    ) -> list[float]:
        """Run up to so many epochs that are short, one after another; return their losses.

        Each is `_run_epoch` for ``order``, shuffled by ``shuffle``, a RandomState if any: from
        ``order`` itself if ``reshuffle_from_start``, else in place, from the order of the last
        epoch. Its learning rate is what ``rate`` returns for the number of rows seen before;
        a rate that changes the plan ends the call.

        No epochs where one is a piece of work of its own, between which Ctrl-C is honoured; and no
        more of them from one that diverges on.
        """
        if max_epochs < 2 or not (shuffle is None or _core.can_shuffle(order, shuffle)):
            return []
        with self._training():
            plan = self._plan(len(order), solver, rows, n_threads)
            n = min(max_epochs, self._epochs_at_once(rows, len(order), solver, plan))
            if n < 2:
                return []
            rates = [rate(epoch * len(order)) for epoch in range(n)]
            same = [solver.decays_slowly(one) == solver.decays_slowly() for one in rates]
            n = same.index(False) if False in same else n
            return self._run_together(
                rows, order, solver, plan, np.array(rates[:n]), shuffle, reshuffle_from_start
            )

    def _run_together(
        self,
        rows: _core.Rows,
        order: NDArray[np.int64],
        solver: Solver,
        plan: Plan,
        rates: NDArray[np.float64],
        shuffle: Any,
        reshuffle_from_start: bool,
    ) -> list[float]:
        """Run epochs as one piece of work, which they are too short to be by themselves."""
        _total_weight(rows, order, solver)
        moments, losses = self._moments_of(solver), np.empty(len(rates))
        options = self._options(rows, solver, plan, moments, len(order))
        tuner = self._tuner(options["batch_size"], plan.n_threads)
        state = self._state(moments)
        before = self._before = empty_like(self._before, state)
        is_done = False
        copy_each(before, state)
        try:
            self._state_in_use = state
            with _timed(tuner, len(rates) * len(order)) as workers:
                n_done = _core.train_epochs(
                    self._layers,
                    rows,
                    order,
                    reshuffle_from_start,
                    rates,
                    losses,
                    shuffle,
                    workers=workers,
                    **options,
                )
            if moments is not None:
                moments.n_steps += n_done * -(-len(order) // options["batch_size"])
            self._n_samples += n_done * len(order) * solver.drops_units
            is_done = True
        finally:
            if not is_done:  # Ctrl-C, maybe at the very end
                copy_each(state, before)
            self._state_in_use = []
        found: list[float] = losses[:n_done].tolist()
        return found

    def _options(
        self, rows: _core.Rows, solver: Solver, plan: Plan, moments: Moments | None, n_rows: int
    ) -> dict[str, Any]:
        """Return the options of `_core.train`: solver, its state, memory."""
        options = solver.options(len(self.layer_sizes) - 2)
        options["batch_size"] = batch_size = min(solver.batch_size, n_rows)
        options["max_loss"] = rows.max_loss
        options["first_sample"] = self._n_samples
        if plan.path in ("registers", "blocks") or (plan.path == "rows" and rows.sparse):
            options["workspace"] = self._workspace(rows, solver, plan)
        if plan.path == "batches":
            options["batch"] = self._batch_workspace(rows, solver, batch_size, plan)
        if moments is not None:
            options["moments"], options["n_steps"] = moments.values, moments.n_steps
        return options

    def _run_slices(
        self,
        rows: _core.Rows,
        order: NDArray[np.int64],
        solver: Solver,
        plan: Plan,
        rates: Rates | None = None,
    ) -> float:
        """Run an epoch piece by piece; Ctrl-C is honoured in between."""
        total_weight = _total_weight(rows, order, solver)
        moments = self._moments_of(solver)
        options = self._options(rows, solver, plan, moments, len(order))
        batch_size = options["batch_size"]
        tuner = self._tuner(batch_size, plan.n_threads)
        values, loss_sum = self._arena.values, 0.0
        state = self._state(moments)
        before = self._before = empty_like(self._before, state)  # kept from epoch to epoch
        per_row = self._moved_parameters(plan, solver, rows) / plan.rows
        packed = self._n_packed(plan, solver)
        at_start: list[NDArray[Any]] | None = None
        n_samples = self._n_samples
        pieces = self._slices(rows, len(order), plan.rows, per_row, packed)
        for start, stop in pieces if rates is None else rates.cut(pieces):
            if rates is not None:
                options["learning_rate"] = rates.at(start)
            if start == 0 and stop < len(order):  # what it goes back to if a later piece diverges
                at_start = [array.copy() for array in state]
            copy_each(before, state)
            is_whole = False
            try:
                self._state_in_use = state
                with _timed(tuner, stop - start) as others:
                    stopped, slice_loss = _core.train(
                        self._layers, rows, order, start, stop, workers=others, **options
                    )
                is_whole = stopped == stop and _core.all_finite(values)
            finally:
                if not is_whole:  # it diverged, or was interrupted in the middle of a piece
                    copy_each(state, before)
                self._state_in_use = []
            if not is_whole:
                if at_start is not None:
                    copy_each(state, at_start)
                    self._n_samples = n_samples
                self.reset_solver()
                return math.inf
            loss_sum += slice_loss
            if moments is not None:
                moments.n_steps += -(-(stop - start) // batch_size)
                options["n_steps"] = moments.n_steps
            self._n_samples += (stop - start) * solver.drops_units
            options["first_sample"] = self._n_samples
        return loss_sum / total_weight

    def _end_training_of_parent(self) -> None:
        """In a child process: release the lock, and undo an unfinished slice."""
        self._in_training = threading.Lock()
        # A thread of the parent may have been using these.
        self._batch, self._workspaces = None, {}
        if self._state_in_use:
            copy_each(self._state_in_use, self._before)
            self._state_in_use = []

    def _state(self, moments: Moments | None) -> list[NDArray[Any]]:
        """Return all numbers that training changes: the parameters, and these moments."""
        return [self._arena.values, *([] if moments is None else [moments.values])]

    def _tuner(self, batch_size: int, n_threads: int) -> ThreadTuner | None:
        """Return the tuner of threads for such batches (-1: predictions)."""
        if n_threads == 1:
            return None
        return self._tuners.setdefault((batch_size, n_threads), ThreadTuner())

    def _moments_of(self, solver: Solver) -> Moments | None:
        """Return what the solver keeps beside the weights; zeros at first."""
        rule = solver.rule
        if rule.kept and rule.name not in self._moments:
            self._moments[rule.name] = Moments(self._arena, len(rule.kept))
        return self._moments.get(rule.name)

    def _workspace(self, rows: _core.Rows, solver: Solver, plan: Plan) -> _core.Workspace:
        """Return memory for training row by row."""
        kind = plan.path, rows.sparse, solver.rule.name
        if kind not in self._workspaces:
            self._workspaces[kind] = _core.Workspace(self._layers, *kind)
        return self._workspaces[kind]

    def _batch_workspace(
        self, rows: _core.Rows, solver: Solver, batch_size: int, plan: Plan
    ) -> _core.BatchWorkspace:
        """Return memory for training on batches with several threads."""
        kind = rows.sparse, solver.n_moments, batch_size, plan.n_threads
        if self._batch is None or self._batch.kind != kind:
            self._batch = _core.BatchWorkspace(self._layers, *kind)
        return self._batch

    def _moved_parameters(self, plan: Plan, solver: Solver, rows: _core.Rows) -> float:
        """Return how many parameters a step moves besides those its rows are multiplied by."""
        if plan.path == "batches":
            moves_all = solver.n_moments > 0 if not rows.sparse else not solver.rests
            return 4.0 * self.n_parameters if moves_all else 0.0
        decays = solver.alpha > 0 or solver.n_moments > 0
        return self.n_parameters if decays and plan.path == "rows" and not rows.sparse else 0.0

    def reset_solver(self) -> None:
        """Forget what solvers keep of the steps before: velocities, moments, sums of squares."""
        self._moments = {}

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
    ) -> Plan:
        """Return how `train_epoch` runs n_rows rows: code path, instruction set, dtype, threads.

        Parameters
        ----------
        n_rows : int, default=1000
        batch_size, momentum, solver, dropout, n_threads
            As given to `train_epoch`.
        sparse : bool, default=False
            Whether X is a CSR matrix, of rows that are nearly empty: less than an eighth not zero.

        Returns
        -------
        Plan
        """
        follow = Solver(
            1.0, momentum=momentum, batch_size=batch_size, solver=solver, dropout=dropout
        )
        return self._plan(n_rows, follow, sparse, n_threads)

    def _plan(self, n_rows: int, solver: Solver, rows: _core.Rows | bool, n_threads: int) -> Plan:
        """Return the plan for these rows; or given only whether they are sparse."""
        sparse = rows if isinstance(rows, bool) else rows.sparse
        used = self.n_parameters if isinstance(rows, bool) else self._used_parameters(rows)
        weighted = not isinstance(rows, bool) and rows.sample_weight is not None
        # Row by row without a faster path: a step that is not linear in the gradient, units that
        # are dropped, or a step or a loss that depends on the penalty of all weights.
        needs_plain_rows = (
            not solver.rule.is_linear
            or solver.drops_units
            or (solver.by_weight and (solver.alpha > 0 or weighted))
        )
        operations = 6.0 * used * min(solver.batch_size, n_rows)
        batch_threads = thread_count(n_threads, operations) if n_threads > 1 else 1
        layers = self._layers
        return plan_of(
            layers.isa,
            self._dtype_name,
            layers.block_rows,
            layers.fits_registers_with_momentum if solver.n_moments else layers.fits_registers,
            solver.decays_slowly(),
            n_rows,
            solver.batch_size,
            sparse,
            isinstance(rows, bool) or rows.values_per_row < MIN_FULL * self.layer_sizes[0],
            needs_plain_rows,
            solver.rests,
            solver.n_moments > 0,
            batch_threads,
        )

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
            "huber_delta": self.huber_delta,
            "quantile": self.quantile,
            "_n_samples": self._n_samples,
            "dtype": self.dtype,
            "parameters": self._arena.arrays(),
            "moments": {
                rule: (
                    kept.n_steps,
                    {
                        name: arena.arrays()
                        for name, arena in zip(RULES[rule].kept, kept.arenas, strict=True)
                    },
                )
                for rule, kept in self._moments.items()
            },
        }

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
            _alive.add(self)

    def _take_over(self, other: Network) -> None:
        """Take the numbers of a network that was made like this one."""
        for name in MADE_WITH:
            own, saved = getattr(self, name), getattr(other, name)
            if own != saved:
                raise ValueError(
                    f"This is the state of a network with {name}={saved!r}, and this network has "
                    f"{own!r}: let pickle or copy make a new one of it"
                )
        with self._training():
            np.copyto(self._arena.values, other._arena.values)
            self._moments, self._n_samples = other._moments, other._n_samples

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
        weights = as_weights(sample_weight, n_rows)
        if weights is not None and float(weights.max()) > 1e300 / max(n_rows, 1):
            raise ValueError("sample_weight is too large to sum up: scale the weights down")
        rows = _core.Rows(checked, self.layer_sizes[0], targets, weights)
        if targets is not None:
            rows.max_loss = min(1e300, self._max_loss(_largest(targets)))
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

    def _used_parameters(self, rows: _core.Rows) -> float:
        """Return how many parameters a row meets, on average."""
        return self.n_parameters - (self.layer_sizes[0] - rows.values_per_row) * self.layer_sizes[1]

    def _slices(
        self,
        rows: _core.Rows,
        n: int,
        multiple: int = 1,
        params_per_row: float = 0.0,
        n_packed: int = 0,
    ) -> Iterator[tuple[int, int]]:
        """Cut range(n) into pieces of work, see `_rows_at_once`."""
        size = self._rows_at_once(rows, multiple, params_per_row, n_packed)
        for start in range(0, n, size):
            yield start, min(start + size, n)

    def _rows_at_once(
        self, rows: _core.Rows, multiple: int, params_per_row: float, n_packed: int
    ) -> int:
        """Return how many rows are a piece of work: 20 ms, or more where work costs much to begin.

        Estimated, not measured: rounding depends on where a piece begins, and the same training
        must give the same bits every time. ``params_per_row`` is how many of the parameters a row
        moves besides those it meets.
        """
        seconds = self._seconds_at_once(n_packed)
        n = int(seconds / self._seconds_per_row(rows, params_per_row))
        return max(1, n // multiple) * multiple

    def _epochs_at_once(self, rows: _core.Rows, n_rows: int, solver: Solver, plan: Plan) -> int:
        """Return how many epochs of so many rows are as much work, each with its own beginning."""
        params_per_row = self._moved_parameters(plan, solver, rows) / plan.rows
        kept = self.n_parameters * (1 + solver.n_moments)
        seconds = n_rows * self._seconds_per_row(rows, params_per_row) + SECONDS_TO_KEEP * kept
        seconds_at_once = self._seconds_at_once(self._n_packed(plan, solver))
        return min(MAX_TOGETHER, int(seconds_at_once / seconds))

    def _n_packed(self, plan: Plan, solver: Solver) -> int:
        """Return how many numbers a piece of work packs: batches have panels."""
        return self.n_parameters * (1 + solver.n_moments) if plan.path == "batches" else 0

    def _seconds_at_once(self, n_packed: int) -> float:
        """Return how long a piece of work may be, which Ctrl-C waits for."""
        return min(0.1, max(0.02, 8e-8 * self.n_parameters, 2.5e-7 * n_packed))

    def _seconds_per_row(self, rows: _core.Rows, params_per_row: float) -> float:
        """Return about how long a row takes, on a processor of some 3 GHz."""
        has_vectors = _core.lanes(self._layers.isa, self._dtype_name) > 1
        each = SECONDS_PER_PARAMETER if has_vectors else SECONDS_PER_PARAMETER_IN_SCALARS
        each *= SPARSE_FACTOR if rows.sparse else 1.0
        return 2e-8 + each * (self._used_parameters(rows) + params_per_row)


# What a network is made with, and its memory and compiled parts for.
MADE_WITH = (
    "dtype", "layer_sizes", "activation", "out_activation", "loss_name", "huber_delta", "quantile"
)  # fmt: skip
MAX_STEPS = 2**53  # of a network's life: doubles and 64-bit integers hold them all

_alive: weakref.WeakSet[Network] = weakref.WeakSet()


def _end_training_of_parent() -> None:
    _core.unlock_generators()
    for network in list(_alive):
        network._end_training_of_parent()


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_end_training_of_parent)


def _timed(
    tuner: ThreadTuner | None, n_rows: int
) -> contextlib.AbstractContextManager[Workers | None]:
    """Return the context of a piece of work on so many rows: its worker threads, or None."""
    return _NO_WORKERS if tuner is None else tuner.timed(n_rows)


_NO_WORKERS = contextlib.nullcontext()


def _of_state(kind: type[Network], state: dict[str, Any]) -> Network:
    """Return the network of what `Network.__getstate__` returned, checked like a new one."""
    network = kind.__new__(kind)
    Network.__init__(
        network,
        state["layer_sizes"],
        activation=state["activation"],
        out_activation=state["out_activation"],
        loss=state["loss_name"],
        huber_delta=state["huber_delta"],
        quantile=state["quantile"],
        dtype=state["dtype"],
        random_state=_Undrawn(),
    )
    network._n_samples = _count("_n_samples", state["_n_samples"])
    network._arena.load(state["parameters"])
    for rule, (n_steps, arrays) in state["moments"].items():
        if rule not in RULES or not arrays or list(arrays) != list(RULES[rule].kept):
            raise ValueError(f"moments[{rule!r}] holds what no solver keeps")
        kept = network._moments[rule] = Moments(network._arena, len(arrays))
        kept.n_steps = _count("n_steps", n_steps)
        for arena, saved in zip(kept.arenas, arrays.values(), strict=True):
            arena.load(saved, may_overflow=True)
    return network


def _count(name: str, value: Any) -> int:
    """Return a number of steps or rows that training can go on from."""
    count = check_whole(name, value, at_least=0)
    if count > MAX_STEPS:
        raise ValueError(f"{name} must be at most {MAX_STEPS}; got {count}")
    return count


class _Undrawn:
    """A generator of zeros, for parameters that are loaded."""

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> float:
        return 0.0


def _float_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind not in (np.dtype(np.float64), np.dtype(np.float32)):
        raise ValueError(f'dtype must be "float64" or "float32"; got {dtype!r}')
    return kind


def _random(random_state: Any) -> Any:
    """Return a generator that has `uniform`."""
    if hasattr(random_state, "uniform"):
        return random_state
    if random_state is not None:
        random_state = check_whole("random_state", random_state, at_least=0)
    return np.random.RandomState(random_state)


def _largest(targets: NDArray[Any] | tuple[NDArray[Any], NDArray[np.int32]]) -> float:
    """Return the size of the largest target; of classes it is 1."""
    if isinstance(targets, tuple):
        return 1.0
    return max(float(targets.max()), -float(targets.min())) if targets.size else 0.0


def _total_weight(rows: _core.Rows, order: NDArray[np.int64], solver: Solver) -> float:
    """Return what an epoch's loss is a mean over: the weights of its rows, or their number."""
    if solver.by_weight:
        return len(order)
    total = rows.weight(order)
    if total == 0:
        raise ValueError("Every row of order has sample_weight 0: nothing to learn from")
    return total


def warn_of_divergence(
    name: str, learning_rate: float, stacklevel: int = 3, kept: str = "from before this call"
) -> None:
    """Give a `DivergenceWarning` that names the learning rate as the user knows it.

    ``kept`` says which weights the network has.
    """
    warnings.warn(
        f"Training diverged with {name}={learning_rate:g}: the loss has grown beyond all bounds, "
        f"or a weight is no longer finite. It stopped, and the weights {kept} are kept. "
        f"Try a smaller {name}, or scale "
        "inputs and targets (for instance with sklearn.preprocessing.StandardScaler and "
        "sklearn.compose.TransformedTargetRegressor).",
        DivergenceWarning,
        stacklevel=stacklevel,
    )
