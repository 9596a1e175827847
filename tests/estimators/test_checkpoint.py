"""Fits that are stopped anywhere and gone on with: the same bits, or a refusal."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pytest
import resumable
import scipy.sparse as sp
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastbp
from fastbp import BackpropClassifier, BackpropRegressor, Checkpoint, DivergenceWarning
from fastbp.io import checkpoint as checkpoints
from fastbp.io import files, fingerprint
from fastbp.network.pauses import Pauses
from fastbp.network.plan import Workload
from fastbp.network.runner import EpochRunner
from fastbp.training.run import History
from fastbp.training.schedule import Schedule
from fastbp.training.stopping import BestEpoch, EarlyStopping, Validation

X, Y = load_iris(return_X_y=True)
OPTIONS = {"hidden_layer_sizes": (5,), "max_iter": 20, "random_state": 0, "early_stopping": False}


class PauseError(BaseException):
    """Stops a fit as a kill does: nothing handles it."""


def stopped_at(monkeypatch, numbers):
    """Let files be written at these ends of pieces of work alone; return the count of all."""
    count, look = [0], Pauses.look

    def look_now(pauses):
        pauses.due = -np.inf if count[0] in numbers else np.inf
        count[0] += 1
        look(pauses)

    monkeypatch.setattr(Pauses, "look", look_now)
    return count


def fit_killed_at(number, model, path, monkeypatch, *data, **options):
    """Fit a model that is killed at such an end of a piece of work, having written a checkpoint."""
    write = checkpoints.write_file

    def write_and_die(*args):
        write(*args)
        raise PauseError

    with monkeypatch.context() as patch:
        stopped_at(patch, {number})
        patch.setattr(checkpoints, "write_file", write_and_die)
        with pytest.raises(PauseError):
            model.fit(*data, **options, checkpoint=path)


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """The checkpoint of a classifier of irises that was killed after a few epochs."""
    monkeypatch.setattr(Workload, "seconds_at_once", lambda *_: 1e-6)
    path = tmp_path / "run.fbp"
    fit_killed_at(3, BackpropClassifier(**OPTIONS), path, monkeypatch, X, Y)
    return path


@pytest.mark.parametrize("name", resumable.CASES)
def test_a_fit_that_is_gone_on_with_ends_with_the_same_bits(name, tmp_path, monkeypatch):
    case, path = resumable.CASES[name], tmp_path / "run.fbp"
    resumable.pieces_of(case, monkeypatch.setattr)
    features, y, options = case.data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = resumable.outcome(case.estimator().fit(features, y, **options), case)
        with monkeypatch.context() as patch:
            n_looks = stopped_at(patch, ())
            model = case.estimator().fit(features, y, **options, checkpoint=path)
        assert resumable.outcome(model, case) == expected
        numbers = np.random.default_rng(0).integers(0, max(n_looks[0], 1), 3)
        for number in set(numbers.tolist()) if n_looks[0] else ():
            fit_killed_at(number, case.estimator(), path, monkeypatch, features, y, **options)
            assert resumable.outcome(fastbp.resume(path, features, y, **options), case) == expected


def test_a_fit_may_be_killed_again_and_again(killed, monkeypatch):
    expected = BackpropClassifier(**OPTIONS).fit(X, Y)
    write = checkpoints.write_file

    def write_and_die(*args):
        write(*args)
        raise PauseError

    n_kills = 0
    while True:
        with monkeypatch.context() as patch:
            stopped_at(patch, {1})
            patch.setattr(checkpoints, "write_file", write_and_die)
            try:
                model = fastbp.resume(killed, X, Y)
                break
            except PauseError:
                n_kills += 1
    assert n_kills > 5
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_a_fit_that_has_ended_is_not_trained_again(tmp_path, monkeypatch):
    path = tmp_path / "run.fbp"
    for options in ({}, {"n_init": 4}, {"ensemble": 2}):
        model = BackpropClassifier(**OPTIONS | options).fit(X, Y, checkpoint=path)
        written = path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(EpochRunner, "run", None)
            resumed = fastbp.resume(path, X, Y)
        np.testing.assert_array_equal(resumed.predict_proba(X), model.predict_proba(X))
        assert resumed.loss_curve_ == model.loss_curve_
        assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("owner", "names", "case"),
    [
        (EarlyStopping, ("best_loss", "n_without"), "constant"),
        (Schedule, ("factor",), "adaptive"),
        (Validation, ("best_score",), "early stopping by score"),
        (BestEpoch, ("loss",), "one that diverges"),
        (History, ("n_rows",), "one cycle"),
    ],
)
def test_nothing_that_is_saved_is_saved_in_vain(owner, names, case, tmp_path, monkeypatch):
    """What a class forgets is missed: else the tests above would show nothing of it."""
    case, path = resumable.CASES[case], tmp_path / "run.fbp"
    resumable.pieces_of(case, monkeypatch.setattr)
    features, y, options = case.data()
    new = {"best_loss": np.inf, "n_without": 0, "factor": 1.0, "best_score": -np.inf}
    new |= {"loss": np.inf, "n_rows": 0}
    to_dict, differ = owner.to_dict, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with monkeypatch.context() as patch:
            n_looks = stopped_at(patch, ())
            expected = case.estimator().fit(features, y, **options, checkpoint=path)
        expected = resumable.outcome(expected, case)
        for number in np.linspace(0, n_looks[0] - 1, 12).astype(int).tolist():
            with monkeypatch.context() as patch:
                patch.setattr(
                    owner, "to_dict", lambda one: to_dict(one) | {name: new[name] for name in names}
                )
                fit_killed_at(number, case.estimator(), path, monkeypatch, features, y, **options)
            resumed = fastbp.resume(path, features, y, **options)
            differ.append(resumable.outcome(resumed, case) != expected)
    assert any(differ)


# -- what is refused ------------------------------------------------------------------------------


def test_other_data_are_refused(killed):
    before = killed.read_bytes()
    for data, what in [
        ((X[:100], Y[:100]), "100 rows and 4 columns"),
        ((X[:, :3], Y), "150 rows and 3 columns"),
        ((X + 1e-9, Y), "X has other values"),
        ((X, np.roll(Y, 1)), "y has other values"),
        ((X, np.array(["a", "b", "c"])[Y]), "y has other values"),
        ((X, Y, np.linspace(0.5, 1, 150)), "sample_weight has other values"),
    ]:
        with pytest.raises(ValueError, match=f"{what}.*resume needs the data that fit was given"):
            fastbp.resume(killed, *data)
    with pytest.raises(ValueError, match="a fit without X_val and y_val"):
        fastbp.resume(killed, X, Y, X_val=X, y_val=Y)
    assert killed.read_bytes() == before


def test_other_names_are_refused(tmp_path, monkeypatch):
    pd, path = pytest.importorskip("pandas"), tmp_path / "run.fbp"
    frame = pd.DataFrame(X, columns=list("abcd"))
    fit_killed_at(0, BackpropClassifier(**OPTIONS), path, monkeypatch, frame, Y)
    with pytest.raises(ValueError, match=r"'a', 'b', 'd', 'c'.*a fit on 'a', 'b', 'c', 'd'"):
        fastbp.resume(path, frame[list("abdc")].set_axis(list("abdc"), axis=1), Y)
    with pytest.raises(ValueError, match="columns without names"):
        fastbp.resume(path, X, Y)


def test_other_rows_that_are_held_out_are_refused(tmp_path, monkeypatch):
    path, held_out = tmp_path / "run.fbp", {"X_val": X[::3], "y_val": Y[::3]}
    fit_killed_at(0, BackpropClassifier(**OPTIONS), path, monkeypatch, X, Y, **held_out)
    with pytest.raises(ValueError, match="X_val has other values"):
        fastbp.resume(path, X, Y, X_val=X[1::3], y_val=Y[::3])
    with pytest.raises(ValueError, match="a fit with X_val and y_val"):
        fastbp.resume(path, X, Y)


def test_files_of_another_kind_are_refused(killed, tmp_path, monkeypatch):
    model = fastbp.save(BackpropClassifier(**OPTIONS).fit(X, Y), tmp_path / "model.fbp")
    with pytest.raises(ValueError, match=r"no checkpoint; fastbp\.load reads models"):
        fastbp.resume(model, X, Y)
    for load in (fastbp.load, fastbp.Network.load):
        with pytest.raises(ValueError, match=r"a checkpoint of a fit: fastbp\.resume goes on"):
            load(killed)
    text = tmp_path / "text"
    text.write_text("no such file")
    with pytest.raises(ValueError, match="cannot read"):
        fastbp.resume(text, X, Y)
    with pytest.raises(FileNotFoundError, match="cannot read"):
        fastbp.resume(tmp_path / "none", X, Y)
    monkeypatch.setattr(checkpoints, "FORMAT", 0)
    with pytest.raises(ValueError, match="of format 2, and this version of fastbp reads format 0"):
        fastbp.resume(killed, X, Y)


def test_a_checkpoint_of_dask_is_gone_on_with_there(killed):
    killed.write_bytes(checkpoints.pack({"kind": "fastbp.dask fit"}))
    for read in (lambda path: fastbp.resume(path, X, Y), fastbp.load):
        with pytest.raises(ValueError, match=r"fastbp\.dask: .*resume=True"):
            read(killed)


def test_another_version_goes_on_with_its_own_checkpoints_alone(killed, monkeypatch):
    monkeypatch.setattr(checkpoints, "__version__", "0.0.1")
    with pytest.raises(ValueError, match=r"a checkpoint of fastbp .*, and this is fastbp 0\.0\.1"):
        fastbp.resume(killed, X, Y)


def test_nothing_is_replaced_that_would_be_missed(killed, tmp_path):
    model = fastbp.save(BackpropClassifier(**OPTIONS).fit(X, Y), tmp_path / "model.fbp")
    (tmp_path / "text").write_text("of somebody")
    for path, match in [
        (model, "is no checkpoint, which alone"),
        (tmp_path / "text", "is no checkpoint, which alone"),
        (killed, r"has not ended: fastbp\.resume goes on from it; to begin anew, delete it first"),
    ]:
        before, other = path.read_bytes(), BackpropClassifier(**OPTIONS)
        with pytest.raises(FileExistsError, match=match):
            other.fit(X, Y, checkpoint=path)
        assert path.read_bytes() == before
        assert not hasattr(other, "network_")


def test_of_a_checkpoint_that_is_in_the_way_the_header_alone_is_read(killed):
    os.truncate(killed, 200_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(FileExistsError, match="has not ended"):
            BackpropClassifier(**OPTIONS).fit(X, Y, checkpoint=killed)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("options", [{}, {"n_init": 3}, {"ensemble": 2}])
def test_a_checkpoint_of_training_that_has_ended_is_replaced(options, tmp_path):
    path = tmp_path / "run.fbp"
    path.touch()
    for random_state in (1, 2):
        model = BackpropClassifier(**OPTIONS | options | {"random_state": random_state})
        model.fit(X, Y, checkpoint=path)
        np.testing.assert_array_equal(
            fastbp.resume(path, X, Y).predict_proba(X), model.predict_proba(X)
        )


@pytest.mark.parametrize("kind", [np.array, sp.csr_matrix, np.asfortranarray])
def test_all_rows_must_be_the_same(kind, tmp_path, monkeypatch):
    path, random = tmp_path / "run.fbp", np.random.default_rng(0)
    monkeypatch.setattr(fingerprint, "BLOCK", 100)
    features, y = random.normal(size=(2500, 4)), random.normal(size=2500)
    model = BackpropRegressor(**OPTIONS | {"max_iter": 2})
    fit_killed_at(0, model, path, monkeypatch, kind(features), y)
    for row in (1, 24, 25, 1001, 2498):
        other = features.copy()
        other[row, 2] += 1e-9
        with pytest.raises(ValueError, match="X has other values"):
            fastbp.resume(path, kind(other), y)
    fastbp.resume(path, kind(features), y)


def test_a_damaged_checkpoint_is_refused_or_read(killed):
    data, random = killed.read_bytes(), np.random.default_rng(0)
    n_refused = 0
    for _ in range(150):
        changed = bytearray(data)
        changed[int(random.integers(len(data)))] ^= 1 << int(random.integers(8))
        killed.write_bytes(changed)
        with warnings.catch_warnings(), contextlib.suppress(ValueError):
            warnings.simplefilter("ignore")
            n_refused += 1
            fastbp.resume(killed, X, Y)
            n_refused -= 1
    assert 0 < n_refused < 150


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("training",), 7),
        (("training", "epochs", "left"), 10**6),
        (("training", "epochs", "best", "initial"), None),
        (("training", "epoch", "row"), 10**6),
        (("training", "epoch", "generator", "state", "pos"), 10**6),
        (("training", "epoch", "start", "parameters"), []),
        (("training", "training", "restarts"), []),
        (("training", "training", "restarts", 0, "history", "n_rows"), 10**30),
        (("training", "training", "restarts", 0, "state", "parameters", 0), np.zeros((3, 3))),
        (("training", "training", "restarts", 0, "ending"), "none"),
        (("parameters", "batch_size"), "many"),
        (("data", "shape"), []),
        (("random",), {}),
        (("class_of_model",), "MLPClassifier"),
    ],
)
def test_what_cannot_be_in_a_checkpoint_is_refused_by_a_sentence(path, value, killed):
    tree = checkpoints.unpack(killed.read_bytes())
    inner = tree
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    killed.write_bytes(checkpoints.pack(tree))
    with pytest.raises(ValueError, match=r"cannot read|the checkpoint is damaged"):
        fastbp.resume(killed, X, Y)


def test_a_fit_that_no_file_can_hold_is_refused_before_it_begins(tmp_path):
    path = tmp_path / "run.fbp"
    with pytest.raises(TypeError, match="learning_rate cannot be stored: it is a function"):
        BackpropRegressor(learning_rate=lambda done: 1 - done / 2).fit(X, Y, checkpoint=path)
    with pytest.raises(TypeError, match="not for their subclass Mine"):
        type("Mine", (BackpropRegressor,), {})().fit(X, Y, checkpoint=path)
    model = BackpropClassifier(**OPTIONS)
    with pytest.raises(ValueError, match=r"fastbp\.record cannot record a fit with a checkpoint"):
        _recorded(path)
    if hasattr(model, "set_callbacks"):
        from sklearn.callback import ProgressBar

        with pytest.raises(ValueError, match="callbacks cannot have a checkpoint"):
            model.set_callbacks(ProgressBar()).fit(X, Y, checkpoint=path)
    assert list(tmp_path.iterdir()) == []


def _recorded(path):
    from fastbp.training.epochs import EPOCH_HOOK

    token = EPOCH_HOOK.set(lambda network, epochs: 0.0)
    try:
        BackpropClassifier(**OPTIONS).fit(X, Y, checkpoint=path)
    finally:
        EPOCH_HOOK.reset(token)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        (7, TypeError, "checkpoint must be a path"),
        ("nowhere/run.fbp", FileNotFoundError, "there is no folder nowhere"),
        ("", FileNotFoundError, "path is empty"),
    ],
)
def test_a_checkpoint_that_cannot_be_written_is_refused(given, error, match):
    model = BackpropClassifier(**OPTIONS)
    with pytest.raises(error, match=match):
        model.fit(X, Y, checkpoint=given)
    assert not hasattr(model, "network_")


def test_parameters_of_a_checkpoint_are_checked():
    with pytest.raises(ValueError, match="every must be at least 0"):
        Checkpoint("run.fbp", every=-1)
    with pytest.raises(TypeError, match="on_sigterm must be True or False"):
        Checkpoint("run.fbp", on_sigterm="yes")
    with pytest.raises(TypeError):
        Checkpoint(3)


# -- writing --------------------------------------------------------------------------------------


def test_a_disk_that_is_full_ends_no_training(killed, monkeypatch):
    before, expected = killed.read_bytes(), BackpropClassifier(**OPTIONS).fit(X, Y)

    def fail(file, data):
        os.write(file, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write_all", fail)
    with pytest.warns(RuntimeWarning, match="No space left on device. Training goes on"):
        resumed = fastbp.resume(killed, X, Y)
    np.testing.assert_array_equal(resumed.predict_proba(X), expected.predict_proba(X))
    assert killed.read_bytes() == before
    assert list(killed.parent.iterdir()) == [killed]


def test_a_disk_that_is_full_ends_no_training_where_warnings_are_errors(tmp_path, monkeypatch):
    path, expected = tmp_path / "run.fbp", BackpropClassifier(**OPTIONS).fit(X, Y)
    write = files._write_all

    def fail_from_now_on(file, data):
        def fail(file, data):
            raise OSError(28, "No space left on device")

        write(file, data)
        monkeypatch.setattr(files, "_write_all", fail)

    monkeypatch.setattr(files, "_write_all", fail_from_now_on)
    model = BackpropClassifier(**OPTIONS)
    with pytest.raises(RuntimeWarning, match=r"No space left on device\. Training goes on"):
        model.fit(X, Y, checkpoint=path)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_a_lack_of_memory_ends_no_training(killed, monkeypatch):
    def fail(tree):
        raise MemoryError

    monkeypatch.setattr(checkpoints, "pack", fail)
    with pytest.warns(RuntimeWarning, match="no memory to write a checkpoint. Training goes on"):
        fastbp.resume(killed, X, Y)


def test_the_file_stays_where_it_was_meant_to_be(tmp_path, monkeypatch):
    write, (here, elsewhere) = checkpoints.write_file, (tmp_path / "here", tmp_path / "elsewhere")

    def write_and_leave(*args):
        write(*args)
        monkeypatch.chdir(elsewhere)

    here.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(checkpoints, "write_file", write_and_leave)
    BackpropClassifier(**OPTIONS).fit(X, Y, checkpoint="run.fbp")
    assert [path.name for path in here.iterdir()] == ["run.fbp"]
    assert list(elsewhere.iterdir()) == []


def test_the_first_that_cannot_be_written_ends_training_at_once(tmp_path, monkeypatch):
    def fail(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write_all", fail)
    model = BackpropClassifier(**OPTIONS)
    with pytest.raises(OSError, match="No space left on device"):
        model.fit(X, Y, checkpoint=tmp_path / "run.fbp")
    assert not hasattr(model, "network_")


def test_writing_takes_at_most_a_hundredth_of_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])

    def write(path, data):
        now[0] += 2.0

    monkeypatch.setattr(checkpoints, "write_file", write)
    monkeypatch.setattr(checkpoints, "pack", lambda tree: b"")
    for every, due in ((30.0, 202.0), (500.0, 504.0)):
        keeper = checkpoints.Keeper(
            Checkpoint("run.fbp", every), {}, {}, checkpoints.Fingerprint((1, 1), None, {})
        )
        assert keeper._save({}) == due


def test_a_fit_without_a_checkpoint_never_looks(monkeypatch):
    monkeypatch.setattr(Pauses, "look", None)
    BackpropClassifier(**OPTIONS).fit(X, Y)


def test_a_step_of_a_pipeline_can_have_a_checkpoint(tmp_path):
    path = tmp_path / "run.fbp"
    pipeline = make_pipeline(StandardScaler(), BackpropClassifier(**OPTIONS))
    pipeline.fit(X, Y, backpropclassifier__checkpoint=path)
    resumed = fastbp.resume(path, StandardScaler().fit_transform(X), Y)
    np.testing.assert_array_equal(
        resumed.predict_proba(pipeline[0].transform(X)), pipeline.predict_proba(X)
    )


def test_checkpoints_can_go_elsewhere(killed, tmp_path):
    before, other = killed.read_bytes(), tmp_path / "other.fbp"
    model = fastbp.resume(killed, X, Y, checkpoint=Checkpoint(other, every=5))
    assert killed.read_bytes() == before
    assert checkpoints._fields_of(str(other)).number("every") == 5.0
    again = fastbp.resume(other, X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_checkpoints_that_cannot_go_elsewhere_end_no_training_late(killed, tmp_path, monkeypatch):
    model = fastbp.save(BackpropClassifier(**OPTIONS).fit(X, Y), tmp_path / "model.fbp")
    monkeypatch.setattr(EpochRunner, "run", None)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        fastbp.resume(killed, X, Y, checkpoint=tmp_path / "nowhere" / "run.fbp")
    with pytest.raises(FileExistsError, match="is no checkpoint"):
        fastbp.resume(killed, X, Y, checkpoint=model)


def test_checkpoints_that_go_elsewhere_are_there_at_once(killed, tmp_path, monkeypatch):
    other = tmp_path / "other.fbp"
    with monkeypatch.context() as patch:
        patch.setattr(EpochRunner, "run", None)
        with pytest.raises(TypeError):
            fastbp.resume(killed, X, Y, checkpoint=other)
    model = fastbp.resume(other, X, Y)
    for last in (other, tmp_path / "last.fbp"):  # training has ended
        fastbp.resume(other, X, Y, checkpoint=last)
        np.testing.assert_array_equal(
            fastbp.resume(last, X, Y).predict_proba(X), model.predict_proba(X)
        )


@pytest.mark.parametrize("isas", [(None, "scalar"), ("scalar", None)])
def test_restarts_in_lanes_go_on_with_another_instruction_set(isas, tmp_path):
    """Their vectors are of another width."""
    path = tmp_path / "run.fbp"
    code = f"""
        import os, sys, numpy as np, fastbp
        from fastbp.io import checkpoint
        from fastbp.network.pauses import Pauses
        from fastbp.network.plan import Workload
        X = np.random.default_rng(0).normal(size=(300, 3))
        Workload.seconds_at_once = lambda *_: 1e-6
        path, count, write, look = {str(path)!r}, [0], checkpoint.write_file, Pauses.look
        if sys.argv[1] == "begin":
            def look_now(pauses):
                count[0] += 1
                pauses.due = -np.inf if count[0] == 5 else np.inf
                look(pauses)
            def write_and_die(*args):
                write(*args)
                os._exit(0)
            Pauses.look, checkpoint.write_file = look_now, write_and_die
            model = fastbp.BackpropRegressor((4,), n_init=6, max_iter=5, random_state=0,
                early_stopping=False).fit(X, np.sin(X[:, 0]), checkpoint=path)
            raise AssertionError("is still alive")
        model = fastbp.resume(path, X, np.sin(X[:, 0]))
        print(*model.init_losses_)
    """
    for isa, what in zip(isas, ("begin", "go on"), strict=True):
        environment = os.environ | ({"FASTBP_ISA": isa} if isa else {})
        if not isa:
            environment.pop("FASTBP_ISA", None)
        child = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), what],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        if what == "begin":
            assert "lanes" in checkpoints._fields_of(str(path)).value("training")
            assert checkpoints._fields_of(str(path)).value("training")["lanes"]["row"] > 0
    features = np.random.default_rng(0).normal(size=(300, 3))
    model = BackpropRegressor((4,), n_init=6, max_iter=5, random_state=0, early_stopping=False)
    expected = model.fit(features, np.sin(features[:, 0])).init_losses_
    np.testing.assert_allclose(np.array(child.stdout.split(), float), expected, rtol=1e-9)


# -- generators -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["MT19937", "PCG64", "Philox", "SFC64"])
def test_a_generator_goes_on_where_training_has_left_it(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(Workload, "seconds_at_once", lambda *_: 1e-5)
    path = tmp_path / "run.fbp"

    def model():
        random = np.random.RandomState(getattr(np.random, kind)(5))
        return BackpropClassifier(**OPTIONS | {"random_state": random})

    if kind != "MT19937":
        with pytest.raises(TypeError, match="random_state cannot be stored"):
            model().fit(X, Y, checkpoint=path)
        return
    expected = model().fit(X, Y)
    fit_killed_at(5, model(), path, monkeypatch, X, Y)
    resumed = fastbp.resume(path, X, Y)
    np.testing.assert_array_equal(resumed.predict_proba(X), expected.predict_proba(X))
    assert resumed.random_state is resumed._random_state
    assert resumed.random_state.randint(2**31) == expected.random_state.randint(2**31)


def test_without_a_seed_the_global_generator_is_gone_on_with_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(Workload, "seconds_at_once", lambda *_: 1e-5)
    path, parameters = tmp_path / "run.fbp", OPTIONS | {"random_state": None}
    before = np.random.get_state()  # noqa: NPY002
    expected = BackpropClassifier(**parameters).fit(X, Y).predict_proba(X)
    np.random.set_state(before)  # noqa: NPY002
    fit_killed_at(5, BackpropClassifier(**parameters), path, monkeypatch, X, Y)
    now = np.random.get_state()  # noqa: NPY002
    resumed = fastbp.resume(path, X, Y)
    np.testing.assert_array_equal(resumed.predict_proba(X), expected)
    assert resumed.random_state is None
    assert resumed._random_state is not np.random.mtrand._rand
    np.testing.assert_array_equal(np.random.get_state()[1], now[1])  # noqa: NPY002


# -- signals --------------------------------------------------------------------------------------


def signalled(number, monkeypatch, after=2, times=1):
    """Send a signal to this process in a piece of work, perhaps several times."""
    count, advance = iter(range(10**9)), EpochRunner._advance

    def advance_and_signal(*args):
        found = advance(*args)
        if next(count) == after:
            for _ in range(times):
                signal.raise_signal(number)
        return found

    monkeypatch.setattr(EpochRunner, "_advance", advance_and_signal)


def test_an_interrupt_writes_a_checkpoint_and_keeps_what_was_learnt(tmp_path, monkeypatch):
    monkeypatch.setattr(Workload, "seconds_at_once", lambda *_: 1e-6)
    path, expected = tmp_path / "run.fbp", BackpropClassifier(**OPTIONS).fit(X, Y)
    model, handler = BackpropClassifier(**OPTIONS), signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        signalled(signal.SIGINT, patch)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y, checkpoint=Checkpoint(path, every=1e9))
    assert signal.getsignal(signal.SIGINT) is handler
    assert 0 < model.predict_proba(X).max() < 1
    assert checkpoints._fields_of(str(path)).value("training")["epoch"]["row"] > 0
    resumed = fastbp.resume(path, X, Y)
    np.testing.assert_array_equal(resumed.predict_proba(X), expected.predict_proba(X))


def test_sigterm_goes_to_the_handler_that_there_was(tmp_path, monkeypatch):
    monkeypatch.setattr(Workload, "seconds_at_once", lambda *_: 1e-6)
    path, taken = tmp_path / "run.fbp", []
    before = signal.signal(signal.SIGTERM, lambda number, _: taken.append(path.read_bytes()))
    try:
        signalled(signal.SIGTERM, monkeypatch)
        BackpropClassifier(**OPTIONS).fit(X, Y, checkpoint=Checkpoint(path, every=1e9))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(taken) == 1
    path.write_bytes(taken[0])
    assert "epoch" in checkpoints._fields_of(str(path)).value("training")


def test_sigterm_ends_a_process_that_has_written_a_checkpoint(tmp_path):
    path = tmp_path / "run.fbp"
    code = f"""
        import numpy as np, fastbp
        X = np.random.default_rng(0).normal(size=(20_000, 20))
        fastbp.BackpropRegressor(max_iter=10**6, random_state=0).fit(
            X, X[:, 0], checkpoint=fastbp.Checkpoint({str(path)!r}, every=1e9)
        )
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    try:
        end = time.monotonic() + 60
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.05)
        first = path.read_bytes()
        child.terminate()
        assert child.wait(60) == -signal.SIGTERM
    finally:
        child.kill()
        child.wait()
    assert path.read_bytes() != first
    checkpoints._fields_of(str(path))


def test_sigterm_that_comes_twice_has_its_checkpoint_written(tmp_path, monkeypatch):
    monkeypatch.setattr(Workload, "seconds_at_once", lambda *_: 1e-6)
    path, write, n_written, taken = tmp_path / "run.fbp", checkpoints.write_file, [0], []

    def count_and_write(*args):
        n_written[0] += 1
        write(*args)

    monkeypatch.setattr(checkpoints, "write_file", count_and_write)
    before = signal.signal(signal.SIGTERM, lambda number, _: taken.append(n_written[0]))
    try:
        signalled(signal.SIGTERM, monkeypatch, times=2)
        BackpropClassifier(**OPTIONS).fit(X, Y, checkpoint=Checkpoint(path, every=1e9))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert taken == [2]  # the first, and the one that was asked for


def test_a_second_interrupt_waits_for_no_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(Workload, "seconds_at_once", lambda *_: 1e-6)
    path = tmp_path / "run.fbp"
    with monkeypatch.context() as patch:
        signalled(signal.SIGINT, patch, times=2)
        with pytest.raises(KeyboardInterrupt):
            BackpropClassifier(**OPTIONS).fit(X, Y, checkpoint=Checkpoint(path, every=1e9))
    first = path.read_bytes()
    path.unlink()
    with monkeypatch.context() as patch:
        signalled(signal.SIGINT, patch)
        with pytest.raises(KeyboardInterrupt):
            BackpropClassifier(**OPTIONS).fit(X, Y, checkpoint=Checkpoint(path, every=1e9))
    assert path.read_bytes() != first


def test_only_the_main_thread_takes_signals(tmp_path):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    found = []

    def fit():
        BackpropClassifier(**OPTIONS).fit(X, Y, checkpoint=tmp_path / "run.fbp")
        found.append((signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=fit)
    thread.start()
    thread.join()
    assert found == [handlers]
    fit()
    assert found == [handlers] * 2


def test_training_that_diverges_says_so_when_it_is_gone_on_with(tmp_path, monkeypatch):
    case, path = resumable.CASES["one that diverges"], tmp_path / "run.fbp"
    resumable.pieces_of(case, monkeypatch.setattr)
    features, y, _ = case.data()
    fit_killed_at(3, case.estimator(), path, monkeypatch, features, y)
    with pytest.warns(DivergenceWarning, match="Training diverged"):
        fastbp.resume(path, features, y)
