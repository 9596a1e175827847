"""fastbp: backpropagation at the speed of C, behind scikit-learn's fit and predict."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import dask as dask
    from . import distributed as distributed
    from . import export as export
    from . import measured as measured
    from . import neural_network as neural_network
    from .cli.config import show_config
    from .estimators import BackpropClassifier, BackpropRegressor
    from .exceptions import DivergenceWarning
    from .gradient_check import check_gradients
    from .io.checkpoint import Checkpoint, resume
    from .io.models import load, save
    from .network import Network
    from .patch import patch_sklearn, unpatch_sklearn
    from .recording import record, record_stream
    from .sensitivity import sensitivity_of_loss
    from .trace import trace_step

__all__ = [
    "BackpropClassifier",
    "BackpropRegressor",
    "Checkpoint",
    "DivergenceWarning",
    "Network",
    "__version__",
    "check_gradients",
    "load",
    "patch_sklearn",
    "record",
    "record_stream",
    "resume",
    "save",
    "sensitivity_of_loss",
    "show_config",
    "trace_step",
    "unpatch_sklearn",
]

# Loaded when first used: the estimators need scikit-learn, which takes seconds to import.
_HOME = {
    "BackpropClassifier": "estimators",
    "BackpropRegressor": "estimators",
    "Checkpoint": "io.checkpoint",
    "DivergenceWarning": "exceptions",
    "Network": "network",
    "check_gradients": "gradient_check",
    "load": "io.models",
    "patch_sklearn": "patch",
    "record": "recording",
    "record_stream": "recording",
    "resume": "io.checkpoint",
    "save": "io.models",
    "sensitivity_of_loss": "sensitivity",
    "show_config": "cli.config",
    "trace_step": "trace",
    "unpatch_sklearn": "patch",
}
_PACKAGES = {"dask", "distributed", "export", "measured", "neural_network"}


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module 'fastbp' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})
