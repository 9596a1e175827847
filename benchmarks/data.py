"""Rows to train on: drawn at random, or MNIST's digits."""

import os
from functools import cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

MNIST_NON_ZEROS = 0.19  # of its pixels
SHARED = Path(__file__).parents[2] / "shared" / "data"


def regression(
    layer_sizes: tuple[int, ...], n_rows: int, dtype: str = "float64", non_zeros: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return X (n, n_in), uniform in [-1, 1], and y (n, n_out), a smooth function of it."""
    random = np.random.default_rng(0)
    n_in, n_out = layer_sizes[0], layer_sizes[-1]
    X = random.uniform(-1, 1, (n_rows, n_in))
    if non_zeros < 1:
        X[random.uniform(size=X.shape) >= non_zeros] = 0
    y = np.tanh(X @ random.normal(size=(n_in, n_out)) / n_in**0.5)
    return X.astype(dtype), y.astype(dtype)


def classification(n_in: int, n_classes: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return X (n, n_in), uniform in [-1, 1], and class numbers (n,)."""
    X, scores = regression((n_in, n_classes), n_rows)
    return X, scores.argmax(axis=1)


def sparse_classification(n_in: int, n_values: int, n_rows: int) -> tuple[csr_array, np.ndarray]:
    """Return X, CSR (n, n_in) with n_values non-zeros a row, and two classes (n,)."""
    random = np.random.default_rng(0)
    columns = np.sort(random.integers(n_in - n_values + 1, size=(n_rows, n_values)), axis=1)
    columns += np.arange(n_values)  # ascending, none twice
    values = random.uniform(0.1, 1, columns.shape)
    starts = np.arange(n_rows + 1) * n_values
    X = csr_array((values.ravel(), columns.ravel(), starts), shape=(n_rows, n_in))
    return X, (X @ random.normal(size=n_in) > 0).astype(np.int64)


@cache
def mnist(n_rows: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return pixels (n, 784) in [0, 1] and digits (n,), or None where the data are not at hand.

    They are looked for as ``mnist.npz``, in the folder or at the path that FASTBP_DATA names.
    """
    for path in (Path(os.environ.get("FASTBP_DATA", SHARED)), SHARED):
        path = path / "mnist.npz" if path.is_dir() else path
        if path.exists():
            with np.load(path) as arrays:
                return arrays["X_train"][:n_rows] / 255.0, arrays["y_train"][:n_rows].astype(int)
    return None


def pixels(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's pixels and digits as (n, 10) of 0 and 1, or random rows of as many zeros."""
    digits = mnist(n_rows)
    if digits is None:
        return regression((784, 10), n_rows, non_zeros=MNIST_NON_ZEROS)
    return digits[0], np.eye(10)[digits[1]]


def digits(n_in: int, n_classes: int, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's pixels and digits, or random rows of as many zeros and classes (n,)."""
    X, y = pixels(n_rows)
    return X, y.argmax(axis=1)
