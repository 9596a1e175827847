"""A C program for one network, its sizes known to the compiler: see fixed_sizes.c."""

import ctypes

import numpy as np

from ..measure import seconds_a_call
from ..task import Task
from .native import INSTALL as INSTALL
from .native import compiler, doubles, indices, library

NAME = "C, fixed sizes"
COMPARABLE = True
LEVELS = ("-O2", "-O3")  # the faster one counts
FLAGS = ("-march=native", "-ffast-math")
TRIED_ROWS = 20_000


def version() -> str:
    return " ".join([*compiler(), *LEVELS, *FLAGS])


def does(task: Task) -> Task | None:
    plain = task.is_dense and task.loss == "squared_error" and task.activation == "relu"
    plain = plain and task.dtype == "float64" and len(task.hidden) == 1
    return task if plain and task.solver == "sgd" and task.batch_size == 1 else None


class Program:
    """The program, compiled for the task at one level of optimisation."""

    def __init__(self, task: Task, level: str) -> None:
        self.task, self.n_rows = task, task.n_rows
        names = ("N_IN", "N_HIDDEN", "N_OUT")
        sizes = dict(zip(names, task.layer_sizes, strict=True))
        self.library = library("fixed_sizes.c", [level, *FLAGS], sizes)
        self.order = np.arange(self.n_rows)
        self.arrays = [*task.parameters[0], *task.parameters[1]]
        flat = np.concatenate([array.ravel() for array in self.arrays])
        self.library.set_parameters(doubles(flat))

    def epoch(self) -> None:
        self.train(self.order, shuffled=1)

    def in_order(self, order: np.ndarray) -> None:
        self.train(order, shuffled=0)

    def train(self, order: np.ndarray, shuffled: int) -> None:
        task = self.task
        rate = ctypes.c_double(task.learning_rate)
        X, y = doubles(task.X), doubles(task.y)
        n = ctypes.c_int64(len(order))
        self.library.train(X, y, indices(order), n, shuffled, rate)

    def parameters(self) -> list[np.ndarray]:
        flat = np.empty(sum(array.size for array in self.arrays))
        self.library.get_parameters(doubles(flat))
        pieces = np.split(flat, np.cumsum([array.size for array in self.arrays])[:-1])
        return [
            piece.reshape(array.shape) for piece, array in zip(pieces, self.arrays, strict=True)
        ]


def trainer(task: Task, exact: bool = False) -> Program:
    """Return the program at the level at which it is faster."""
    programs = [Program(task, level) for level in LEVELS]
    if exact:
        return programs[0]
    best: dict[int, float] = {}
    for _ in range(3):
        for number, program in enumerate(programs):
            taken = seconds_a_call(program.epoch, 0.005)
            best[number] = min(taken, best.get(number, taken))
    return programs[min(best, key=lambda number: best[number])]
