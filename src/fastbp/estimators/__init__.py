"""`BackpropRegressor` and `BackpropClassifier`, as scikit-learn's estimators are."""

from .classifier import BackpropClassifier
from .regressor import BackpropRegressor

__all__ = ["BackpropClassifier", "BackpropRegressor"]
