"""Draws the example pictures of fastbp.plot: python docs/pictures/displays.py [FOLDER]."""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.preprocessing import StandardScaler

from fastbp import BackpropClassifier, BackpropRegressor, record, sensitivity_of_loss
from fastbp.plot import (
    GradientFlowDisplay,
    LossCurveDisplay,
    LossSurfaceDisplay,
    NetworkDisplay,
    SensitivityDisplay,
)


def main(folder):
    """Draw them all."""
    mpl.rcParams.update({"svg.hashsalt": "fastbp", "savefig.dpi": 130})
    iris, diabetes = load_iris(as_frame=True), load_diabetes(as_frame=True, scaled=False)
    scale = StandardScaler().set_output(transform="pandas")
    X, y = scale.fit_transform(iris.data), iris.target_names[iris.target]
    X_diabetes = scale.fit_transform(diabetes.data)
    y_diabetes = (diabetes.target - diabetes.target.mean()) / diabetes.target.std()
    common = {"learning_rate_init": 0.02, "max_iter": 40, "random_state": 0, "tol": 0}

    deep = BackpropClassifier(hidden_layer_sizes=(8, 8, 8), activation="logistic", **common)
    recording = record(deep, X, y)
    show(LossCurveDisplay.from_estimator(deep, name="8-8-8, logistic"), folder / "loss_curve.png")
    show(GradientFlowDisplay.from_recording(recording), folder / "gradient_flow.png")

    small = BackpropClassifier(hidden_layer_sizes=(5,), activation="tanh", **common)
    recording = record(small, X, y, max_snapshots=60)
    curve, contours = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")[1]
    early = BackpropClassifier(hidden_layer_sizes=(5,), activation="tanh", **common)
    early.set_params(max_iter=1).fit(X, y)
    slopes = np.abs(sensitivity_of_loss(early, X, y).weights[1])
    steepest = (2, *np.unravel_index(slopes.argmax(), slopes.shape))
    LossSurfaceDisplay.from_estimator(early, X, y, parameters=[steepest], ax=curve)
    way = LossSurfaceDisplay.from_estimator(small, X, y, recording=recording, ax=contours)
    show(way, folder / "loss_surface.png")
    show(NetworkDisplay.from_estimator(small), folder / "network.svg")

    regressor = BackpropRegressor(hidden_layer_sizes=(16,), **common)
    regressor.set_params(learning_rate_init=0.005).fit(X_diabetes, y_diabetes)
    show(SensitivityDisplay.from_estimator(regressor, X_diabetes), folder / "sensitivity.png")
    show(SensitivityDisplay.from_estimator(small, X), folder / "sensitivity_classes.png")

    digits = load_digits()
    wide = BackpropClassifier(hidden_layer_sizes=(32,), **common)
    wide.fit(digits.data / 16, digits.target)
    show(NetworkDisplay.from_estimator(wide), folder / "network_in_part.svg")


def show(display, path):
    """Write a display's figure."""
    metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    display.figure_.savefig(path, metadata=metadata)
    plt.close(display.figure_)
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent))
