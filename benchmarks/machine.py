"""The machine that figures come from: on how many processors, and what it is."""

import os
import platform
import time
from pathlib import Path

from fastbp import _core

from .peers import installed

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# What someone may have set to work around faults of old versions; it slows new ones.
UNWANTED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def processors() -> list[int]:
    """Return the processors this process may use, as far as the operating system tells."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pin(all_cores: bool) -> None:
    """Keep this process on one processor, if it should and the operating system can."""
    if not all_cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {processors()[-1]})


def environment(all_cores: bool) -> dict[str, str]:
    """Return the environment of a process that measures: as many threads as processors."""
    kept = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    n_threads = len(processors()) if all_cores else 1
    return kept | dict.fromkeys(THREAD_VARIABLES, str(n_threads))


def description() -> list[str]:
    """Return lines that say what was measured on what, and when."""
    versions = ", ".join(f"{name} {module.version()}" for name, module in installed().items())
    return [
        f"{processor()}, {os.cpu_count()} processors; {platform.system()} {platform.machine()}",
        f"{_core.isa.ISA}, {_core.compiler()}; Python {platform.python_version()}; {versions}",
        time.strftime("%Y-%m-%d", time.gmtime()),
    ]


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
