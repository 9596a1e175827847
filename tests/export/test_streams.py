"""Models of streams outside of Python: through onnxruntime, as compiled C, and as arrays."""

import json

import numpy as np
import pytest
from c_programs import COMPILERS, SANITIZED, Exported, run
from fuzz import streams

from fastbp.export import description_of
from fastbp.export.forward import outputs_of
from fastbp.online import OnlineClassifier, OnlineRegressor

needs_compiler = pytest.mark.skipif(not COMPILERS, reason="there is no C compiler: gcc or clang")
ROWS = [
    {"size": float(i % 7), "color": ("red", "blue", "green")[i % 3], "one": 1, i % 4: i / 100}
    for i in range(300)
]
KINDS = [("low", "middle", "high")[i % 7 // 3] for i in range(300)]


def classifier(**options):
    return OnlineClassifier((8,), random_state=0, **options).learn_many(ROWS, KINDS)


def regressor(**options):
    y = [[row["size"] * 3.0 + 100, float(i % 3)] for i, row in enumerate(ROWS)]
    return OnlineRegressor((8,), random_state=0, **options).learn_many(ROWS, y)


def expected_of(model, rows):
    if isinstance(model, OnlineClassifier):
        return model.predict_proba_many(rows)
    return model.predict_many(rows).reshape(len(rows), -1)


def assert_close(found, expected, tolerance=1e-12):
    largest = np.abs(expected).max() + 1e-30
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * largest)


def random_models(n):
    """Models that learned random rows, these, and these as exported models see them."""
    for seed in range(n):
        yield streams.draw_exportable(np.random.default_rng(seed))


@pytest.mark.filterwarnings("ignore:x.*looks like a number")
def test_random_models_compute_the_same_in_every_form(tmp_path):
    onnx_models = pytest.importorskip("onnx_models")
    pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel for this Python")
    sources, expected = [], []
    for k, (model, rows, X) in enumerate(random_models(30)):
        outputs = expected_of(model, rows)
        expected.append(outputs)
        assert_close(outputs_of(description_of(model), X), outputs)
        found = onnx_models.run(model.to_onnx(), X)
        assert_close(found.get("probabilities", found.get("variable")), outputs)
        if isinstance(model, OnlineClassifier):
            best = np.sort(outputs, axis=1)
            is_clear = best[:, -1] - best[:, -2] > 1e-12
            assert (found["label"] == model.predict_many(rows))[is_clear].all()
        source = model.to_c(name=f"m{k}", dtype="float64", math=bool(k % 2))
        sources.append(Exported(f"m{k}", source, X, outputs.shape[1]))
    if COMPILERS:
        found = run(sources, tmp_path, COMPILERS[0], SANITIZED)
        for values, outputs in zip(found, expected, strict=True):
            assert_close(values["outputs"], outputs)


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
def test_smaller_types_are_close(tmp_path, compiler):
    models, sources = [classifier(), regressor(), regressor(replay=0)], []
    for k, model in enumerate(models):
        X = model.exported_rows(ROWS).astype(np.float32)
        n = len(description_of(model).layers[-1].biases)
        for dtype in ("float32", "int8"):
            options = {"calibration": X} if dtype == "int8" else {}
            source = model.to_c(name=f"{dtype}_{k}", dtype=dtype, **options)
            sources.append(Exported(f"{dtype}_{k}", source, X, n))
    found = run(sources, tmp_path, compiler, SANITIZED)
    for k, model in enumerate(models):
        single, whole = (values["outputs"] for values in found[2 * k : 2 * k + 2])
        assert_close(single, expected_of(model, ROWS), 1e-5)
        assert np.sqrt(np.square(whole - single).mean()) < 0.05 * single.std()
    notes = " ".join(sources[1].source.split("*/")[0].replace("\n *", " ").split())
    assert "% of the classes are those of the model" in notes


def test_the_comment_says_what_is_inside(tmp_path):
    text = classifier().to_c(tmp_path / "model.c")
    assert "A mixture of 3 networks, 9-3, 9-8-3, 9-8-3, in float32" in text
    for line in (
        " color=red",
        " size",
        " 3",
        "MODEL_CLASS_MIDDLE = 1,",
        "#define MODEL_N_INPUTS 9",
    ):
        assert line in text
    assert "A multilayer perceptron 9-8-2 in float32" in regressor(replay=0).to_c()


def test_the_onnx_file_names_its_inputs():
    pytest.importorskip("onnx", reason="ONNX models are made by onnx, of the extra onnx")
    (names,) = classifier().to_onnx().metadata_props
    assert {"color=red", "size", "one", "0"} < set(json.loads(names.value))


def test_a_number_that_is_missing_counts_as_left_out():
    model = regressor()
    names, without = model.feature_names_, [{**row, "color": "blue"} for row in ROWS[:20]]
    for row in without:
        del row["size"]
    X = model.exported_rows([{**row, "size": 3.0} for row in without])
    X[:, names.index("size")] = np.nan
    np.testing.assert_array_equal(X, model.exported_rows(without))
    assert_close(outputs_of(description_of(model), X), model.predict_many(without))


def test_an_export_is_of_now_and_changes_nothing():
    model, other = classifier(), classifier()
    before, predicted = model.to_numpy(), model.predict_proba_many(ROWS[:20])
    for one in (model, other):
        one.learn_many(ROWS[::-1], KINDS[::-1])
    described = description_of(other)
    assert (outputs_of(described, other.exported_rows(ROWS[:20])) != predicted).any()
    assert not np.array_equal(before["net0_W0"], model.to_numpy()["net0_W0"])
    for name, array in model.to_numpy().items():
        np.testing.assert_array_equal(array, other.to_numpy()[name])


def test_names_that_were_forgotten_are_no_inputs():
    model = OnlineRegressor((3,), max_features=4, random_state=0)
    for i in range(40):
        model.learn_one({f"x{i // 4}": float(i), "y": float(i % 3)}, float(i))
    rows = [{"x9": 38.5, "y": 1.0}, {"x0": 2.0, "y": 2.0}]
    assert model.to_numpy()["feature_names"].tolist() == list(map(str, model.feature_names_))
    X = model.exported_rows(rows)
    assert_close(outputs_of(description_of(model), X)[:, 0], model.predict_many(rows))


def test_texts_that_share_a_hashed_input_add_up_and_numbers_are_refused():
    model = OnlineRegressor(hashed_features=2, random_state=0)
    for i in range(50):
        model.learn_one({"number": float(i), "text": "abc"[i % 3], "other": "x"}, float(i % 3))
    row = {"number": 3.0, "text": "b", "other": "x"}
    X = model.exported_rows([row])
    assert X.tolist() == [[3.0, 2.0]]
    assert_close(outputs_of(description_of(model), X)[:, 0], model.predict_many([row]))
    with pytest.raises(ValueError, match="same input as another number"):
        model.exported_rows([{"a": 1.0, "b": 2.0}])


def test_models_of_river_are_exported_too():
    river = pytest.importorskip("fastbp.river", reason="river is not installed")
    model = river.MLPClassifier((4,), seed=0)
    for x, y in zip(ROWS, KINDS, strict=True):
        model.learn_one(x, y)
    found = outputs_of(description_of(model), model.exported_rows(ROWS))
    assert_close(found, [list(model.predict_proba_one(x).values()) for x in ROWS])


def test_what_cannot_be_exported_is_refused_by_a_sentence():
    for model, message in (
        (OnlineClassifier(), "this OnlineClassifier has learned nothing yet: call learn_one"),
        (OnlineClassifier().learn_one({"a": 1}, "yes"), "one class only, 'yes'"),
        (OnlineRegressor().learn_one({}, 1.0), "no inputs yet"),
    ):
        for export in (model.to_c, model.to_numpy):
            with pytest.raises(ValueError, match=message):
                export()
    with pytest.raises(ValueError, match="learn=True is not for models of streams"):
        classifier().to_c(learn=True)
