"""Make the pictures of docs/defaults.md, from real runs: what each default of `fit` does.

``python docs/pictures/defaults.py [FOLDER]`` takes some seconds; FOLDER is that of this file.
"""

import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_wine, make_friedman1
from sklearn.model_selection import train_test_split

from fastbp import BackpropClassifier, BackpropRegressor, DivergenceWarning

BLUE, RED, GREEN, GREY = "#30638e", "#d1495b", "#66a182", "#8a8f98"
ALL_EPOCHS = {"hidden_layer_sizes": (64, 64), "early_stopping": False, "random_state": 0}
RAW_RATES = {1e-3: GREY, 1e-4: RED, 1e-6: GREEN}


def figure_of(n_panels, height=3.2):
    figure = Figure(figsize=(3.4 * n_panels, height), layout="constrained")
    panels = figure.subplots(1, n_panels)
    for ax in np.atleast_1d(panels):
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color="#e4e6ea", linewidth=0.8)
        ax.set_axisbelow(True)
    return figure, panels


def units():
    """A table in its own units, the same as a network sees it, and what that does to training."""
    wine = load_wine()
    rows = train_test_split(wine.data, wine.target, stratify=wine.target, random_state=0)
    X, X_val, y, y_val = rows
    models = {
        rate: BackpropClassifier(
            standardize=False,
            learning_rate="constant",
            learning_rate_init=rate,
            max_iter=100,
            n_iter_no_change=np.inf,
            **ALL_EPOCHS,
        )
        for rate in RAW_RATES
    }
    scaled = BackpropClassifier(max_iter=100, **ALL_EPOCHS)
    for model in (*models.values(), scaled):
        model.fit(X, y, X_val=X_val, y_val=y_val)

    figure, (left, middle, right) = figure_of(3)
    names = [name.split("/")[0].replace("_", " ") for name in wine.feature_names]
    boxes = {"orientation": "horizontal", "widths": 0.6, "flierprops": {"markersize": 2}}
    left.boxplot(X, tick_labels=names, **boxes)
    left.set(xscale="log", title="in the table")
    middle.boxplot(scaled.input_scaling_.transform(X), **boxes)
    middle.set(title="as the network sees it", xlim=(-3.1, 3.1), yticklabels=[])
    epochs = np.arange(1, 101)
    for (rate, model), colour in zip(models.items(), RAW_RATES.values(), strict=True):
        label = f"own units, rate {rate:g}"
        right.plot(epochs, model.validation_loss_curve_, color=colour, label=label)
    right.plot(epochs, scaled.validation_loss_curve_, color=BLUE, label="standardized, rate 0.02")
    right.set(title="loss of held-out wines", xlabel="epoch", yscale="log", ylim=(5e-4, 1e4))
    right.legend(fontsize="small", loc="upper right")
    return figure


def friedman():
    X, y = make_friedman1(2000, noise=1.0, random_state=0)
    return train_test_split(X, y, random_state=0)


def history_of(rate, schedule):
    """Return the history of one network that makes all epochs, with held-out rows beside."""
    X, X_test, y, y_test = friedman()
    model = BackpropRegressor(
        learning_rate=schedule, learning_rate_init=rate, n_iter_no_change=np.inf, max_iter=66
    )
    return model.set_params(**ALL_EPOCHS).fit(X, y, X_val=X_test, y_val=y_test).history_


def rate():
    """A rate that is too small, one that is right, and one that is too large."""
    figure, panels = figure_of(3)
    for ax, rate, remark in zip(
        panels, (0.0005, 0.02, 0.1), ("too small", "right", "too large"), strict=True
    ):
        history = history_of(rate, "constant")
        ax.plot(history["epoch"], history["loss"], color=GREY, label="rows trained on")
        ax.plot(history["epoch"], history["validation_loss"], color=BLUE, label="held-out rows")
        title = f"rate {rate:g}: {remark}"
        ax.set(title=title, xlabel="epoch", yscale="log", ylim=(4e-3, 0.6))
    panels[0].set_ylabel("loss")
    panels[0].legend(fontsize="small")
    return figure


def schedule():
    """A constant rate, and one that falls to 0 along half a cosine."""
    figure, (left, right) = figure_of(2)
    for kind, colour in (("constant", GREY), ("cosine", BLUE)):
        history = history_of(0.02, kind)
        left.plot(history["epoch"], history["learning_rate"], color=colour, label=kind)
        right.plot(history["epoch"], history["validation_loss"], color=colour, label=kind)
    left.set(title="learning rate", xlabel="epoch", ylim=(0, 0.022))
    right.set(title="loss of held-out rows", xlabel="epoch", ylim=(0.03, 0.05))
    left.legend(fontsize="small")
    return figure


def held_out():
    """A training by default: rows trained on, held-out rows, the epoch that is kept, the end."""
    X, _, y, _ = friedman()
    history = BackpropRegressor(random_state=0).fit(X, y).history_
    epoch, held_out = np.array(history["epoch"]), np.array(history["validation_loss"])
    looked = np.isfinite(held_out)
    best = np.nanargmin(held_out)
    figure, ax = figure_of(1)
    figure.set_figwidth(6)
    ax.plot(epoch, history["loss"], color=GREY, label="rows trained on")
    ax.plot(epoch[looked], held_out[looked], color=BLUE, label="held-out rows")
    ax.plot(epoch[best], held_out[best], "o", color=RED)
    ax.annotate(
        f"kept: epoch {epoch[best]}",
        (epoch[best], held_out[best]),
        (0, 40),
        textcoords="offset points",
        color=RED,
        arrowprops={"arrowstyle": "-", "color": RED},
    )
    ax.set(xlabel="epoch", ylabel="loss, mean of 4 networks", yscale="log")
    ax.legend(fontsize="small")
    return figure


def main(folder):
    matplotlib.rcParams["svg.hashsalt"] = "fastbp"  # the same file for the same picture
    warnings.simplefilter("ignore", DivergenceWarning)  # rates that are too large are shown
    for draw in (units, rate, schedule, held_out):
        draw().savefig(folder / f"defaults_{draw.__name__}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
