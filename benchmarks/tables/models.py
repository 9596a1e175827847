"""The models that are compared, at their defaults; text is one-hot encoded for all of them."""

import importlib.util
from collections.abc import Callable
from typing import Any

from .datasets import CLASSES

FASTBP, RAW, SCALED, TREES = "fastbp", "MLP", "MLP, scaled", "boosted trees"
REALMLP = "RealMLP-TD-S"


def encoded(model: Any, numbers: Any = "passthrough") -> Any:
    """Return a pipeline of one-hot text, numbers as they are or scaled, and the model."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_selector(dtype_exclude="number")
    return make_pipeline(make_column_transformer((text, columns), remainder=numbers), model)


def fastbp(kind: str, seed: int) -> Any:
    from fastbp import BackpropClassifier, BackpropRegressor

    return encoded(
        (BackpropClassifier if kind == CLASSES else BackpropRegressor)(random_state=seed)
    )


def perceptron(kind: str, seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    return (MLPClassifier if kind == CLASSES else MLPRegressor)(random_state=seed)


def raw(kind: str, seed: int) -> Any:
    return encoded(perceptron(kind, seed))


def scaled(kind: str, seed: int) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler

    model = perceptron(kind, seed)
    if kind != CLASSES:
        model = TransformedTargetRegressor(model, transformer=StandardScaler())
    return encoded(model, StandardScaler())


def trees(kind: str, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    trees = HistGradientBoostingClassifier if kind == CLASSES else HistGradientBoostingRegressor
    return encoded(trees(random_state=seed))


def realmlp(kind: str, seed: int) -> Any:
    """Return a model that encodes text itself."""
    from pytabkit import RealMLP_TD_S_Classifier, RealMLP_TD_S_Regressor

    model = RealMLP_TD_S_Classifier if kind == CLASSES else RealMLP_TD_S_Regressor
    return model(random_state=seed, device="cpu", n_threads=1, verbosity=0)


Maker = Callable[[str, int], Any]  # of a model, from what the target is and a seed
MODELS: dict[str, Maker] = {
    FASTBP: fastbp,
    RAW: raw,
    SCALED: scaled,
    TREES: trees,
    REALMLP: realmlp,
}


def available() -> dict[str, Maker]:
    """Return the models whose packages are installed; say which are not."""
    if importlib.util.find_spec("pytabkit"):
        return MODELS
    print(f"note: {REALMLP} is left out: it needs pytabkit and PyTorch", flush=True)
    return {name: make for name, make in MODELS.items() if name != REALMLP}
