"""The goals, as data: what is to be reached, in which group and case, by which figure.

A figure is worked out of the subjects of a case:

    "a / b"               the median over rounds of the ratio within a round
    "best peer / b"       where a is the fastest of all other subjects, the C program aside
    "a"                   its median, in the unit of the goal
    "largest"             of the subjects' medians
    "largest / smallest"  of all cases
    "slope"               of the medians over the subjects' names, which are numbers, both as
                          logarithms, by least squares: 1 is linear
    "steepest step"       the largest ratio of a median to the one before it
"""

import dataclasses

from .groups import growth, memory, predict, solvers, threads
from .measure import MEGABYTES, MICROSECONDS, NUMBER

EVERY = "every case"  # the one furthest from the goal is shown


@dataclasses.dataclass(frozen=True)
class Goal:
    group: str
    case: str
    figure: str
    at_least: float | None = None
    at_most: float | None = None
    unit: str = NUMBER  # of the bound


GOALS = (
    # Everybody trains the same network
    Goal("agreement", EVERY, "largest", at_most=1e-9),
    # Row by row: against the best of all libraries and loops that are installed
    Goal("rows", "2-2-1", "best peer / fastbp", at_least=5),
    Goal("rows", "8-16-1", "best peer / fastbp", at_least=6),
    Goal("rows", "30-64-1", "best peer / fastbp", at_least=4.3),
    Goal("rows", "64-128-10", "best peer / fastbp", at_least=3.5),
    Goal("rows", "784-128-10", "best peer / fastbp", at_least=3.2),
    Goal("rows", "784-128-10, MNIST pixels", "best peer / fastbp", at_least=5.5),
    Goal("rows", "784-256-128-10, MNIST pixels", "best peer / fastbp", at_least=4),
    Goal("sparse", EVERY, "best peer / fastbp", at_least=20),
    Goal("sparse", EVERY, "fastbp", at_most=10, unit=MICROSECONDS),
    # Solvers with roots: little besides those, and what a plain row takes
    Goal("solvers", "AdaGrad, 8-16-1", f"fastbp / {solvers.FLOOR}", at_most=1.3),
    Goal("solvers", "RMSprop, 8-16-1", f"fastbp / {solvers.FLOOR}", at_most=1.3),
    Goal("solvers", "Adam, 8-16-1", f"fastbp / {solvers.FLOOR}", at_most=1.3),
    Goal("solvers", "AdaGrad, 64-128-10", f"fastbp / {solvers.FLOOR}", at_most=1.3),
    Goal("solvers", "RMSprop, 64-128-10", f"fastbp / {solvers.FLOOR}", at_most=1.3),
    Goal("solvers", "Adam, 64-128-10", f"fastbp / {solvers.FLOOR}", at_most=1.3),
    Goal("solvers", solvers.ON_COLUMNS, f"fastbp / {solvers.FLOOR}", at_most=1.3),
    Goal("solvers", "AdaGrad, 8-16-1", "best peer / fastbp", at_least=4),
    Goal("solvers", "RMSprop, 8-16-1", "best peer / fastbp", at_least=4),
    Goal("solvers", "Adam, 8-16-1", "best peer / fastbp", at_least=4),
    Goal("solvers", "AdaGrad, 64-128-10", "best peer / fastbp", at_least=2),
    Goal("solvers", "RMSprop, 64-128-10", "best peer / fastbp", at_least=2),
    Goal("solvers", "Adam, 64-128-10", "best peer / fastbp", at_least=2),
    Goal("solvers", solvers.ON_COLUMNS, "best peer / fastbp", at_least=2),
    Goal("solvers", EVERY, f"fastbp / {solvers.SINGLE}", at_least=1.7),
    # Never slower than a program for the one network
    Goal("shapes", EVERY, "C, fixed sizes / fastbp", at_least=1),
    # What each choice may cost
    Goal("variants", "2-2-1", "tanh / plain SGD", at_most=3),
    Goal("variants", "8-16-1", "tanh / plain SGD", at_most=2),
    Goal("variants", "30-64-1", "tanh / plain SGD", at_most=1.3),
    Goal("variants", "64-128-10", "tanh / plain SGD", at_most=1.3),
    Goal("variants", "784-128-10", "tanh / plain SGD", at_most=1.3),
    Goal("variants", "2-2-1", "logistic / plain SGD", at_most=3),
    Goal("variants", "8-16-1", "logistic / plain SGD", at_most=2),
    Goal("variants", "30-64-1", "logistic / plain SGD", at_most=1.3),
    Goal("variants", "64-128-10", "logistic / plain SGD", at_most=1.3),
    Goal("variants", "784-128-10", "logistic / plain SGD", at_most=1.3),
    Goal("variants", EVERY, "softmax, cross-entropy / squared error", at_most=1.2),
    Goal("variants", "64-128-10", "plain SGD / float32", at_least=1.6),
    Goal("variants", "784-128-10", "plain SGD / float32", at_least=1.6),
    Goal("variants", EVERY, "momentum / plain SGD", at_most=2.1),
    Goal("variants", EVERY, "L2 penalty / plain SGD", at_most=1.15),
    Goal("variants", EVERY, "sample weights / plain SGD", at_most=1.15),
    # Mini-batches
    Goal("batches", "20-100-2, batches of 32", "best peer / fastbp", at_least=25),
    Goal("batches", "20-100-2, batches of 200", "best peer / fastbp", at_least=8),
    Goal("batches", "54-256-128-7, batches of 200", "best peer / fastbp", at_least=3),
    Goal("batches", "784-128-10, batches of 32", "best peer / fastbp", at_least=3),
    Goal("batches", "784-100-10, batches of 200", "best peer / fastbp", at_least=3),
    Goal("batches", "784-128-10, MNIST pixels, batches of 32", "best peer / fastbp", at_least=3),
    Goal("batches", "784-100-10, MNIST pixels, batches of 200", "best peer / fastbp", at_least=3),
    Goal("gemm", EVERY, "best peer / fastbp", at_least=0.7),
    # Prediction, streams, many models
    # A call from Python, of which compiled code takes less than a microsecond
    Goal("predict", predict.ONE, "Network.forward", at_most=3, unit=MICROSECONDS),
    Goal("predict", predict.ONE, "predict_one", at_most=5, unit=MICROSECONDS),
    Goal("predict", predict.MANY, "scikit-learn / fastbp", at_least=2),
    Goal("predict", predict.MEMORY, "fastbp", at_most=4, unit=MEGABYTES),
    Goal("partial_fit", EVERY, "partial_fit", at_most=15, unit=MICROSECONDS),
    Goal("models", "a model a thread, 30-64-1", "two models / one model", at_most=1.15),
    Goal("models", "n_init=8, 2-2-1", "eight fits in one / one fit", at_most=3),
    Goal("models", "n_init=8, 4-8-1", "eight fits in one / one fit", at_most=3),
    Goal("models", "n_init=8, 8-16-1", "eight fits in one / one fit", at_most=3),
    # More processors: never a loss (a twentieth is noise), and the same numbers
    Goal("threads", EVERY, "one thread / all processors", at_least=0.95),
    Goal("threads", EVERY, threads.BITS, at_most=0),
    # Memory
    Goal("memory", memory.MAPPED, "read, then trained / mapped", at_least=0.8),
    Goal("memory", memory.PEAK, "fastbp", at_most=64 + 32e-6 * memory.N_PARAMETERS, unit=MEGABYTES),
    # The cost of a row grows as its work does
    Goal("growth", growth.ROWS, "largest / smallest", at_most=2),
    Goal("growth", growth.NON_ZEROS, "slope", at_most=1.1),
    Goal("growth", growth.PARAMETERS, "slope", at_most=1.1),
    Goal("growth", growth.WIDTH, "steepest step", at_most=1.5),
)
