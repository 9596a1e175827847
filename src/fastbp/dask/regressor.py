"""`DaskBackpropRegressor`: `BackpropRegressor`, trained on the workers of Dask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from ..estimators import BackpropRegressor
from .base import DaskTraining
from .docs import with_parts
from .partitions import is_distributed


@with_parts
class DaskBackpropRegressor(DaskTraining, BackpropRegressor):
    """BackpropRegressor for rows on many machines: networks train apart and are averaged.

    $apart

    Parameters
    ----------
    $layers
    loss, huber_delta, quantile
        As of `fastbp.BackpropRegressor`.
    $training
    $rounds

    Attributes
    ----------
    $client
    $attributes

    Notes
    -----
    Columns and targets are scaled as by `fastbp.BackpropRegressor`, from one pass over all rows;
    medians and quartiles, where they are needed, are those of 10,000 rows. With
    ``learning_rate_init="auto"`` the rate of several shards is twice that of one.

    Examples
    --------
    >>> from fastbp.dask import DaskBackpropRegressor
    >>> model = DaskBackpropRegressor((64,), random_state=0)
    >>> model.fit(X, y)  # doctest: +SKIP
    >>> model.predict(X).compute()  # doctest: +SKIP
    """

    _local = BackpropRegressor

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
        rounds: int | str = "auto",
        rows_per_round: int | float | str = "auto",
        n_shards: int | str = "auto",
        outer_momentum: float | str = "auto",
        outer_learning_rate: float = 1.0,
    ) -> None:
        self._set_parameters(locals())

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch of rounds, from the present weights or, at first, from new ones.

        The first call finds the units of columns and targets, which later ones keep. Rows of this
        process are trained on here, as by `fastbp.BackpropRegressor`.

        Parameters
        ----------
        X, y, sample_weight : as given to `fit`

        Returns
        -------
        self
        """
        if not is_distributed(X):
            return super().partial_fit(X, y, sample_weight)
        return self._fit_on_cluster(
            (X, y, sample_weight),
            (None, None, None),
            warm_start=hasattr(self, "network_"),
            incremental=True,
        )
