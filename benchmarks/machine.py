"""The machine that figures come from: pinned to one processor, and described."""

import importlib.metadata
import os
import platform
import time
from pathlib import Path

import threadpoolctl

import fastbp
from fastbp import _core

PACKAGES = ("numpy", "scikit-learn", "torch")


def pin_to_one_processor() -> None:
    """Keep this process on one processor, where the operating system allows it."""
    threadpoolctl.threadpool_limits(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def description() -> list[str]:
    """Return lines that say what was measured on what, and when."""
    return [
        f"{processor()}; {platform.system()} {platform.machine()}; one processor, one thread",
        f"fastbp {fastbp.__version__} ({_core.ISA}, {_core.compiler()}); "
        f"Python {platform.python_version()}; " + ", ".join(versions()),
        time.strftime("%Y-%m-%d"),
    ]


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def versions() -> list[str]:
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
