"""What is known of each loss besides its kernel."""

import numpy as np
import pytest
import reference

from fastbp.network.tables import LOSSES

TARGETS = np.random.default_rng(0).integers(0, 2, (200, 3)) * [0.0, 0.5, 1.0]  # any loss's
PARAMETERS = {"huber": (1.35,), "quantile": (0.5,)}


def loss_of_constant(name, a):
    formula = reference.LOSSES["binary_log_loss" if name == "log_loss" else name]
    return formula(a, TARGETS, *PARAMETERS.get(name, ())).mean(axis=0)


@pytest.mark.parametrize("name", LOSSES)
def test_constant_predictions_lose_about_what_the_table_says(name):
    rows = LOSSES[name].of_constants(TARGETS, TARGETS.mean(axis=0))
    best, zeros = (each.mean(axis=0) for each in rows)
    assert best[0] == 0
    least = np.min([loss_of_constant(name, a) for a in np.linspace(0.001, 0.999, 999)], axis=0)
    assert (least[1:] / 2.01 < best[1:]).all()
    assert (best[1:] < 2.01 * least[1:]).all()
    # f(0) of the output units; of those of a regression the identity's
    of_zeros = {"log_loss": 0.5, "poisson": 1.0}.get(name, 0.0)
    expected = loss_of_constant(name, of_zeros)
    assert (expected * 0.99 <= zeros).all()
    assert (zeros <= 2.01 * expected).all()


def test_counts_that_are_tiny_or_all_0_have_losses():
    tiny = np.array([[5e-324, 0.0], [0.0, 0.0], [0.0, 0.0]])
    best, zeros = LOSSES["poisson"].of_constants(tiny, tiny.mean(axis=0))
    assert np.isfinite(best).all()
    np.testing.assert_array_equal(zeros, 1)
