"""Rows for the tests of models that train on a cluster, and what to compare them with."""

import itertools

import dask
import dask.array as da
import numpy as np
from sklearn.datasets import load_diabetes, load_iris

from fastbp.dask import DaskBackpropClassifier, DaskBackpropRegressor
from fastbp.distributed import InProcess

X, Y = load_iris(return_X_y=True)
ORDER = np.random.default_rng(0).permutation(len(X))
X, Y = X[ORDER], Y[ORDER]
X_R, Y_R = load_diabetes(return_X_y=True)
CHUNKS = (40, 30, 50, 30)
EDGES = np.cumsum((0, *CHUNKS))
PARTS = [slice(a, b) for a, b in itertools.pairwise(EDGES)]


def classifier(**others):
    given = {"hidden_layer_sizes": (8,), "random_state": 0, "rounds": 6, "n_shards": 2} | others
    return DaskBackpropClassifier(**given)


def regressor(**others):
    given = {"hidden_layer_sizes": (8,), "random_state": 0, "rounds": 6} | others
    return DaskBackpropRegressor(**given)


def arrays(X=X, y=Y, chunks=CHUNKS):
    return da.from_array(X, chunks=(chunks, -1)), da.from_array(y, chunks=(chunks,))


def delayed_pairs(parts, X=X, y=Y):
    return [dask.delayed(_pair, pure=False)(X[part], y[part]) for part in parts]


def _pair(X, y):
    return X, y


def same(one, other):
    """Assert that two fitted models are the same to the bit."""
    for mine, theirs in zip(one.network_.weights, other.network_.weights, strict=True):
        assert np.array_equal(mine, theirs)
    for mine, theirs in zip(one.network_.biases, other.network_.biases, strict=True):
        assert np.array_equal(mine, theirs)


class HereEngine:
    """Takes the place of the engine of a fit, without a cluster: the same functions in a loop."""

    def __init__(self, cluster):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, partitions, is_classifier):
        from fastbp import __version__
        from fastbp.dask import tasks

        found = []
        for i, one in enumerate(partitions):
            own = dask.compute(one.X, one.y, one.weights, scheduler="synchronous")
            found.append(tasks.read_block(__version__, i, one.target, is_classifier, *own))
        return found

    def survey(self, blocks, n_some, is_classifier):
        from fastbp.dask import tasks

        return tasks.merge_surveys([tasks.survey_of(one, n_some, is_classifier) for one in blocks])

    def make_shards(self, encoder, blocks):
        self.backend = InProcess([encoder.shard(block) for block in blocks])
        return tuple(shard.n_visits for shard in self.backend.shards)

    def run(self, training, n_ahead=1):
        settings = training.settings
        outcome = self.backend.run(training.state, training.chains(), settings)
        return training.last.after(outcome, settings), outcome.seconds

    def forget_rounds(self):
        pass

    def judge(self, encoder, blocks, state=None):
        from fastbp.dask import tasks

        total = tasks.Judgement()
        for block in blocks:
            found = (
                tasks.score(encoder, block) if state is None else tasks.judge(encoder, state, block)
            )
            total = total.joined(found)
        return total
