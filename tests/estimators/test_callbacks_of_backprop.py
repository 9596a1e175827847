"""scikit-learn's callbacks (1.9 and newer) with the estimators: their arguments and their order."""

import pickle
import warnings

import numpy as np
import pytest
from plain_models import BackpropClassifier, BackpropRegressor
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp import DivergenceWarning

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*metadata.*:UserWarning"),
]


class Log:
    """A callback that keeps its arguments."""

    def __init__(self, stop_after=None):
        self.events, self.predictions, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.events.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X, fitted_estimator):
        self.events.append(f"end {context.task_name}")
        self.predictions.append(fitted_estimator.predict(X))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after

    def teardown(self, estimator, context):
        self.events.append("teardown")


def data(n_rows=90):
    X = np.random.default_rng(0).normal(size=(n_rows, 3))
    return X, np.digitize(X[:, 0], [-0.5, 0.5])


def classifier(**options):
    small = {"hidden_layer_sizes": 6, "learning_rate_init": 0.02, "max_iter": 4}
    return BackpropClassifier(**{"random_state": 0, **small, **options})


def bits(model):
    return model.network_._arena.values.tobytes()


def test_every_epoch_begins_and_ends_between_setup_and_teardown():
    X, y = data()
    log = Log()
    classifier().set_callbacks(log).fit(X, y)
    epochs = ["begin epoch", "end epoch"] * 4
    assert log.events == ["setup", "begin fit", *epochs, "end fit", "teardown"]


def test_they_see_the_model_as_it_is_after_each_epoch_and_change_nothing():
    X, y = data()
    log = Log()
    model = classifier().set_callbacks(log).fit(X, y)
    assert bits(model) == bits(classifier().fit(X, y))
    for epoch in range(4):
        expected = classifier(max_iter=epoch + 1).fit(X, y).predict(X)
        assert np.array_equal(log.predictions[epoch], expected)


def test_one_that_asks_to_stop_ends_training_without_a_warning(recwarn):
    X, y = data()
    model = classifier(max_iter=50).set_callbacks(Log(stop_after=3)).fit(X, y)
    assert model.n_iter_ == 3
    assert not recwarn.list
    assert bits(model) == bits(classifier(max_iter=3).fit(X, y))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_one_that_asks_to_stop_ends_all_restarts(early_stopping, recwarn):
    X, y = data()
    log = Log(stop_after=3)
    model = classifier(n_init=4, max_iter=50, early_stopping=early_stopping)
    model.set_callbacks(log).fit(X, y)
    assert log.events.count("end epoch") == 3
    assert log.events[-2:] == ["end fit", "teardown"]
    assert model.n_iter_ == 3
    assert model.best_init_ == 0
    assert np.isfinite(model.init_losses_).tolist() == [True, False, False, False]
    assert not recwarn.list
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # three epochs are few
        alone = classifier(max_iter=3, early_stopping=early_stopping).fit(X, y)
    assert bits(model) == bits(alone)
    assert model.set_params(early_stopping=False).partial_fit(X, y).n_iter_ == 4


@pytest.mark.parametrize("n_init", [1, 3])
def test_one_that_stops_an_epoch_that_diverged_does_not_hide_it(n_init):
    X, y = data()
    log = Log(stop_after=1)
    model = BackpropRegressor(learning_rate_init=1e3, random_state=0, n_init=n_init)
    with pytest.warns(DivergenceWarning, match="learning_rate_init=1000"):
        model.set_callbacks(log).fit(X, y)
    assert model.diverged_
    assert log.events.count("end epoch") == 1


def test_one_that_asks_to_stop_in_a_later_restart_leaves_the_best_so_far():
    X, y = data()
    log = Log(stop_after=4 + 2)
    model = classifier(n_init=4).set_callbacks(log).fit(X, y)
    assert log.events.count("end epoch") == 6
    assert model.best_init_ == np.argmin(model.init_losses_)
    assert np.isfinite(model.init_losses_).tolist() == [True, True, False, False]


def test_a_fit_that_fails_tells_them_nothing_of_an_end():
    X, y = data()
    log = Log()
    with pytest.raises(ValueError, match="alpha"):
        classifier(alpha=-1).set_callbacks(log).fit(X, y)
    assert log.events == []


@pytest.mark.parametrize(
    "options",
    [{"n_init": 3}, {"early_stopping": True}, {"dropout": 0.2}, {"learning_rate": "adaptive"}],
    ids=str,
)
def test_with_every_way_to_train(options):
    X, y = data()
    log = Log()
    model = classifier(**options).set_callbacks(log).fit(X, y)
    assert log.events.count("begin epoch") == log.events.count("end epoch")
    assert log.events.count("end epoch") == 4 * options.get("n_init", 1)
    if "n_init" not in options:
        assert bits(model) == bits(classifier(**options).fit(X, y))


def test_monitors_score_every_epoch():
    X, y = data()
    monitor = callback.ScoringMonitor(scoring="accuracy")
    classifier().set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs(select="most_recent").data
    scores = [row["accuracy"] for row in log if row["task_name"] == "epoch"]
    expected = [classifier(max_iter=n).fit(X, y).score(X, y) for n in (1, 2, 3, 4)]
    assert scores == pytest.approx(expected)


@pytest.fixture
def _wide_console():
    """rich's one console, whose width is for good what COLUMNS was first, with room for bars.

    And not a terminal: bars are then drawn once, when all is done.
    """
    rich = pytest.importorskip("rich")
    rich.reconfigure(width=160, force_terminal=False)
    yield
    rich.reconfigure()


@pytest.mark.usefixtures("_wide_console")
def test_progress_bars_show_epochs_also_of_a_grid_search(capsys):
    X, y = data()
    classifier().set_callbacks(callback.ProgressBar()).fit(X, y)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "fit" in line)
    assert "BackpropClassifier - fit" in line
    assert "100%" in line
    search = GridSearchCV(classifier(), {"alpha": [0.0, 0.1]}, cv=2)
    search.set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    lines = [line for line in capsys.readouterr().out.splitlines() if "BackpropClassifier" in line]
    assert len(lines) == 2 * 2 + 1
    assert all("100%" in line for line in lines)


def test_through_a_grid_search_and_a_pipeline():
    X, y = data()
    log = Log()
    search = GridSearchCV(classifier(), {"alpha": [0.0, 0.1]}, cv=2)
    search.estimator.set_callbacks(log)
    search.fit(X, y)
    assert log.events.count("end epoch") == (2 * 2 + 1) * 4
    assert search.best_estimator_.n_iter_ == 4
    pipeline = make_pipeline(StandardScaler(), classifier().set_callbacks(log))
    pipeline.fit(X, y)
    assert log.events.count("end epoch") == (2 * 2 + 2) * 4


def test_clones_and_pickles_of_a_model_with_callbacks():
    X, y = data()
    model = BackpropRegressor(max_iter=2, random_state=0).set_callbacks(Log()).fit(X, y)
    assert not hasattr(clone(model), "network_")
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))
