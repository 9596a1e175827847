"""`Backprop`: what the two estimators share, which is all but targets and predictions."""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
import operator
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from . import _core
from ._labels import numbers_of
from ._sparsity import listed
from ._training import History, Patience, Visits, canonical_order, train_epochs
from ._validation import (
    BLOCK_BYTES,
    as_weights,
    blocks_of_rows,
    check_choice,
    check_finite,
    check_flag,
    check_number,
    check_sparse_indices,
    check_whole,
)
from .exceptions import DivergenceWarning
from .network import SOLVERS, Network, Solver, hidden_activations, warn_of_divergence

FLOATS = (np.float64, np.float32)
# Parameters that only assigning to them changes, and lists, of which copies are kept.
CONSTANTS = (int, float, str, tuple, list, np.generic, np.random.RandomState, type(None))


@dataclasses.dataclass
class Task:
    """What a network is to learn: targets as it takes them, and what follows from them."""

    targets: NDArray[Any]
    sample_weight: NDArray[np.float64] | None
    n_outputs: int
    out_activation: str | None
    loss: str
    classes: NDArray[Any] | None = None


@dataclasses.dataclass(frozen=True)
class Settled:
    """What a call of partial_fit has found right, and the next one need not look at again.

    Attributes
    ----------
    network : Network
        The network that the parameters were found to describe.
    solver : Solver
        What they make of the solver.
    parameters : tuple
        The objects that were checked. None of them can change, but for the lists.
    lists : tuple of pairs of list
        Those among them that are lists, and copies of them.
    steps : bool
        Whether a row's call is a plain step, which `Network._run_row` takes.
    classes : ndarray or None
        The classes that a classifier knows.
    numbers : dict
        Number of each of them.
    """

    network: Network
    solver: Solver
    parameters: tuple[Any, ...]
    lists: tuple[tuple[list[Any], list[Any]], ...]
    steps: bool
    classes: NDArray[Any] | None
    numbers: dict[Any, int]

    def holds(self, model: Backprop) -> bool:
        """Whether the model still has this network and these parameters."""
        return (
            self.network is model.__dict__.get("network_")
            and self.classes is model.__dict__.get("classes_")
            and all(map(operator.is_, self.parameters, _parameters_of(model)))
            and all(now == before for now, before in self.lists)
        )


@dataclasses.dataclass(frozen=True)
class Call:
    """How an estimator was asked to train.

    Attributes
    ----------
    go_on : bool
        From the present weights, not from new ones.
    partial : bool
        By partial_fit: on some of the rows.
    classes : array-like or None
        The argument of the classifier's partial_fit.
    settled : Settled or None
        What need not be checked.
    """

    go_on: bool
    partial: bool = False
    classes: Any = None
    settled: Settled | None = None


class Backprop(BaseEstimator):
    """What the regressor and the classifier share: parameters, training, fitted attributes."""

    network_: Network
    _history: History
    _random_state: np.random.RandomState
    _settled: Settled | None = None

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int],
        activation: str | Sequence[str],
        solver: str,
        alpha: float,
        batch_size: int,
        learning_rate_init: float,
        max_iter: int,
        shuffle: bool,
        random_state: Any,
        tol: float,
        n_iter_no_change: int,
        verbose: bool,
        warm_start: bool,
        momentum: float,
        nesterovs_momentum: bool,
        beta_1: float,
        beta_2: float,
        epsilon: float,
        n_threads: int,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_threads = n_threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- training ----------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train from new weights, or with ``warm_start=True`` from the present ones.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts like w copies of it. None is 1 each.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For a parameter or data that cannot be used. A model fitted before stays as it was.
        KeyboardInterrupt
            If training is interrupted. What was learnt until then is kept: the model is fitted.
        """
        go_on = self.warm_start and hasattr(self, "network_")
        rows, order = self._begin(X, y, sample_weight, Call(go_on))
        ending = train_epochs(
            self.network_,
            rows,
            order,
            self._solver(),
            self._history,
            max_iter=self.max_iter,
            shuffle=self._random_state if self.shuffle else None,
            patience=Patience(self.tol, self.n_iter_no_change),
            verbose=bool(self.verbose),
            n_threads=self.n_threads,
        )
        if ending == "diverged":
            warn_of_divergence("learning_rate_init", self.learning_rate_init)
        elif self._is_dead(rows):
            warnings.warn(
                "Training ended in a network that gives the same output for every row: no hidden "
                f"unit responds any more. Try a smaller learning_rate_init than "
                f"{self.learning_rate_init:g}, and scale inputs and targets (for instance with "
                "sklearn.preprocessing.StandardScaler and "
                "sklearn.compose.TransformedTargetRegressor).",
                DivergenceWarning,
                stacklevel=2,
            )
        elif ending == "max_iter":
            warnings.warn(
                f"Training ended after max_iter={self.max_iter} epochs while the loss still "
                f"improved by more than tol={self.tol:g}. Raise max_iter, or choose a larger "
                "learning_rate_init or tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _is_dead(self, rows: _core.Rows) -> bool:
        """Whether hidden units that are always zero leave the same output for all rows."""
        network, n = self.network_, min(rows.n, 1000)
        if n < 2 or "relu" not in network.activation:
            return False
        out = network._forward_rows(rows, n)
        return bool(np.all(out == out[0])) and any(W.any() for W in network.weights)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        settled = self._settled
        if settled is not None and not settled.holds(self):
            settled = None
        if settled and sample_weight is None and classes is None and self._took_step(settled, X, y):
            return self
        call = Call(hasattr(self, "network_"), True, classes, settled)
        rows, order = self._begin(X, y, sample_weight, call)
        solver = settled.solver if settled else self._settle()
        ending = train_epochs(
            self.network_,
            rows,
            order,
            solver,
            self._history,
            max_iter=1,
            shuffle=self._random_state if self.shuffle else None,
            verbose=bool(self.verbose),
            n_threads=self.n_threads,
        )
        if ending == "diverged":
            warn_of_divergence("learning_rate_init", self.learning_rate_init, stacklevel=4)
        return self

    def _took_step(self, settled: Settled, X: Any, y: Any) -> bool:
        """Train on one row, if it is as plain as a row can be.

        What is not is left to the way that all other calls go, and so are its errors.
        """
        if not (settled.steps and type(X) is np.ndarray and X.ndim == 2 and len(X) == 1):
            return False
        target = self._target_of_one(y, settled)
        loss = None if target is None else settled.network._run_row(X[0], target, settled.solver)
        if loss is None:
            return False
        self._history.add(loss, 1)
        return True

    def _target_of_one(self, y: Any, settled: Settled) -> Any:
        """Return the target of one row as `Network.step` takes it, or None where y needs a look."""
        raise NotImplementedError

    def _settle(self) -> Solver:
        """Note what was found right; return the solver that the parameters describe."""
        solver, parameters = self._solver(), _parameters_of(self)
        lists = tuple((value, list(value)) for value in parameters if isinstance(value, list))
        if all(isinstance(value, CONSTANTS) for value in parameters):
            classes = getattr(self, "classes_", None)
            steps = solver.is_plain and not self.verbose and not hasattr(self, "feature_names_in_")
            numbers = {} if classes is None else numbers_of(classes)
            self._settled = Settled(
                self.network_, solver, parameters, lists, steps, classes, numbers
            )
        return solver

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_settled"}

    def _begin(
        self, X: Any, y: Any, sample_weight: Any, call: Call
    ) -> tuple[_core.Rows, NDArray[np.int64]]:
        """Check everything, then set what training works on; return the rows and an epoch's visits.

        A call that fails here leaves the model as it was. Whatever ends training after this
        leaves it usable: all attributes stand, and training changes them in place.
        """
        if call.settled:
            hidden = self.network_.layer_sizes[1:-1]
        else:
            hidden = self._check_parameters(call.partial)
        checked_X, task = self._encoded(X, y, sample_weight, call)
        n_rows, n_features = checked_X.shape
        visits = Visits.of(task.sample_weight, n_rows)

        layer_sizes = (n_features, *hidden, task.n_outputs)
        if call.go_on:
            network = self._network_to_go_on_with(layer_sizes, task)
        else:
            random = check_random_state(self.random_state)
            network = self._new_network(layer_sizes, task, checked_X.dtype, random)
        by_row = self.batch_size == 1 and self._solver().n_moments == 0
        rows = network._rows(checked_X, task.targets, visits.weights)
        if by_row and not call.partial and not rows.sparse:
            short = listed(checked_X)
            if short is not checked_X:
                rows = network._rows(short, task.targets, visits.weights)
        if self.shuffle and not call.partial:
            order = canonical_order(rows)
        else:
            order = np.arange(n_rows, dtype=np.int64)

        if not call.go_on:
            validate_data(self, X, skip_check_array=True)  # sets n_features_in_, feature_names_in_
            if task.classes is not None:
                self.classes_ = task.classes
            self._random_state, self._history, self.network_ = random, History(), network
        return rows, visits.order(order)

    def _encoded(self, X: Any, y: Any, sample_weight: Any, call: Call) -> tuple[Any, Task]:
        """Return X and y as a network takes them."""
        checked_X = self._checked_X(X, call.go_on)
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        check_consistent_length(checked_X, y)
        return checked_X, self._task(y, as_weights(sample_weight, checked_X.shape[0]), call)

    def _encoded_again(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[Any, Task]:
        """Return the same for the fitted network, as partial_fit would go on with it."""
        check_is_fitted(self)
        self._check_parameters(partial=True)
        return self._encoded(X, y, sample_weight, Call(go_on=True, partial=True))

    def _task(self, y: Any, sample_weight: Any, call: Call) -> Task:
        raise NotImplementedError

    def _new_network(
        self, layer_sizes: tuple[int, ...], task: Task, dtype: Any, random: np.random.RandomState
    ) -> Network:
        return Network(
            layer_sizes,
            activation=hidden_activations(self.activation, len(layer_sizes) - 2),
            out_activation=task.out_activation,
            loss=task.loss,
            dtype=dtype,
            random_state=random,
        )

    def _network_to_go_on_with(self, layer_sizes: tuple[int, ...], task: Task) -> Network:
        """Return the fitted network, if the parameters still describe it."""
        network: Network = self.network_
        expected = {
            "hidden_layer_sizes": (network.layer_sizes[1:-1], layer_sizes[1:-1]),
            "activation": (
                network.activation,
                hidden_activations(self.activation, len(layer_sizes) - 2),
            ),
            "loss": (network.loss_name, task.loss),
            "number of outputs": (network.layer_sizes[-1], layer_sizes[-1]),
        }
        for name, (fitted, now) in expected.items():
            if fitted != now:
                raise ValueError(
                    f"This model was fitted with {name} {fitted}, now it is {now}: training cannot "
                    "go on from its weights. Call fit with warm_start=False to begin anew."
                )
        return network

    def _solver(self) -> Solver:
        return Solver(
            learning_rate=self.learning_rate_init,
            momentum=self.momentum,
            nesterov=self.nesterovs_momentum,
            alpha=self.alpha,
            batch_size=self.batch_size,
            solver=self.solver,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )

    # -- checks ------------------------------------------------------------------------------

    def _check_parameters(self, partial: bool) -> tuple[int, ...]:
        """Check the parameters; return the sizes of the hidden layers."""
        hidden = _hidden_sizes(self.hidden_layer_sizes)
        hidden_activations(self.activation, len(hidden))
        check_choice("solver", self.solver, SOLVERS)
        check_number("alpha", self.alpha, at_least=0)
        check_whole("batch_size", self.batch_size)
        check_number("learning_rate_init", self.learning_rate_init, above=0)
        check_whole("max_iter", self.max_iter)
        check_flag("shuffle", self.shuffle)
        check_number("tol", self.tol, at_least=0)
        check_whole("n_iter_no_change", self.n_iter_no_change)
        if not isinstance(self.verbose, bool):
            check_whole("verbose", self.verbose, at_least=0)
        check_flag("warm_start", self.warm_start)
        check_number("momentum", self.momentum, at_least=0, below=1)
        check_flag("nesterovs_momentum", self.nesterovs_momentum)
        check_number("beta_1", self.beta_1, at_least=0, below=1)
        check_number("beta_2", self.beta_2, at_least=0, below=1)
        check_number("epsilon", self.epsilon, above=0)
        check_whole("n_threads", self.n_threads)
        return hidden

    def _checked_X(self, X: Any, fitted: bool) -> Any:
        """Return X as a float array or CSR matrix, without a copy where it is one.

        Whether its values are finite is left to the network.
        """
        if fitted and self._is_plain(X):
            return X
        if issparse(X):
            check_sparse_indices(X)
        for name, dtype in getattr(X, "dtypes", {}).items() if hasattr(X, "columns") else ():
            if getattr(dtype, "kind", "") in "mM":
                raise ValueError(
                    f"X must hold numbers, but column {name!r} holds dates or durations. Turn them "
                    "into numbers first, for instance days since a date."
                )
        options: dict[str, Any] = {"accept_sparse": "csr", "ensure_all_finite": False}
        try:
            if fitted:
                dtype = self.network_.dtype
                return validate_data(self, X, reset=False, dtype=dtype, **options)
            return check_array(X, input_name="X", estimator=self, dtype=FLOATS, **options)
        except ValueError as error:
            if "convert string" not in str(error):
                raise
            raise ValueError(
                f"X must hold numbers: {error}. Encode text first, for instance with "
                "sklearn.preprocessing.OneHotEncoder."
            ) from error

    def _is_plain(self, X: Any) -> bool:
        """Whether the checks of a fitted model would hand X back as it is, without a warning."""
        return (
            type(X) is np.ndarray
            and X.ndim == 2
            and X.dtype == self.network_.dtype
            and X.shape[1] == self.network_.layer_sizes[0]
            and len(X) > 0
            and "feature_names_in_" not in self.__dict__
        )

    # -- predictions and fitted attributes -----------------------------------------------------

    def sensitivity(
        self, X: Any, *, summary: str | None = None, relative: bool = False
    ) -> NDArray[Any]:
        """Return how much each output changes with each feature: exact derivatives.

        Outputs are those of the network: the predictions of a regressor; of a classifier the
        probabilities of the classes, for two classes only that of ``classes_[1]``.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        summary : {"mean", "mean_absolute"}, default=None
            None returns the derivatives of every row. "mean" returns their mean over the rows,
            with its sign, "mean_absolute" the mean of their sizes: how much a feature matters,
            whichever way. Neither holds more than a few rows' derivatives at a time.
        relative : bool, default=False
            Elasticities, ``d output / d feature * feature / output``.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs, n_features), or (n_outputs, n_features)
            The second for a summary.

        See Also
        --------
        Network.sensitivity : The same without an estimator.
        """
        check_is_fitted(self)
        checked_X = self._checked_X(X, fitted=True)
        return self.network_.sensitivity(checked_X, summary=summary, relative=relative)

    def _predictions(
        self, X: Any, of_outputs: Callable[[NDArray[Any]], NDArray[Any]]
    ) -> NDArray[Any]:
        """Return what to make of the activations of the output layer, (n_samples, n_outputs).

        An array is read, and converted if it must be, a block of rows after the other: beside
        what is returned no array is larger than a block.
        """
        network = self._fitted_network()
        if not isinstance(X, np.ndarray) or X.nbytes <= BLOCK_BYTES or X.ndim != 2:
            return of_outputs(network.forward(self._checked_X(X, True), self.n_threads))
        result = None
        for start, stop in blocks_of_rows(X):
            block = self._checked_X(X[start:stop], True)
            try:
                part = of_outputs(network.forward(block, self.n_threads))
            except ValueError:
                check_finite("X", block, start)  # with the number of the row in X
                raise
            if result is None:
                result = np.empty((len(X), *part.shape[1:]), dtype=part.dtype)
            result[start:stop] = part
        assert result is not None  # X has at least a row
        return result

    def _outputs_of_one(self, x: Any) -> NDArray[Any]:
        """Return the activations of the output layer for one row, (n_outputs,)."""
        outputs = self._fitted_network().forward(x)
        if outputs.ndim != 1:
            raise ValueError(
                f"x must be one row, of shape ({self.n_features_in_},); got {np.shape(x)}. For "
                "several rows there is predict."
            )
        return outputs

    def _fitted_network(self) -> Network:
        """Return the network, or raise the NotFittedError of scikit-learn."""
        if "network_" not in self.__dict__:  # scikit-learn's own check takes ten times as long
            check_is_fitted(self)
        return self.network_

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """Weights of each layer, (n_in, n_out): views on the memory of ``network_``."""
        return self._fitted_network().weights

    @coefs_.setter
    def coefs_(self, values: Sequence[ArrayLike]) -> None:
        self._fitted_network().weights = values

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """Biases of each layer, (n_out,): views on the memory of ``network_``."""
        return self._fitted_network().biases

    @intercepts_.setter
    def intercepts_(self, values: Sequence[ArrayLike]) -> None:
        self._fitted_network().biases = values

    @property
    def loss_curve_(self) -> list[float]:
        """Loss of each epoch since the weights were drawn."""
        check_is_fitted(self)
        return self._history.loss_curve

    @property
    def loss_(self) -> float:
        """Loss of the last epoch; NaN if the first was interrupted."""
        return self.loss_curve_[-1] if self.loss_curve_ else math.nan

    @property
    def best_loss_(self) -> float:
        """Smallest loss of an epoch; NaN if the first was interrupted."""
        return min(self.loss_curve_, default=math.nan)

    @property
    def n_iter_(self) -> int:
        """Number of epochs since the weights were drawn."""
        return len(self.loss_curve_)

    @property
    def t_(self) -> int:
        """Number of rows visited in these epochs."""
        check_is_fitted(self)
        return self._history.n_rows

    @property
    def n_layers_(self) -> int:
        """Number of layers, inputs and outputs included."""
        return len(self._fitted_network().layer_sizes)

    @property
    def n_outputs_(self) -> int:
        """Number of units of the output layer."""
        return self._fitted_network().layer_sizes[-1]

    @property
    def out_activation_(self) -> str:
        """Name of the activation of the output layer."""
        return self._fitted_network().out_activation


def _parameters_of(model: Backprop) -> tuple[Any, ...]:
    """Return the values of all parameters, in the order of their names."""
    kind: Any = type(model)
    values: tuple[Any, ...] = _getter_of(kind)(model)
    return values


@functools.cache
def _getter_of(kind: Any) -> operator.attrgetter[Any]:
    return operator.attrgetter(*kind._get_param_names())


def _hidden_sizes(sizes: Any) -> tuple[int, ...]:
    """Return the sizes of the hidden layers; none is a linear model."""
    if isinstance(sizes, numbers.Integral):
        return (check_whole("hidden_layer_sizes", sizes),)
    if isinstance(sizes, (str, bytes)) or not hasattr(sizes, "__iter__"):
        raise TypeError(
            "hidden_layer_sizes must be a whole number or a sequence of whole numbers, such as "
            f"(100,); got {sizes!r}"
        )
    return tuple(check_whole(f"hidden_layer_sizes[{i}]", size) for i, size in enumerate(sizes))
