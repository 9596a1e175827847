"""Samples of training, of every library that can do a task."""

import sys

from ..agreement import Disagreement, check
from ..measure import Sample, seconds_a_row
from ..peers import fastbp_itself, installed
from ..task import Task
from . import Options


def samples_of(task: Task, options: Options, only: tuple[str, ...] = ()) -> dict[str, Sample]:
    """Return a sample for each library that does the task, after a check that it really does."""
    found: dict[str, Sample] = {}
    for name, module in installed().items():
        done = module.does(task) if not only or name in only else None
        if done is None and name == fastbp_itself.NAME:
            return {}
        if done is None:
            continue
        try:
            check(module, done)
        except Disagreement as reason:
            print(f"warning: {reason}", file=sys.stderr, flush=True)
            continue
        found[name] = seconds_a_row(module.trainer(done), options.seconds)
    return found
