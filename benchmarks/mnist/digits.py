"""`Digits`: MNIST as each library likes it best."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import fetch_openml


@dataclasses.dataclass(frozen=True)
class Digits:
    """Pixels from 0 to 1 and classes, of 60,000 digits to learn and 10,000 to be tested on."""

    X_train: Any
    y_train: np.ndarray
    X_test: Any
    y_test: np.ndarray

    @functools.cache  # noqa: B019 - the one data set of a program
    def of(self, dtype: str, *, sparse: bool = False) -> "Digits":
        """Return the same in another dtype, dense or as CSR matrices."""
        as_dtype = csr_array if sparse else np.asarray
        X_train, X_test = (as_dtype(X.astype(dtype)) for X in (self.X_train, self.X_test))
        return Digits(X_train, self.y_train, X_test, self.y_test)

    __hash__ = object.__hash__


def load(path: Path | None) -> Digits:
    """Read X_train, y_train, X_test and y_test from an .npz, or fetch MNIST from OpenML."""
    if path:
        with np.load(path) as file:
            arrays = [file[name] for name in ("X_train", "y_train", "X_test", "y_test")]
    else:
        X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
        arrays = [X[:60_000], y[:60_000], X[60_000:], y[60_000:]]
    X_train, y_train, X_test, y_test = arrays
    return Digits(
        X_train.astype(np.float32) / 255,
        y_train.astype(np.int64),
        X_test.astype(np.float32) / 255,
        y_test.astype(np.int64),
    )
