"""MNIST's 70,000 handwritten digits, learned row by row on one core, watched as it learns.

python examples/mnist.py [--data FILE.npz] [--units 256] [--epochs 3] [--seed 0]

FILE, or the environment variable FASTBP_DATA, names arrays X_train, y_train, X_test and y_test of
pixels from 0 to 255. Without it scikit-learn fetches them from OpenML, once (some 15 MB).
"""

import argparse
import os
import sys
import time
import urllib.error

import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import fetch_openml

import fastbp

PIECE = 10_000  # rows between two looks at the test digits
LEARNING_RATE = 0.02  # at first; falls to 0 in a straight line


def arguments():
    parser = argparse.ArgumentParser(description="MNIST, row by row, on one core.")
    add = parser.add_argument
    add("--data", default=os.environ.get("FASTBP_DATA"), metavar="FILE.npz", help="MNIST's pixels")
    add("--units", type=int, default=256, help="in the hidden layer (default: 256)")
    add("--epochs", type=int, default=3, help="passes over the 60,000 rows (default: 3)")
    add("--seed", type=int, default=0, help="of the first weights and of the order of the rows")
    return parser.parse_args()


def digits(path):
    """Return X_train, y_train, X_test and y_test."""
    if path:
        try:
            with np.load(path) as file:
                return [file[name] for name in ("X_train", "y_train", "X_test", "y_test")]
        except (OSError, KeyError, ValueError) as error:
            sys.exit(f"{path} could not be read as MNIST: {error}")
    try:
        X, y = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        sys.exit(
            f"MNIST could not be fetched from OpenML: {error}.\nThis needs a network, once. "
            "Without one, give the pixels in a file: python examples/mnist.py --data mnist.npz"
        )
    return X[:60_000], y[:60_000].astype(int), X[60_000:], y[60_000:].astype(int)


def non_zeros(pixels):
    """Return pixels from 0 to 1 as lists of non-zeros: four in five are blank."""
    return csr_array(pixels.astype(np.float32) / 255)


def line(seconds, n_rows, learning_rate, accuracy, remark):
    bar = "█" * round(400 * max(accuracy - 0.9, 0))  # from 90 to 100 %
    print(
        f"{seconds:6.2f} s {n_rows:9,} rows {n_rows / seconds:9,.0f} rows/s   "
        f"rate {learning_rate:.4f}   {100 * accuracy:5.2f} % {bar}{remark}",
        flush=True,
    )


options = arguments()
began = time.perf_counter()
X_train, y_train, X_test, y_test = digits(options.data)
X_train, X_test = non_zeros(X_train), non_zeros(X_test)
preparing = time.perf_counter() - began

model = fastbp.BackpropClassifier(
    hidden_layer_sizes=options.units, standardize=False, random_state=options.seed
)
n_rows, n_all = len(y_train), options.epochs * len(y_train)
print(
    f"784-{options.units}-10, float32, row by row, one core; right on {len(y_test):,} test digits:"
)

training, looking, reached = 0.0, 0.0, {}
for done in range(0, n_all, PIECE):
    began = time.perf_counter()
    rows = slice(done % n_rows, done % n_rows + PIECE)
    model.set_params(learning_rate_init=LEARNING_RATE * (1 - done / n_all))
    model.partial_fit(X_train[rows], y_train[rows], classes=range(10))
    trained = time.perf_counter()
    accuracy = model.score(X_test, y_test)
    training, looking = training + trained - began, looking + time.perf_counter() - trained

    news = [goal for goal in (0.95, 0.97, 0.98) if accuracy >= goal and goal not in reached]
    reached |= dict.fromkeys(news, training)
    remark = "".join(f" <- {100 * goal:.0f} %" for goal in news)
    line(training, done + PIECE, model.learning_rate_init, accuracy, remark)

for goal, seconds in reached.items():
    print(f"{100 * goal:.0f} % after {seconds:.2f} s of training")
print(f"not counted: {looking:.2f} s to look at test digits, {preparing:.2f} s to read and prepare")
