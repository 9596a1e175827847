"""The models, at their defaults unless said; numbers are standardised for those that need it."""

import importlib.metadata
import importlib.util
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ..tables.datasets import CLASSES
from .sources import Stream, numbers

FASTBP = "fastbp"
LAST, MEAN = "last seen", "mean so far"
N_HIDDEN = 64  # of every network


class Last:
    """Predicts the target of the row before."""

    def __init__(self, stream: Stream, seed: int) -> None:
        self.seen = None if stream.kind == CLASSES else 0.0

    def predict_one(self, x: dict[str, Any]) -> Any:
        return self.seen

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        self.seen = y


class Mean:
    """Predicts the most frequent class so far, or the mean target."""

    def __init__(self, stream: Stream, seed: int) -> None:
        self.kind = stream.kind
        self.counts: Counter[Any] = Counter()
        self.n_rows, self.sum = 0, 0.0

    def predict_one(self, x: dict[str, Any]) -> Any:
        if self.kind == CLASSES:
            return self.counts.most_common(1)[0][0] if self.counts else None
        return self.sum / max(self.n_rows, 1)

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        if self.kind == CLASSES:
            self.counts[y] += 1
        else:
            self.n_rows, self.sum = self.n_rows + 1, self.sum + y


def fastbp(stream: Stream, seed: int) -> Any:
    from fastbp.online import OnlineClassifier, OnlineRegressor

    return (OnlineClassifier if stream.kind == CLASSES else OnlineRegressor)(random_state=seed)


def scaled(stream: Stream, model: Any) -> Any:
    """Return river's pipeline of standardised numbers, one-hot text and a model."""
    from river import compose, preprocessing

    if not stream.has_text:
        return preprocessing.StandardScaler() | model
    text = compose.SelectType(str) | preprocessing.OneHotEncoder()
    rest = compose.SelectType(int, float) | preprocessing.StandardScaler()
    return (text + rest) | model


def linear(stream: Stream, seed: int) -> Any:
    from river import linear_model

    if stream.kind != CLASSES:
        return scaled(stream, linear_model.LinearRegression())
    if len(stream.classes) > 2:
        return scaled(stream, linear_model.SoftmaxRegression())
    return scaled(stream, linear_model.LogisticRegression())


def passive_aggressive(stream: Stream, seed: int) -> Any:
    from river import linear_model, multiclass

    if stream.kind != CLASSES:
        return scaled(stream, linear_model.PARegressor())
    model = linear_model.PAClassifier()
    if len(stream.classes) > 2:
        model = multiclass.OneVsRestClassifier(model)
    return scaled(stream, model)


def naive_bayes(stream: Stream, seed: int) -> Any:
    from river.naive_bayes import GaussianNB

    return GaussianNB() if stream.kind == CLASSES else None


def neighbors(stream: Stream, seed: int) -> Any:
    from river.neighbors import KNNClassifier, KNNRegressor

    return scaled(stream, KNNClassifier() if stream.kind == CLASSES else KNNRegressor())


def adaptive_tree(stream: Stream, seed: int) -> Any:
    from river import tree

    if stream.kind == CLASSES:
        return tree.HoeffdingAdaptiveTreeClassifier(seed=seed)
    return scaled(stream, tree.HoeffdingAdaptiveTreeRegressor(seed=seed))  # has linear leaves


def mondrian(stream: Stream, seed: int) -> Any:
    from river import forest

    model = (forest.AMFClassifier if stream.kind == CLASSES else forest.AMFRegressor)(seed=seed)
    return scaled(stream, model) if stream.has_text else model  # splits numbers only


def random_forest(stream: Stream, seed: int) -> Any:
    from river import forest

    if stream.kind == CLASSES:
        return forest.ARFClassifier(seed=seed)
    return scaled(stream, forest.ARFRegressor(seed=seed))


def random_patches(stream: Stream, seed: int) -> Any:
    from river import ensemble

    if stream.kind == CLASSES:
        return ensemble.SRPClassifier(n_models=10, seed=seed)
    return scaled(stream, ensemble.SRPRegressor(n_models=10, seed=seed))


class ScikitLearn:
    """``partial_fit`` behind running scalers; knows all columns and classes beforehand."""

    def __init__(self, stream: Stream, seed: int) -> None:
        from sklearn.neural_network import MLPClassifier, MLPRegressor
        from sklearn.preprocessing import StandardScaler

        self.place = {name: column for column, name in enumerate(stream.columns)}
        self.scaler, self.learned = StandardScaler(), False
        self.classes = sorted(stream.classes, key=str)
        self.target_scaler = None if self.classes else StandardScaler()
        model = MLPClassifier if self.classes else MLPRegressor
        self.model = model(hidden_layer_sizes=(N_HIDDEN,), random_state=seed)

    def array(self, x: dict[str, Any]) -> np.ndarray:
        row = np.zeros((1, len(self.place)))
        for name, value in numbers(x).items():
            row[0, self.place[name]] = value
        return row

    def predict_one(self, x: dict[str, Any]) -> Any:
        if not self.learned:
            return None if self.classes else 0.0
        predicted = self.model.predict(self.scaler.transform(self.array(x)))
        if self.target_scaler is None:
            return self.classes[int(predicted[0])]
        return float(self.target_scaler.inverse_transform(predicted[:, None])[0, 0])

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        row = self.array(x)
        row = self.scaler.partial_fit(row).transform(row)
        if self.target_scaler is None:
            known = range(len(self.classes))
            self.model.partial_fit(row, [self.classes.index(y)], classes=known)
        else:
            target = np.array([[float(y)]])
            target = self.target_scaler.partial_fit(target).transform(target)
            self.model.partial_fit(row, target.ravel())
        self.learned = True


class VowpalWabbit:
    """``--nn``, with its own scaling of inputs and steps; knows all columns and classes."""

    def __init__(self, stream: Stream, seed: int) -> None:
        import vowpalwabbit

        self.place = {name: column for column, name in enumerate(stream.columns)}
        self.classes = sorted(stream.classes, key=str)
        options = f"--nn {N_HIDDEN} --random_seed {seed} --quiet"
        if self.classes:
            options += f" --oaa {len(self.classes)}"
        self.workspace = vowpalwabbit.Workspace(options)

    def line(self, x: dict[str, Any], label: str = "") -> str:
        values = (f"{self.place[name]}:{value:.9g}" for name, value in numbers(x).items())
        return f"{label} | {' '.join(values)}"

    def predict_one(self, x: dict[str, Any]) -> Any:
        predicted = self.workspace.predict(self.line(x))
        return self.classes[int(predicted) - 1] if self.classes else float(predicted)

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        label = self.classes.index(y) + 1 if self.classes else float(y)
        self.workspace.learn(self.line(x, f"{label:.9g}"))


def deep_river(stream: Stream, seed: int) -> Any:
    """Return deep-river's perceptron at the rate of its documentation."""
    from deep_river.classification.zoo import MultiLayerPerceptron as Classifier
    from deep_river.regression.zoo import MultiLayerPerceptron as Regressor

    n_features = len(stream.columns)
    options = {"n_features": n_features, "n_width": N_HIDDEN, "n_layers": 1, "seed": seed}
    if stream.kind != CLASSES:
        return scaled(stream, Regressor(lr=0.005, **options))
    return scaled(stream, Classifier(lr=0.005, n_init_classes=len(stream.classes), **options))


Maker = Callable[[Stream, int], Any]  # None: the model is of no use for this stream
BASELINES: dict[str, Maker] = {LAST: Last, MEAN: Mean}
MODELS: dict[str, Maker] = {
    FASTBP: fastbp,
    "linear": linear,
    "passive-aggressive": passive_aggressive,
    "naive Bayes": naive_bayes,
    "k neighbours": neighbors,
    "adaptive tree": adaptive_tree,
    "Mondrian forest": mondrian,
    "adaptive forest": random_forest,
    "random patches": random_patches,
    "scikit-learn MLP": ScikitLearn,
    "VW --nn": VowpalWabbit,
    "deep-river MLP": deep_river,
}
PACKAGES = {
    FASTBP: "fastbp",
    "scikit-learn MLP": "scikit-learn",
    "VW --nn": "vowpalwabbit",
    "deep-river MLP": "deep-river",
}
OF_RIVER = [name for name in MODELS if name not in PACKAGES]


def package(model: str) -> str:
    return PACKAGES.get(model, "river")


def version(model: str) -> str:
    """Return the package of a model with its version, or "" if it is not installed."""
    name = package(model)
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return name if importlib.util.find_spec(name) else ""
