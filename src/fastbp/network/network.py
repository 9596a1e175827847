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
from .checks import LIMITS, check_choice, check_held, check_layer_sizes, check_number, check_whole
from .data import as_order, as_rows, as_targets, as_weights
from .jacobian import sensitivities
from .parameters import Arena
from .plan import (
    LEAST_FULL,
    MOST_TOGETHER,
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
from .state import Moments, copy_each, room_like
from .tables import LOSSES as CATALOGUE
from .tables import parameter_of
from .threads import Helpers, Trial, team_size


def _sizes_in_one_sequence(init: Callable[..., None]) -> Callable[..., None]:
    """Return `Network.__init__` with an error that helps where sizes are given one by one."""

    @functools.wraps(init)
    def checked_init(self: Any, *sizes: Any, **options: Any) -> None:
        if len(sizes) > 1:
            raise TypeError(
                "Network takes the sizes of its layers as one sequence, and all else by name: "
                f"Network(({', '.join(map(repr, sizes))}))"
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
        Likewise.
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
            check_held(str(CATALOGUE[loss].parameter), self._loss_parameter, self.dtype)
        self._out_activation = out_activation_of(out_activation, loss, self.layer_sizes[-1])
        self._n_visits = 0  # in training with dropout
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
        self._batch: _core.Batch | None = None
        self._before: list[NDArray[Any]] = []
        self._in_piece: list[NDArray[Any]] = []  # what a piece of work under way changes
        self._trials: dict[tuple[int, int], Trial] = {}
        self._layouts: dict[tuple[str, bool, str], _core.Layout] = {}
        self._engine = _core.Engine(
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

    def _largest_loss(self, target: float) -> float:
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
        one = self._engine.forward_one(X)
        if one is not None:
            return one
        if not hasattr(X, "tocsr"):
            X = as_numbers("X", X, self.dtype)
            if X.ndim == 1:
                row: NDArray[Any] = self.forward(X[np.newaxis])[0]
                return row
            if X.ndim == 2 and len(X) == 1:
                one = self._engine.forward_one(X[0])
                if one is not None:
                    return one[np.newaxis]
        rows = self._rows(X)
        return self._forward_rows(rows, rows.n, check_whole("n_threads", n_threads))

    def _forward_rows(self, rows: _core.Rows, n: int, n_threads: int = 1) -> NDArray[Any]:
        """Return the activations of the output layer for the first n rows."""
        out = np.empty((n, self.layer_sizes[-1]), dtype=self.dtype)
        if n < 2 * self._engine.block_rows:  # which do not pay for a team's panels
            self._engine.forward(rows, 0, n, out)
            return out
        team = team_size(n_threads, 2.0 * self._used_parameters(rows) * n)
        batch, trial = _core.Batch(self._engine, rows.sparse, -1, n, team), self._trial(-1, team)
        for start, stop in self._slices(rows, n):
            with _piece(trial, stop - start) as others:
                _core.forward_all(self._engine, batch, others, rows, start, stop, out)
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
        total = sum(self._engine.loss_sum(rows, *piece) for piece in self._slices(rows, rows.n))
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
        total, piece, loss_sum = self._arena.like(), self._arena.like(), 0.0
        for start, stop in self._slices(rows, rows.n):
            loss_sum += self._engine.sum_gradients(rows, start, stop, piece.values)
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
        least, most = self._rates
        if not (isinstance(learning_rate, float) and least <= learning_rate <= most):
            learning_rate = check_number("learning_rate", learning_rate, above=0)
            check_held("learning_rate", learning_rate, self.dtype)
        loss = self._engine.step(x, y, learning_rate)
        if loss is None:
            x_rows = as_rows(np.asarray(x)[np.newaxis], self.layer_sizes[0], self.dtype)
            y_rows = self._dense_targets(np.asarray(y)[np.newaxis], 1)
            loss = self._engine.step(
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
            Rows to visit, in this order; may repeat rows or leave some out. None: 0 to n - 1.
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
            The (weighted) mean over visited rows of the row's loss just before its own step; not
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
            largest_loss = self._largest_loss(0.0)  # whatever the target is
            loss = self._engine.step(x, y, rate, solver.alpha, largest_loss)
        return loss if loss is not None and loss <= largest_loss else None

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
        """Return the lock of whoever trains the network, which nobody must hold.

        For a ``with``: after ``acquire`` Ctrl-C may come before a ``try``.
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
        most: int,
        shuffle: Any,
        rate: Callable[[int], float],
        n_threads: int = 1,
        is_anew: bool = True,
    ) -> list[float]:
        """Run up to so many epochs that are short, one after another; return their losses.

        Each like `_run_epoch` for ``order`` as ``shuffle``, a RandomState if any, has shuffled it,
        anew or else in place, on from where the last epoch left it; and with the learning rate that
        ``rate`` returns for the number of rows visited before, which begins with that of the
        solver; as long as the plan is the same for it.

        No epochs where one is a piece of work of its own, between which Ctrl-C is honoured; and no
        more of them from one that diverges on.
        """
        if most < 2 or not (shuffle is None or _core.can_shuffle(order, shuffle)):
            return []
        with self._training():
            plan = self._plan(len(order), solver, rows, n_threads)
            n = min(most, self._epochs_at_once(rows, len(order), solver, plan))
            if n < 2:
                return []
            rates = [rate(epoch * len(order)) for epoch in range(n)]
            same = [solver.decays_slowly(one) == solver.decays_slowly() for one in rates]
            n = same.index(False) if False in same else n
            return self._run_together(
                rows, order, solver, plan, np.array(rates[:n]), shuffle, is_anew
            )

    def _run_together(
        self,
        rows: _core.Rows,
        order: NDArray[np.int64],
        solver: Solver,
        plan: Plan,
        rates: NDArray[np.float64],
        shuffle: Any,
        is_anew: bool,
    ) -> list[float]:
        """Run epochs as one piece of work, which they are too short to be by themselves."""
        _weight_of_visits(rows, order, solver)
        moments, losses = self._moments_of(solver), np.empty(len(rates))
        options = self._options(rows, solver, plan, moments, len(order))
        trial = self._trial(options["batch_size"], plan.n_threads)
        state = self._state(moments)
        before = self._before = room_like(self._before, state)
        is_done = False
        copy_each(before, state)
        try:
            self._in_piece = state
            with _piece(trial, len(rates) * len(order)) as helpers:
                n_done = _core.train_epochs(
                    self._engine,
                    rows,
                    order,
                    is_anew,
                    rates,
                    losses,
                    shuffle,
                    helpers=helpers,
                    **options,
                )
            if moments is not None:
                moments.n_steps += n_done * -(-len(order) // options["batch_size"])
            self._n_visits += n_done * len(order) * solver.drops_units
            is_done = True
        finally:
            if not is_done:  # Ctrl-C, maybe at the very end
                copy_each(state, before)
            self._in_piece = []
        found: list[float] = losses[:n_done].tolist()
        return found

    def _options(
        self, rows: _core.Rows, solver: Solver, plan: Plan, moments: Moments | None, n_rows: int
    ) -> dict[str, Any]:
        """Return what `_core.Engine` is told of training: solver, where it stands, memory."""
        options = solver.options(len(self.layer_sizes) - 2)
        options["batch_size"] = batch_size = min(solver.batch_size, n_rows)
        options["largest_loss"] = rows.largest_loss
        options["first_visit"] = self._n_visits
        if plan.path in ("registers", "blocks") or (plan.path == "rows" and rows.sparse):
            options["layout"] = self._layout(rows, solver, plan)
        if plan.path == "batches":
            options["batch"] = self._team(rows, solver, batch_size, plan)
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
        total_weight = _weight_of_visits(rows, order, solver)
        moments = self._moments_of(solver)
        options = self._options(rows, solver, plan, moments, len(order))
        batch_size = options["batch_size"]
        trial = self._trial(batch_size, plan.n_threads)
        values, loss_sum = self._arena.values, 0.0
        state = self._state(moments)
        before = self._before = room_like(self._before, state)  # kept from epoch to epoch
        per_row = self._moved_parameters(plan, solver, rows) / plan.rows
        laid_out = self._laid_out(plan, solver)
        at_start: list[NDArray[Any]] | None = None
        n_visits = self._n_visits
        pieces = self._slices(rows, len(order), plan.rows, per_row, laid_out)
        for start, stop in pieces if rates is None else rates.cut(pieces):
            if rates is not None:
                options["learning_rate"] = rates.at(start)
            if start == 0 and stop < len(order):  # what it goes back to if a later piece diverges
                at_start = [array.copy() for array in state]
            copy_each(before, state)
            sound = False
            try:
                self._in_piece = state
                with _piece(trial, stop - start) as others:
                    stopped, slice_loss = _core.train(
                        self._engine, rows, order, start, stop, helpers=others, **options
                    )
                sound = stopped == stop and _core.all_finite(values)
            finally:
                if not sound:  # it diverged, or was interrupted in the middle of a piece
                    copy_each(state, before)
                self._in_piece = []
            if not sound:
                if at_start is not None:
                    copy_each(state, at_start)
                    self._n_visits = n_visits
                self.reset_solver()
                return math.inf
            loss_sum += slice_loss
            if moments is not None:
                moments.n_steps += -(-(stop - start) // batch_size)
                options["n_steps"] = moments.n_steps
            self._n_visits += (stop - start) * solver.drops_units
            options["first_visit"] = self._n_visits
        return loss_sum / total_weight

    def _end_training_of_parent(self) -> None:
        """In a child process: nobody trains this copy; what was half done is undone."""
        self._in_training = threading.Lock()
        self._batch, self._layouts = None, {}  # a thread of the parent may have been in the midst
        if self._in_piece:
            copy_each(self._in_piece, self._before)
            self._in_piece = []

    def _state(self, moments: Moments | None) -> list[NDArray[Any]]:
        """Return all numbers that training changes: the parameters, and these moments."""
        return [self._arena.values, *([] if moments is None else [moments.values])]

    def _trial(self, batch_size: int, n_threads: int) -> Trial | None:
        """Return what is known of helpers' worth for such batches (-1: predictions)."""
        if n_threads == 1:
            return None
        return self._trials.setdefault((batch_size, n_threads), Trial())

    def _moments_of(self, solver: Solver) -> Moments | None:
        """Return what the solver keeps beside the weights; zeros at first."""
        rule = solver.rule
        if rule.kept and rule.name not in self._moments:
            self._moments[rule.name] = Moments(self._arena, len(rule.kept))
        return self._moments.get(rule.name)

    def _layout(self, rows: _core.Rows, solver: Solver, plan: Plan) -> _core.Layout:
        """Return memory for training row by row."""
        kind = plan.path, rows.sparse, solver.rule.name
        if kind not in self._layouts:
            self._layouts[kind] = _core.Layout(self._engine, *kind)
        return self._layouts[kind]

    def _team(self, rows: _core.Rows, solver: Solver, batch_size: int, plan: Plan) -> _core.Batch:
        """Return memory for a team of threads that train on batches."""
        kind = rows.sparse, solver.n_moments, batch_size, plan.n_threads
        if self._batch is None or self._batch.kind != kind:
            self._batch = _core.Batch(self._engine, *kind)
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
        """Return the plan for these rows, or only told whether they are sparse."""
        sparse = rows if isinstance(rows, bool) else rows.sparse
        used = self.n_parameters if isinstance(rows, bool) else self._used_parameters(rows)
        weighted = not isinstance(rows, bool) and rows.sample_weight is not None
        # Steps that a row's gradient alone does not say, or a loss that is not the row's alone.
        everything = (
            not solver.rule.is_linear
            or solver.drops_units
            or (solver.by_weight and (solver.alpha > 0 or weighted))
        )
        operations = 6.0 * used * min(solver.batch_size, n_rows)
        team = team_size(n_threads, operations) if n_threads > 1 else 1
        engine = self._engine
        return plan_of(
            engine.isa,
            self._dtype_name,
            engine.block_rows,
            engine.tiny_with_momentum if solver.n_moments else engine.tiny,
            solver.decays_slowly(),
            n_rows,
            solver.batch_size,
            sparse,
            isinstance(rows, bool) or rows.values_per_row < LEAST_FULL * self.layer_sizes[0],
            everything,
            solver.rests,
            solver.n_moments > 0,
            team,
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
            "_n_visits": self._n_visits,
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
        """Become the network of a saved state, or stay as it is where that is not sound."""
        try:
            network = _of_state(type(self), dict(state))
        except (KeyError, IndexError, AttributeError) as error:
            raise ValueError(f"This is not the state of a Network: {error!r}") from error
        self.__dict__.update(network.__dict__)
        _alive.add(self)

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
        if targets is not None:
            rows.largest_loss = min(1e300, self._largest_loss(_largest(targets)))
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
        """Return the same with the indicators of each row's class in it."""
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
        n_laid_out: int = 0,
    ) -> Iterator[tuple[int, int]]:
        """Cut range(n) into pieces of work, see `_rows_at_once`."""
        size = self._rows_at_once(rows, multiple, params_per_row, n_laid_out)
        for start in range(0, n, size):
            yield start, min(start + size, n)

    def _rows_at_once(
        self, rows: _core.Rows, multiple: int, params_per_row: float, n_laid_out: int
    ) -> int:
        """Return how many rows are a piece of work: 20 ms, or more where work costs much to begin.

        Estimated, not measured: rounding depends on where a piece begins, and the same training
        must give the same bits every time. ``params_per_row`` is how many of the parameters a row
        moves besides those it meets.
        """
        seconds = self._seconds_at_once(n_laid_out)
        n = int(seconds / self._seconds_per_row(rows, params_per_row))
        return max(1, n // multiple) * multiple

    def _epochs_at_once(self, rows: _core.Rows, n_rows: int, solver: Solver, plan: Plan) -> int:
        """Return how many epochs of so many rows are as much work, each with its own beginning."""
        params_per_row = self._moved_parameters(plan, solver, rows) / plan.rows
        kept = self.n_parameters * (1 + solver.n_moments)
        seconds = n_rows * self._seconds_per_row(rows, params_per_row) + SECONDS_TO_KEEP * kept
        seconds_at_once = self._seconds_at_once(self._laid_out(plan, solver))
        return min(MOST_TOGETHER, int(seconds_at_once / seconds))

    def _laid_out(self, plan: Plan, solver: Solver) -> int:
        """Return how many numbers are laid out anew for a piece of work: batches have panels."""
        return self.n_parameters * (1 + solver.n_moments) if plan.path == "batches" else 0

    def _seconds_at_once(self, n_laid_out: int) -> float:
        """Return how long a piece of work may be, which Ctrl-C waits for."""
        return min(0.1, max(0.02, 8e-8 * self.n_parameters, 2.5e-7 * n_laid_out))

    def _seconds_per_row(self, rows: _core.Rows, params_per_row: float) -> float:
        """Return about how long a row takes, on a processor of some 3 GHz."""
        has_vectors = _core.lanes(self._engine.isa, self._dtype_name) > 1
        each = SECONDS_PER_PARAMETER if has_vectors else SECONDS_PER_PARAMETER_IN_SCALARS
        each *= SPARSE_FACTOR if rows.sparse else 1.0
        return 2e-8 + each * (self._used_parameters(rows) + params_per_row)


MOST_STEPS = 2**53  # of a network's life: doubles and 64-bit integers hold them all

_alive: weakref.WeakSet[Network] = weakref.WeakSet()


def _end_training_of_parent() -> None:
    _core.unlock_generators()
    for network in list(_alive):
        network._end_training_of_parent()


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=_end_training_of_parent)


def _piece(trial: Trial | None, n_rows: int) -> contextlib.AbstractContextManager[Helpers | None]:
    """Return the context of a piece of work on so many rows: who helps with it."""
    return _NO_HELP if trial is None else trial.piece(n_rows)


_NO_HELP = contextlib.nullcontext()


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
    network._n_visits = _count("_n_visits", state["_n_visits"])
    network._arena.load(state["parameters"])
    for rule, (n_steps, arrays) in state["moments"].items():
        if rule not in RULES or not arrays or list(arrays) != list(RULES[rule].kept):
            raise ValueError(f"moments[{rule!r}] holds what no solver keeps")
        kept = network._moments[rule] = Moments(network._arena, len(arrays))
        kept.n_steps = _count("n_steps", n_steps)
        for arena, saved in zip(kept.arenas, arrays.values(), strict=True):
            arena.load(saved)
    return network


def _count(name: str, value: Any) -> int:
    """Return a number of steps or rows that training can go on from."""
    count = check_whole(name, value, at_least=0)
    if count > MOST_STEPS:
        raise ValueError(f"{name} must be at most {MOST_STEPS}; got {count}")
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


def _weight_of_visits(rows: _core.Rows, order: NDArray[np.int64], solver: Solver) -> float:
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
