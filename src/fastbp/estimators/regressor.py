"""`BackpropRegressor`: numbers, from squared and absolute error to quantiles and counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d

from .._messages import counted
from ..network.arrays import as_numbers, only_item
from ..network.checks import check_choice, check_number
from ..network.tables import LOSSES as CATALOGUE
from ..training.stopping import Score
from .calls import PreparedCall
from .conversion import Convertible
from .docs import with_shared_parts
from .features import plain_list
from .labels import check_no_text
from .prepared import EncodedTargets, FitRequest

LOSSES = tuple(name for name in CATALOGUE if name != "log_loss")
LOSSES_ELSEWHERE = {"log_loss": "For classes there is BackpropClassifier, which has this loss"}


@with_shared_parts
class BackpropRegressor(MultiOutputMixin, RegressorMixin, Convertible):
    """Multilayer perceptron for regression, trained row by row by backpropagation.

    Stochastic gradient descent, in compiled code: every row's step is taken before the next row is
    looked at. By default, inputs and targets are standardized, and a few networks are trained until
    rows held out show no progress, then joined into one. With ``standardize=False,
    learning_rate="constant", early_stopping=False`` it is the plain algorithm in the units of the
    data.

    Parameters
    ----------
    $layers
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson"}, \
            default="squared_error"
        Loss of one output a: ``1/2 (a - y)**2``; ``|a - y|``; see ``huber_delta`` and ``quantile``;
        half the Poisson deviance ``y log(y / a) - y + a``, for which a is ``exp(z)`` and y must not
        be negative.
    huber_delta : float, > 0, default=1.0
        With ``loss="huber"``: an error r counts ``1/2 r**2`` up to this size, and beyond it only
        ``huber_delta |r| - 1/2 huber_delta**2`` (Huber, 1964). In the units of the network's
        targets: with ``standardize=True`` those of ``target_scaling_``, else those of y.
    quantile : float in (0, 1), default=0.5
        With ``loss="quantile"``: which quantile of y to predict; the loss is
        ``quantile (y - a)`` where a is too small and ``(1 - quantile) (a - y)`` where it is too
        large (Koenker and Bassett, 1978).
    $training

    Attributes
    ----------
    $attributes
    validation_scores_ : list of float, or None
        R2 of the rows held out after each epoch; minus their mean loss with another loss than
        squared error, and with ``early_stopping="auto"``.

    Notes
    -----
    $notes
    Targets are scaled by their mean and standard deviation for the squared error. The losses by
    absolute values ("absolute_error", "huber", "quantile") take the median, and ``sqrt(pi / 2)``
    times the mean absolute difference from it, which is the standard deviation of a normal
    distribution; "poisson" divides by the mean. Each output has its own. Where a few huge targets
    (1 % at most, or one) make the deviation more than 20 times that of the middle half, the median
    and quartiles are taken, and the huge ones count as the largest of the others: `fit` warns and
    names a row. In `partial_fit` a target of more than 10 deviations takes a step as if the error
    were 10. Constant targets are predicted exactly.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from fastbp import BackpropRegressor
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> model = BackpropRegressor(random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.5)
    True
    >>> round(float(model.input_scaling_.center[0]), 1)  # the mean age
    48.5
    """

    loss: str
    huber_delta: float
    quantile: float
    _counterpart = "MLPRegressor"

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] | str = "auto",
        activation: str | Sequence[str] = "relu",
        *,
        loss: str = "squared_error",
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        solver: str = "sgd",
        alpha: float = 0.0,
        batch_size: int = 1,
        learning_rate: str | Callable[[float], float] = "cosine",
        learning_rate_init: float | str = "auto",
        power_t: float = 0.5,
        learning_rate_options: Mapping[str, Any] | None = None,
        max_iter: int | str = "auto",
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        n_iter_no_change: float | str = "auto",
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.2,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.0,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        dropout: float | Sequence[float] = 0.0,
        n_threads: int = 1,
        n_init: int = 1,
        standardize: bool = True,
        ensemble: int | str = "auto",
        missing: str = "error",
    ) -> None:
        self._set_parameters(locals())

    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on these rows, from the present weights or, at first, from new ones.

        With ``shuffle=False`` the rows are taken in the order given.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the outputs of the network.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Of the dtype of the network: float32 if it was fitted on float32, float64 otherwise.
        """
        outputs = self._predictions(X, lambda outputs: outputs)
        return outputs.ravel() if outputs.shape[1] == 1 else outputs

    def predict_one(self, x: ArrayLike) -> float | NDArray[Any]:
        """Return the outputs of the network for one row, in microseconds.

        Fastest with a contiguous array of the dtype of the network, which has no names to check.

        Parameters
        ----------
        x : array-like of shape (n_features,), Series, mapping or frame of one row
            The names of a Series or of columns must be those of ``feature_names_in_``, in their
            order, as in `predict`. A mapping, such as a dict, and a named tuple are read by name,
            in any order.

        Returns
        -------
        float, or ndarray of shape (n_outputs,) where there are several
        """
        outputs = self._outputs_of_one(x)
        return float(outputs[0]) if len(outputs) == 1 else outputs

    def _target_of_one(self, y: Any, prepared: PreparedCall) -> Any:
        network = prepared.network
        if network.layer_sizes[-1] == 1:
            return only_item(y)
        y = plain_list(y) if type(y) is list else y
        if type(y) is not np.ndarray or y.shape != (1, network.layer_sizes[-1]):
            return None
        return as_numbers("y", y[0], network.dtype)

    def _check_parameters(self, incremental: bool) -> tuple[int, ...] | None:
        check_choice("loss", self.loss, LOSSES, elsewhere=LOSSES_ELSEWHERE)
        check_number("huber_delta", self.huber_delta, above=0)
        check_number("quantile", self.quantile, above=0, below=1)
        return super()._check_parameters(incremental)

    def _encoded_targets(self, y: Any, sample_weight: Any, request: FitRequest) -> EncodedTargets:
        check_no_text(y)
        targets = as_numbers("y", y.toarray() if issparse(y) else y, np.dtype(np.float64))
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = column_or_1d(targets, warn=True)
        if targets.ndim not in (1, 2) or not targets.size:
            raise ValueError(
                "y must have shape (n_samples,) or (n_samples, n_outputs); got an array of shape "
                f"{targets.shape}"
            )
        n_outputs = 1 if targets.ndim == 1 else targets.shape[1]
        own = CATALOGUE[self.loss].parameter
        parameters = {} if own is None else {own: getattr(self, own)}
        return EncodedTargets(
            targets, sample_weight, n_outputs, None, str(self.loss), loss_parameters=parameters
        )

    def _validation_targets(
        self, y: Any, sample_weight: Any, encoded: EncodedTargets
    ) -> EncodedTargets:
        own = self._encoded_targets(y, sample_weight, FitRequest(warm_start=False))
        if own.n_outputs != encoded.n_outputs:
            raise ValueError(
                f"y has {counted(encoded.n_outputs, 'output')}, but y_val has {own.n_outputs}"
            )
        return own

    def _score_of(self, encoded: EncodedTargets) -> Score | None:
        if encoded.loss != "squared_error":
            return None
        if len(encoded.targets) < 2:
            raise ValueError(
                "R2 of rows held out needs at least two of them: choose a larger "
                "validation_fraction, or pass X_val and y_val"
            )
        return Score(
            lambda outputs, _: outputs,
            lambda outputs: float(
                r2_score(encoded.targets, outputs, sample_weight=encoded.sample_weight)
            ),
        )

    def _classes_to_divide(self, encoded: EncodedTargets) -> None:
        return None
