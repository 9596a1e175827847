"""One pass over the partitions finds what one over all rows does."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from fastbp.distributed.statistics import merge_statistics, statistics_of
from fastbp.network.scaling import Moments, NonzeroMoments

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(3, 2, size=(500, 4)) * (RANDOM.random((500, 4)) < 0.6)
Y = RANDOM.normal(size=500)
W = RANDOM.random(500)


def of(rows, X=X, y=Y, weights=None, **options):
    how = {"is_classifier": False, "counts_nonzeros": True} | options
    own = None if weights is None else weights[rows]
    return statistics_of(X[rows], y[rows], own, 100, **how)


@given(st.lists(st.integers(0, 500), max_size=12), st.booleans())
@settings(max_examples=40, deadline=None)
def test_merged_moments_are_those_of_all_rows(cuts, weighted):
    edges = sorted([0, *cuts, 500])
    parts = [slice(*pair) for pair in itertools.pairwise(edges)]
    weights = W if weighted else None
    merged = merge_statistics([of(part, weights=weights) for part in parts])
    whole = Moments.of_nothing(4).updated(X, weights)
    for name in ("weight", "mean", "squares", "low", "high"):
        np.testing.assert_allclose(getattr(merged.inputs, name), getattr(whole, name), rtol=1e-9)
    np.testing.assert_allclose(merged.targets.mean, np.average(Y, weights=weights))
    nonzeros = NonzeroMoments.of_nothing(4).updated(X)
    np.testing.assert_allclose(merged.nonzeros.counts, nonzeros.counts)
    np.testing.assert_allclose(merged.nonzeros.squares, nonzeros.squares)
    assert merged.n_rows == 500
    assert merged.nonzero_share == pytest.approx((X != 0).mean())


def test_classes_that_one_partition_alone_has_are_counted():
    labels = np.array(["a"] * 200 + ["b"] * 299 + ["c"])
    parts = [slice(0, 200), slice(200, 200), slice(200, 499), slice(499, 500)]
    merged = merge_statistics([of(part, y=labels, weights=W, is_classifier=True) for part in parts])
    assert {label: n for label, (n, _) in merged.classes.items()} == {"a": 200, "b": 299, "c": 1}
    assert merged.classes["c"][1] == W[-1]
    assert merged.weight == pytest.approx(W.sum())
    assert merged.largest_weight == W.max()


def test_sparse_rows_have_no_means():
    merged = merge_statistics([of(slice(0, 9), X=csr_array(X)), of(slice(9, 500), X=csr_array(X))])
    assert merged.inputs is None
    assert merged.some_X is None
    np.testing.assert_allclose(merged.nonzeros.squares, np.square(X).sum(axis=0))


def test_statistics_of_no_rows_are_those_of_no_rows():
    merged = merge_statistics([of(slice(0, 0)), of(slice(3, 3))])
    assert merged.n_rows == 0
