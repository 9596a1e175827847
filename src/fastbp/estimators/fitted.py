"""`Fitted`: predictions, and the fitted attributes, most of which are views of the network."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._core import all_finite
from ..network import Network
from ..network.arrays import BLOCK_BYTES, as_numbers, blocks_of, check_finite
from ..network.exportable import ExportableEstimator
from ..network.frames import is_pandas_series
from ..network.scaling import Scaling
from ..training.run import History
from ..training.stopping import Ending
from .defaults import Settings
from .ending import text_of_ending
from .features import checked_features, named_features, plain_features, takes_gaps
from .gaps import INDICATOR, Gaps
from .units import Units, check_numbers


class Fitted(ExportableEstimator, BaseEstimator):
    """What an estimator has once it is fitted, and does with it."""

    network_: Network
    _history: History
    _units: Units | None = None
    _gaps: Gaps | None = None
    missing: str
    _rate: float
    _settings: Settings
    _ending: Ending | None = None
    _dead: list[tuple[int, int]] = []  # noqa: RUF012  # units of each layer, and all of it
    n_features_in_: int

    def _checked_X(self, X: Any, fitted: bool) -> Any:
        """Return X as a float array or CSR matrix, without a copy where it is one.

        Whether its values are finite is left to the network. Gaps are still NaN.
        """
        if not fitted:
            return _with_gaps_once(checked_features(self, X, allow_nan=self.missing == INDICATOR))
        plain = plain_features(self, X)
        if plain is not None:
            return plain
        dtype, allow_nan = self.network_.dtype, takes_gaps(self)
        return _with_gaps_once(checked_features(self, X, dtype, allow_nan=allow_nan))

    def _filled(self, X: Any) -> Any:
        """Return checked rows, or one, without gaps: with the columns of the network."""
        return X if self._gaps is None else self._gaps.filled(X)

    def sensitivity(
        self, X: Any, *, summary: str | None = None, relative: bool = False
    ) -> NDArray[Any]:
        """Return how much each output changes with each feature: exact derivatives.

        Outputs are those of the network: the predictions of a regressor; of a classifier the
        probabilities of the classes, for two classes only that of ``classes_[1]``.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
            Or one row that has names, a Series or a mapping.
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
        network = self._fitted_network()
        row = named_features(self, X) if _is_named_row(X) else None
        rows = self._checked_X(X, fitted=True) if row is None else row[np.newaxis]
        checked_X = self._filled(rows)
        if self._units is not None:
            checked_X = self._units.as_seen(checked_X)
        found = network._sensitivity(checked_X, summary, relative, self._units)
        return found if self._gaps is None else found[..., : self.n_features_in_].copy()

    def _predictions(
        self, X: Any, of_outputs: Callable[[NDArray[Any]], NDArray[Any]]
    ) -> NDArray[Any]:
        """Return what to make of the activations of the output layer, (n_samples, n_outputs).

        Read, and converted if it must be, a block of rows after the other: beside what is returned
        no array is larger than a block, neither of X nor of the outputs.
        """
        network = self._fitted_network()
        is_checked = not isinstance(X, np.ndarray) or X.ndim != 2
        if is_checked:
            X = self._checked_X(X, True)
        row_bytes = network.layer_sizes[-1] * network.dtype.itemsize
        n_bytes = max(X.shape[0] * row_bytes, getattr(X, "nbytes", 0))
        if n_bytes <= BLOCK_BYTES:
            checked = X if is_checked else self._checked_X(X, True)
            return of_outputs(self._outputs(checked))
        result = None
        for start, stop in blocks_of(X.shape[0], n_bytes):
            block = X[start:stop] if is_checked else self._checked_X(X[start:stop], True)
            try:
                part = of_outputs(self._outputs(block))
            except ValueError:
                if not issparse(block):  # with the number of the row in X
                    check_finite("X", block, start, allow_nan=takes_gaps(self))
                raise
            if result is None:
                result = np.empty((X.shape[0], *part.shape[1:]), dtype=part.dtype)
            result[start:stop] = part
        assert result is not None  # X has at least a row
        return result

    def _outputs(self, X: Any) -> NDArray[Any]:
        """Return the outputs for checked rows, a block of them, in the units of the targets."""
        X = self._filled(X)
        if self._units is None:
            return self.network_.forward(X, self.n_threads)
        check_numbers(X)
        row_bytes = X.shape[1] * self.network_.dtype.itemsize if issparse(X) else 0
        parts = []
        for start, stop in blocks_of(X.shape[0], X.shape[0] * row_bytes):
            scaled = self._units.inputs.transform(X[start:stop])
            parts.append(self.network_.forward(scaled, self.n_threads))
        outputs = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return self._units.outputs(outputs)

    def _outputs_of_one(self, x: Any) -> NDArray[Any]:
        """Return the activations of the output layer for one row, (n_outputs,)."""
        network = self._fitted_network()
        row = x if type(x) is np.ndarray else named_features(self, x)
        if self._units is not None and self._gaps is None and row is not None:
            units = self._units.of_row(network.dtype)
            one = None if units is None else network._layers.forward_one(row, units)
            if one is not None:
                return one
        outputs = network.forward(self._row_as_seen(x if row is None else row))
        if outputs.ndim != 1:
            raise ValueError(
                f"x must be one row, of shape ({self.n_features_in_},); got {np.shape(x)}. For "
                "several rows there is predict."
            )
        return outputs if self._units is None else self._units.outputs(outputs)

    def _row_as_seen(self, x: Any) -> Any:
        """Return one row in the units of the network; what is no row is left for it to refuse."""
        if self._units is None and self._gaps is None:
            return x
        network = self.network_
        if type(x) is not np.ndarray or x.dtype != network.dtype:
            x = as_numbers("X", x, network.dtype)
        if x.ndim > 2 or not x.ndim:
            return x
        x = self._filled(x)
        if x.shape[-1:] != network.layer_sizes[:1]:
            return x
        if not all_finite(x):
            check_finite("X", x)
        return x if self._units is None else self._units.inputs.transform(x)

    def _fitted_network(self) -> Network:
        """Return the network, or raise the NotFittedError of scikit-learn."""
        if "network_" not in self.__dict__:  # scikit-learn's own check takes ten times as long
            check_is_fitted(self)
        return self.network_

    def _check_is_fitted(self) -> None:
        self._fitted_network()

    # -- fitted attributes ---------------------------------------------------------------------

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
    def input_scaling_(self) -> Scaling | None:
        """Centers and scales of the inputs; None with ``standardize=False``."""
        self._fitted_network()
        return None if self._units is None else self._units.inputs

    @property
    def target_scaling_(self) -> Scaling | None:
        """Those of the targets; None for classes, and with ``standardize=False``."""
        self._fitted_network()
        return None if self._units is None else self._units.targets

    @property
    def missing_features_(self) -> NDArray[np.intp] | None:
        """Numbers of the inputs with a column that says where they are missing; None without."""
        self._fitted_network()
        return None if self._gaps is None else self._gaps.features

    @property
    def loss_curve_(self) -> list[float]:
        """Loss of each epoch since the weights were drawn, or call of partial_fit.

        Of a stream it holds at least the last 1,000 calls, so that it does not grow for ever.
        """
        check_is_fitted(self)
        return self._history.loss_curve

    @property
    def history_(self) -> dict[str, list[Any]]:
        """Epochs of `fit` since the weights were drawn, as columns that a DataFrame takes.

        ``epoch``, from 1; ``rows`` seen up to its end; ``loss``; ``validation_loss`` and
        ``validation_score`` of held-out rows, NaN where they were not looked at; ``learning_rate``
        at its beginning; ``gradient_norm``; ``seconds`` that it took. Losses are those of
        standardized targets. Of an ensemble means, the rows of one network, and the sum of the
        seconds.

        ``gradient_norm`` is the Euclidean norm of the change of all parameters in the epoch,
        divided by the sum of the learning rates of its steps. With SGD that is the norm of the mean
        of the gradients that the steps followed, each at the weights of its step, penalty included;
        with momentum it is multiplied by ``1 - momentum``; with the other solvers it is the norm of
        the mean step at a rate of 1. Short epochs that ran together have that of all of them.
        It is NaN where networks of ``n_init`` were trained side by side, and where one diverged.
        """
        check_is_fitted(self)
        return self._history.table()

    @property
    def convergence_(self) -> str:
        """Why the last `fit` ended, and of which epoch the weights are."""
        check_is_fitted(self)
        return text_of_ending(self._ending, self._settings, self._history, self._dead)

    @property
    def dead_units_(self) -> list[int]:
        """How many ReLU units of each hidden layer were 0 for all rows looked at after `fit`."""
        check_is_fitted(self)
        return [n_dead for n_dead, _ in self._dead]

    @property
    def learning_rate_(self) -> float:
        """What ``learning_rate_init`` stood for in training."""
        check_is_fitted(self)
        return self._rate

    @property
    def loss_(self) -> float:
        """Loss of the last epoch; NaN if the first was interrupted."""
        return self.loss_curve_[-1] if self.loss_curve_ else math.nan

    @property
    def best_loss_(self) -> float:
        """Smallest loss of an epoch or call; NaN if the first was interrupted."""
        check_is_fitted(self)
        return self._history.best_loss

    @property
    def diverged_(self) -> bool:
        """Whether training diverged in the last epoch; the class says which weights are kept."""
        return math.isinf(self.loss_)

    @property
    def validation_loss_curve_(self) -> list[float] | None:
        """Loss of held-out rows after each epoch; None where there were none."""
        check_is_fitted(self)
        return self._history.validation_losses or None

    @property
    def validation_scores_(self) -> list[float] | None:
        """Score of held-out rows after each epoch; None where there were none."""
        check_is_fitted(self)
        return self._history.validation_scores or None

    @property
    def best_validation_score_(self) -> float | None:
        """Largest of these scores; None where there were none."""
        return max(self.validation_scores_ or [], default=None)

    @property
    def n_iter_(self) -> int:
        """Number of epochs since the weights were drawn, calls of partial_fit included."""
        check_is_fitted(self)
        return self._history.n_epochs

    @property
    def t_(self) -> int:
        """Number of rows seen in these epochs."""
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


def _is_named_row(X: Any) -> bool:
    return isinstance(X, Mapping) or is_pandas_series(X)


def _with_gaps_once(X: Any) -> Any:
    """Return X, of a CSR matrix with NaN one that has each value once."""
    if not issparse(X) or X.has_canonical_format or not np.isnan(X.data).any():
        return X
    X = X.copy()
    X.sum_duplicates()
    return X
