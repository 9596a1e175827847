"""Memory grows with the number of classes, not with its square, nor with rows times classes."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from plain_models import BackpropClassifier

from fastbp import Network

MIB = 2**20


def peak(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("batch_size", [1, 16])
def test_targets_of_many_classes_are_numbers(batch_size):
    n_classes = 5000
    X = np.random.default_rng(0).normal(size=(n_classes + 1, 3))
    network = Network((3, n_classes), loss="log_loss", random_state=0)
    y, order = np.arange(n_classes + 1) % n_classes, np.arange(20)
    used = peak(lambda: network.train_epoch(X, y, 0.01, order=order, batch_size=batch_size))
    assert used < 20 * MIB  # a byte a pair of classes would be 24


@pytest.mark.parametrize("batch_size", [1, 2, 7])
@pytest.mark.parametrize("n_rows", [2, 9])
def test_class_numbers_train_like_their_indicators(batch_size, n_rows):
    random = np.random.default_rng(0)
    X, y = random.normal(size=(n_rows, 4)), random.integers(0, 6, n_rows)
    by_number, by_indicator = (
        Network((4, 5, 6), loss="log_loss", random_state=0) for _ in range(2)
    )
    by_number.train_epoch(X, y, 0.1, batch_size=batch_size)
    by_indicator.train_epoch(X, np.eye(6)[y], 0.1, batch_size=batch_size)
    for W, V in zip(by_number.weights, by_indicator.weights, strict=True):
        np.testing.assert_array_equal(W, V)
    assert by_number.step(X[0], y[0], 0.1) == by_indicator.step(X[0], np.eye(6)[y[0]], 0.1)
    assert by_number.loss(X, y) == by_indicator.loss(X, np.eye(6)[y])


@pytest.mark.parametrize("sparse", [False, True])
def test_labels_of_many_rows_take_a_block_of_probabilities_at_a_time(sparse):
    n_rows, n_classes = 4000, 3000  # 92 MiB of probabilities
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    y = np.arange(n_rows) % n_classes
    model = BackpropClassifier(hidden_layer_sizes=(), random_state=0)
    model.partial_fit(X[:10], y[:10], classes=np.arange(n_classes))
    given = sp.csr_matrix(X) if sparse else X
    assert peak(lambda: model.score(given, y)) < 45 * MIB
    expected = model.predict_proba(X).argmax(axis=1)
    np.testing.assert_array_equal(model.predict(given), expected)


@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_scores_of_held_out_rows_take_a_block_of_probabilities_at_a_time():
    n_rows, n_classes = 4000, 2000
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    y = np.arange(n_rows) % n_classes
    model = BackpropClassifier(hidden_layer_sizes=(), max_iter=1, tol=0, random_state=0)
    with pytest.warns(Warning, match="max_iter"):
        used = peak(lambda: model.fit(X[:n_classes], y[:n_classes], X_val=X, y_val=y))
    assert used < 45 * MIB
    assert model.validation_scores_ == [model.score(X, y)]


def test_many_classes_are_not_all_listed_in_an_error():
    model = BackpropClassifier(hidden_layer_sizes=1).partial_fit([[0.0]], [0], range(1000))
    for call in (
        lambda: model.partial_fit([[0.0]], [0], range(999)),
        lambda: model.partial_fit([[0.0]] * 20, range(1000, 1020)),
    ):
        with pytest.raises(ValueError, match="begin again") as caught:
            call()
        assert "and 990 others" in str(caught.value)
        assert len(str(caught.value)) < 500
