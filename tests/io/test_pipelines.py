"""Pipelines in files: the model as in other files, its steps by skops, and only trusted types."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import fastbp
from fastbp import BackpropClassifier, BackpropRegressor, Network
from fastbp.io import SKOPS_TYPES
from fastbp.io.models import tree_of
from fastbp.io.tree import pack, unpack
from fastbp.neural_network import MLPClassifier, MLPRegressor
from fastbp.online import OnlineClassifier, OnlineRegressor

skops_io = pytest.importorskip("skops.io")
SMALL = {"hidden_layer_sizes": (4,), "ensemble": 1, "max_iter": 3, "random_state": 0}
N = 60
FRAME = pd.DataFrame(
    {
        "length": np.arange(N) / N,
        "when": pd.date_range("2020-01-01", periods=N),
        "color": ["red", "green", "blue"] * (N // 3),
        "text": [f"text {i} and more" for i in range(N)],
    }
)
NUMBERS = FRAME[["length"]].assign(other=1 - FRAME["length"] ** 2)
LABELS = np.where(FRAME["length"] > 0.5, "long", "short")


def columns():
    encoders = [("n", StandardScaler(), ["length"]), ("c", OneHotEncoder(), ["color"])]
    return make_pipeline(ColumnTransformer(encoders), BackpropClassifier(**SMALL))


def vectorizer():
    skrub = pytest.importorskip("skrub")
    return make_pipeline(skrub.TableVectorizer(), SimpleImputer(), BackpropClassifier(**SMALL))


@pytest.mark.parametrize(
    ("make", "frame"),
    [
        (columns, FRAME),
        (vectorizer, FRAME),
        (lambda: make_pipeline(BackpropClassifier(**SMALL)), NUMBERS),
        (lambda: make_pipeline(StandardScaler(), PCA(1), BackpropClassifier(**SMALL)), NUMBERS),
        (lambda: make_pipeline(FunctionTransformer(np.sqrt), BackpropClassifier(**SMALL)), NUMBERS),
    ],
)
def test_a_pipeline_comes_back(make, frame, tmp_path):
    pipeline = make().fit(frame, LABELS)
    loaded = fastbp.load(fastbp.save(pipeline, tmp_path / "pipeline.fbp"))
    assert type(loaded) is Pipeline
    assert [name for name, _ in loaded.steps] == [name for name, _ in pipeline.steps]
    np.testing.assert_array_equal(loaded.predict_proba(frame), pipeline.predict_proba(frame))
    network = Network.load(tmp_path / "pipeline.fbp")
    rows = pipeline[:-1].transform(frame) if len(pipeline) > 1 else frame
    np.testing.assert_array_equal(network.predict(np.asarray(rows)), pipeline.predict(frame))


class Own(StandardScaler):
    pass


def test_a_pipeline_with_a_step_of_another_library_is_refused_by_its_name(tmp_path):
    pipeline = make_pipeline(Own(), BackpropClassifier(**SMALL)).fit(NUMBERS, LABELS)
    with pytest.raises(TypeError, match=r"backpropclassifier cannot be stored: .*Own\)"):
        fastbp.save(pipeline, tmp_path / "pipeline.fbp")
    assert not list(tmp_path.iterdir())


def test_a_pipeline_that_ends_in_something_else_is_refused():
    pipeline = make_pipeline(StandardScaler(), StandardScaler()).fit(NUMBERS)
    with pytest.raises(TypeError, match="ends in a StandardScaler cannot be stored"):
        tree_of(pipeline)


def file_with(tmp_path, dump):
    pipeline = make_pipeline(StandardScaler(), BackpropClassifier(**SMALL)).fit(NUMBERS, LABELS)
    path = tmp_path / "pipeline.fbp"
    path.write_bytes(pack({**tree_of(pipeline), "skops": dump}))
    return path


class Executed:
    def __init__(self):
        raise AssertionError("it was run")


def compressed(dump):
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(dump)) as one,
        zipfile.ZipFile(packed, "w", compression=zipfile.ZIP_DEFLATED) as other,
    ):
        for name in one.namelist():
            other.writestr(name, one.read(name))
    return packed.getvalue()


@pytest.mark.parametrize(
    ("dump", "message"),
    [
        (lambda: skops_io.dumps(Executed.__new__(Executed)), "not trusted: .*Executed; files hold"),
        (lambda: skops_io.dumps(Own()), "not trusted: .*Own; files hold"),
        (lambda: skops_io.dumps(StandardScaler()), "its skops dump is no pipeline"),
        (lambda: skops_io.dumps(make_pipeline(PCA())), "its skops dump is no pipeline"),
        (lambda: compressed(skops_io.dumps(PCA())), "its skops dump is compressed"),
        (lambda: b"PK", "its skops dump is none"),
        (lambda: [1], "skops must be bytes"),
    ],
)
def test_a_hostile_dump_is_refused_and_nothing_of_it_is_run(dump, message, tmp_path):
    path = file_with(tmp_path, dump())
    with pytest.raises(ValueError, match=f"^cannot read .*{message}"):
        fastbp.load(path)
    assert isinstance(Network.load(path), Network)  # which does not look at it


def test_damaged_dumps_give_a_pipeline_or_a_sentence(tmp_path):
    path = file_with(tmp_path, b"")
    pipeline = make_pipeline(StandardScaler(), BackpropClassifier(**SMALL)).fit(NUMBERS, LABELS)
    tree = tree_of(pipeline)
    random = np.random.default_rng(0)
    for _ in range(50):
        dump = bytearray(tree["skops"])
        dump[random.integers(len(dump))] ^= random.integers(1, 256)
        path.write_bytes(pack({**tree, "skops": bytes(dump)}))
        try:
            fastbp.load(path)
        except ValueError as error:
            if "\n" in str(error):
                raise


def test_without_skops_a_pipeline_says_what_to_install(monkeypatch, tmp_path):
    import sys

    pipeline = columns().fit(FRAME, LABELS)
    path = fastbp.save(pipeline, tmp_path / "pipeline.fbp")
    monkeypatch.setitem(sys.modules, "skops.io", None)
    for call in (lambda: fastbp.load(path), lambda: fastbp.save(pipeline, path)):
        with pytest.raises(ImportError, match=r"pip install .fastbp\[skops\]"):
            call()
    assert isinstance(Network.load(path), Network)


# -- skops by itself -------------------------------------------------------------------------------


def streamed(model, y):
    for row, target in zip(NUMBERS.to_dict("records"), y, strict=True):
        model.learn_one(row, target)
    return model


def streamed_rows(model):
    return model.partial_fit(NUMBERS, Y).partial_fit(NUMBERS[:1], Y[:1])


GAPPY = NUMBERS.where(NUMBERS > 0.1)
Y = NUMBERS["length"].to_numpy()
MODELS = {
    "a pipeline": lambda: columns().fit(FRAME, LABELS),
    "a regressor": lambda: BackpropRegressor(**SMALL, missing="indicator").fit(GAPPY, Y),
    "rows": lambda: streamed_rows(BackpropRegressor(**SMALL)),
    "a network": lambda: Network((2, 3, 1), random_state=0),
    "the drop-in": lambda: MLPRegressor(max_iter=2).partial_fit(NUMBERS, Y),
    "the drop-in, by SGD": lambda: MLPClassifier(solver="sgd").partial_fit(
        NUMBERS, LABELS, classes=["long", "short"]
    ),
    "a stream of classes": lambda: streamed(OnlineClassifier(), LABELS.tolist()),
    "a stream of numbers": lambda: streamed(OnlineRegressor(), Y.tolist()),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_skops_needs_no_trust_but_in_the_names_that_are_listed(name):
    model = MODELS[name]()
    dump = skops_io.dumps(model)
    assert set(skops_io.get_untrusted_types(data=dump)) <= set(SKOPS_TYPES)
    loaded = skops_io.loads(dump, trusted=list(SKOPS_TYPES))
    if isinstance(model, Network):
        np.testing.assert_array_equal(loaded.forward(NUMBERS), model.forward(NUMBERS))
    elif hasattr(model, "predict_many"):
        np.testing.assert_array_equal(loaded.predict_many(NUMBERS), model.predict_many(NUMBERS))
    else:
        X = FRAME if isinstance(model, Pipeline) else NUMBERS
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_every_name_that_is_listed_is_one():
    for name in SKOPS_TYPES:
        home, _, kind = name.rpartition(".")
        assert getattr(__import__(home, fromlist=[kind]), kind).__module__ == home


def test_what_was_unpacked_of_a_pipeline_is_plain():
    tree = unpack(pack(tree_of(columns().fit(FRAME, LABELS))))
    assert set(tree) == {"class", "model", "skops"}
    assert tree["skops"][:2] == b"PK"
