"""Trained models outside of Python: as ONNX, as C, and as plain arrays for NumPy.

The methods ``to_onnx``, ``to_c`` and ``to_numpy`` of networks and estimators are written here. All
three read a `Description`, which says everything that predictions depend on.
"""

from .arrays import to_numpy
from .c_model import to_c
from .described import description_of
from .description import Description
from .onnx_model import to_onnx
from .skl2onnx_hooks import register

__all__ = ["Description", "description_of", "register", "to_c", "to_numpy", "to_onnx"]
