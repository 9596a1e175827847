"""What is compared, and the search that chose it."""

import dataclasses
import importlib.util
from collections.abc import Iterator
from typing import Any

from .curves import GOALS, Clock, Curve, run
from .digits import Digits
from .learners import Setting

MODULES = {"scikit-learn": "sklearn", "PyTorch": "torch"}
FASTBP = (
    Setting("fastbp", 128, "float32", "SGD", 1, 0.03, 1),
    Setting("fastbp", 128, "float32", "SGD", 1, 0.02, 2),
    Setting("fastbp", 256, "float32", "SGD", 1, 0.02, 3),
    Setting("fastbp", 256, "float64", "SGD", 1, 0.02, 3),
)
# Of the settings that `search` tries, the first to 97 % and the first to 98 %; and shorter runs at
# higher rates, found by trial.
FOUND = (
    Setting("scikit-learn", 128, "float32", "SGD", 128, 0.1, 5),
    Setting("scikit-learn", 128, "float32", "SGD", 128, 0.15, 2),
    Setting("scikit-learn", 256, "float32", "SGD", 128, 0.1, 5),
    Setting("scikit-learn", 256, "float32", "SGD", 64, 0.07, 4),
    Setting("PyTorch", 128, "float32", "SGD", 256, 0.2, 3),
    Setting("PyTorch", 128, "float32", "SGD", 256, 0.3, 2),
    Setting("PyTorch", 128, "float32", "SGD", 32, 0.03, 5),
)


def grid(library: str) -> Iterator[Setting]:
    """Yield settings in float32 with 128 units: optimisers, batch sizes and rates."""
    for batch_size, rate in ((64, 0.001), (64, 0.002), (128, 0.002), (256, 0.004)):
        yield Setting(library, 128, "float32", "Adam", batch_size, rate, 5)
    for batch_size, rate in ((32, 0.03), (64, 0.05), (128, 0.1), (256, 0.2)):
        yield Setting(library, 128, "float32", "SGD", batch_size, rate, 5)


CHANGES: tuple[dict[str, Any], ...] = (
    {"units": 256},
    {"units": 256, "epochs": 3},
    {"epochs": 2},
    {"epochs": 3},
    {"epochs": 8},
    {"dtype": "float64"},
)


def search(libraries: list[str], digits: Digits, clock: Clock, most_seconds: float) -> list[Curve]:
    """Run the grid of every library installed, and then its best with each of the changes."""
    curves = []
    for library in libraries:
        if importlib.util.find_spec(MODULES[library]) is None:
            continue
        of_library = [tried(one, digits, clock, most_seconds) for one in grid(library)]
        for setting in best(of_library):
            for change in CHANGES:
                other = dataclasses.replace(setting, **change)
                of_library.append(tried(other, digits, clock, most_seconds))
        curves += of_library
    return curves


def tried(setting: Setting, digits: Digits, clock: Clock, most_seconds: float) -> Curve:
    curve = run(setting, digits, 0, clock, most_seconds)
    times = "  ".join(f"{goal:.0%} {curve.time_to(goal):6.2f} s" for goal in GOALS)
    print(f"{times}  best {max(curve.accuracy):.2%}  {setting}", flush=True)
    return curve


def best(curves: list[Curve]) -> list[Setting]:
    """Return the setting that was first to each goal, or else came nearest."""
    firsts = [
        min(curves, key=lambda one: (one.time_to(goal), -max(one.accuracy))) for goal in GOALS
    ]
    return list(dict.fromkeys(one.setting for one in firsts))


def best_of_each(curves: list[Curve]) -> list[Setting]:
    """Return the best settings of every library."""
    libraries = dict.fromkeys(one.setting.library for one in curves)
    return [
        setting
        for library in libraries
        for setting in best([one for one in curves if one.setting.library == library])
    ]
