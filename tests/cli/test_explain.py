"""`fastbp explain`: the stories, a training on a file, a user's model; mistakes."""

import json
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from plain_models import BackpropClassifier, BackpropRegressor
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fastbp
from fastbp import Network, trace_step
from fastbp.cli import main
from fastbp.cli.explain import command
from fastbp.cli.explain.salaries import STUDENTS, salaries
from fastbp.cli.explain.shower import TARGET, house_flow, shower, shower_flow

IRIS = load_iris(as_frame=True)
X = IRIS.data.assign(color=np.where(np.arange(150) % 2, "red", "blue"))
KIND = IRIS.target_names[IRIS.target]
KNOBS, FLOWS = ["main valve", "handle"], ["house flow", "shower flow"]
MEASURES = list(IRIS.data.columns)
EPOCHS = {"max_iter": 12, "n_iter_no_change": np.inf}  # enough for a network, without a warning
SETTINGS = {"hidden_layer_sizes": (5,), "random_state": 0, **EPOCHS}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder of its own with a table of irises, and no display."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    X.assign(kind=KIND).to_csv("iris.csv", index=False)
    return tmp_path


def run(capsys, *arguments):
    """Return exit code, standard output and standard error."""
    try:
        code = main(["explain", *map(str, arguments)])
    except SystemExit as exit_:
        code = exit_.code
    return code, *capsys.readouterr()


def page_of(path="fastbp_explain.html"):
    """The data that a page holds."""
    text = Path(path).read_text(encoding="utf-8")
    assert "https://" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    return json.loads(re.search(r'type="application/json" id="[\w-]+">(.*?)</script>', text)[1])


def explained(capsys, model, *arguments):
    """Save a model, explain it, and return the page's data."""
    joblib.dump(model, "model.joblib")
    code, out, err = run(capsys, "model.joblib", *arguments)
    assert (code, err) == (0, "")
    assert "One step of the model: fastbp_explain.html" in out
    return page_of()


def error_of(capsys, *arguments):
    """The one line that is said of a mistake."""
    code, _, err = run(capsys, *arguments)
    assert code == 1
    assert err.startswith("fastbp: ")
    assert err.count("\n") == 1
    return err.removeprefix("fastbp: ").strip()


# -- the stories -----------------------------------------------------------------------------


def test_without_arguments_there_are_the_nine_parameters_and_the_shower(capsys, folder):
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    page = page_of()
    assert page["layer_sizes"] == [2, 2, 1]
    assert page["names"] == {"features": ["CGPA", "profile score"], "outputs": ["package"]}
    tuning = page_of("fastbp_explain_shower.html")
    assert (tuning["knobs"], tuning["stages"]) == (KNOBS, FLOWS)
    assert tuning["error"] == shower().history["error"].tolist()
    assert f"open it in a browser: {(folder / 'fastbp_explain.html').as_uri()}" in out


def test_the_salary_network_has_nine_parameters_and_learns_step_by_step():
    recording = salaries()
    assert recording.network(0).n_parameters == 9
    assert recording.every == 1
    assert len(recording) == 24 * len(STUDENTS) + 1
    assert recording.losses[-1] < 0.01 * recording.losses[0]


def test_the_shower_gets_right_in_moves_few_enough_to_look_at():
    result = shower()
    assert result.status == "reached"
    assert 20 < result.n_evaluations < 100
    flow = shower_flow(house_flow(result.settings["main valve"]), result.settings["handle"])
    assert flow == pytest.approx(TARGET, rel=1e-3)


def test_the_command_line_reaches_it():
    command = [sys.executable, "-m", "fastbp", "explain", "--no-open", "--output", "page.html"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "The shower: page_shower.html" in done.stdout
    help_text = subprocess.run([*command[:4], "--help"], capture_output=True, text=True).stdout
    assert "can run any code" in help_text


# -- a training on a file ---------------------------------------------------------------------


def test_data_alone_records_a_training(capsys):
    code, out, _ = run(capsys, "--data", "iris.csv", "--target", "kind")
    assert code == 0
    assert re.search(r"  kind +the target: one of 3 classes", out)
    page = page_of()
    assert page["kind"] == "recording"
    assert page["layer_sizes"] == [6, 8, 3]
    assert page["names"]["features"] == [*MEASURES, "color_blue", "color_red"]
    assert page["names"]["outputs"] == ["setosa", "versicolor", "virginica"]


def test_the_rows_of_a_training_are_numbered_as_in_the_file(capsys):
    assert run(capsys, "--data", "iris.csv", "--target", "kind")[0] == 0
    page = page_of()
    steps = [frame for frame in page["frames"] if frame["n_rows"]]
    rows = [frame["row"] for frame in steps]
    measured = pd.read_csv("iris.csv")[MEASURES[2]].to_numpy()[rows]
    scaled = [frame["x"][page["names"]["features"].index(MEASURES[2])] for frame in steps]
    assert len(set(rows)) > 20
    assert np.corrcoef(measured, scaled)[0, 1] == pytest.approx(1, abs=1e-6)
    assert "standardised" in page["note"]


@pytest.mark.parametrize("row", [0, 441])
def test_data_with_a_row_is_a_step_of_the_trained_network(capsys, row):
    table = load_diabetes(as_frame=True, scaled=False).frame
    table.to_csv("diabetes.csv", index=False)
    arguments = ("--data", "diabetes.csv", "--target", "target", "--row", row)
    assert run(capsys, *arguments)[0] == 0
    page = page_of()
    assert page["kind"] == "step"
    assert page["names"]["outputs"] == ["target"]
    order = np.argsort(np.argsort(table.bmi, kind="stable"))[row] / len(table)
    bmi = frame_of(page)["x"][page["names"]["features"].index("bmi")]
    assert (bmi > 0) == (order > 0.5)


# -- a model of the user's --------------------------------------------------------------------


def frame_of(page):
    (frame,) = page["frames"]
    return frame


def test_the_step_is_that_of_the_pipelines_network_on_the_prepared_row(capsys):
    model = make_pipeline(StandardScaler(), BackpropClassifier(**SETTINGS)).fit(IRIS.data, KIND)
    page = explained(capsys, model, "--data", "iris.csv", "--target", "kind", "--row", 100)
    trace = trace_step(model[-1], model[:-1].transform(IRIS.data.iloc[[100]]), KIND[100])
    assert frame_of(page)["loss"] == trace.loss
    assert frame_of(page)["layers"][0]["W"] == trace.layers[0].W.tolist()
    assert page["names"]["features"] == MEASURES


def test_columns_encoded_on_the_way_keep_their_names(capsys):
    prepare = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (OneHotEncoder(), ["color"]),
    )
    model = make_pipeline(prepare, BackpropClassifier(**SETTINGS)).fit(X, KIND)
    page = explained(capsys, model, "--data", "iris.csv", "--target", "kind", "--row", 3)
    assert page["names"]["features"] == [*MEASURES, "color_blue", "color_red"]
    assert frame_of(page)["x"][-2:] == [0, 1]


def test_a_scaled_target_is_scaled_as_the_model_does(capsys):
    network = BackpropRegressor(**SETTINGS)
    scaled = TransformedTargetRegressor(network, transformer=StandardScaler())
    target = MEASURES[3]
    y = IRIS.data[target]
    model = make_pipeline(StandardScaler(), scaled).fit(IRIS.data[MEASURES[:3]], y)
    page = explained(capsys, model, "--data", "iris.csv", "--target", target, "--row", 7)
    assert frame_of(page)["y"] == pytest.approx([(y[7] - y.mean()) / y.std(ddof=0)])
    assert page["names"]["outputs"] == [target]


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_scikit_learns_own_perceptron_is_explained(capsys, solver):
    mlp = MLPClassifier(hidden_layer_sizes=(5,), solver=solver, tol=1e9, random_state=0)
    model = make_pipeline(StandardScaler(), mlp).fit(IRIS.data, KIND)
    page = explained(capsys, model, "--data", "iris.csv", "--target", "kind", "--row", 60)
    assert np.array_equal(frame_of(page)["layers"][0]["W"], mlp.coefs_[0])
    assert page["names"]["outputs"] == mlp.classes_.tolist()
    assert page["solver"]["solver"] == ("adam" if solver == "adam" else "sgd")


def test_the_best_of_a_search_is_explained(capsys):
    pipeline = make_pipeline(StandardScaler(), BackpropClassifier(**SETTINGS))
    search = GridSearchCV(pipeline, {"backpropclassifier__alpha": [0, 0.1]}, cv=2)
    page = explained(capsys, search.fit(IRIS.data, KIND), "--data", "iris.csv", "--target", "kind")
    assert page["layer_sizes"] == [4, 5, 3]


def test_a_network_takes_columns_by_their_order_and_several_targets(capsys):
    IRIS.data.to_csv("numbers.csv", index=False)
    network = Network((2, 3, 2), random_state=0)
    targets = ("--target", MEASURES[2], "--target", MEASURES[3])
    page = explained(capsys, network, "--data", "numbers.csv", *targets, "--learning-rate", "0.5")
    assert frame_of(page)["x"] == IRIS.data.iloc[0, :2].tolist()
    assert frame_of(page)["y"] == IRIS.data.iloc[0, 2:].tolist()
    assert page["solver"]["learning_rate"] == 0.5
    assert page["names"]["features"] == MEASURES[:2]


def test_numbers_with_a_decimal_comma_are_read_as_numbers(capsys):
    text = IRIS.data.assign(kind=IRIS.target).to_csv(sep=";", decimal=",", index=False)
    Path("comma.csv").write_text(text)
    model = BackpropClassifier(**SETTINGS).fit(IRIS.data, IRIS.target)
    page = explained(capsys, model, "--data", "comma.csv", "--target", "kind", "--row", 60)
    assert frame_of(page)["x"] == IRIS.data.iloc[60].tolist()


def test_labels_are_matched_as_text_where_the_file_has_numbers(capsys):
    IRIS.data.assign(kind=IRIS.target).to_csv("codes.csv", index=False)
    model = BackpropClassifier(**SETTINGS).fit(IRIS.data, IRIS.target.astype(float).astype(str))
    page = explained(capsys, model, "--data", "codes.csv", "--target", "kind", "--row", 149)
    assert frame_of(page)["y"] == [0, 0, 1]


@pytest.mark.parametrize(
    "model",
    [
        Network((3, 2), random_state=0),
        Network((3, 2), loss="log_loss", random_state=0),
        Network((3, 1), loss="log_loss", random_state=0),
        make_pipeline(StandardScaler(), BackpropClassifier(**SETTINGS)).fit(IRIS.data, KIND),
        BackpropClassifier(**SETTINGS).fit(IRIS.data, KIND),
        BackpropRegressor(**SETTINGS).fit(IRIS.data, IRIS.target),
    ],
    ids=lambda model: type(model).__name__,
)
def test_without_data_the_row_is_all_zeros(capsys, model):
    page = explained(capsys, model)
    assert not any(frame_of(page)["x"])


@pytest.mark.parametrize("kind", [fastbp.BackpropClassifier, fastbp.BackpropRegressor])
def test_without_data_the_row_has_the_centers_of_inputs_that_the_model_scales(capsys, kind):
    model = kind(**SETTINGS).fit(IRIS.data, IRIS.target)
    page = explained(capsys, model)
    assert not any(frame_of(page)["x"])
    assert "standardized" in page["note"]
    if kind is fastbp.BackpropRegressor:
        assert frame_of(page)["y"] == [0]


def test_without_data_inputs_are_called_what_the_pipeline_was_fitted_with(capsys):
    model = make_pipeline(StandardScaler(), BackpropClassifier(**SETTINGS)).fit(IRIS.data, KIND)
    assert explained(capsys, model)["names"]["features"] == MEASURES
    model = make_pipeline(PCA(), BackpropClassifier(**SETTINGS)).fit(IRIS.data, KIND)
    assert explained(capsys, model)["names"]["features"] == ["pca0", "pca1", "pca2", "pca3"]


def test_a_pickle_is_read_too_and_left_as_it_was(capsys, folder):
    model = BackpropClassifier(**SETTINGS).fit(IRIS.data, KIND)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    before = (folder / "model.pkl").read_bytes()
    assert run(capsys, "model.pkl", "--data", "iris.csv", "--target", "kind")[0] == 0
    assert (folder / "model.pkl").read_bytes() == before


# -- where it opens ---------------------------------------------------------------------------


def test_a_browser_opens_where_there_is_a_display_unless_told_not_to(capsys, monkeypatch, folder):
    opened = []
    monkeypatch.setattr(command.webbrowser, "open", lambda uri: opened.append(uri) or True)
    joblib.dump(Network((2, 1), random_state=0), "net.joblib")
    run(capsys, "net.joblib")
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    run(capsys, "net.joblib", "--no-open")
    assert opened == []
    _, out, _ = run(capsys, "net.joblib", "--output", "net.html")
    assert opened == [(folder / "net.html").as_uri()]
    assert "open it in a browser" not in out


# -- mistakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (BackpropClassifier(), "is not fitted: This BackpropClassifier instance is not fitted yet"),
        (make_pipeline(StandardScaler(), BackpropClassifier()), "is not fitted"),
        (GridSearchCV(BackpropClassifier(), {}), "is not fitted"),
        (LinearRegression().fit(IRIS.data, IRIS.target), "holds a LinearRegression; explain needs"),
        (
            make_pipeline(StandardScaler(), LinearRegression()).fit(IRIS.data, IRIS.target),
            "holds a LinearRegression, in a Pipeline; explain needs",
        ),
        ({"weights": 3}, "holds a dict; explain needs"),
    ],
)
def test_what_holds_no_fitted_network_is_named(capsys, model, said):
    joblib.dump(model, "model.joblib")
    assert said in error_of(capsys, "model.joblib", "--data", "iris.csv", "--target", "kind")


def test_files_that_are_no_models_are_named(capsys, folder):
    for name in ("nothing.pkl", "x" * 300):
        assert error_of(capsys, name) == f"there is no file {name}"
    assert "is a folder" in error_of(capsys, folder)
    for content in (b"", b"hello", b"\x80\x04.", b"cnowhere\nNothing\n."):
        (folder / "junk.pkl").write_bytes(content)
        assert "junk.pkl cannot be loaded as a model" in error_of(capsys, "junk.pkl")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "iris.csv", "--target", "kin"), "did you mean kind?"),
        (("--data", "none.csv", "--target", "kind"), "there is no file none.csv"),
        (("--data", "iris.csv", "--target", "kind", "--row", 150), "iris.csv has rows 0 to 149"),
        (("--data", "iris.csv", "--target", "kind", "--row", -1), "there is no row -1"),
        (("--data", "other.csv", "--target", "kind"), "has no column sepal width (cm), which"),
        (("--data", "strange.csv", "--target", "kind"), "'rose', but the model knows setosa, ver"),
        (("--data", "gap.csv", "--target", "kind"), "row 0 of gap.csv has no kind"),
        (("--data", "text.csv", "--target", "kind"), "cannot take this row"),
        (("--output", "nowhere/page.html"), "there is no folder nowhere"),
        (("--output", "."), "is a folder"),
    ],
)
def test_mistakes_are_one_line(capsys, arguments, said):
    joblib.dump(BackpropClassifier(**SETTINGS).fit(IRIS.data, KIND), "model.joblib")
    table = pd.read_csv("iris.csv")
    table.drop(columns=MEASURES[1]).to_csv("other.csv", index=False)
    table.assign(kind="rose").to_csv("strange.csv", index=False)
    table.assign(kind=[None, *KIND[1:]]).to_csv("gap.csv", index=False)
    table.assign(**{MEASURES[0]: "long"}).to_csv("text.csv", index=False)
    assert said in error_of(capsys, "model.joblib", *arguments)


def test_a_place_where_nothing_can_be_written_is_named(capsys, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    joblib.dump(Network((2, 1), random_state=0), "net.joblib")
    monkeypatch.setattr("fastbp.io.files.os.write", refuse)
    said = error_of(capsys, "net.joblib", "--output", "page.html")
    assert said == "cannot write page.html: No space left on device"


@pytest.mark.skipif(os.name != "posix", reason="named pipes as POSIX has them")
def test_a_page_into_a_named_pipe_is_not_opened_in_a_browser(capsys, monkeypatch):
    os.mkfifo("pipe")
    monkeypatch.setattr(command, "_has_display", lambda: True)
    monkeypatch.setattr(command.webbrowser, "open", lambda address: pytest.fail("no page there"))
    joblib.dump(Network((2, 1), random_state=0), "net.joblib")
    read = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_text(encoding="utf-8")))
    reader.start()
    code, out, err = run(capsys, "net.joblib", "--output", "pipe")
    reader.join()
    assert (code, err) == (0, "")
    assert out.endswith("One step of the model: pipe\n")
    assert read[0].startswith("<!doctype html>")
    assert error_of(capsys, "--output", "pipe").startswith("pipe is no regular file: two pages")


RED, CLEAR = "\x1b[31mred\x07", "\x1b[2J"


def is_plain(text):
    return all(line.isprintable() for line in text.split("\n"))


def hostile_table():
    """Write the irises with names and classes that a terminal would obey; return its path."""
    path = f"{CLEAR}.csv" if os.name == "posix" else "table.csv"
    names = [RED, "a\nb", "$x$", "\u202ec"]
    frame = IRIS.data.set_axis(names, axis=1).assign(**{"kind\x9b": KIND + CLEAR})
    frame.to_csv(path, index=False)
    return frame, path


def test_names_are_printed_and_shown_as_text(capsys):
    frame, path = hostile_table()
    code, out, err = run(capsys, "--data", path, "--target", r"kind\x9b", "--row", "3")
    assert (code, err) == (0, "")
    assert is_plain(out)
    names = [r"\x1b[31mred\x07", r"a\nb", "$x$", r"\u202ec"]
    classes = [rf"{kind}\x1b[2J" for kind in IRIS.target_names]
    assert page_of()["names"] == {"features": names, "outputs": classes}
    model = BackpropClassifier(**SETTINGS).fit(frame[frame.columns[:4]], frame["kind\x9b"])
    assert explained(capsys, model)["names"] == {"features": names, "outputs": classes}


def test_names_in_mistakes_are_printed_as_text(capsys):
    frame, _ = hostile_table()
    model = BackpropClassifier(**SETTINGS).fit(frame[frame.columns[:4]], frame["kind\x9b"])
    joblib.dump(model, "model.joblib")
    frame.assign(**{"kind\x9b": f"{RED}rose"}).to_csv("strange.csv", index=False)
    frame.drop(columns=RED).to_csv("other.csv", index=False)
    frame.assign(**{RED: f"{CLEAR}long"}).to_csv("text.csv", index=False)
    frame.assign(**{"kind\x9b": None}).to_csv("gap.csv", index=False)
    for name, said in {
        "strange.csv": r"\x1b[31mred\x07rose', but the model knows setosa\x1b[2J",
        "other.csv": r"has no column \x1b[31mred\x07",
        "text.csv": "cannot take this row",
        "gap.csv": r"has no kind\x9b",
    }.items():
        message = error_of(capsys, "model.joblib", "--data", name, "--target", "kind\x9b")
        assert said in message
        assert is_plain(message)


def test_a_file_of_another_width_is_named(capsys):
    joblib.dump(Network((7, 1), random_state=0), "net.joblib")
    said = error_of(capsys, "net.joblib", "--data", "iris.csv", "--target", "kind")
    assert (
        said == "iris.csv has 5 columns besides the target, but the model was trained on 7 inputs"
    )


def test_a_row_that_a_training_does_not_have_is_named(capsys):
    said = error_of(capsys, "--data", "iris.csv", "--target", "kind", "--row", 150)
    assert said == "iris.csv has no row 150 with a kind; its rows are 0 to 149"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("model.joblib", "--data", "iris.csv"), "--data FILE and --target COLUMN go together"),
        (("--target", "kind"), "--data FILE and --target COLUMN go together"),
        (("model.joblib", "--row", 3), "--row needs --data FILE"),
        (("--learning-rate", "0.1"), "--learning-rate needs a MODEL"),
        (("model.joblib", "--learning-rate", "0"), "'0' is not a number above 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(capsys, arguments, said):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert said in err


def test_a_model_with_balanced_classes_takes_its_step_with_weight_1(capsys):
    model = BackpropClassifier(class_weight="balanced", **SETTINGS).fit(X[MEASURES], KIND)
    joblib.dump(model, "model.joblib")
    for arguments in ((), ("--data", "iris.csv", "--target", "kind", "--row", 77)):
        code, out, err = run(capsys, "model.joblib", *arguments)
        assert (code, err) == (0, "")
        assert "the row with weight 1" in out
    (frame,) = page_of()["frames"]
    model.set_params(class_weight=None)
    expected = trace_step(model, X[MEASURES].iloc[77], KIND[77]).to_dict()
    assert frame["weight"] == 1
    assert frame["layers"][0]["new_W"] == expected["layers"][0]["new_W"]
