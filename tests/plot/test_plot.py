"""The pictures show the numbers they are made of."""

import subprocess
import sys
import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from cases import parameters_of
from plain_models import BackpropClassifier, BackpropRegressor
from sklearn.exceptions import NotFittedError

from fastbp import DivergenceWarning, Network, record, sensitivity_of_loss
from fastbp._printable import printable
from fastbp.plot import (
    GradientFlowDisplay,
    LearningRateDisplay,
    LossCurveDisplay,
    LossSurfaceDisplay,
    NetworkDisplay,
    SensitivityDisplay,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RANDOM = np.random.default_rng(0)
X = pd.DataFrame(RANDOM.normal(size=(60, 4)), columns=["height", "weight", "age", "size"])
Y = (X["height"] * X["weight"]).to_numpy()
LABELS = np.array(["a", "b", "c"])[np.arange(60) % 3]
SMALL = {"hidden_layer_sizes": (5,), "activation": "tanh", "max_iter": 8, "random_state": 0}


@pytest.fixture(autouse=True)
def _no_windows():
    mpl.use("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def regressor():
    return BackpropRegressor(**SMALL).fit(X, Y)


@pytest.fixture(scope="module")
def recorded():
    model = BackpropClassifier(**SMALL)
    return model, record(model, X, LABELS, max_snapshots=30)


def texts_of(display):
    return [text.get_text() for text in display.ax_.texts]


# -- all of them ----------------------------------------------------------------------------------


def displays(model, recording, ax=None):
    yield LossCurveDisplay.from_estimator(model, ax=ax)
    yield LossCurveDisplay.from_recording(recording, ax=ax)
    yield GradientFlowDisplay.from_recording(recording, ax=ax)
    yield GradientFlowDisplay.from_estimator(model, X, LABELS, every=30, ax=ax)
    parameters = {"parameters": [(1, 0, 0)], "n_points": 5, "ax": ax}
    yield LossSurfaceDisplay.from_estimator(model, X, LABELS, **parameters)
    yield LossSurfaceDisplay.from_estimator(
        model, X, LABELS, recording=recording, n_points=5, ax=ax
    )
    yield SensitivityDisplay.from_estimator(model, X, ax=ax)
    yield NetworkDisplay.from_estimator(model, ax=ax)


def test_every_picture_is_drawn_on_new_axes_or_on_given_ones(recorded):
    for display in displays(*recorded):
        assert display.ax_.figure is display.figure_
        display.figure_.canvas.draw()
        again = display.plot()
        assert again is display
        _, ax = plt.subplots()
        assert display.plot(ax).ax_ is ax
        plt.close("all")


def test_no_model_is_changed_by_its_pictures(recorded):
    model, recording = recorded
    before = [p.tobytes() for p in parameters_of(model.network_)]
    list(displays(model, recording))
    assert before == [p.tobytes() for p in parameters_of(model.network_)]


def test_what_is_not_fitted_or_no_model_is_refused():
    for draw in (
        LossCurveDisplay.from_estimator,
        NetworkDisplay.from_estimator,
        lambda model: SensitivityDisplay.from_estimator(model, X),
        lambda model: LossSurfaceDisplay.from_estimator(model, X, Y, parameters=[(1, 0, 0)]),
    ):
        with pytest.raises(NotFittedError):
            draw(BackpropRegressor())
        with pytest.raises(TypeError, match=r"model must be a fastbp\.Network"):
            draw("network")


def test_pictures_without_matplotlib_say_what_to_do():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from fastbp import Network\nfrom fastbp.plot import NetworkDisplay\n"
        "try: NetworkDisplay.from_estimator(Network((2, 1)))\n"
        "except ImportError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "Pictures need matplotlib: python -m pip install matplotlib\n"


# -- loss curve and gradient flow -----------------------------------------------------------------


def test_the_loss_curve_is_that_of_the_model(regressor):
    display = LossCurveDisplay.from_estimator(regressor, name="mine", color="green")
    assert display.line_.get_ydata().tolist() == regressor.loss_curve_
    assert display.line_.get_xdata().tolist() == list(range(1, regressor.n_iter_ + 1))
    assert display.line_.get_color() == "green"
    assert display.ax_.get_legend().get_texts()[0].get_text() == "mine"
    with pytest.raises(TypeError, match=r"keeps no loss curve: train it with fastbp\.record"):
        LossCurveDisplay.from_estimator(regressor.network_)


def test_the_loss_of_held_out_rows_is_a_dashed_line_beside_the_other():
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 3))
    model = BackpropRegressor(max_iter=3, hidden_layer_sizes=4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.set_params(warm_start=True).fit(X, X[:, 0])
        model.fit(X, X[:, 0], X_val=X[:9], y_val=X[:9, 0])
    display = LossCurveDisplay.from_estimator(model, name="mine")
    assert display.line_.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
    assert display.validation_line_.get_xdata().tolist() == [4, 5, 6]
    assert display.validation_line_.get_ydata().tolist() == model.validation_loss_curve_
    assert display.validation_line_.get_color() == display.line_.get_color()
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["mine", "mine, held-out rows"]


def test_losses_of_a_stream_stand_at_their_own_epochs():
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 3))
    model = BackpropRegressor(max_iter=3, hidden_layer_sizes=4, random_state=0, warm_start=True)

    def stream(n):
        for i in range(n):
            model.partial_fit(X[i % 60, np.newaxis], X[i % 60, :1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stream(2500)  # of which 1499 are dropped
        model.fit(X, X[:, 0], X_val=X[:9], y_val=X[:9, 0])
        stream(4400)  # of which 1001 are dropped, three times
    display = LossCurveDisplay.from_estimator(model)
    expected = [*range(1002, 2504), *range(5507, 6904)]
    assert model.n_iter_ == 6903
    assert display.line_.get_xdata().tolist() == expected
    assert display.validation_line_.get_xdata().tolist() == [2501, 2502, 2503]


def test_a_curve_that_falls_far_is_logarithmic_and_a_diverged_one_says_so():
    assert LossCurveDisplay(epochs=[1, 2], losses=[1, 1e-3]).plot().ax_.get_yscale() == "log"
    assert LossCurveDisplay(epochs=[1, 2], losses=[1, 0.5]).plot().ax_.get_yscale() == "linear"
    diverged = LossCurveDisplay(epochs=[1, 2], losses=[1, np.inf]).plot()
    assert diverged.line_.get_ydata().tolist() == [1]
    assert "diverged" in diverged.ax_.get_legend().get_texts()[0].get_text()
    assert texts_of(diverged) == []


def test_a_fit_that_diverged_in_its_first_epoch_says_so_in_the_axes():
    model = BackpropRegressor(learning_rate_init=1e9, random_state=0)
    with pytest.warns(DivergenceWarning):
        model.fit(X, Y)
    assert model.loss_curve_ == [np.inf]
    display = LossCurveDisplay.from_estimator(model)
    (text,) = texts_of(display)
    assert "diverged in the first epoch" in text


def test_the_gradient_flow_has_a_line_for_each_layer(recorded):
    _, recording = recorded
    display = GradientFlowDisplay.from_recording(recording)
    for layer, line in enumerate(display.lines_):
        assert np.array_equal(line.get_ydata(), recording.gradient_norms[:, layer])
    dead = GradientFlowDisplay(epochs=[0, 1], gradient_norms=[[1.0, 2.0], [0.0, 1.0]]).plot()
    labels = [text.get_text() for text in dead.ax_.get_legend().get_texts()]
    assert labels == ["layer 1 (first): 0 in the end", "layer 2 (last)"]


# -- loss surface ---------------------------------------------------------------------------------


def test_the_surface_of_one_parameter_is_the_loss_there(regressor):
    display = LossSurfaceDisplay.from_estimator(
        regressor, X, Y, parameters=[(2, 3, 0)], span=2.0, n_points=5
    )
    network = regressor.network_.copy()
    value = network.weights[1][3, 0]
    assert np.allclose(display.coordinates[0], value + np.array([-2, -1, 0, 1, 2]))
    for x, loss in zip(display.coordinates[0], display.losses, strict=True):
        network.weights[1][3, 0] = x
        assert loss == pytest.approx(network.loss(X, Y), rel=1e-12)
    slopes = sensitivity_of_loss(regressor, X, Y)
    assert display.slope == pytest.approx(slopes.weights[1][3, 0])
    assert (display.here, display.loss) == ((value,), pytest.approx(slopes.loss))
    assert display.labels == ["W[2][3, 0]"]


def test_two_parameters_a_bias_among_them(regressor):
    display = LossSurfaceDisplay.from_estimator(
        regressor, X, Y, parameters=[(1, 2, 1), (1, None, 4)], n_points=4
    )
    network = regressor.network_.copy()
    for (row, column), loss in np.ndenumerate(display.losses):
        network.weights[0][2, 1] = display.coordinates[0][column]
        network.biases[0][4] = display.coordinates[1][row]
        assert loss == pytest.approx(network.loss(X, Y), rel=1e-12)
    assert display.labels == ["W[1][2, 1]", "b[1][4]"]


def test_the_way_ends_at_the_model_and_lies_within_the_picture(recorded):
    model, recording = recorded
    for options in ({}, {"parameters": [(1, 0, 0), (2, 1, 2)]}, {"parameters": [(2, None, 1)]}):
        display = LossSurfaceDisplay.from_estimator(
            model, X, LABELS, recording=recording, n_points=5, **options
        )
        assert np.allclose(display.path[-1], display.here, atol=1e-12)
        for k, coordinates in enumerate(display.coordinates):
            assert coordinates.min() < display.path[:, k].min()
            assert coordinates.max() > display.path[:, k].max()
        assert display.path_losses[-1] == pytest.approx(display.loss)
        legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert any(text.startswith("path of training") for text in legend)
        if not options:
            assert display.labels[0].startswith("principal direction 1 (")
    start = LossSurfaceDisplay.from_estimator(
        model, X, LABELS, recording=recording, n_points=5, parameters=[(1, 0, 0)]
    ).path[0, 0]
    assert start == recording.weights(0)[0][0, 0]


def test_a_direction_is_taken_at_length_one(regressor):
    direction = np.zeros(regressor.network_.n_parameters)
    direction[-1] = 7.0  # the last bias
    options = {"span": 1.0, "n_points": 3}
    along = LossSurfaceDisplay.from_estimator(regressor, X, Y, directions=[direction], **options)
    bias = LossSurfaceDisplay.from_estimator(regressor, X, Y, parameters=[(2, None, 0)], **options)
    assert np.allclose(along.losses, bias.losses)
    assert along.coordinates[0].tolist() == [-1, 0, 1]


BAD_SURFACES = [
    ({}, ValueError, "Choose parameters, such as"),
    ({"parameters": [(1, 0, 0)] * 3}, ValueError, "One or two .* got 3"),
    ({"parameters": [(3, 0, 0)]}, ValueError, "layer must be 1 to 2; got 3"),
    ({"parameters": [(1, 9, 0)]}, ValueError, "i must be 0 to 3; got 9"),
    ({"parameters": [(1, 0, 5)]}, ValueError, "j must be 0 to 4; got 5"),
    ({"directions": [[1, 2]]}, ValueError, "must have 31 finite values"),
    ({"directions": [np.zeros(31)]}, ValueError, "is zero"),
    ({"directions": [np.ones(31)], "parameters": [(1, 0, 0)]}, ValueError, "not both"),
    ({"parameters": [(1, 0, 0)], "span": -1}, ValueError, "span must be greater than 0"),
    ({"parameters": [(1, 0, 0)], "n_points": 1}, ValueError, "n_points must be at least 3"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_SURFACES)
def test_a_surface_that_does_not_exist(regressor, options, error, message):
    with pytest.raises(error, match=message):
        LossSurfaceDisplay.from_estimator(regressor, X, Y, **options)


def test_a_recording_of_another_network(regressor, recorded):
    with pytest.raises(ValueError, match="recording is of a network of layers"):
        LossSurfaceDisplay.from_estimator(regressor, X, Y, recording=recorded[1])


# -- sensitivities and networks -------------------------------------------------------------------


def test_bars_are_means_with_and_without_sign(regressor):
    display = SensitivityDisplay.from_estimator(regressor, X, max_features=3)
    size = regressor.sensitivity(X, summary="mean_absolute")[0]
    mean = regressor.sensitivity(X, summary="mean")[0]
    assert display.shown_.tolist() == np.argsort(-size)[:3].tolist()
    widths = [bar.get_width() for bar in display.ax_.patches]
    assert np.allclose(np.abs(widths[:3]), size[display.shown_])
    assert np.allclose(widths[3:], mean[display.shown_])
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == [X.columns[k] for k in display.shown_]
    assert display.ax_.get_title(loc="left") == "the 3 strongest of 4 features"


def test_axes_name_what_has_no_names_as_the_page_does():
    values = X.to_numpy()
    two = BackpropClassifier(**SMALL).fit(values, LABELS == "a")
    display = SensitivityDisplay.from_estimator(two, values)
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert sorted(labels) == ["x[0]", "x[1]", "x[2]", "x[3]"]
    assert set(labels) <= set(texts_of(NetworkDisplay.from_estimator(two)))
    assert display.ax_.get_xlabel().startswith("derivative of the probability of class True\n")
    three = BackpropClassifier(**SMALL).fit(values, np.arange(60) % 3)
    display = SensitivityDisplay.from_estimator(three, values)
    labels = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert labels == ["class 0", "class 1", "class 2"]
    number = BackpropRegressor(**SMALL).fit(values, Y)
    display = SensitivityDisplay.from_estimator(number, values)
    assert display.ax_.get_xlabel().startswith("derivative of output 0\n")


def test_several_outputs_are_a_table(recorded):
    model, _ = recorded
    display = SensitivityDisplay.from_estimator(model, X, relative=True)
    mean = model.sensitivity(X, summary="mean", relative=True)
    assert texts_of(display) == [f"{v:.2g}" for v in mean[:, display.shown_].T.ravel()]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["a", "b", "c"]


def test_a_network_is_drawn_with_names_signs_and_sizes(recorded):
    model, _ = recorded
    display = NetworkDisplay.from_estimator(model)
    texts = texts_of(display)
    assert {*X.columns, "a", "b", "c"} <= set(texts)
    assert {"4 inputs", "5 units\ntanh", "3 outputs\nsoftmax"} <= set(texts)
    lines = display.ax_.collections[0]
    sizes = np.abs(model.coefs_[0]).ravel()
    order = np.argsort(sizes, kind="stable")
    widths = lines.get_linewidths()
    assert len(widths) == 20
    assert np.all(np.diff(widths) >= 0)
    blue = [colour[2] > colour[0] for colour in lines.get_colors()]
    assert blue == (model.coefs_[0].ravel()[order] > 0).tolist()


def test_a_large_network_is_drawn_in_part_and_says_so(tmp_path):
    network = Network((784, 30, 2), random_state=0)
    network.weights[0][17] = 9.0
    display = NetworkDisplay.from_estimator(network, max_units=8)
    assert [len(units) for units in display.shown_] == [8, 8, 2]
    assert 17 in display.shown_[0]
    assert "x[17]" in texts_of(display)
    assert "8 of 784 inputs shown" in texts_of(display)
    assert "8 of 30 units shown\nrelu" in texts_of(display)
    display.figure_.savefig(tmp_path / "network.svg")
    assert (tmp_path / "network.svg").stat().st_size < 200_000


@pytest.mark.parametrize("names", [["$a$", "cost $"], ["$\\frac$", "a_^{$b$"], ["\x1b[2J", "a\nb"]])
def test_names_are_no_formulas_and_are_drawn_as_text(names, tmp_path):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=names)
    y = np.where(X[names[0]] > 0, *names)
    model = BackpropClassifier(hidden_layer_sizes=(2,), random_state=0)
    model.partial_fit(X, y, classes=sorted(names))
    for display in (
        NetworkDisplay.from_estimator(model),
        SensitivityDisplay.from_estimator(model, X),
    ):
        display.figure_.savefig(tmp_path / "picture.svg")
        drawn = [text.get_text() for text in display.ax_.findobj(mpl.text.Text)]
        shown = {text.replace(r"\$", "$") for text in drawn}
        assert set(map(printable, names)) <= shown
        assert not any(mpl.cbook.is_math_text(text) for text in drawn)


def test_a_network_of_zeros_can_be_drawn():
    network = Network((1, 1), random_state=0)
    network.weights, network.biases = [[[0.0]]], [[0.0]]
    NetworkDisplay.from_estimator(network).figure_.canvas.draw()
    SensitivityDisplay.from_estimator(network, [[1.0]]).figure_.canvas.draw()
    curve = LossSurfaceDisplay.from_estimator(network, [[0.0]], [0.0], parameters=[(1, 0, 0)] * 2)
    curve.figure_.canvas.draw()


# -- learning rates --------------------------------------------------------------------------------


def test_rates_are_too_small_right_and_too_large():
    model = BackpropRegressor(**{**SMALL, "max_iter": 20}, early_stopping=True)
    display = LearningRateDisplay.from_estimator(model, X, Y, rates=[1e-4, 0.03, 1e3, 0.01])
    assert not hasattr(model, "network_")
    np.testing.assert_array_equal(display.rates, [1e-4, 0.01, 0.03, 1e3])
    assert display.best_rate in (0.01, 0.03)
    assert display.losses[0] > 1.05 * display.losses.min()
    texts = [text.get_text() for text in display.ax_.texts]
    assert "too small" in texts
    assert "too large" in texts
    assert display.ax_.get_ylabel() == "loss of held-out rows"
    assert "0.001, its own" in display.ax_.get_legend().get_texts()[0].get_text()


def test_the_loss_of_a_rate_is_that_of_a_fit_at_this_rate():
    model = BackpropClassifier(**SMALL)
    display = LearningRateDisplay.from_estimator(model, X, LABELS, rates=[0.01])
    assert display.losses[0] == model.set_params(learning_rate_init=0.01).fit(X, LABELS).loss_
    assert display.ax_.get_ylabel() == "loss in the last epoch"


def test_rates_at_which_training_diverges_are_crosses():
    display = LearningRateDisplay(rates=[0.1, 10], losses=[0.5, np.inf]).plot()
    assert display.best_rate == 0.1
    assert [line.get_marker() for line in display.ax_.lines] == ["o", "x"]
    LearningRateDisplay(rates=[0.1], losses=[np.nan]).plot()


@pytest.mark.parametrize("rates", [[0.0], [-1], ["x"]])
def test_rates_that_are_none_are_refused(rates):
    with pytest.raises((TypeError, ValueError), match=r"rates\[0\]"):
        LearningRateDisplay.from_estimator(BackpropRegressor(**SMALL), X, Y, rates=rates)
