"""Files of every format that there was can be read, and predict as their models did."""

import json
import math

import numpy as np
import pytest
from make_files import FOLDER, models, predictions

import fastbp
from fastbp.io.models import tree_of
from fastbp.io.tree import FORMAT, unpack

FILES = sorted(FOLDER.glob("*.fbp"))


def close(found, expected, tolerance):
    """Compare nested lists, numbers to rounding."""
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other, tolerance)
    elif isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)
    else:
        assert found == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_of_any_format_predicts_as_its_model_did(path):
    name, number = path.stem.rsplit("-", 1)
    expected = json.loads((FOLDER / f"predictions-{number}.json").read_text())[name]
    model = fastbp.load(path)
    close(predictions(model), expected, 1e-5 if name == "float32" else 1e-9)
    assert isinstance(fastbp.Network.load(path), fastbp.Network)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_of_any_format_goes_on_with_training(path):
    model = fastbp.load(path)
    X = np.random.default_rng(0).normal(size=(5, 3))
    if hasattr(model, "partial_fit"):
        targets = model.classes_[[0, 1, 2, 0, 1]] if hasattr(model, "classes_") else X[:, 0]
        if model.n_outputs_ == 2:
            targets = X[:, :2]
        before = [W.copy() for W in model.coefs_]
        model.partial_fit(X, targets)
        assert any((W != old).any() for W, old in zip(model.coefs_, before, strict=True))
    elif hasattr(model, "learn_one"):
        model.learn_one({"a": 1.0, "new": 2.0}, "another")
        assert "another" in model.classes_
    else:
        model.trace(0)


def test_the_format_of_today_has_files_of_every_kind():
    assert {path.stem for path in FILES} >= {f"{name}-{FORMAT}" for name in models()}


def test_the_fields_of_a_file_are_those_that_are_written():
    """Else `FORMAT`, or what older files lack, has changed: see CONTRIBUTING.md."""
    for name, model in models().items():
        stored = unpack((FOLDER / f"{name}-{FORMAT}.fbp").read_bytes())
        written = tree_of(model)
        assert shape_of(stored) == shape_of(written), name


def shape_of(tree):
    """The names of all fields."""
    if isinstance(tree, dict):
        return {str(name): shape_of(value) for name, value in tree.items()}
    if isinstance(tree, list) and tree and isinstance(tree[0], dict):
        return [shape_of(tree[0])]
    return None
