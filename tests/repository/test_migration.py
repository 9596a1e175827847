"""The page docs/migration.md runs as it stands, and points to what exists."""

import re
import warnings
from pathlib import Path

import pytest
from sklearn.exceptions import ConvergenceWarning

import fastbp

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_every_block_runs_in_turn(capsys):
    names = {}
    for block in BLOCKS:
        if "sklearn.callback" in block:
            pytest.importorskip("rich")
            if not hasattr(fastbp.BackpropClassifier, "set_callbacks"):
                continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            exec(compile(block, "docs/migration.md", "exec"), names)
    assert len(BLOCKS) >= 6
    n_iter, best = capsys.readouterr().out.split()[:2]
    assert int(n_iter) < 200
    assert float(best) > 0.95


@pytest.mark.parametrize("number", [9113, 10097, 14571, 29270, 18507, 33760, 7407])
def test_every_request_is_answered(number):
    assert f"https://github.com/scikit-learn/scikit-learn/issues/{number}" in PAGE


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https)([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_the_old_settings_train_as_scikit_learn_by_default():
    """As the page says: the same model, where the output layer is not logistic."""
    import numpy as np
    from sklearn.datasets import load_iris
    from sklearn.neural_network import MLPClassifier

    X, y = load_iris(return_X_y=True)
    shared = {"solver": "adam", "alpha": 0.0001, "shuffle": False, "random_state": 0, "max_iter": 9}
    plain = {"standardize": False, "learning_rate": "constant", "early_stopping": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = fastbp.BackpropClassifier(batch_size=200, **plain, **shared).fit(X, y)
        theirs = MLPClassifier(**shared).fit(X, y)
    for W, expected in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert np.allclose(W, expected, rtol=1e-9, atol=1e-11)
