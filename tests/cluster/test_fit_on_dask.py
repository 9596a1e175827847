"""Models trained on a cluster: the bits of the simulation, whatever the rows come as."""

import copy
import pickle
import re
import subprocess
import sys
import time

import dask
import dask.array as da
import dask.bag
import dask.dataframe as dd
import numpy as np
import pandas
import pytest
from rows import (
    CHUNKS,
    PARTS,
    X_R,
    Y_R,
    HereEngine,
    X,
    Y,
    arrays,
    classifier,
    delayed_pairs,
    regressor,
    same,
)
from scipy.sparse import csr_array, csr_matrix
from sklearn.metrics import r2_score

import fastbp
from fastbp import BackpropClassifier, BackpropRegressor
from fastbp.dask import base, engine
from fastbp.distributed import Training

pytestmark = pytest.mark.usefixtures("client")
FRAME = pandas.DataFrame(X, columns=["a", "b", "c", "d"]).assign(kind=Y)


@pytest.fixture(scope="module")
def usual(client):
    """The classifier that the rows of `arrays` give."""
    return classifier().fit(*arrays())


def frame_of_parts(frame=FRAME):
    return dd.from_delayed([dask.delayed(frame.iloc[part]) for part in PARTS], meta=frame.iloc[:0])


@pytest.mark.parametrize(
    ("make", "y_of_parts"),
    [(classifier, (X, Y)), (regressor, (X, X @ [1.0, 2, -1, 0] + 3))],
    ids=["classifier", "regressor"],
)
def test_workers_give_the_bits_of_the_simulation(make, y_of_parts, monkeypatch):
    found = make().fit(*arrays(*y_of_parts))
    monkeypatch.setattr(base, "Engine", HereEngine)
    same(make().fit(*arrays(*y_of_parts)), found)


@pytest.mark.parametrize("n_shards", [2, 3, 15])
def test_rounds_that_are_handed_over_at_once(n_shards, monkeypatch):
    rows = delayed_pairs([slice(i, i + 10) for i in range(0, 150, 10)])
    given = {"rounds": 30, "n_shards": n_shards, "rows_per_round": 0.3}
    monkeypatch.setattr(base, "MOST_ROUNDS_AHEAD", 1)
    one_by_one = classifier(**given).fit(rows)
    monkeypatch.undo()
    submit, handed_over = engine.Engine._submit_rounds, []

    def submit_and_note(self, training, n):
        handed_over.append(n)
        return submit(self, training, n)

    monkeypatch.setattr(engine.Engine, "_submit_rounds", submit_and_note)
    monkeypatch.setattr(base, "SECONDS_AHEAD", 1e9)
    same(classifier(**given).fit(rows), one_by_one)
    assert sum(handed_over) == 30
    assert handed_over[:2] == [1, base.MOST_ROUNDS_AHEAD]


def test_times_of_rounds_are_those_of_workers_however_slow_the_client_is(monkeypatch):
    accept = Training.accept

    def slowly(self, result):
        time.sleep(0.5)
        return accept(self, result)

    monkeypatch.setattr(Training, "accept", slowly)
    history = classifier(rounds=6).fit(*arrays()).history_
    assert np.median(history["seconds"]) < 0.4
    assert sum(history["seconds"]) >= sum(history["seconds_computing"])


def late_rates(most):
    """Return parameters of 20 rounds, the last ten of them at a rate that is too large."""
    return {
        "learning_rate": lambda share: 1.0 if share < 0.5 else most,
        "learning_rate_init": 0.01,
        "rounds": 20,
        "rows_per_round": 0.5,
    }


def test_training_that_diverges_goes_on_at_a_smaller_rate(monkeypatch, tmp_path):
    rows = delayed_pairs(PARTS, X, X @ [1.0, 2, -1, 0])
    ended = []
    for kind in (engine.Engine, HereEngine):
        monkeypatch.setattr(base, "Engine", kind)
        with pytest.warns(fastbp.DivergenceWarning) as given:
            ended.append(regressor(**late_rates(200)).fit(rows, checkpoint=tmp_path / "fit.fbp"))
    assert str(given[0].message) == (
        "Training diverged in round 11 at a learning rate of 0.01, and goes on from before it at "
        "0.0025."
    )
    rates = np.array(ended[0].history_["learning_rate"])
    assert len(rates) == 20
    assert set(rates[:10]) == {0.01}
    assert set(rates[10:]) <= {2 / 4, 2 / 16, 2 / 64}
    assert not ended[0].diverged_
    same(*ended)
    resumed = regressor(**late_rates(200)).fit(rows, checkpoint=tmp_path / "fit.fbp", resume=True)
    same(resumed, ended[0])


def test_training_that_diverges_again_and_again_ends(monkeypatch):
    rows = delayed_pairs(PARTS, X, X @ [1.0, 2, -1, 0])
    ended = []
    for kind in (engine.Engine, HereEngine):
        monkeypatch.setattr(base, "Engine", kind)
        with pytest.warns(fastbp.DivergenceWarning) as given:
            ended.append(regressor(**late_rates(1e9)).fit(rows))
    *others, last = map(str, (one.message for one in given))
    assert len(others) == 3
    assert "and goes on from before it at" in others[2]
    assert "the weights from before the last round are kept" in last
    assert ended[0].convergence_.endswith("The weights are those from before the last round.")
    assert len(ended[0].history_["round"]) == 10
    assert ended[0].diverged_
    assert all(np.isfinite(one).all() for one in ended[0].coefs_)
    same(*ended)


@pytest.mark.parametrize(
    ("n_rows", "n_shards"),
    [(1_000, 2), (250_000, 2), (450_000, 4), (1_900_000, 8), (2_300_000, 9), (10**7, 40)],
)
def test_shards_follow_from_the_rows(n_rows, n_shards):
    model = classifier(n_shards="auto")
    assert model._n_shards(1_000, n_rows) == n_shards
    assert model._n_shards(3, n_rows) == min(3, n_shards)


def test_scores_of_labels_that_are_not_known_and_of_balanced_classes():
    model = classifier(class_weight={0: 5.0}).fit(*arrays())
    local, rare = model.to_local(), np.where(np.arange(150) % 7, Y, 9)
    assert model.score(*arrays()) == local.score(X, Y)
    assert model.score(*arrays(X, rare)) == local.score(X, rare) < local.score(X, Y)


def test_it_learns(usual):
    assert usual.score(X, Y) > 0.8
    longer = classifier(rounds=80).fit(*arrays())
    assert longer.score(X, Y) > 0.95
    assert longer.score(*arrays()) == longer.score(X, Y)
    targets = Y_R
    model = regressor(rounds=60, n_shards=3).fit(*arrays(X_R, targets, chunks=(150, 150, 142)))
    assert model.score(X_R, targets) > 0.5
    lazily = model.score(*arrays(X_R, targets, chunks=(150, 150, 142)))
    assert lazily == pytest.approx(r2_score(targets, model.predict(X_R)), abs=1e-9)


@pytest.mark.parametrize(
    "kind",
    ["frame", "column", "bag", "paths", "pairs", "delayed", "tables", "futures", "two lists"],
)
def test_all_kinds_of_rows_give_the_same_bits(kind, usual, tmp_path, client):
    own = FRAME.drop(columns="kind")
    frame, target = frame_of_parts(), "kind"
    paths = [str(tmp_path / f"{i}.parquet") for i in range(len(PARTS))]
    for path, part in zip(paths, PARTS, strict=True):
        FRAME.iloc[part].to_parquet(path)
    pairs = [(X[part], Y[part]) for part in PARTS]
    given = {
        "frame": (frame_of_parts(own), frame["kind"]),
        "column": (frame, target),
        "bag": (dask.bag.from_sequence(paths, npartitions=2), target),
        "paths": (paths, target),
        "pairs": (pairs,),
        "delayed": (delayed_pairs(PARTS),),
        "tables": ([FRAME.iloc[part] for part in PARTS], target),
        "futures": (client.scatter([list(one) for one in pairs]),),
        "two lists": tuple([dask.delayed(one[i]) for one in pairs] for i in (0, 1)),
    }[kind]
    model = classifier().fit(*given)
    same(model, usual)
    has_names = kind not in ("pairs", "delayed", "futures", "two lists")
    assert hasattr(model, "feature_names_in_") == has_names


def test_columns_of_files_have_the_partitions_of_their_frame(usual, tmp_path):
    others = [f"other{i}" for i in range(20)]
    for i, part in enumerate(PARTS):
        FRAME.iloc[part].assign(**dict.fromkeys(others, 0.5)).to_parquet(tmp_path / f"{i}.parquet")
    frame = dd.read_parquet(tmp_path)
    assert len(frame["kind"].to_delayed()) < len(PARTS)  # Dask reads several files at once
    rows = frame[["a", "b", "c", "d"]]
    same(classifier().fit(rows, frame["kind"]), usual)
    same(classifier().fit(frame.drop(columns=others), "kind"), usual)
    assert usual.score(rows, frame["kind"]) == usual.score(X, Y)


def test_polars_frames_are_tables(usual):
    polars = pytest.importorskip("polars")
    tables = [polars.from_pandas(FRAME.iloc[part]) for part in PARTS]
    same(classifier().fit(tables, "kind"), usual)
    same(classifier().fit([dask.delayed(one) for one in tables], "kind"), usual)


def test_sparse_blocks_and_dense_ones_with_many_zeros():
    random = np.random.default_rng(0)
    dense = random.random((120, 60)) * (random.random((120, 60)) < 0.05)
    y = (dense[:, :30].sum(axis=1) > dense[:, 30:].sum(axis=1)).astype(int)
    parts = [slice(0, 50), slice(50, 120)]
    model = classifier(rounds=60).fit(delayed_pairs(parts, csr_array(dense), y))
    assert model.score(csr_array(dense), y) > 0.8
    as_array = da.from_array(dense, chunks=((50, 70), -1)).map_blocks(csr_matrix)
    same(classifier(rounds=60).fit(as_array, da.from_array(y, chunks=((50, 70),))), model)
    local = BackpropClassifier((8,), random_state=0).fit(csr_array(dense), y)
    np.testing.assert_allclose(model._units.inputs.scale, local._units.inputs.scale, rtol=1e-9)


def test_scaling_is_that_of_one_process():
    model = regressor(n_shards=3).fit(*arrays(X_R, Y_R, chunks=(100, 200, 142)))
    local = BackpropRegressor((8,), random_state=0, max_iter=1, ensemble=1).fit(X_R, Y_R)
    for mine, own in [(model._units.inputs, local._units.inputs)]:
        np.testing.assert_allclose(mine.center, own.center, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(mine.scale, own.scale, rtol=1e-9)
    np.testing.assert_allclose(model._units.targets.scale, local._units.targets.scale, rtol=1e-9)


def test_empty_partitions_and_unlike_sizes():
    parts = [slice(0, 0), slice(0, 3), slice(3, 3), slice(3, 100), slice(100, 150), slice(0, 0)]
    model = classifier(rounds=20).fit(delayed_pairs(parts))
    assert model.score(X, Y) > 0.8
    assert model.history_["rows"][-1] == 150 * model.history_["epoch"][-1]
    few = classifier(n_shards=6).fit(delayed_pairs(parts))
    assert few.score(X, Y) > 0.5


def test_unknown_chunk_sizes_and_other_chunks_of_y(usual):
    dX, dy = arrays()
    keep = dX[:, 0] > -1
    unknown = dX[keep], dy[keep]
    assert np.isnan(unknown[0].shape[0])
    same(classifier().fit(*unknown), usual)
    same(classifier().fit(dX, dy.rechunk(150)), usual)


def test_a_class_that_only_one_partition_has():
    order = np.argsort(Y, kind="stable")
    model = classifier(rounds=60).fit(
        delayed_pairs([slice(0, 75), slice(75, 150)], X[order], Y[order])
    )
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X, Y) > 0.8


@pytest.mark.parametrize("labels", [["a", "b", "c"], [2.0, 1.0, 9.0], [True, False, True]])
def test_labels_are_found_in_the_pass(labels):
    y = np.array(labels)[Y]
    model = classifier().fit(delayed_pairs(PARTS, X, y))
    assert model.classes_.dtype == y.dtype
    assert model.classes_.tolist() == sorted(set(labels))
    assert model.predict(X[:3]).dtype == y.dtype


def test_several_outputs():
    targets = np.column_stack([Y_R, X_R[:, 0], np.full(len(Y_R), 3.0)])
    parts = [slice(0, 200), slice(200, 442)]
    model = regressor(rounds=20).fit(delayed_pairs(parts, X_R, targets))
    found = model.score(delayed_pairs(parts, X_R, targets))
    assert found == pytest.approx(r2_score(targets, model.predict(X_R)))
    wrong = np.add(targets, [0, 0, 1])
    found = model.score(delayed_pairs(parts, X_R, wrong))
    assert found == pytest.approx(r2_score(wrong, model.predict(X_R)))
    assert model.predict(X_R[:4]).shape == (4, 3)
    assert np.array_equal(model.predict(X_R[:4])[:, 2], np.full(4, 3.0))
    indicator = (X > X.mean(axis=0)).astype(int)
    model = classifier(rounds=20).fit(delayed_pairs(PARTS, X, indicator))
    assert model.predict(X[:5]).shape == (5, 4)


def test_weights_of_whole_numbers_repeat_rows():
    weights = np.ones(150)
    weights[Y == 2] = 0
    dX, dy = arrays()
    model = classifier(rounds=20).fit(dX, dy, da.from_array(weights, chunks=(CHUNKS,)))
    assert model.classes_.tolist() == [0, 1, 2]
    assert set(model.predict(X)) == {0, 1}
    assert model.history_["rows"][-1] == 100 * model.history_["epoch"][-1]
    triples = [(X[part], Y[part], weights[part]) for part in PARTS]
    same(classifier(rounds=20).fit(triples), model)


def test_classes_can_be_balanced():
    rare = np.flatnonzero((Y != 2) | (np.arange(150) % 5 == 0))
    parts = [slice(0, 50), slice(50, len(rare))]
    given = delayed_pairs(parts, X[rare], Y[rare])
    plain, balanced = (
        classifier(rounds=40, class_weight=how).fit(given) for how in (None, "balanced")
    )
    counts = [np.sum(model.predict(X) == 2) for model in (plain, balanced)]
    assert counts[1] > counts[0]
    assert (plain.class_weight, balanced.class_weight) == (None, "balanced")


def test_rows_held_out_end_training_with_the_best_weights():
    X_val, y_val = arrays(X[:40], Y[:40], chunks=(20, 20))
    rows = delayed_pairs([slice(40, 100), slice(100, 150)])
    model = classifier(
        rounds="auto",
        max_iter=60,
        early_stopping=True,
        n_iter_no_change=3,
        learning_rate="constant",
    )
    model.fit(rows, X_val=X_val, y_val=y_val)
    scores = np.array(model.history_["validation_score"])
    known = scores[~np.isnan(scores)]
    assert len(known) == model.n_iter_ < 40
    assert model.score(X[:40], Y[:40]) == pytest.approx(known.max())
    assert model.validation_scores_ == pytest.approx(known)
    plain = regressor(rounds=10).fit(rows, X_val=X_val, y_val=y_val)
    values = np.array(plain.history_["validation_loss"])
    assert np.isfinite(values[-1])


def test_partial_fit_goes_on_and_knows_classes_given():
    order = np.argsort(Y, kind="stable")
    model = classifier()
    for part in (slice(0, 50), slice(50, 150)):
        halves = [slice(part.start, part.start + 25), slice(part.start + 25, part.stop)]
        model.partial_fit(delayed_pairs(halves, X[order], Y[order]), classes=[0, 1, 2])
    assert model.n_iter_ == 2
    assert model.classes_.tolist() == [0, 1, 2]
    before = copy.deepcopy(model)
    model.partial_fit(X[:20], Y[:20])
    assert model.n_iter_ == 3
    assert not np.array_equal(model.network_.weights[0], before.network_.weights[0])
    first = regressor().partial_fit(*arrays(X, X[:, 0]))
    assert first.n_iter_ == 1


def test_warm_start_goes_on(usual):
    model = classifier(warm_start=True).fit(*arrays())
    same(model, usual)
    model.fit(*arrays())
    assert len(model.history_["loss"]) == 12
    assert model.history_["loss"][-1] < usual.history_["loss"][-1]


def test_history_and_progress(capfd):
    model = classifier(verbose=True).fit(*arrays())
    history = model.history_
    assert set(map(len, history.values())) == {6}
    assert history["round"] == [1, 2, 3, 4, 5, 6]
    assert history["epoch"] == [1, 1, 1, 1, 1, 2]
    assert history["rows"][4] == 150
    assert history["loss"][-1] < history["loss"][0]
    for both, one, other in zip(
        *(history[f"seconds{end}"] for end in ("", "_computing", "_moving")), strict=True
    ):
        assert both == pytest.approx(one + other)
        assert 0 < one <= both
    out = capfd.readouterr().out
    assert re.search(r"Round 6 of 6, loss = \d\.\d+, [\d,]+ rows/s, .* computing, .* moving", out)


@pytest.mark.parametrize("solver", ["sgd", "adam", "adagrad", "rmsprop"])
def test_every_solver_trains(solver):
    given = {"batch_size": 4} if solver == "adam" else {"momentum": 0.5} if solver == "sgd" else {}
    model = classifier(rounds=8, solver=solver, **given).fit(*arrays())
    assert model.history_["loss"][-1] < model.history_["loss"][0]


@pytest.mark.parametrize(
    ("parameters", "n_rounds"),
    [
        ({"max_iter": 3, "rows_per_round": 0.5}, 6),
        ({"max_iter": 2, "rows_per_round": 30}, 6),  # of 90 rows, those of the larger shard
        ({"max_iter": 1}, 5),
    ],
)
def test_rounds_are_as_asked_for(parameters, n_rounds):
    model = classifier(rounds="auto", **parameters).fit(*arrays())
    assert model.history_["round"] == list(range(1, n_rounds + 1))


def test_seeds_and_shards_change_the_bits_and_workers_do_not(usual, client):
    (place,) = list(client.scheduler_info()["workers"])[:1]
    with dask.annotate(workers=[place]):
        same(classifier().fit(*arrays()), usual)
    for other in (classifier(random_state=1), classifier(n_shards=3), classifier(outer_momentum=0)):
        other.fit(*arrays())
        assert not np.array_equal(other.network_.weights[0], usual.network_.weights[0])


def test_a_fitted_model_does_without_dask(usual, tmp_path):
    local = usual.to_local()
    assert type(local) is BackpropClassifier
    assert local.get_params() == {name: usual.get_params()[name] for name in local.get_params()}
    same(local, usual)
    assert np.array_equal(local.predict_proba(X), usual.predict_proba(X))
    local.partial_fit(X[:10], Y[:10])  # a copy
    assert not np.array_equal(local.network_.weights[0], usual.network_.weights[0])
    loaded = fastbp.load(fastbp.save(usual, tmp_path / "model.fbp"))
    assert type(loaded) is BackpropClassifier
    same(loaded, usual)
    again = pickle.loads(pickle.dumps(usual))
    same(again, usual)
    assert again.client is None
    code = f"""
import sys, pickle
sys.modules["dask"] = sys.modules["distributed"] = None
model = pickle.load(open({str(tmp_path / "model.pickle")!r}, "rb"))
print(model.predict([[5.0, 3.5, 1.4, 0.2]]).shape, model.score([[5.0, 3.5, 1.4, 0.2]] * 2, [0, 0]))
"""
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(usual))
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.startswith("(1,)")


def test_a_client_of_ones_own(cluster):
    from distributed import Client

    with Client(cluster, set_as_default=False) as own:
        model = classifier()
        model.client = own
        model.fit(*arrays())
        assert model.client is own
        assert pickle.loads(pickle.dumps(model)).client is None
    model.client = None


def test_results_are_forgotten_on_the_cluster(client):
    classifier().fit(*arrays())
    end = time.monotonic() + 20
    while kept := [key for key in client.run_on_scheduler(keys_of) if "fastbp_" in key]:
        assert time.monotonic() < end, kept
        time.sleep(0.1)


def keys_of(dask_scheduler):
    return list(map(str, dask_scheduler.tasks))
