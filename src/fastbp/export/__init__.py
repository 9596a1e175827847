"""Trained models outside of Python: as ONNX, and as plain arrays for NumPy.

The methods ``to_onnx`` and ``to_numpy`` of networks and estimators are written here. Both
read a `Description`, which says everything that predictions depend on.
"""

from .arrays import to_numpy
from .description import Description, description_of
from .onnx_model import to_onnx
from .skl2onnx_hooks import register

__all__ = ["Description", "description_of", "register", "to_numpy", "to_onnx"]
