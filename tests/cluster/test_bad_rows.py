"""Rows, parameters and clusters that cannot be used: what was wrong, in which partition."""

import re

import dask.array as da
import dask.bag
import dask.dataframe as dd
import numpy as np
import pandas
import pytest
from distributed import Client, LocalCluster
from rows import PARTS, X, Y, arrays, classifier, delayed_pairs, regressor
from scipy.sparse import csr_array

from fastbp.dask import cluster as clusters
from fastbp.dask import engine

pytestmark = pytest.mark.usefixtures("client")
HALVES = [slice(0, 80), slice(80, 150)]


def frames(second, first=None):
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"]).assign(kind=Y)
    frame = frame if first is None else first(frame)
    return [frame.iloc[:80], second(frame.iloc[80:])]


def with_nan(frame):
    return frame.assign(b=frame["b"].where(frame["b"] > frame["b"].min()))


def replaced(values, where, value):
    values = values.copy()
    values[where] = value
    return values


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            (frames(with_nan), "kind"),
            r"Partition 1: .*NaN.*column 'b'",
        ),
        (
            (delayed_pairs(HALVES, replaced(X, (100, 2), np.nan)),),
            r"Partition 1: .*NaN.*X\[20, 2\] is nan",
        ),
        (
            (delayed_pairs(HALVES, replaced(X, (3, 2), np.inf)),),
            "Partition 0: .*infinity",
        ),
        (
            (frames(lambda one: one.drop(columns="b")), "kind"),
            r"Partition 1 has no column 'b' \(partition 0 has \['a', 'b', 'c', 'd'\]\)",
        ),
        (
            (frames(lambda one: one.rename(columns={"b": "e"})), "kind"),
            "Partition 1 has no column 'b' and has a column 'e', which partition 0 has not",
        ),
        (
            (frames(lambda one: one[["kind", "d", "c", "b", "a"]]), "kind"),
            "Partition 1 has the columns of partition 0 in another order: sort them first",
        ),
        (
            ([(X[:80], Y[:80]), (X[80:, :3], Y[80:])],),
            "Partition 1 has 3 columns, but partition 0 has 4: give all partitions the same",
        ),
        (
            ([(X[:80], Y[:80]), (X[80:], np.array(["a", "b", "c"])[Y[80:]])],),
            "Partition 1 and partition 0 differ: the labels of one are text",
        ),
        (
            ([(X[:80], Y[:80]), (csr_array(X[80:]), Y[80:])],),
            "Partition 1 and partition 0 differ: one is sparse, the other dense",
        ),
        (
            ([(X[:80], Y[:80]), (X[80:], Y[81:])],),
            "Partition 1: X .*70 rows.*, but .*69",
        ),
        (
            ([(X[:80], Y[:80], np.ones(80)), (X[80:], Y[80:], -np.ones(70))],),
            "Partition 1: sample_weight.*-1",
        ),
        (
            ([(X[:80], Y[:80], np.zeros(80)), (X[80:], Y[80:], np.zeros(70))],),
            "y has only one class|Every sample_weight is zero",
        ),
        (
            ([(X[:80], np.zeros(80)), (X[80:], np.zeros(70))],),
            "y has only one class in all partitions: ",
        ),
        (
            (delayed_pairs([slice(0, 0), slice(150, 150)]),),
            "X has no rows: all partitions are empty",
        ),
        (
            (da.from_array(X, chunks=(50, 2)), da.from_array(Y, chunks=50)),
            r"X is chunked along columns.*rechunk with X\.rechunk\(\{0: 'auto', 1: -1\}\)",
        ),
        (
            (arrays()[0], da.from_array(Y[:140], chunks=50)),
            "X has 150 rows, but y has 140",
        ),
        (
            (dd.from_pandas(frames(lambda one: one)[0], npartitions=2), "price"),
            r"X has no column 'price'; it has \['a', 'b'",
        ),
        (
            (delayed_pairs(HALVES), None, np.ones(150)),
            "Give the weights of blocks with them",
        ),
        (
            (delayed_pairs(HALVES), Y),
            "Give the targets of blocks with them",
        ),
    ],
    ids=range(19),
)
def test_bad_values(given, message):
    with pytest.raises(ValueError, match=message):
        classifier().fit(*given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((dask.bag.from_sequence([1, 2]), "y"), "bags of the paths of Parquet files"),
        ((["a.parquet"],), "y must name the column of the files that is the target"),
        ((arrays()[0], Y), "y must be a collection of Dask, as X is; got ndarray"),
        ((arrays()[0],), "y must be the targets, an array of Dask divided as X is"),
        ((dd.from_pandas(frames(lambda one: one)[0], npartitions=2),), "y must be the targets"),
    ],
    ids=range(5),
)
def test_bad_types(given, message):
    with pytest.raises(TypeError, match=message):
        classifier().fit(*given)


def test_a_file_that_is_not_there():
    with pytest.raises(FileNotFoundError):
        classifier().fit(["/nowhere/a.parquet"], "kind")


def test_targets_of_a_regression():
    with pytest.raises(ValueError, match=r"Partition 1: .*NaN"):
        regressor().fit(delayed_pairs(HALVES, X, replaced(X[:, 0], 99, np.nan)))
    with pytest.raises((ValueError, TypeError), match=r"Partition [01]: .*text"):
        regressor().fit(delayed_pairs(HALVES, X, np.array(["a", "b", "c"])[Y]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_init": 3}, "n_init must be 1 here, since all shards train one network"),
        ({"ensemble": 4}, "ensemble must be 1 here"),
        ({"missing": "indicator"}, 'missing must be "error" here'),
        ({"learning_rate": "adaptive"}, 'learning_rate="adaptive" is that of one process'),
        ({"early_stopping": True}, "early_stopping=True needs X_val and y_val here"),
        ({"rounds": 0}, "rounds must be"),
        ({"n_shards": 1.5}, "n_shards must be"),
        ({"rows_per_round": -0.5}, "rows_per_round must be"),
        ({"outer_momentum": 1.0}, "outer_momentum must be"),
        ({"outer_learning_rate": 0}, "outer_learning_rate must be"),
        ({"alpha": -1}, "alpha must be"),
    ],
    ids=str,
)
def test_bad_parameters(parameters, message):
    with pytest.raises((ValueError, TypeError), match=message):
        classifier(**parameters).fit(*arrays())


def test_a_failed_fit_leaves_the_model_as_it_was():
    model = classifier().fit(*arrays())
    before = dict(vars(model))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(delayed_pairs(HALVES, replaced(X, (100, 2), np.nan)))
    assert vars(model) == before


@pytest.mark.parametrize("warm", [False, True])
def test_labels_that_a_later_pass_does_not_know(warm):
    model = classifier(warm_start=warm).fit(delayed_pairs(HALVES, X, Y % 2))
    go_on = model.fit if warm else model.partial_fit
    with pytest.raises(ValueError, match=r"Partition \d: .*2"):
        go_on(delayed_pairs(HALVES))
    with pytest.raises(ValueError, match=r"3 features?, but this model was fitted with 4"):
        go_on(delayed_pairs(HALVES, X[:, :3], Y % 2))
    with pytest.raises(ValueError, match="y contains 2, which is not among the classes given"):
        classifier().partial_fit(delayed_pairs(HALVES), classes=[0, 1])


def test_another_version_on_workers_is_refused(monkeypatch):
    monkeypatch.setattr(engine, "__version__", "0.0.1")
    message = r"The client has fastbp 0\.0\.1, but a worker has \d+\.\d+.*: install the same"
    with pytest.raises(RuntimeError, match=message):
        classifier().fit(*arrays())


def test_no_workers_and_no_client(client):
    model = classifier()
    model.workers_timeout = 0.2
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        Client(empty, set_as_default=False) as own,
    ):
        model.client = own
        with pytest.raises(TimeoutError, match=r"no workers for 0\.2 s: start some, with"):
            model.fit(*arrays())
    model.client = None


def test_something_else_than_a_client():
    model = classifier()
    model.client = "tcp://127.0.0.1:8786"
    with pytest.raises(TypeError, match=r"model\.client must be a distributed\.Client; got str"):
        model.fit(*arrays())


def test_without_a_client(monkeypatch):
    def no_client():
        raise ValueError("No clients found")

    monkeypatch.setattr("distributed.default_client", no_client)
    with pytest.raises(ValueError, match="There is no client of Dask: make one first"):
        classifier().fit(*arrays())
    assert re.search(r"60", str(clusters.SECONDS_WITHOUT_WORKERS))


def test_partitions_that_are_only_one():
    assert classifier(n_shards="auto").fit(delayed_pairs([slice(0, 150)])).n_iter_ == 2
    assert len(PARTS) == 4
