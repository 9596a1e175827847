"""`Task`: data to learn from, split into rows to train on and rows held out."""

from __future__ import annotations

import dataclasses
from typing import Any

from .console import UserError

HELD_OUT = 0.25  # share of the rows, unless told otherwise
FEWEST_OF_A_CLASS = 4  # rarer classes are only trained on: too few rows to hold some out


@dataclasses.dataclass
class Task:
    """One data set, and how to learn it.

    Attributes
    ----------
    name : str
    X_train, X_test, y_train, y_test
        Rows as scikit-learn takes them.
    preprocessing
        scikit-learn transformer that turns rows into scaled numbers.
    is_classification : bool
    hidden_layer_sizes : tuple of int
    epochs : int
    learning_rate : float
    class_names : tuple of str
        Of a classification, what the numbers in y stand for, where they stand for something.
    """

    name: str
    X_train: Any
    X_test: Any
    y_train: Any
    y_test: Any
    preprocessing: Any
    is_classification: bool
    hidden_layer_sizes: tuple[int, ...]
    epochs: int
    learning_rate: float
    class_names: tuple[str, ...] = ()

    @property
    def score_name(self) -> str:
        """Name of what ``score`` returns."""
        return "accuracy" if self.is_classification else "R2"

    @property
    def guess(self) -> float:
        """Held-out score of always guessing the most frequent class, or the mean."""
        from sklearn.dummy import DummyClassifier, DummyRegressor

        dummy = DummyClassifier() if self.is_classification else DummyRegressor()
        score = dummy.fit(self.X_train, self.y_train).score(self.X_test, self.y_test)
        return round(float(score), 3) + 0.0  # -0.0 becomes 0.0


def split(
    X: Any, y: Any, *, is_classification: bool, seed: int, share: float = HELD_OUT
) -> tuple[Any, Any, Any, Any]:
    """Return X_train, X_test, y_train, y_test; classes in the same shares where that can be."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    rows, classes = np.arange(len(y)), None
    always_train = rows[:0]
    if is_classification:
        _, number, count = np.unique(y, return_inverse=True, return_counts=True)
        is_rare = count[number] < FEWEST_OF_A_CLASS
        rows, always_train = rows[~is_rare], rows[is_rare]
        if len(np.unique(number[rows])) <= share * len(rows):
            classes = number[rows]
    if len(rows) < FEWEST_OF_A_CLASS:
        raise UserError("there are too few rows of each class to train on some and hold out others")
    train, test = train_test_split(rows, test_size=share, random_state=seed, stratify=classes)
    train = np.concatenate([train, always_train])
    take = X.iloc if hasattr(X, "iloc") else X
    return take[train], take[test], y[train], y[test]
