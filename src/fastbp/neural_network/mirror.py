"""`Mirror`: a network of fastbp that computes what a perceptron of scikit-learn would.

The model's own arrays stay the reference: its parameters and its optimiser's moments are copied
into the network, which trains, and back before they are read.
"""

from __future__ import annotations

import math
import operator
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from .. import _core
from ..network import Network, Solver
from ..network.arrays import blocks_of_rows
from ..network.runner import Epochs
from ..network.solver import Rates
from ..network.threads import available_threads
from . import sklearn_internals
from .fallback import fallback_for_parameters, is_finite
from .solver import LARGE, solver_of

REPORTED = {
    "squared_error": "mean_squared_error",
    "binary_log_loss": "clipped_binary_log_loss",
    "log_loss": "clipped_log_loss",
    "poisson": "ratio_poisson",
}


class ReportingNetwork(Network):
    """A network whose losses are those that scikit-learn reports: see csrc/kernels/losses.inc.h."""

    @property
    def _kernel_loss(self) -> str:
        name = super()._kernel_loss
        if name == "squared_error" and self.layer_sizes[-1] == 1:
            return name  # the same
        return REPORTED.get(name, name)

    def _initialise(self, random: Any) -> None:
        """Leave the parameters at 0: the model's are copied in."""

    @classmethod
    def for_model(cls, model: Any) -> ReportingNetwork:
        """Return a network with the layers of a model, and parameters to be loaded."""
        return cls(
            [len(model.coefs_[0]), *(W.shape[1] for W in model.coefs_)],
            activation=model.activation,
            out_activation=model.out_activation_,
            loss=model.loss,
            dtype=model.coefs_[0].dtype,
            random_state=np.random,  # which is not used
        )

    def fits(self, model: Any) -> bool:
        """Whether this is what `for_model` would return."""
        return (
            self.layer_sizes == (len(model.coefs_[0]), *(W.shape[1] for W in model.coefs_))
            and all(name == model.activation for name in self.activation)
            and (self.loss_name, self.out_activation) == (model.loss, model.out_activation_)
            and self.dtype == model.coefs_[0].dtype
        )

    def is_finite(self) -> bool:
        """Whether no parameter is NaN or infinite."""
        return _core.all_finite(self._arena.values)

    def is_moderate(self) -> bool:
        """Whether no parameter is NaN or so large that sums may overflow on the way.

        What infinite terms add up to depends on their order, and an activation may hide it.
        """
        values, upper = self._arena.values, LARGE[self.dtype]
        return bool(values.min() >= -upper and values.max() <= upper)

    def copy_from(self, model: Any) -> None:
        """Copy the model's parameters in."""
        _copy_each(self.weights, model.coefs_)
        _copy_each(self.biases, model.intercepts_)

    def store(self, model: Any) -> None:
        """Copy the parameters back into the model's own arrays."""
        _copy_each(model.coefs_, self.weights)
        _copy_each(model.intercepts_, self.biases)


class Mirror:
    """A model's network and the rows that it trains on.

    Parameters
    ----------
    model : MLPClassifier or MLPRegressor
        For which `reason_for_fallback` returned None.
    X : ndarray or sparse matrix of shape (n, n_features)
    y : ndarray of shape (n, n_outputs)
    sample_weight : ndarray of shape (n,), or None
    batch_size : int
        Rows a step.
    is_observed : bool
        Whether the model may be read or changed after an epoch, before `write_back`.
    """

    def __init__(
        self,
        model: Any,
        X: Any,
        y: NDArray[Any],
        sample_weight: Any,
        batch_size: int,
        is_observed: bool,
    ) -> None:
        self.model, self.optimizer = model, model._optimizer
        self._is_observed = is_observed
        self._is_newer = False  # of the model
        self._solver: Solver | None = None  # that the network has trained by
        self._arrays = [*model.coefs_, *model.intercepts_]
        self.batch_size = batch_size
        self.n_threads = available_threads()
        self.network = _for_training.take(model)
        self.rows = self.network._rows(X, _targets(model, y), sample_weight)
        self.rows.max_loss = LARGE[self.network.dtype]
        self._has_weightless_rows = sample_weight is not None and bool(np.any(sample_weight == 0))
        self._dtypes = self._dtypes_of_state(X, y, sample_weight)

    def _dtypes_of_state(self, X: Any, y: Any, weights: Any) -> list[list[np.dtype[Any]]]:
        n_layers = len(self.model.coefs_)
        if self.network.dtype == np.float32:
            return sklearn_internals.dtypes_of_state(
                self.optimizer, X.dtype, y.dtype, weights, n_layers
            )
        return [[self.network.dtype] * 2 * n_layers] * 2

    def run_epoch(self, order: NDArray[np.int64]) -> float | None:
        """Train on these rows, batch by batch.

        Returns
        -------
        float or None
            The loss as scikit-learn reckons it; or None, and the model as it was, where a weight
            or a loss was no longer finite, or where scikit-learn's own code has to run the epoch
            for another reason.
        """
        losses = [] if self._has_weightless_batch(order) else self._run(order, None, 1)
        if self._is_observed or not losses:
            self.write_back()
        return losses[0] if losses else None

    def run_epochs(self, order: NDArray[np.int64], shuffle: Any, upper: int) -> list[float]:
        """Train for up to so many short epochs at once, unobserved.

        Each on the rows of ``order`` as ``shuffle``, a RandomState or None, then leaves them there.

        Returns
        -------
        list of float
            Their losses, as `run_epoch` returns them. Empty where the next epoch is to be run by
            itself, which also finds out why.
        """
        can_shuffle = shuffle is None or _core.can_shuffle(order, shuffle)
        if self._is_observed or self._has_weightless_rows or upper < 2 or not can_shuffle:
            return []
        return self._run(order, shuffle, upper)

    def _run(self, order: NDArray[np.int64], shuffle: Any, upper: int) -> list[float]:
        """Run an epoch, or several; return the losses before one that is not finite."""
        solver = solver_of(self.optimizer, self.model.alpha, self.batch_size, self.network.dtype)
        if solver is None or not (self._is_newer or self._load(solver)):
            return []
        self._solver, self._is_newer = solver, True
        rates = Rates(self._rate_after)
        epochs = Epochs(self.rows, order, solver, rates, shuffle, True, self.n_threads)
        losses = self.network._runner.run(epochs, upper)
        return losses if math.isfinite(losses[-1]) else losses[:-1]

    def _rate_after(self, n_rows: int) -> float:
        """Return the learning rate after so many more rows."""
        optimizer = self.optimizer
        if isinstance(optimizer, sklearn_internals.AdamOptimizer):
            return float(optimizer.learning_rate_init)
        if n_rows and optimizer.lr_schedule == "invscaling":
            n_samples = self.model.t_ + n_rows
            # in these words, so that it is scikit-learn's to the bit
            return float(float(optimizer.learning_rate_init) / (n_samples + 1) ** optimizer.power_t)
        return float(optimizer.learning_rate)

    def write_back(self) -> None:
        """Write parameters and moments back into the model, even if Ctrl-C comes meanwhile."""
        interruption: KeyboardInterrupt | None = None
        while self._is_newer:
            try:
                self._store()
                self._is_newer = False
            except KeyboardInterrupt as another:
                interruption = another
        if interruption is not None:
            raise interruption

    def cache(self) -> None:
        """Cache the network for the model's next call: making one takes longer than a few rows."""
        if self.network.n_parameters <= MAX_CACHED:
            _for_training.put(self.model, self.network)

    def _has_weightless_batch(self, order: NDArray[np.int64]) -> bool:
        """Whether the rows of a batch have no weight together, over which none can be a mean."""
        weights = self.rows.sample_weight
        if weights is None or not self._has_weightless_rows:
            return False
        starts = np.arange(0, len(order), self.batch_size)
        return not np.all(np.add.reduceat(weights[order], starts) > 0)

    def _load(self, solver: Solver) -> bool:
        """Copy parameters and moments in, which callbacks may have changed meanwhile.

        Returns whether training can go on with them: with other arrays in the place of those
        that training began with, scikit-learn's optimiser goes on changing the latter.
        """
        arrays = [*self.model.coefs_, *self.model.intercepts_]
        if len(arrays) != len(self._arrays) or any(map(operator.is_not, arrays, self._arrays)):
            return False
        self.network.copy_from(self.model)
        self._load_moments(solver)
        return self.network.is_finite()

    def _load_moments(self, solver: Solver) -> None:
        """Copy the optimiser's moments into the network."""
        moments = self.network._state.moments_of(solver.rule)
        if moments is None:
            return
        n_layers = len(self.model.coefs_)
        moments.n_steps = getattr(self.optimizer, "t", 0)
        names = sklearn_internals.moments_of(self.optimizer)
        for arena, name in zip(moments.arenas.values(), names, strict=True):
            arrays = getattr(self.optimizer, name)
            _copy_each(arena.weights, arrays[:n_layers])
            _copy_each(arena.biases, arrays[n_layers:])

    def _store(self) -> None:
        """Copy parameters and moments back, the latter with the dtypes that they have there."""
        self.network.store(self.model)
        solver, state = self._solver, self.network._state
        moments = None if solver is None else state.moments_of(solver.rule)
        if moments is None:
            return
        names = sklearn_internals.moments_of(self.optimizer)
        for arena, name, dtypes in zip(moments.arenas.values(), names, self._dtypes, strict=False):
            views = [*arena.weights, *arena.biases]
            arrays = [np.array(view, dtype) for view, dtype in zip(views, dtypes, strict=True)]
            setattr(self.optimizer, name, arrays)
        if isinstance(self.optimizer, sklearn_internals.AdamOptimizer):
            optimizer, t = self.optimizer, moments.n_steps
            optimizer.t = t
            if t:  # steps taken
                optimizer.learning_rate = (
                    optimizer.learning_rate_init
                    * np.sqrt(1 - optimizer.beta_2**t)
                    / (1 - optimizer.beta_1**t)
                )


def _copy_each(to: Sequence[NDArray[Any]], arrays: Sequence[NDArray[Any]]) -> None:
    """Copy each array into its counterpart."""
    for place, values in zip(to, arrays, strict=True):
        np.copyto(place, values)


def _targets(model: Any, y: NDArray[Any]) -> NDArray[Any]:
    """Return y as `Network` takes it: numbers of classes for softmax, not a column a class."""
    return y.argmax(axis=1) if model.out_activation_ == "softmax" else y


def outputs(model: Any, X: Any, may_be_infinite: bool) -> NDArray[Any] | str:
    """Return the activations of the output layer, (n, n_outputs), or why fastbp cannot.

    Reads an array a block of rows after the other: no temporary is larger than one.
    """
    found = fallback_for_parameters(model, X)
    if found is None and may_be_infinite and not is_finite(X):
        found = "X is not finite"
    if found is not None:
        return found
    network, n_threads = _for_predictions.take(model), available_threads()
    network.copy_from(model)
    if not network.is_moderate():
        return "a parameter is large or not finite"
    if issparse(X):
        out = network._forward_rows(network._rows(X), X.shape[0], n_threads)
    else:
        out = np.empty((len(X), network.layer_sizes[-1]), dtype=network.dtype)
        for start, stop in blocks_of_rows(X):
            block = np.ascontiguousarray(X[start:stop], dtype=network.dtype)
            rows = _core.Rows(block, network.layer_sizes[0])
            out[start:stop] = network._forward_rows(rows, rows.n, n_threads)
    if network.n_parameters <= MAX_CACHED:
        _for_predictions.put(model, network)
    if network.out_activation == "exp" and not out.max() < np.sqrt(np.finfo(out.dtype).max):
        return "an output overflows, or nearly"
    if not _core.all_finite(out):
        return "an output overflows, or nearly"
    return out


class NetworkCache:
    """Networks of models, cached between calls for as long as the models live.

    By the models' identity: a subclass with an ``__eq__`` of its own has no hash.
    """

    def __init__(self) -> None:
        self._networks: dict[int, tuple[weakref.ref[Any], ReportingNetwork]] = {}

    def put(self, model: Any, network: ReportingNetwork) -> None:
        """Cache the network for the model's next call."""
        key = id(model)
        owner = weakref.ref(model, lambda _: self._networks.pop(key, None))
        self._networks[key] = owner, network

    def take(self, model: Any) -> ReportingNetwork:
        """Return a network with the layers of a model, which no other call has."""
        owner, network = self._networks.pop(id(model), (None, None))
        if owner is None or network is None or owner() is not model or not network.fits(model):
            return ReportingNetwork.for_model(model)
        return network


_for_training = NetworkCache()  # for training
_for_predictions = NetworkCache()  # for predictions, which may run meanwhile
MAX_CACHED = 100_000  # parameters
