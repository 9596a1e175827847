"""Networks that are joined give the mean of what each of them gives."""

import numpy as np
import pytest
from scipy.special import softmax

from fastbp import Network
from fastbp.network.tables import LOSS_PARAMETERS, LOSSES
from fastbp.training.ensemble import joined_history, joined_network
from fastbp.training.run import History

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(20, 4))


def networks(n_outputs=2, **options):
    return [Network((4, 5, 3, n_outputs), random_state=seed, **options) for seed in range(3)]


def test_outputs_are_the_mean():
    own = networks()
    expected = np.mean([one.forward(X) for one in own], axis=0)
    joined = joined_network(own)
    assert joined.layer_sizes == (4, 15, 9, 2)
    np.testing.assert_allclose(joined.forward(X), expected, atol=1e-12)


def test_of_a_linear_model_too():
    own = [Network((4, 1), random_state=seed) for seed in range(2)]
    expected = np.mean([one.forward(X) for one in own], axis=0)
    np.testing.assert_allclose(joined_network(own).forward(X), expected, atol=1e-12)


def test_probabilities_are_geometric_means():
    own = networks(3, loss="log_loss", out_activation="softmax", dtype="float32")
    logs = np.mean([np.log(one.forward(X)) for one in own], axis=0)
    joined = joined_network(own)
    assert joined.dtype == np.float32
    np.testing.assert_allclose(joined.forward(X), softmax(logs, axis=1), rtol=1e-5)


def test_one_network_stays_what_it_is():
    (own, *_) = networks()
    assert joined_network([own]) is own


def test_losses_are_means_and_of_what_has_ended_its_last():
    short, long = History.of_curve([4.0, 2.0], n_rows=10), History.of_curve([2.0, 2.0, 1.0])
    short.validation_losses, short.validation_scores = [3.0], [-3.0]
    short.validation_epochs = [2]
    joined = joined_history([short, long])
    assert joined.loss_curve == [3.0, 2.0, 1.5]
    assert joined.n_epochs == 3
    assert joined.best_loss == 1.5
    assert joined.validation_losses == [3.0]
    assert joined.validation_epochs == [2]


@pytest.mark.parametrize("parameter", LOSS_PARAMETERS)
def test_parameters_of_the_loss_are_kept(parameter):
    loss = next(loss.name for loss in LOSSES.values() if loss.parameter == parameter)
    joined = joined_network(networks(2, loss=loss, **{parameter: 0.3}))
    assert joined.loss_name == loss
    assert getattr(joined, parameter) == 0.3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("width", [1, 5, 16, 33, 64, 100])
def test_leaving_out_zeros_between_networks_changes_no_bit(isa, width, dtype):
    own = [Network((4, width, width, 2), random_state=k, dtype=dtype) for k in range(3)]
    joined = joined_network(own)
    rows = RANDOM.normal(size=(150, 4)).astype(dtype)
    found = joined.forward(rows)
    for W in joined.weights:
        W[W == 0] = 1e-30  # which no sum can see
    np.testing.assert_array_equal(joined.forward(rows), found)
    for W in joined.weights:  # a column of zeros, and all of them
        W[:, 0] = 0
    np.testing.assert_allclose(joined.forward(rows)[:, 0], joined.biases[-1][0], rtol=1e-6)
    joined.weights[1][...] = 0
    expected = np.maximum(joined.biases[1], 0) @ joined.weights[2] + joined.biases[2]
    np.testing.assert_allclose(joined.forward(rows), [expected] * 150, rtol=1e-4, atol=1e-6)
