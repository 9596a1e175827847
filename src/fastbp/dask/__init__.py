"""`DaskBackpropClassifier` and `DaskBackpropRegressor`: training on the workers of Dask.

Needs the extra ``dask``. The rounds themselves are those of `fastbp.distributed`.
"""

from .classifier import DaskBackpropClassifier
from .regressor import DaskBackpropRegressor

__all__ = ["DaskBackpropClassifier", "DaskBackpropRegressor"]
