"""The three data sets that come with scikit-learn."""

from __future__ import annotations

from typing import Any

from ..task import Task, split


def bundled_tasks(seed: int) -> list[Task]:
    """Return digits, breast cancer and diabetes, ready to be learned."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
    from sklearn.preprocessing import StandardScaler

    def task(name: str, load: Any, hidden: int, epochs: int, learning_rate: float) -> Task:
        X, y = load(return_X_y=True)
        is_classification = load is not load_diabetes
        parts = split(X, y, is_classification=is_classification, seed=seed)
        settings = ((hidden,), epochs, learning_rate)
        return Task(name, *parts, StandardScaler(), is_classification, *settings)

    return [
        task("digits", load_digits, hidden=32, epochs=30, learning_rate=0.01),
        task("breast cancer", load_breast_cancer, hidden=16, epochs=60, learning_rate=0.01),
        task("diabetes", load_diabetes, hidden=16, epochs=60, learning_rate=0.001),
    ]
