"""The recipe for Ray in the documentation: run as it stands there, where Ray is installed."""

import re
from pathlib import Path

import numpy as np
import pytest

from fastbp import Network
from fastbp.distributed import InProcess, RoundState, Shard, Training, run_all

ray = pytest.importorskip("ray", reason="needs Ray, which the documentation's step of CI installs")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "many_machines.md"


# What Ray does with sockets, files and old names of others, not what fastbp does.
@pytest.mark.filterwarnings("default")
def test_the_recipe_gives_the_bits_of_the_simulation():
    (recipe,) = re.findall(r"```python\n(import time\nimport ray\n.*?)```", PAGE.read_text(), re.S)
    random = np.random.default_rng(0)
    X = random.normal(size=(5_000, 6))
    rows = X, np.tanh(X @ random.normal(size=6))
    parts = [tuple(one[i::10] for one in rows) for i in range(10)]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        names = {"parts": parts}
        exec(recipe, names)
    finally:
        ray.shutdown()
    fresh = Network((6, 16, 1), random_state=0)  # as that of the recipe before it was trained
    found = names["training"]
    training = Training(found.settings, found.layout, RoundState.of(fresh))
    run_all(training, InProcess([Shard(*part) for part in parts]))
    assert found.is_over
    assert np.array_equal(found.state.values, training.state.values)
    assert not np.array_equal(found.state.values, RoundState.of(fresh).values)
