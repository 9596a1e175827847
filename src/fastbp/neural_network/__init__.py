"""scikit-learn's `MLPClassifier` and `MLPRegressor`, with the engine inside."""

from .perceptrons import MLPClassifier, MLPRegressor
from .sklearn_internals import calls

__all__ = ["MLPClassifier", "MLPRegressor", "calls"]

MLPClassifier.__module__ = MLPRegressor.__module__ = __name__  # where pickles look for them
