"""Models of streams as estimators of river: `MLPClassifier` and `MLPRegressor`.

They are `OnlineClassifier` and `OnlineRegressor`, with river's names and tables, for its pipelines,
metrics, ensembles and model selection. Needs river (``pip install "fastbp[river]"``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as narwhals
from numpy.typing import NDArray
from river import base

from .online import OnlineClassifier, OnlineRegressor
from .online.docs import with_shared_parts
from .online.explanation import explanation_of_row

__all__ = ["MLPClassifier", "MLPRegressor"]


class _OfRiver(base.Base):
    """What river calls otherwise: ``seed``, the weight ``w``, and tables as answers."""

    seed: Any
    random_state = property(lambda self: self.seed)
    __repr__ = base.Base.__repr__

    @property
    def _mutable_attributes(self) -> set[str]:
        return {"learning_rate_init"}

    def learn_one(self, x: Any, y: Any, w: float = 1.0) -> None:
        """Learn one row, with a weight."""
        super().learn_one(x, y, w)  # type: ignore[misc]

    def learn_many(self, X: Any, y: Any, w: Any = None) -> None:
        """Learn the rows of a table, one after another: what a loop of `learn_one` does."""
        super().learn_many(X, y, w)  # type: ignore[misc]

    def predict_many(self, X: Any) -> Any:
        """Return predictions as a series of the table's library."""
        return _series(X, super().predict_many(X))  # type: ignore[misc]

    def debug_one(self, x: Any) -> str:
        """Return what each input of a row is scaled to, and how much the outputs change with it."""
        return explanation_of_row(self, x)


@with_shared_parts
class MLPClassifier(_OfRiver, OnlineClassifier, base.MiniBatchClassifier):  # type: ignore[misc]
    """A model that learns classes row by row: `fastbp.online.OnlineClassifier` for river.

    $about

    Parameters
    ----------
    $layers
    $training
    max_classes : int, default=None
        More labels than that are refused.
    seed : int, default=None
        River's name of ``random_state``.

    Examples
    --------
    >>> from river import datasets, evaluate, metrics
    >>> from fastbp.river import MLPClassifier
    >>> model = MLPClassifier(seed=0)
    >>> accuracy = evaluate.progressive_val_score(datasets.Phishing(), model, metrics.Accuracy())
    >>> accuracy.get() > 0.89
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: int | tuple[int, ...] = (64,),
        activation: str | tuple[str, ...] = "relu",
        *,
        solver: str = "auto",
        learning_rate_init: float | str = "auto",
        alpha: float = 0.0,
        replay: int | str = "auto",
        buffer: str = "last",
        buffer_size: int = 3000,
        max_features: int | None = None,
        max_classes: int | None = None,
        hashed_features: int | None = None,
        missing: str = "error",
        drift_detector: Any = None,
        seed: int | None = None,
    ) -> None:
        self._set_parameters(locals())

    @property
    def _multiclass(self) -> bool:
        return True

    def predict_proba_many(self, X: Any) -> Any:
        """Return a table of probabilities, one column for each label."""
        return _frame(X, super().predict_proba_many(X), self.classes_)


@with_shared_parts
class MLPRegressor(_OfRiver, OnlineRegressor, base.MiniBatchRegressor):  # type: ignore[misc]
    """A model that learns numbers row by row: `fastbp.online.OnlineRegressor` for river.

    $about

    Parameters
    ----------
    $layers
    loss, huber_delta, quantile
        As of `OnlineRegressor`.
    $training
    seed : int, default=None
        River's name of ``random_state``.

    Examples
    --------
    >>> from river import datasets, evaluate, metrics
    >>> from fastbp.river import MLPRegressor
    >>> model = MLPRegressor(seed=0)
    >>> error = evaluate.progressive_val_score(datasets.TrumpApproval(), model, metrics.MAE())
    >>> error.get() < 0.4
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: int | tuple[int, ...] = (64,),
        activation: str | tuple[str, ...] = "relu",
        *,
        loss: str = "huber",
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        solver: str = "auto",
        learning_rate_init: float | str = "auto",
        alpha: float = 0.0,
        replay: int | str = "auto",
        buffer: str = "last",
        buffer_size: int = 3000,
        max_features: int | None = None,
        hashed_features: int | None = None,
        missing: str = "error",
        drift_detector: Any = None,
        seed: int | None = None,
    ) -> None:
        self._set_parameters(locals())


def _series(X: Any, values: NDArray[Any]) -> Any:
    """Return values as a series of the library that a table is of, with its index."""
    if values.ndim == 2:  # several targets
        return _frame(X, values, range(values.shape[1]))
    frame = narwhals.from_native(X, eager_only=True)
    if frame.implementation.is_pandas_like():
        return type(X.iloc[:, 0])(values, index=X.index)
    return narwhals.new_series("", values.tolist(), backend=frame.implementation).to_native()


def _frame(X: Any, values: NDArray[Any], names: Sequence[Any]) -> Any:
    """Return columns as a table of the library that X is of; text names where it has no others."""
    frame = narwhals.from_native(X, eager_only=True)
    if frame.implementation.is_pandas_like():
        return type(X)(values, index=X.index, columns=list(names))
    columns = {str(name): values[:, k].tolist() for k, name in enumerate(names)}
    return narwhals.from_dict(columns, backend=frame.implementation).to_native()
