"""One row learnt in a call: a stream."""

from collections.abc import Iterator
from functools import partial

from .. import data
from ..measure import Case, Sample, timed
from ..peers import fastbp_itself, installed, scikit_learn, torch_eager
from ..task import Task, name_of
from . import Options
from .predict import fitted

TITLE = "One row learnt in a call: time for the call"
ALL_CORES = False
SIZES = (30, 64, 2)


def cases(options: Options) -> Iterator[Case]:
    yield Case(name_of(SIZES), partial(one_row, options))


def one_row(options: Options) -> dict[str, Sample]:
    X, y = data.classification(SIZES[0], SIZES[-1], 500)
    task = Task((*SIZES[:-1], 1), X, y, loss="log_loss")
    network = Task(SIZES, X, y, loss="log_loss").network()
    calls = {
        "Network.step": partial(network.step, X[0], y[0], task.learning_rate),
        "partial_fit": partial(fitted(fastbp_itself, task).partial_fit, X[:1], y[:1]),
        "scikit-learn": partial(fitted(scikit_learn, task).partial_fit, X[:1], y[:1]),
    }
    if torch_eager.NAME in installed():
        calls[torch_eager.NAME] = torch_eager.trainer(task.first(1)).epoch
    return {name: timed(call, options.seconds) for name, call in calls.items()}
