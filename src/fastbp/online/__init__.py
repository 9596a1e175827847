"""Networks that learn a stream, one row at a time: features and classes may appear as they come."""

from .classifier import OnlineClassifier
from .progress import StreamProgress, learn_progressively
from .regressor import OnlineRegressor

__all__ = ["OnlineClassifier", "OnlineRegressor", "StreamProgress", "learn_progressively"]
