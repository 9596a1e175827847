"""`show_config`: what this build of fastbp is and runs on."""

from __future__ import annotations

import os
import platform
import sys

import numpy as np

from .. import _core
from .._version import __version__


def show_config() -> None:
    """Print version, compiler, instruction sets built and in use, BLAS and threads.

    The instruction set can be chosen with the environment variable ``FASTBP_ISA``, set to one of
    the names in "runs here", before fastbp is imported.
    """
    numpy_config = np.show_config(mode="dicts") or {}
    blas = numpy_config.get("Build Dependencies", {}).get("blas", {})
    forced = " (from FASTBP_ISA)" if os.environ.get("FASTBP_ISA") else ""
    rows = {
        "fastbp": __version__,
        "Python": f"{sys.version.split()[0]} on {platform.system()} {platform.machine()}",
        "NumPy": np.__version__,
        "compiler": _core.compiler(),
        "instruction set": f"{_core.isa.ISA}{forced}",
        "built": ", ".join(_core.built_isas()),
        "runs here": ", ".join(_core.available_isas()),
        "BLAS": f"{blas.get('name', 'unknown')} {blas.get('version', '')} (NumPy's)",
        "threads": f"1 per model, of {os.cpu_count()} processors; training releases the GIL",
    }
    for name, value in rows.items():
        print(f"{name + ':':<17}{value}")
