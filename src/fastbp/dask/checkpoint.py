"""`Checkpoint`: the file that a fit can go on from where the scheduler was lost."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._printable import printable
from .._version import __version__
from ..distributed import RoundState
from ..distributed.training import RoundResult
from ..io.models import DASK
from ..training.schedule import Schedule


class Checkpoint:
    """A file of the last round.

    Parameters
    ----------
    path : path
    of : dict
        The `fingerprint` of the fit.
    """

    def __init__(self, path: Any, of: Mapping[str, Any]) -> None:
        self.path, self.of = path, of

    def save(self, fit: Any) -> None:
        """Write what the rounds so far have come to, in place of what was there."""
        from ..io.files import write_file
        from ..io.tree import pack

        write_file(self.path, pack({"of": dict(self.of)} | tree_of(fit)))

    def load(self, fit: Any) -> None:
        """Let a fit go on from the file."""
        from ..io.container import UnreadableFileError
        from ..io.models import read_file
        from ..io.tree import unpack

        try:
            tree = unpack(read_file(os.fsdecode(self.path)))
        except UnreadableFileError as error:
            raise ValueError(f"cannot read {_shown(self.path)}: {error}") from error
        if not isinstance(tree, Mapping) or tree.get("kind") != DASK:
            raise ValueError(f"{_shown(self.path)} is not the checkpoint of a fit on Dask")
        for name, value in self.of.items():
            if tree["of"].get(name) != value:
                raise ValueError(
                    f"{_shown(self.path)} is of another fit: it has {name} "
                    f"{tree['of'].get(name)!r}, this one {value!r}. Resume with the same rows, "
                    "partitions and parameters, or begin again without resume=True"
                )
        restore(fit, tree)


def fingerprint(fit: Any) -> dict[str, Any]:
    """Return what has to be the same for a fit to go on."""
    how, layout = fit.training.settings, fit.training.layout
    return {
        "version": __version__,
        **{name: str(value) for name, value in how.made_with.items()},
        "partition sizes": list(layout.sizes),
        "n_shards": layout.n_shards,
        "rounds": [how.n_rounds, how.rounds_an_epoch],
        "solver": str(how.solver),
        "schedule": _schedule(how.schedule),
        "shuffle": how.shuffle,
        "outer step": [how.outer.learning_rate, how.outer.momentum],
        "random_state": _seed(fit.model.random_state),
    }


def _schedule(schedule: Schedule) -> str:
    """Return what is said of a schedule in all processes, without the addresses of functions."""
    options = dict(schedule.options)
    kind = schedule.kind
    own = kind if isinstance(kind, str) else getattr(kind, "__qualname__", type(kind).__name__)
    return f"{own} {schedule.initial!r} {schedule.power_t!r} {options}"


def _seed(random_state: Any) -> str:
    """Return a seed, or of what draws numbers its kind."""
    is_number = isinstance(random_state, (int, np.integer))
    return str(int(random_state)) if is_number else type(random_state).__name__


def tree_of(fit: Any) -> dict[str, Any]:
    """Return plain values."""
    training, history = fit.training, fit.model._history
    return {
        "kind": DASK,
        "number": training.number,
        "n_slower": training.n_slower,
        "seed": training.settings.seed,
        "state": training.state.to_tree(),
        "velocity": training.last.velocity,
        "best": None if fit.best is None else fit.best.to_tree(),
        "rounds": fit.model._rounds,
        "epoch_losses": [list(one) for one in fit.epoch_losses],
        "history": dataclasses.asdict(history),
        "stopping": None if fit.stopping is None else dataclasses.asdict(fit.stopping),
    }


def restore(fit: Any, tree: Mapping[str, Any]) -> None:
    """Set a fit to where a checkpoint was written."""
    training, model = fit.training, fit.model
    seed = int(tree["seed"])
    training.settings = dataclasses.replace(training.settings, seed=seed)
    training.layout = dataclasses.replace(training.layout, seed=seed)
    for _ in range(int(tree.get("n_slower", 0))):
        training.slow_down()
    training.number = int(tree["number"])
    training.last = RoundResult(RoundState.from_tree(tree["state"]), tree["velocity"])
    fit.best = None if tree["best"] is None else RoundState.from_tree(tree["best"])
    model._rounds = {name: list(values) for name, values in tree["rounds"].items()}
    fit.epoch_losses = [(float(loss), int(n)) for loss, n in tree["epoch_losses"]]
    for name, value in tree["history"].items():
        setattr(model._history, name, value)
    if fit.stopping is not None:
        for name, value in tree["stopping"].items():
            setattr(fit.stopping, name, value)


def _shown(path: Any) -> str:
    return printable(str(path))
