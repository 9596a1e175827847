"""`fit_stream`: blocks of every kind, rows held out by a hash, errors on the way, memory."""

import threading
import time
import weakref

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from fastbp import BackpropClassifier, BackpropRegressor
from fastbp.estimators.stream import RunningR2
from fastbp.network.blocks import Blocks
from fastbp.online import OnlineClassifier, OnlineRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4000, 3)) * [1, 100, 1e4] + [0, 5, 1e5]
Y = 1000 + 50 * X[:, 0] * (X[:, 1] - 5) / 100
LABELS = np.where(Y > 1000, "above", "below")
FRAME = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": LABELS})


def blocks(y=Y, size=500):
    return [(X[i : i + size], y[i : i + size]) for i in range(0, len(X), size)]


def test_regression_in_raw_units():
    model = BackpropRegressor(random_state=0).fit_stream(blocks(), n_epochs=10)
    history = model.stream_history_
    assert history["epoch"] == list(range(1, 11))
    assert len(set(history["rows"])) == 1
    assert 3700 < history["rows"][0] < 3900  # the others are held out
    assert history["score"][-1] > 0.98 > history["score"][0]
    assert history["loss"][-1] < history["loss"][0]
    assert model.score(X, Y) > 0.98
    assert model._rate_factor == 1


def chunks(make):
    return [make(FRAME.iloc[i : i + 500]) for i in range(0, len(FRAME), 500)]


def polars_frame(frame):
    return pl.DataFrame({name: frame[name].to_numpy() for name in frame})


def arrow_batch(frame):
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.RecordBatch.from_pydict({name: frame[name].to_list() for name in frame})


def arrow_table(frame):
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.table({name: frame[name].to_list() for name in frame})


@pytest.mark.parametrize("make", [pd.DataFrame, polars_frame, arrow_batch, arrow_table])
def test_tables_of_every_library(make):
    expected = BackpropClassifier(random_state=0).fit_stream(
        chunks(lambda frame: frame), target="y"
    )
    model = BackpropClassifier(random_state=0).fit_stream(chunks(make), target="y")
    assert model.classes_.tolist() == ["above", "below"]
    assert model.stream_history_["score"] == expected.stream_history_["score"]
    names = ["a", "b", "c"]
    np.testing.assert_allclose(
        model.predict_proba(FRAME[names]), expected.predict_proba(FRAME[names]), rtol=1e-12
    )


def test_parquet_files(tmp_path):
    pytest.importorskip("pyarrow")
    for i in range(4):
        FRAME.iloc[i * 1000 : (i + 1) * 1000].to_parquet(tmp_path / f"{i}.parquet")
    model = BackpropClassifier(random_state=0)
    model.fit_stream(tmp_path, target="y", n_epochs=3)
    assert model.score(FRAME[["a", "b", "c"]], LABELS) > 0.9
    online = OnlineClassifier(random_state=0, replay=0)
    online.fit_stream(tmp_path / "0.parquet", target="y")
    assert online.feature_names_ == ["a", "b", "c"]


def test_sparse_blocks_and_lists():
    parts = [(sparse.csr_matrix(np.abs(x) > 1, dtype=float), y) for x, y in blocks()]
    model = BackpropRegressor(random_state=0).fit_stream(parts, n_epochs=2)
    lists = [(x.toarray().tolist(), y.tolist()) for x, y in parts]
    other = BackpropRegressor(random_state=0).fit_stream(lists, n_epochs=2)
    assert model.stream_history_["rows"] == other.stream_history_["rows"]


def test_several_outputs_and_labels():
    Y2 = np.column_stack([Y, -Y])
    model = BackpropRegressor(random_state=0).fit_stream(blocks(Y2), n_epochs=5)
    assert model.predict(X).shape == (4000, 2)
    assert model.stream_history_["score"][-1] > 0.9
    labels = np.column_stack([Y > 1000, X[:, 0] > 0]).astype(int)
    classifier = BackpropClassifier(random_state=0).fit_stream(blocks(labels))
    assert classifier.predict(X).shape == (4000, 2)


def test_rows_held_out_do_not_depend_on_the_blocks():
    rows = [
        BackpropRegressor(random_state=0).fit_stream(blocks(size=size)).stream_history_["rows"]
        for size in (100, 1000, 4000)
    ]
    assert rows[0] == rows[1] == rows[2]
    none = BackpropRegressor(random_state=0).fit_stream(blocks(), held_out=0)
    assert none.stream_history_["rows"] == [4000]
    assert np.isnan(none.stream_history_["score"][0])


def test_generator_gives_one_pass():
    model = BackpropRegressor(random_state=0).fit_stream(iter(blocks()))
    assert len(model.stream_history_["epoch"]) == 1
    with pytest.raises(ValueError, match="n_epochs is more than 1, but blocks is an iterator"):
        model.fit_stream(iter(blocks()), n_epochs=2)
    with pytest.raises(ValueError, match="classes must list all labels"):
        BackpropClassifier().fit_stream(iter(blocks(LABELS)))
    classifier = BackpropClassifier(random_state=0)
    classifier.fit_stream(iter(blocks(LABELS)), classes=["below", "above", "never"])
    assert classifier.classes_.tolist() == ["above", "below", "never"]


def test_label_that_appears_in_one_block_only():
    y = LABELS.copy()
    y[3900:] = "late"
    model = BackpropClassifier(random_state=0).fit_stream(blocks(y))
    assert model.classes_.tolist() == ["above", "below", "late"]


def failing(n):
    yield from blocks()[:n]
    raise OSError("the disk is gone")


def test_what_was_learned_before_an_error_is_kept():
    model = BackpropRegressor(random_state=0)
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit_stream(failing(3))
    assert np.isfinite(model.predict(X)).all()
    n_before = model.t_
    model.set_params(warm_start=True).fit_stream(iter(blocks()[3:]))
    assert model.t_ > n_before


def test_error_before_the_first_block_leaves_the_model_as_it_was():
    model = BackpropRegressor(random_state=0).fit(X[:200], Y[:200])
    expected = model.predict(X)
    for wrong in (failing(0), [], [(X, Y[:3])], [(X * np.nan, Y)], [3], [(X,)]):
        with pytest.raises((OSError, ValueError, TypeError)):
            model.fit_stream(wrong)
        assert np.array_equal(model.predict(X), expected)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (FRAME, "y", "blocks must be several"),
        ((X, Y), None, "blocks must be several"),
        ([FRAME], None, "name the column that is y"),
        ([FRAME], "price", "a block has no column 'price'"),
        ([(X, Y, None, None)], None, r"got 4 items"),
        ([3], "y", r"a block must be \(X, y\) or a table; got int"),
    ],
)
def test_messages(source, target, message):
    with pytest.raises((TypeError, ValueError), match=message):
        BackpropRegressor().fit_stream(source, target=target)
    with pytest.raises((TypeError, ValueError), match=message):
        OnlineRegressor().fit_stream(source, target=target)


@pytest.mark.parametrize("model", [OnlineRegressor(replay=0), BackpropRegressor()])
def test_two_blocks_are_in_memory_at_most(model):
    alive, most = [], 0

    class Block(np.ndarray):
        pass

    def many():
        nonlocal most
        for _ in range(8):
            block = RNG.normal(size=(200, 3)).view(Block)
            alive.append(weakref.ref(block))
            most = max(most, sum(one() is not None for one in alive))
            y = np.asarray(block)[:, 0].copy()
            yield block, y
            del block

    model.fit_stream(many())
    assert most <= 2


def test_index_of_pandas_is_no_feature(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    frame = FRAME.sort_values("a").iloc[:500]
    frame.to_parquet(tmp_path / "a.parquet")
    model = OnlineClassifier(random_state=0, replay=0)
    model.fit_stream([tmp_path / "a.parquet", str(tmp_path / "*.parquet")], target="y")
    assert model.feature_names_ == ["a", "b", "c"]
    assert model._loop.n_rows == 1000
    table = pyarrow.Table.from_pandas(frame)
    assert OnlineClassifier().fit_stream([table], target="y").feature_names_ == ["a", "b", "c"]


def test_files_that_are_no_parquet_files(tmp_path):
    with pytest.raises(ValueError, match=r"Read others in chunks, as in pandas.read_csv"):
        OnlineRegressor().fit_stream("rows.csv", target="y")
    with pytest.raises(FileNotFoundError, match="there is no Parquet file"):
        OnlineRegressor().fit_stream(str(tmp_path / "*.parquet"), target="y")


def test_interrupt_does_not_wait_for_the_reader():
    started, release = threading.Event(), threading.Event()

    def slow():
        yield blocks()[0]
        started.set()
        release.wait(20)
        yield blocks()[1]

    source = Blocks(slow()).read_ahead()
    next(source)
    started.wait(5)
    begin = time.monotonic()
    source.close()
    assert time.monotonic() < begin + 5
    release.set()


def test_blocks_are_read_ahead_in_another_thread():
    names = []

    def named():
        for block in blocks():
            names.append(threading.current_thread().name)
            yield block

    assert len(list(Blocks(named()).read_ahead())) == 8
    assert all(name.startswith("fastbp-reader") for name in names)


def test_interrupt_keeps_what_was_learned(monkeypatch):
    model = BackpropRegressor(random_state=0)
    fit_block, calls = model.partial_fit, []

    def interrupted(*args, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return fit_block(*args, **options)

    monkeypatch.setattr(model, "partial_fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit_stream(blocks())
    assert np.isfinite(model.predict(X)).all()


def test_online_models_learn_blocks_as_rows():
    loop, stream = OnlineRegressor(random_state=0), OnlineRegressor(random_state=0)
    for x, y in zip(X[:1000], Y[:1000], strict=True):
        loop.learn_one(x, y)
    stream.fit_stream(blocks()[:2])
    assert stream.predict_many(X[:50]).tolist() == [loop.predict_one(x) for x in X[:50]]
    with pytest.raises(ValueError, match="n_epochs is more than 1"):
        stream.fit_stream(iter(blocks()), n_epochs=2)


def test_verbose_says_each_pass(capsys):
    BackpropRegressor(random_state=0, verbose=True).fit_stream(blocks(), n_epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Epoch 1: 3,789 rows, loss")
    assert "score of rows held out" in lines[1]


def test_running_r2_is_that_of_all_rows():
    from sklearn.metrics import r2_score

    y, predicted = RNG.normal(size=(90, 2)), RNG.normal(size=(90, 2))
    weights, running = RNG.uniform(size=90), RunningR2()
    for part in np.array_split(np.arange(90), 4):
        running.add(y[part], predicted[part], weights[part])
    assert running.value() == pytest.approx(r2_score(y, predicted, sample_weight=weights))


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_targets_in_a_column_and_rows_of_no_weight():
    expected = BackpropRegressor(random_state=0).fit_stream(blocks()).stream_history_["score"]
    column = BackpropRegressor(random_state=0).fit_stream(blocks(Y[:, np.newaxis]))
    assert column.stream_history_["score"] == pytest.approx(expected)
    parts = [(x, y, np.zeros(len(x)) if k == 3 else None) for k, (x, y) in enumerate(blocks())]
    running = RunningR2()
    running.add(parts[3][1], parts[3][1], parts[3][2])
    assert np.isnan(running.value())
