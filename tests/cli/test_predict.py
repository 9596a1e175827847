"""`fastbp predict`: the columns of the model, found in another file, and what comes of them."""

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from people import done, people, refusal, result, run
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastbp
from fastbp.cli import main

EPOCHS = {"hidden_layer_sizes": (5,), "max_iter": 12, "n_iter_no_change": np.inf}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with a model of pay and one of cities."""
    folder = tmp_path_factory.mktemp("models")
    path = folder / "people.csv"
    people(150).to_csv(path, index=False)
    for target in ("pay", "city"):
        output = folder / f"{target}.fbp"
        assert main(["fit", str(path), "--target", target, "--output", str(output)]) == 0
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, models):
    """Each test runs in a folder of its own, which has the models."""
    for model in models.glob("*.fbp"):
        os.link(model, tmp_path / model.name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows():
    """Rows as the model takes them."""
    frame = people(40, seed=1).drop(columns=["pay", "name"])
    frame.to_csv("new.csv", index=False)
    return frame


def expected(frame, target):
    """What the model predicts of rows from a file."""
    model = fastbp.load(f"{target}.fbp")
    days = (pd.to_datetime(frame["since"]) - pd.Timestamp(0)) / pd.Timedelta(days=1)
    X = frame.assign(since=days, member=frame["member"].astype(str))
    return model.predict(X[list(model.feature_names_in_)])


def test_predictions_are_written_row_by_row(capsys):
    frame = rows()
    assert done(capsys, "predict", "pay.fbp", "new.csv", "-o", "out.csv") == (
        "out.csv: 40 predictions\n"
    )
    written = pd.read_csv("out.csv")
    assert list(written.columns) == ["prediction"]
    np.testing.assert_array_equal(written["prediction"], expected(frame, "pay"))
    assert done(capsys, "predict", "pay.fbp", "new.csv") == Path("out.csv").read_text()


def test_probabilities_sum_up_to_one_and_have_the_names_of_the_classes(capsys):
    frame = people(40, seed=1)
    frame.to_csv("new.csv", index=False)
    out = pd.read_csv(io.StringIO(done(capsys, "predict", "city.fbp", "new.csv", "--proba")))
    names = ["probability of Bern", "probability of Genève", "probability of Zürich"]
    assert list(out.columns) == ["prediction", *names]
    np.testing.assert_allclose(out[names].sum(axis=1), 1)
    best = out[names].idxmax(axis=1).str.removeprefix("probability of ")
    assert (best == out["prediction"]).all()
    assert "predicts numbers" in refusal(capsys, "predict", "pay.fbp", "new.csv", "--proba")


def test_another_dialect_and_order_of_columns_give_the_same(capsys):
    frame = rows()
    text = frame[frame.columns[::-1]].to_csv(index=False, sep=";", decimal=",")
    Path("neu.csv").write_bytes(f"Leute;;\n\n{text}".encode("utf-16"))
    plain = done(capsys, "predict", "pay.fbp", "new.csv")
    assert done(capsys, "predict", "pay.fbp", "neu.csv") == plain
    frame.to_parquet("new.parquet")
    assert done(capsys, "predict", "pay.fbp", "new.parquet") == plain


def test_json_has_the_predictions(capsys):
    frame = rows()
    told = result(capsys, "predict", "pay.fbp", "new.csv")
    assert told["rows"] == 40
    np.testing.assert_array_equal(told["prediction"], expected(frame, "pay"))


def test_what_the_model_has_not_seen_is_told_on_stderr(capsys):
    frame = rows()
    frame["city"] = ["Paris", "Rome", *frame["city"][2:]]
    frame["age"] = ["many", *frame["age"][1:].astype(str).replace("nan", "")]
    frame.to_csv("new.csv", index=False)
    code, out, err = run(capsys, "predict", "pay.fbp", "new.csv")
    assert code == 0
    assert len(out.splitlines()) == 41
    assert "age: read as missing: 1 value such as 'many'" in err
    assert "city: the model has not seen 2 values such as 'Paris'" in err


def test_a_column_that_looks_otherwise_is_read_as_the_model_was_trained(capsys):
    frame = rows()
    frame["city"] = "7"
    frame["age"] = ""
    frame.to_csv("new.csv", index=False)
    code, out, _ = run(capsys, "predict", "pay.fbp", "new.csv")
    assert code == 0
    assert len(out.splitlines()) == 41


def test_mistakes_are_one_line(capsys):
    frame = rows()
    frame.drop(columns=["age", "city"]).to_csv("less.csv", index=False)
    frame.assign(age="old").to_csv("words.csv", index=False)
    frame.rename(columns={"age": "Age (y)"}).to_csv("renamed.csv", index=False)
    Path("junk.fbp").write_bytes(b"junk")
    for arguments, said in {
        (
            "pay.fbp",
            "less.csv",
        ): "less.csv has no columns age, city, which the model",
        ("pay.fbp", "renamed.csv"): "renamed.csv has no column age, which the model was trained "
        "on; did you mean Age (y)?",
        ("pay.fbp", "words.csv"): "the column age of words.csv has no numbers, such as 'old'",
        ("none.fbp", "new.csv"): "there is no file none.fbp",
        (".", "new.csv"): ". is a folder",
        ("junk.fbp", "new.csv"): "cannot read junk.fbp",
        ("pay.fbp", "none.csv"): "there is no file none.csv",
        ("pay.fbp", "new.csv", "-o", "nowhere/out.csv"): "there is no folder nowhere",
    }.items():
        assert said in refusal(capsys, "predict", *arguments)


def test_models_that_were_not_fitted_here_predict_by_the_names_of_their_columns(capsys):
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(60, 2)), columns=["a", "b"])
    model = fastbp.BackpropRegressor(**EPOCHS).fit(X, X["a"])
    fastbp.save(model, "own.fbp")
    X[["b", "a"]].to_csv("rows.csv", index=False)
    out = pd.read_csv(io.StringIO(done(capsys, "predict", "own.fbp", "rows.csv")))
    np.testing.assert_allclose(out["prediction"], model.predict(X))
    fastbp.save(make_pipeline(StandardScaler(), model).fit(X, X["a"]), "own.fbp")
    assert len(done(capsys, "predict", "own.fbp", "rows.csv").splitlines()) == 61
    fastbp.save(fastbp.BackpropRegressor(**EPOCHS).fit(X.to_numpy(), X["a"]), "own.fbp")
    assert "does not say what its columns" in refusal(capsys, "predict", "own.fbp", "rows.csv")


# -- info ------------------------------------------------------------------------------------


def test_info_says_what_a_file_holds(capsys):
    out = done(capsys, "info", "city.fbp")
    assert out.startswith("city.fbp: Pipeline that ends in a BackpropClassifier, ")
    assert "  classes: Bern, Genève, Zürich\n" in out
    assert "  numbers: age, pay\n" in out
    assert "  dates: since\n" in out
    assert "  text: member\n" in out
    told = result(capsys, "info", "city.fbp")
    assert told["columns"] == {"numbers": ["age", "pay"], "dates": ["since"], "text": ["member"]}
    assert told["classes"] == ["Bern", "Genève", "Zürich"]


def test_info_knows_other_models_too(capsys):
    fastbp.save(fastbp.Network((2, 3, 1), random_state=0), "network.fbp")
    assert "  layers: 2, 3, 1\n" in done(capsys, "info", "network.fbp")
    assert refusal(capsys, "info", "none.fbp") == "there is no file none.fbp"


# -- export ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["pay", "city"])
def test_onnx_takes_the_columns_of_the_file(capsys, target):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("skl2onnx")
    frame = people(40, seed=1)
    out = done(capsys, "export", f"{target}.fbp", "--onnx", "model.onnx")
    assert "  age: float64\n" in out
    assert "  since: float64, days since 1970-01-01\n" in out
    days = (pd.to_datetime(frame["since"]) - pd.Timestamp(0)) / pd.Timedelta(days=1)
    frame = frame.assign(since=days, member=frame["member"].astype(str))
    session = runtime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    inputs = {one.name: frame[[one.name]].to_numpy() for one in session.get_inputs()}
    predicted = session.run(None, inputs)[0].ravel()
    model = fastbp.load(f"{target}.fbp")
    expected = model.predict(frame[list(model.feature_names_in_)])
    if target == "city":
        assert predicted.tolist() == expected.tolist()
    else:
        np.testing.assert_allclose(predicted, expected, rtol=1e-9)


def test_onnx_says_what_the_inputs_are_called_whose_columns_are_no_identifiers(capsys):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("skl2onnx")
    X = np.random.default_rng(0).normal(size=(60, 2))
    frame = pd.DataFrame(X, columns=["Sales (€)", "Sales [€]"]).assign(y=X.sum(axis=1))
    frame.to_csv("sales.csv", index=False)
    done(capsys, "fit", "sales.csv", "--target", "y", "-o", "sales.fbp")
    out = done(capsys, "export", "sales.fbp", "--onnx", "sales.onnx")
    session = runtime.InferenceSession("sales.onnx", providers=["CPUExecutionProvider"])
    first, second = (one.name for one in session.get_inputs())
    assert f"  Sales (€) -> {first}: float64\n" in out
    assert f"  Sales [€] -> {second}: float64\n" in out
    told = result(capsys, "export", "sales.fbp", "--onnx", "sales.onnx")
    assert told["names"] == {"Sales (€)": first, "Sales [€]": second}


def test_names_in_c_begin_with_that_of_the_file(capsys):
    done(capsys, "export", "pay.fbp", "--c", "my-pay.c")
    assert "#define MY_PAY_N_INPUTS 8" in Path("my-pay.h").read_text(encoding="utf-8")


def test_an_identifier_is_carried_along(capsys):
    frame = rows().assign(code=[f"{i:04}" for i in range(40)], age=range(40))
    frame.to_csv("new.csv", index=False)
    arguments = ("predict", "pay.fbp", "new.csv", "--keep", "code", "--keep", "age")
    out = done(capsys, *arguments)
    assert out.splitlines()[0] == "code,age,prediction"
    assert out.splitlines()[1].startswith("0000,")
    assert [line.split(",")[0] for line in out.splitlines()[1:]] == frame["code"].tolist()
    lines = Path("new.csv").read_text(encoding="utf-8").splitlines()
    ages = [line.split(",")[lines[0].split(",").index("age")] for line in lines[1:]]
    assert [line.split(",")[1] for line in out.splitlines()[1:]] == ages
    assert "no column 'cod'; did you mean code" in refusal(capsys, *arguments[:-1], "cod")


def test_a_model_and_rows_the_wrong_way_round_are_seen(capsys):
    rows()
    assert refusal(capsys, "predict", "new.csv", "pay.fbp") == (
        "pay.fbp is a model and new.csv is none: first the model, then the rows"
    )


def test_what_is_no_model_is_said_to_be_what_it_is(capsys):
    for content, said in {
        b"": "it is no model of fastbp: it is empty",
        b"a,b\n1,2\n": "it is no model of fastbp: it is text, such as CSV",
        b"\x80\x04\x95": "it is a pickle, as pickle and joblib write",
        b"PK\x03\x04": "it is a zip archive, or a workbook of Excel",
        b"\0\1" * 20: "it is no model of fastbp",
    }.items():
        Path("other").write_bytes(content)
        assert refusal(capsys, "info", "other").endswith(said)


def test_the_comment_of_c_says_what_the_inputs_mean(capsys):
    done(capsys, "export", "pay.fbp", "--c", "model.c", "--name", "pay")
    source = Path("model.c").read_text(encoding="utf-8")
    comment = source[: source.index("*/")]
    assert " 0  age\n" in comment
    assert " 1  since: in days since 1970-01-01\n" in comment
    assert "city_Bern: 1 where city is 'Bern', else 0\n" in comment
    assert "#define PAY_N_INPUTS 8" in Path("model.h").read_text(encoding="utf-8")


def test_exports_that_cannot_be_are_one_line(capsys):
    for arguments, said in {
        ("pay.fbp", "--c", "model.txt"): 'path must end in ".c"',
        ("pay.fbp", "--c", "model.c", "--name", "a b"): "cannot be exported",
        ("pay.fbp", "--onnx", "nowhere/model.onnx"): "there is no folder nowhere",
        ("none.fbp", "--c", "model.c"): "there is no file none.fbp",
    }.items():
        assert said in refusal(capsys, "export", *arguments)
    assert run(capsys, "export", "pay.fbp")[0] == 2


def test_a_model_alone_becomes_onnx_and_c_as_by_its_methods(capsys):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    fastbp.save(fastbp.BackpropRegressor(**EPOCHS).fit(X, X["a"]), "own.fbp")
    assert "X: all columns" in done(capsys, "export", "own.fbp", "--onnx", "own.onnx")
    done(capsys, "export", "own.fbp", "--c", "own.c")
    assert " 0  a\n" in Path("own.c").read_text(encoding="utf-8")


# -- explain ---------------------------------------------------------------------------------


def test_explain_shows_a_step_of_a_saved_pipeline(capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    people(20, seed=1).to_csv("new.csv", index=False)
    for target in ("pay", "city"):
        out = done(
            capsys, "explain", f"{target}.fbp", "--data", "new.csv", "--target", target, "--row", 3
        )
        assert "One step of the model: fastbp_explain.html" in out
    assert (
        "city_Bern" in Path("fastbp_explain.html").read_text(encoding="utf-8") or target == "city"
    )
