"""scikit-learn's callbacks, and one that notes its arguments, on the drop-in classes."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import fastbp.neural_network as fast

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has them since 1.9")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Notes:
    """A callback that notes its arguments, and asks to stop at a given epoch."""

    def __init__(self, stop_at=None):
        self.callback_kwargs, self.losses, self.stop_at = [], [], stop_at

    def setup(self, estimator, context):
        self.callback_kwargs.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.callback_kwargs.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.callback_kwargs.append(f"end {context.task_name}")
        self.data, self.metadata = (X, y), metadata
        self.losses.append(fitted_estimator.score(X, y))
        self.last = fitted_estimator
        return self.stop_at is not None and len(self.losses) == self.stop_at

    def teardown(self, estimator, context):
        self.callback_kwargs.append("teardown")


class Propagated(Notes):
    max_propagation_depth = None


@pytest.fixture
def data():
    random = np.random.RandomState(0)
    X = random.normal(size=(60, 4))
    return X, np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]


def epochs(n):
    return ["begin epoch", "end epoch"] * n


def test_every_epoch_is_told_with_the_data_as_they_were_given(data):
    notes = Notes()
    weights = np.ones(60)
    model = fast.MLPClassifier(max_iter=3, random_state=0).set_callbacks(notes)
    model.fit(*data, sample_weight=weights)
    assert notes.callback_kwargs == ["setup", "begin fit", *epochs(3), "end fit", "teardown"]
    assert notes.data[0] is data[0]
    assert notes.data[1] is data[1]
    assert notes.metadata["sample_weight"] is weights
    assert notes.losses[-1] == model.score(*data)
    assert len(set(notes.losses)) > 1  # each epoch's own parameters, not the last ones


def test_the_fit_of_a_callback_is_that_without_it(data):
    with_it = fast.MLPClassifier(max_iter=3, random_state=0).set_callbacks(Notes()).fit(*data)
    without = fast.MLPClassifier(max_iter=3, random_state=0).fit(*data)
    assert all(np.array_equal(a, b) for a, b in zip(with_it.coefs_, without.coefs_, strict=True))
    assert set(vars(with_it)) - set(vars(without)) == {"_skl_callbacks"}


def test_weights_that_a_callback_changes_in_place_are_trained_on(data):
    class Clip(Notes):
        def on_fit_task_end(self, estimator, context, **callback_kwargs):
            for W in estimator.coefs_:
                np.clip(W, -0.1, 0.1, out=W)

    class Clipped(fast.MLPClassifier):
        def _update_no_improvement_count(self, *args):
            super()._update_no_improvement_count(*args)
            for W in self.coefs_:
                np.clip(W, -0.1, 0.1, out=W)

    ours = fast.MLPClassifier(max_iter=3, random_state=0).set_callbacks(Clip()).fit(*data)
    expected = Clipped(max_iter=3, random_state=0).fit(*data)
    assert ours.loss_curve_ == expected.loss_curve_
    assert all(np.array_equal(a, b) for a, b in zip(ours.coefs_, expected.coefs_, strict=True))
    assert np.abs(ours.coefs_[0]).max() <= 0.1


def test_a_fitted_estimator_stays_what_it_was_when_it_was_told_of(data):
    notes = Notes()
    model = fast.MLPClassifier(max_iter=2, random_state=0).set_callbacks(notes).fit(*data)
    kept = [W.copy() for W in notes.last.coefs_]
    model.partial_fit(*data)
    assert all(np.array_equal(a, b) for a, b in zip(notes.last.coefs_, kept, strict=True))
    assert not np.array_equal(model.coefs_[0], kept[0])


def test_a_callback_can_stop_training_without_a_warning(data):
    notes = Notes(stop_at=2)
    model = fast.MLPClassifier(max_iter=9, random_state=0).set_callbacks(notes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*data)
    assert model.n_iter_ == 2
    assert notes.callback_kwargs == ["setup", "begin fit", *epochs(2), "end fit", "teardown"]


def test_with_early_stopping_the_estimator_is_the_best_so_far(data):
    notes = Notes()
    model = fast.MLPClassifier(max_iter=4, random_state=0, early_stopping=True)
    model.set_callbacks(notes).fit(*data)
    assert all(
        np.array_equal(a, b) for a, b in zip(notes.last.coefs_, model._best_coefs, strict=True)
    )


def test_partial_fit_tells_nothing_and_lbfgs_of_no_epochs(data):
    notes = Notes()
    fast.MLPClassifier().set_callbacks(notes).partial_fit(*data, classes=["no", "yes"])
    assert notes.callback_kwargs == []
    fast.MLPClassifier(solver="lbfgs", max_iter=5).set_callbacks(notes).fit(*data)
    assert notes.callback_kwargs == ["setup", "begin fit", "end fit", "teardown"]


def test_what_was_set_up_is_torn_down_if_the_fit_fails(data):
    notes = Notes()
    model = fast.MLPClassifier().set_callbacks(notes)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(data[0], data[1][:-1])
    assert notes.callback_kwargs == ["setup", "begin fit", "teardown"]
    assert not hasattr(model, "_callback_fit_ctx")


def test_a_grid_search_hands_its_callbacks_down(data):
    notes = Propagated()
    search = GridSearchCV(
        fast.MLPClassifier(max_iter=2, random_state=0), {"alpha": [0.1, 1]}, cv=2, refit=True
    )
    if not hasattr(search, "set_callbacks"):
        pytest.skip("this scikit-learn's GridSearchCV has no callbacks")
    notes.on_fit_task_end = lambda *_: notes.callback_kwargs.append("end")
    search.set_callbacks(notes).fit(*data)
    assert notes.callback_kwargs.count("begin epoch") == 2 * (2 * 2 + 1)
    assert notes.callback_kwargs.count("setup") == notes.callback_kwargs.count("teardown") == 1


def test_scoring_monitor_logs_the_score_of_every_epoch(data):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = fast.MLPClassifier(max_iter=4, random_state=0).set_callbacks(monitor).fit(*data)
    log = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in log] == [0, 1, 2, 3]
    assert log[-1]["accuracy"] == model.score(*data)


def test_progress_bar_shows_the_epochs(data, capsys):
    pytest.importorskip("rich")
    model = fast.MLPClassifier(max_iter=4, random_state=0)
    model.set_callbacks(callback.ProgressBar()).fit(*data)
    assert "MLPClassifier - fit" in capsys.readouterr().out
