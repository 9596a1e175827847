"""C programs, compiled when they are first needed and loaded into this process."""

import ctypes
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from . import Missing

HERE = Path(__file__).parent
INSTALL = "Install a C compiler (gcc), or name one in CC"


@cache
def compiler() -> list[str]:
    """Return the command of the C compiler: CC, gcc or cc."""
    command = shlex.split(os.environ.get("CC", "")) or ["gcc" if shutil.which("gcc") else "cc"]
    if shutil.which(command[0]) is None:
        raise Missing(f"there is no C compiler {command[0]!r}")
    return command


@cache
def folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="fastbp-benchmarks-")


def library(
    source: str, flags: Sequence[str], defines: Mapping[str, object] | None = None
) -> ctypes.CDLL:
    """Compile a file of this folder into a shared library of its own, and load it."""
    with tempfile.NamedTemporaryFile(suffix=".so", dir=folder().name, delete=False) as file:
        target = file.name
    options = [f"-D{name}={value}" for name, value in (defines or {}).items()]
    # Linked without the flags: with -ffast-math, loading a library makes the whole process flush
    # subnormal numbers to zero.
    for command in (
        [*compiler(), *flags, *options, "-c", "-fPIC", str(HERE / source), "-o", f"{target}.o"],
        [*compiler(), "-shared", f"{target}.o", "-o", target],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Missing(f"{shlex.join(command)} failed: {done.stderr.strip()}")
    return ctypes.CDLL(target)


def doubles(array: np.ndarray) -> ctypes.c_void_p:
    """Return the address of a contiguous array of double, for C."""
    assert array.dtype == np.float64
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def indices(order: np.ndarray) -> ctypes.c_void_p:
    """Return the address of an array of int64, for C."""
    assert order.dtype == np.int64
    assert order.flags.c_contiguous
    return ctypes.c_void_p(order.ctypes.data)
