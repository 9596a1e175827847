"""Make the files of `tests/io/files`: one of each kind in the present format, and predictions.

Files of a format stay once it is released: `python tests/io/make_files.py` is for new ones.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

import fastbp
from fastbp import BackpropClassifier, BackpropRegressor
from fastbp.io.tree import FORMAT
from fastbp.online import OnlineClassifier
from fastbp.recording import Recording

FOLDER = Path(__file__).parent / "files"
ROWS = np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -0.25], [-2.0, 0.75, 0.0], [0.0, 0.0, 1.0]])
OPTIONS = {"hidden_layer_sizes": (4,), "ensemble": 1, "max_iter": 5, "random_state": 0}


def table():
    """Rows and numbers to train on."""
    X = np.random.default_rng(1).normal(size=(60, 3))
    return X, X @ [1.0, -2.0, 0.5]


def named_rows(X):
    """Rows of a stream."""
    return [{"a": float(a), "b": float(b), "c": "low" if c < 0 else "high"} for a, b, c in X]


def stream(X, labels):
    """A model of a stream that has learned some rows."""
    model = OnlineClassifier(hidden_layer_sizes=(3,), buffer_size=10, random_state=0)
    for row, label in zip(named_rows(X), labels, strict=True):
        model.learn_one(row, label)
    return model


def models():
    """The models by the names of their files."""
    X, y = table()
    labels = np.array(["left", "r\N{LATIN SMALL LETTER E WITH ACUTE}st", "right"])[
        np.digitize(y, [-1, 1])
    ]
    network = fastbp.Network((3, 2, 1), activation="tanh", random_state=0)
    return {
        "classifier": BackpropClassifier(**OPTIONS).fit(X, labels),
        "several_targets": BackpropRegressor(**OPTIONS).fit(X, np.stack([y, -y], axis=1)),
        "sparse": BackpropRegressor(**OPTIONS, momentum=0.5).fit(csr_array(np.maximum(X, 0)), y),
        "float32": BackpropRegressor(**OPTIONS, solver="adam").fit(X.astype(np.float32), y),
        "gaps": BackpropRegressor(**OPTIONS, missing="indicator").partial_fit(
            np.where(X > 1.5, np.nan, X), y
        ),
        "stream": stream(X, labels.tolist()),
        "recording": fastbp.record(network, X, y, learning_rate=0.01, max_snapshots=4),
    }


def predictions(model):
    """What a model says of the rows, as JSON has it."""
    if hasattr(model, "learn_one"):
        return model.predict_proba_many(named_rows(ROWS)).tolist()
    if isinstance(model, Recording):
        return [model.network(-1).forward(ROWS).tolist(), model.losses.tolist()]
    if hasattr(model, "classes_"):
        return [model.predict_proba(ROWS).tolist(), model.predict(ROWS).tolist()]
    return model.predict(ROWS).tolist()


def main():
    """Write the files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = models()
    for name, model in made.items():
        model.save(FOLDER / f"{name}-{FORMAT}.fbp")
    found = {name: predictions(model) for name, model in made.items()}
    (FOLDER / f"predictions-{FORMAT}.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
