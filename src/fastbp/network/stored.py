"""`StoredNetwork`: a network with the units and names of the model that it was trained in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import as_numbers, check_finite
from .network import Network
from .scaling import Scaling

PARTS = (
    "input_scaling", "target_scaling", "fill_values", "marked_features", "n_features",
    "feature_names", "classes",
)  # fmt: skip


class StoredNetwork(Network):
    """The network of a model out of a file, with what predictions need besides.

    It predicts as the model does, to the same bits, in need of NumPy alone.
    `Network.load` makes it.

    Attributes
    ----------
    n_features : int
        Values of a row.
    feature_names : tuple of str, or None
    classes : ndarray of shape (n_classes,), or None
        Labels of a classifier.
    input_scaling, target_scaling : Scaling, or None
        How inputs become those of the network, and its outputs those of the model.
    fill_values : ndarray of shape (n_features,), or None
        What stands for missing values (NaN), if there may be any.
    marked_features : ndarray of int, or None
        Numbers of the features with an input more that says where they are missing.

    Examples
    --------
    >>> import fastbp, numpy as np, tempfile
    >>> network = fastbp.Network((2, 3, 1), random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = fastbp.save(network, f"{folder}/network.fbp")
    ...     stored = fastbp.Network.load(path)
    >>> bool(stored.predict([[1.0, 2.0]])[0] == network.forward([1.0, 2.0])[0])
    True
    """

    input_scaling: Scaling | None = None
    target_scaling: Scaling | None = None
    fill_values: NDArray[np.float64] | None = None
    marked_features: NDArray[np.intp] | None = None
    n_features: int
    feature_names: tuple[str, ...] | None = None
    classes: NDArray[Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {name: getattr(self, name) for name in PARTS}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.update({name: state[name] for name in PARTS if name in state})

    def predict(self, X: Any) -> Any:
        """Return what the model predicts.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or one row: (n_features,), or a mapping of names
            In the units of the model. Not sparse.

        Returns
        -------
        ndarray of shape (n,) or (n, n_outputs)
            Of a classifier the most probable labels; of several labels a row 0 and 1. For one row
            its label, a number, or an array (n_outputs,).
        """
        rows, is_one = self._rows_of(X)
        outputs = self.outputs(rows)
        if self.classes is None:
            found: Any = outputs.ravel() if outputs.shape[1] == 1 else outputs
        elif outputs.shape[1] == 1:
            found = self.classes[(outputs[:, 0] > 0.5).astype(np.intp)]
        elif self.out_activation == "logistic":
            found = (outputs > 0.5).astype(np.int64)
        else:
            found = self.classes[outputs.argmax(axis=1)]
        return found[0] if is_one else found

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Return the probability of each of ``classes``.

        Parameters
        ----------
        X : array-like of shape (n, n_features), or one row: (n_features,), or a mapping of names

        Returns
        -------
        ndarray of shape (n, n_classes), or (n_classes,) for one row

        Raises
        ------
        AttributeError
            If the model has no classes.
        """
        if self.classes is None:
            raise AttributeError("This network was not trained on classes: call predict")
        rows, is_one = self._rows_of(X)
        outputs = self.outputs(rows)
        if outputs.shape[1] == 1:
            outputs = np.hstack([1 - outputs, outputs])
        return outputs[0] if is_one else outputs

    def outputs(self, X: Any) -> NDArray[Any]:
        """Return the outputs of the network, in the units of the targets.

        Parameters
        ----------
        X : ndarray of shape (n, n_features)

        Returns
        -------
        ndarray of shape (n, n_outputs)
        """
        X = self._filled(as_numbers("X", X, self.dtype))
        if self.input_scaling is None:
            return self.forward(X)
        check_finite("X", X)
        outputs = self.forward(self.input_scaling.transform(X))
        return outputs if self.target_scaling is None else self.target_scaling.inverse(outputs)

    def _rows_of(self, X: Any) -> tuple[NDArray[Any], bool]:
        """Return rows as an array, and whether it is one row alone."""
        if isinstance(X, Mapping):
            if self.feature_names is None or set(X) != set(self.feature_names):
                raise ValueError(f"x must have the names {list(self.feature_names or ())}")
            X = [X[name] for name in self.feature_names]
        rows = as_numbers("X", X, self.dtype)
        if rows.ndim not in (1, 2) or rows.shape[-1] != self.n_features:
            raise ValueError(
                f"X must have rows of {self.n_features} values; got an array of shape {rows.shape}"
            )
        return np.ascontiguousarray(np.atleast_2d(rows)), rows.ndim == 1

    def _filled(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return rows without gaps, and behind them the marks of where they were."""
        if self.fill_values is None:
            return X
        gaps = np.isnan(X)
        filled = np.where(gaps, self.fill_values.astype(X.dtype), X)
        return np.hstack([filled, gaps[:, self.marked_features].astype(X.dtype)])
