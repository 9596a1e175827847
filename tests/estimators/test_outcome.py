"""How training ended is said, and what it leaves is of use."""

import copy
import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
import sklearn
from plain_models import BackpropClassifier, BackpropRegressor
from scipy.sparse import csr_array
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_linnerud,
    load_wine,
    make_moons,
)
from sklearn.ensemble import AdaBoostClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

import fastbp
from fastbp import DivergenceWarning, Network
from fastbp.estimators.holdout import warn_of_other_units

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 3))
TARGET = X[:, 0] - 2 * X[:, 1]


def quiet(call, *categories):
    with warnings.catch_warnings():
        for category in categories or (Warning,):
            warnings.simplefilter("ignore", category)
        return call()


def initial_of(model, rows, y):
    """The network that fit begins with."""
    begun = sklearn.clone(model).set_params(max_iter=1, learning_rate_init=1e-300, n_init=1)
    return quiet(lambda: begun.fit(rows, y)).network_


class TestDivergence:
    @pytest.mark.parametrize("n_init", [1, 3])
    @pytest.mark.parametrize("options", [{}, {"batch_size": 10}, {"verbose": True}], ids=str)
    def test_what_is_kept_is_no_worse_than_the_initial_network(self, options, n_init):
        model = BackpropRegressor(hidden_layer_sizes=8, random_state=0, n_init=n_init, **options)
        rows = 1000 + 300 * X
        with pytest.warns(DivergenceWarning, match="best epoch"):
            model.fit(rows, 1e4 * TARGET)
        assert model.diverged_
        before = initial_of(model, rows, 1e4 * TARGET).loss(rows, 1e4 * TARGET)
        assert model.network_.loss(rows, 1e4 * TARGET) <= before * (1 + 1e-12)

    @pytest.mark.parametrize("together", [True, False])
    def test_the_initial_network_is_kept_where_the_only_epoch_ends_in_a_wreck(self, together):
        rows, y = X[:40].copy(), TARGET[:40]
        rows[-1] = 40  # the last step of an epoch overshoots, which its loss does not show
        model = BackpropRegressor(
            hidden_layer_sizes=(),
            shuffle=False,
            learning_rate=lambda done: 0.05 if done == 0 else 1e9,
            learning_rate_init=1.0,
            random_state=0,
            verbose=not together,
        )
        with pytest.warns(DivergenceWarning, match="initial ones"):
            model.fit(rows, y)
        assert np.isfinite(model.loss_curve_).tolist() == [True, False]
        before = initial_of(BackpropRegressor(hidden_layer_sizes=(), random_state=0), rows, y)
        assert model.network_.loss(rows, y) == pytest.approx(before.loss(rows, y), rel=1e-9)

    @pytest.mark.parametrize("together", [True, False])
    @pytest.mark.parametrize("momentum", [0.0, 0.5])
    @pytest.mark.parametrize("shuffle", [True, False])
    def test_the_best_epoch_is_kept_to_the_bit(self, together, momentum, shuffle):
        # The rate of the schedule rises: some epochs learn, then it diverges.
        options = {"hidden_layer_sizes": 4, "random_state": 0, "momentum": momentum}
        options |= {"shuffle": shuffle, "learning_rate": "invscaling", "power_t": 0.0}
        rate = 0.16 if momentum else 0.35
        model = BackpropRegressor(
            learning_rate_init=rate, tol=0, n_iter_no_change=100, verbose=not together, **options
        )
        rows, y = 1.5 * X[:60], TARGET[:60]
        with pytest.warns(DivergenceWarning):
            model.fit(rows, y)
        losses = model.loss_curve_
        assert np.isinf(losses[-1])
        best = int(np.argmin(losses)) + 1
        short = BackpropRegressor(learning_rate_init=rate, tol=0, max_iter=best, **options)
        expected = quiet(lambda: short.fit(rows, y))
        assert expected.loss_curve_ == losses[:best]
        if expected.network_.loss(rows, y) < initial_of(model, rows, y).loss(rows, y):
            for W, V in zip(model.coefs_, expected.coefs_, strict=True):
                np.testing.assert_array_equal(W, V)

    @pytest.mark.parametrize("n_init", [1, 3])
    @pytest.mark.parametrize("together", [True, False])
    def test_epochs_that_made_it_worse_before_it_diverged_are_taken_back(self, together, n_init):
        options = {"hidden_layer_sizes": 4, "activation": "tanh", "random_state": 0}
        options |= {
            "tol": 0,
            "n_iter_no_change": np.inf,
            "learning_rate_init": 1.0,
            "n_init": n_init,
        }

        def rate(share_of_epochs):  # five that learn, three that undo it, one that diverges
            epoch = round(share_of_epochs * 20)
            return 0.02 if epoch < 5 else 0.2 if epoch < 8 else 1e6

        model = BackpropRegressor(max_iter=20, learning_rate=rate, verbose=not together, **options)
        with pytest.warns(DivergenceWarning, match="best epoch"):
            model.fit(X, TARGET)
        good = BackpropRegressor(
            max_iter=5, learning_rate=lambda share: rate(share * 5 / 20), **options
        )
        quiet(lambda: good.fit(X, TARGET))
        np.testing.assert_allclose(model.loss_curve_[:5], good.loss_curve_, rtol=1e-12)
        assert 2 * min(model.loss_curve_) < min(model.loss_curve_[5:8])
        assert max(model.loss_curve_[5:8]) < np.inf == model.loss_curve_[8]
        for W, V in zip(model.coefs_, good.coefs_, strict=True):
            np.testing.assert_allclose(W, V, rtol=1e-9 if n_init > 1 else 0)

    def test_partial_fit_keeps_the_weights_from_before_the_call(self):
        model = quiet(
            lambda: BackpropRegressor(hidden_layer_sizes=4, random_state=0).fit(X, TARGET)
        )
        before = model.predict(X)
        assert not model.diverged_
        with pytest.warns(DivergenceWarning, match="from before this call"):
            model.partial_fit(1e9 * X, TARGET)
        assert model.diverged_
        np.testing.assert_array_equal(model.predict(X), before)
        model.partial_fit(X[:1], TARGET[:1])
        assert not model.diverged_

    def test_a_long_epoch_that_diverges_late_is_taken_back_whole(self):
        n = 60_000  # several pieces of work
        rows = RANDOM.normal(size=(n, 40))
        rows[-1] = 1e200
        network = Network((40, 30, 1), random_state=0)
        before = [W.copy() for W in network.weights]
        with pytest.warns(DivergenceWarning):
            assert np.isinf(network.train_epoch(rows, np.zeros(n), 1e-3))
        for W, V in zip(network.weights, before, strict=True):
            np.testing.assert_array_equal(W, V)


class TestErrorsInTraining:
    @pytest.mark.parametrize("warm_start", [True, False])
    @pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"n_init": 3}, {"batch_size": 9}])
    def test_a_schedule_that_fails_halfway_leaves_the_model_as_it_was(self, options, warm_start):
        model = BackpropRegressor(
            hidden_layer_sizes=4, random_state=0, max_iter=20, warm_start=warm_start, **options
        )
        quiet(lambda: model.fit(X, TARGET))
        before, curve, predictions = model.network_, model.loss_curve_[:], model.predict(X)
        model.set_params(learning_rate=lambda done: 1.0 if done < 0.5 else np.nan)
        with pytest.raises(ValueError, match="learning_rate"):
            model.fit(X, TARGET)
        assert model.network_ is before
        assert model.loss_curve_ == curve
        np.testing.assert_array_equal(model.predict(X), predictions)
        assert sklearn.utils.validation.check_is_fitted(model) is None

    def test_a_model_that_was_not_fitted_is_not_after_an_error(self):
        model = BackpropRegressor(hidden_layer_sizes=4, learning_rate=lambda done: np.nan)
        with pytest.raises(ValueError, match="learning_rate"):
            model.fit(X, TARGET)
        assert not [name for name in vars(model) if name.endswith("_")]


class TestGrowth:
    """A loss that is finite, but far from where it began."""

    def blown_up(self, **options):
        model = BackpropRegressor(
            hidden_layer_sizes=(), random_state=0, tol=0, n_iter_no_change=np.inf, **options
        )
        # Equal rows: in every step the error is multiplied by 1 - 5 x learning_rate_init.
        return model, np.full((20, 1), 2.0), np.linspace(-1, 1, 20)

    @pytest.mark.parametrize(("batch_size", "rate", "n_epochs"), [(1, 0.56, 1), (20, 0.6, 13)])
    def test_a_loss_that_ends_far_above_where_it_began_is_warned_of(
        self, batch_size, rate, n_epochs
    ):
        model, rows, y = self.blown_up(batch_size=batch_size, max_iter=n_epochs)
        with pytest.warns(DivergenceWarning, match=rf"ended with a loss of .*e\+.*than {rate}"):
            model.set_params(learning_rate_init=rate).fit(rows, y)
        assert not model.diverged_
        assert 1e6 * 0.5 * np.var(y) < model.loss_ < np.inf

    def test_the_weights_of_the_best_score_are_judged_by_their_own_epoch(self):
        model, rows, y = self.blown_up(max_iter=13, batch_size=20, learning_rate_init=0.6)
        model.set_params(early_stopping=True)
        with warnings.catch_warnings():
            warnings.simplefilter("error", DivergenceWarning)
            quiet(
                lambda: model.fit(rows, y, X_val=rows[::2], y_val=y[::2]),
                ConvergenceWarning,
            )
        assert model.loss_ > 1e6 * model.loss_curve_[0]

    @pytest.mark.parametrize("kind", ["binary", "classes", "labels"])
    def test_losses_of_classes_are_far_above_earlier(self, kind):
        random = np.random.default_rng(0)
        rows = random.uniform(-1, 1, size=(300, 2))
        labels = random.uniform(size=(300, 3)) < 0.4
        y = {"binary": labels[:, 0], "classes": labels.sum(axis=1), "labels": labels}[kind] * 1
        shares = y.mean(axis=0, keepdims=True) if kind != "classes" else np.bincount(y) / len(y)
        constant = -np.sum(shares * np.log(shares))
        if kind != "classes":
            constant -= np.sum((1 - shares) * np.log(1 - shares))
        model = BackpropClassifier(hidden_layer_sizes=(), random_state=0, max_iter=2)
        message = rf"a constant prediction has {constant:.3g}\."
        with pytest.warns(DivergenceWarning, match=message):
            quiet(lambda: model.set_params(learning_rate_init=2e3).fit(rows, y),
                  ConvergenceWarning)  # fmt: skip
        assert 1e3 * constant < model.loss_ < np.inf

    @pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "quantile", "huber"])
    @pytest.mark.parametrize("dtype", [np.float64, np.float32])
    def test_targets_far_from_0_are_no_growth(self, dtype, loss):
        y = (1e6 + TARGET).astype(dtype)
        model = BackpropRegressor(hidden_layer_sizes=(), max_iter=1, learning_rate_init=1e-5)
        model.set_params(loss=loss, random_state=0)
        for sign in (1, -1):
            with warnings.catch_warnings():
                warnings.simplefilter("error", DivergenceWarning)
                quiet(lambda sign=sign: model.fit(X.astype(dtype), sign * y), ConvergenceWarning)
            assert model.loss_ > 1e5

    def test_targets_whose_squares_overflow_are_no_growth(self):
        model = BackpropRegressor(hidden_layer_sizes=(), max_iter=1, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            quiet(lambda: model.fit(X, 1e200 * TARGET), ConvergenceWarning, DivergenceWarning)

    def test_a_warm_start_that_was_perfect_may_become_less_so(self):
        model = BackpropRegressor(hidden_layer_sizes=(), learning_rate_init=0.1, random_state=0)
        quiet(lambda: model.set_params(tol=0, warm_start=True).fit(X, TARGET))
        assert model.loss_ < 1e-25
        with warnings.catch_warnings():
            warnings.simplefilter("error", DivergenceWarning)
            quiet(lambda: model.set_params(max_iter=1).fit(X, TARGET + 1e-9 * X[:, 2]),
                  ConvergenceWarning)  # fmt: skip


class TestOneAnswer:
    def test_a_classifier_that_answers_all_rows_alike_says_so(self):
        y = (X[:, 0] ** 2 > 0.5).astype(int)
        model = BackpropClassifier(
            hidden_layer_sizes=(20, 20, 20), activation="logistic", max_iter=3, random_state=0
        )
        with pytest.warns(DivergenceWarning, match="same output for every row"):
            model.fit(X, y)

    def test_a_regressor_whose_answers_hardly_differ_beside_the_targets_says_so(self):
        model = BackpropRegressor(
            hidden_layer_sizes=4, activation="tanh", max_iter=1, random_state=0
        )
        with pytest.warns(DivergenceWarning, match="same output for every row"):
            model.set_params(learning_rate_init=1e-12).fit(X, 1e6 * TARGET)

    def test_rows_that_are_equal_may_have_one_answer(self):
        model = BackpropRegressor(hidden_layer_sizes=3, learning_rate_init=0.01, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("error", DivergenceWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(np.ones((50, 2)), np.arange(50) % 2)
            model.fit(X, np.full(len(X), 3.0))


class TestAdvice:
    """What the warnings of training that failed say to try."""

    def message(self, rows, y, **options):
        model = BackpropRegressor(hidden_layer_sizes=8, random_state=0, **options)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            model.fit(rows, y)
        (warning,) = warned
        assert warning.category is DivergenceWarning
        return str(warning.message)

    @pytest.mark.parametrize(
        ("factor_X", "factor_y", "first"),
        [
            (1e3, 1, "First scale the inputs, which are large (for instance with sklearn.prep"),
            (1, 1e5, "First scale the targets, which are large (for instance with sklearn.comp"),
            (1e3, 1e5, "First scale the inputs and the targets, which are large"),
            (1, 1, "Try a smaller learning_rate_init than 10000, and scale inputs and targets"),
        ],
    )
    @pytest.mark.parametrize("kind", [np.asarray, csr_array])
    def test_what_is_large_is_to_be_scaled_first(self, kind, factor_X, factor_y, first):
        rows = kind(factor_X * X)
        message = self.message(rows, factor_y * TARGET, learning_rate_init=1e4)
        assert first in message

    def test_an_alpha_that_pulls_all_weights_to_0_is_named(self):
        options = {"learning_rate_init": 0.01, "tol": 0, "max_iter": 50}
        message = self.message(X, TARGET, alpha=10, **options)
        assert "same output for every row" in message
        assert "a smaller alpha than 10" in message
        assert "smaller alpha" in self.message(X, TARGET, alpha=1, learning_rate_init=1e4)
        assert "alpha" not in self.message(X, TARGET, alpha=1e-9, learning_rate_init=1e4)
        small = {"batch_size": 100, "learning_rate_init": 1e4}  # a hundredth of it beside a row
        assert "alpha" not in self.message(X, TARGET, alpha=1e-4, **small)

    def test_a_large_momentum_is_named_where_it_is_used(self):
        options = {"learning_rate_init": 1e4}
        assert "a smaller momentum than 0.99" in self.message(X, TARGET, momentum=0.99, **options)
        assert "momentum" not in self.message(X, TARGET, momentum=0.9, **options)

    def test_weights_that_predict_hardly_better_than_a_constant_are_called_so(self):
        message = self.message(1e3 * X, TARGET, learning_rate_init=1e4)
        assert "Do not use this model: it predicts hardly better than a constant" in message
        # Epochs that learn before one that diverges.
        rate = {"learning_rate": lambda done: 1e-2 if done < 0.5 else 1e9, "max_iter": 20}
        message = self.message(X, TARGET, learning_rate_init=1.0, **rate)
        assert "Training diverged" in message
        assert "Do not use" not in message


class TestEnd:
    def test_an_infinite_patience_makes_all_epochs_without_a_warning(self):
        model = BackpropRegressor(
            hidden_layer_sizes=4, max_iter=70, n_iter_no_change=np.inf, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.set_params(learning_rate_init=0.05).fit(X, TARGET)
        assert model.n_iter_ == 70

    def test_the_warning_tells_a_loss_that_still_falls_from_one_that_stood_still(self):
        model = BackpropRegressor(hidden_layer_sizes=4, random_state=0, learning_rate_init=1e-3)
        with pytest.warns(ConvergenceWarning, match="loss still improved by more than tol=1e-06"):
            model.set_params(max_iter=5, tol=1e-6).fit(X, TARGET)
        with pytest.warns(ConvergenceWarning, match="has not improved by more than tol=0.1 for 4"):
            model.set_params(max_iter=5, tol=0.1, learning_rate_init=1e-6).fit(X, TARGET)

    def test_the_warning_says_what_was_waited_for(self):
        model = BackpropRegressor(hidden_layer_sizes=4, random_state=0, n_iter_no_change=7)
        message = r"after max_iter=5 epochs, before the loss .* for n_iter_no_change=7 epochs: "
        with pytest.warns(ConvergenceWarning, match=message):
            model.set_params(max_iter=5).fit(X, TARGET)

    @pytest.mark.parametrize(
        ("schedule", "options", "ends_as_planned"),
        [
            ("cosine", None, True),
            ("one_cycle", None, True),
            (lambda done: 1 - done, None, True),
            ("constant", {"warmup": 0.5}, True),
            ("exponential", None, False),
            ("constant", {"warmup": 0.0}, False),
        ],
    )
    def test_schedules_that_last_for_all_epochs_end_without_a_warning(
        self, schedule, options, ends_as_planned
    ):
        model = BackpropRegressor(
            hidden_layer_sizes=4, learning_rate=schedule, learning_rate_options=options, max_iter=6
        )
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            model.set_params(learning_rate_init=0.01, random_state=0).fit(X, TARGET)
        assert [w.category for w in warned] == ([] if ends_as_planned else [ConvergenceWarning])

    def test_a_warning_names_the_line_of_the_user_also_through_record(self):
        model = BackpropRegressor(hidden_layer_sizes=4, max_iter=2, random_state=0)
        held_out = {"X_val": 1e3 * X, "y_val": TARGET}
        for call in (
            lambda: model.fit(X, TARGET),
            lambda: fastbp.record(model, X, TARGET),
            lambda: model.set_params(learning_rate_init=1e9).fit(X, TARGET),
            lambda: fastbp.record(model, X, TARGET),
            lambda: model.set_params(learning_rate_init=1e-3).fit(X, TARGET, **held_out),
        ):
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                call()
            assert warned
            assert {w.filename for w in warned} == {__file__}

    @pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
    def test_a_tol_that_is_large_beside_the_targets_is_named(self, loss):
        model = BackpropRegressor(hidden_layer_sizes=8, loss=loss, random_state=0)
        scale = 1e-3 if loss in ("squared_error", "huber") else 1e-5
        with pytest.warns(ConvergenceWarning, match=r"tol=0\.0001 .* large beside the targets"):
            model.set_params(learning_rate_init=0.01).fit(X, scale * TARGET)

    def test_a_tol_that_is_large_beside_rare_counts_is_named(self):
        y = (np.arange(len(X)) == 7).astype(float)
        model = BackpropRegressor(hidden_layer_sizes=4, loss="poisson", random_state=0)
        constant = np.log(len(X)) / len(X)  # y log(y / mean) of the one
        message = rf"tol=0\.001 .* constant prediction is {constant:.3g}\. Choose a smaller tol\.$"
        with pytest.warns(ConvergenceWarning, match=message):
            model.set_params(learning_rate_init=0.01, tol=1e-3, n_iter_no_change=2).fit(X, y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.set_params(learning_rate_init=0.01, tol=1e-4, max_iter=1000)
            model.fit(X, np.random.default_rng(0).poisson(np.exp(X[:, 0])))


class TestWeights:
    def test_weights_that_sum_up_to_one_are_shares(self):
        n = len(X)
        models = [BackpropRegressor(hidden_layer_sizes=4, random_state=0) for _ in range(2)]
        quiet(lambda: models[0].fit(X, TARGET))
        quiet(lambda: models[1].fit(X, TARGET, sample_weight=np.full(n, 1 / n)))
        for W, V in zip(models[0].coefs_, models[1].coefs_, strict=True):
            np.testing.assert_allclose(W, V, rtol=1e-9)

    def test_a_mask_is_neither_shares_nor_small(self):
        for n_rows in (1, 5):
            mask = np.zeros(len(X))
            mask[:n_rows] = 1
            alone = BackpropRegressor(hidden_layer_sizes=4, shuffle=False, max_iter=3)
            masked = sklearn.clone(alone).set_params(random_state=0)
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)
                warnings.simplefilter("ignore", ConvergenceWarning)
                warnings.simplefilter("ignore", DivergenceWarning)
                masked.fit(X, TARGET, sample_weight=mask)
                alone.set_params(random_state=0).fit(X[:n_rows], TARGET[:n_rows])
            for W, V in zip(masked.coefs_, alone.coefs_, strict=True):
                np.testing.assert_allclose(W, V, rtol=1e-9)

    def test_small_weights_are_warned_of_with_the_factor_that_helps(self):
        model = BackpropRegressor(hidden_layer_sizes=4, max_iter=2, random_state=0)
        with pytest.warns(UserWarning, match="Multiply the weights by 100 "):
            quiet(lambda: model.fit(X, TARGET, np.full(len(X), 0.01)), ConvergenceWarning)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    def test_boosting_learns_as_well_as_with_scikit_learn_s_networks(self):
        rows, y = make_moons(400, noise=0.2, random_state=0)
        model = BackpropClassifier(hidden_layer_sizes=16, learning_rate_init=0.05, random_state=0)
        boosted = AdaBoostClassifier(model, n_estimators=5, random_state=0).fit(rows, y)
        assert boosted.score(rows, y) > 0.94


class TestHeldOutUnits:
    def data(self):
        rows = RANDOM.normal(1000, 50, size=(400, 3))
        return rows[:300], rows[300:], (rows[:300, 0] > 1000), (rows[300:, 0] > 1000)

    def network(self):
        return BackpropClassifier(
            hidden_layer_sizes=4, learning_rate_init=0.05, early_stopping=True, random_state=0
        )

    def test_rows_that_a_pipeline_did_not_scale_are_warned_of(self):
        train, held_out, y, y_val = self.data()
        model = make_pipeline(StandardScaler(), self.network())
        with pytest.warns(UserWarning, match=r"column 0 goes from -.*transform_input"):
            model.fit(train, y, backpropclassifier__X_val=held_out, backpropclassifier__y_val=y_val)

    @pytest.mark.parametrize("swapped", [False, True])
    @pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
    def test_rows_in_other_units_are_warned_of_though_they_are_not_large(self, load, swapped):
        rows, _ = load(return_X_y=True)
        train, held_out = train_test_split(rows, random_state=0)
        scaler = StandardScaler().fit(train)
        given = (
            (train, scaler.transform(held_out)) if swapped else (scaler.transform(train), held_out)
        )
        with pytest.warns(UserWarning, match=r"X_val lies far outside"):
            warn_of_other_units(given[0], *given)

    @pytest.mark.parametrize(
        "load",
        [load_iris, load_wine, load_breast_cancer, load_digits, load_diabetes, load_linnerud],
    )
    def test_ordinary_splits_are_not_warned_of(self, load):
        rows, _ = load(return_X_y=True)
        halves = [(rows[::2], rows[1::2])]
        splits = [
            train_test_split(rows, test_size=size, random_state=seed)
            for size in (0.05, 0.25, 0.75)
            for seed in range(10)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for train, held_out in halves + splits:
                warn_of_other_units(train, train, held_out)

    @pytest.mark.parametrize("kinds", ["dense, sparse", "sparse, sparse", "sparse, dense"])
    def test_sparse_rows_that_were_not_scaled_are_warned_of_too(self, kinds):
        random = np.random.default_rng(1)
        train, held_out = (random.poisson(0.3, size=(n, 5)) * 100.0 for n in (300, 100))
        y, y_val = train[:, 0] > 0, held_out[:, 0] > 0
        scale = MaxAbsScaler().fit(train)
        as_X, as_X_val = (np.asarray if k == "dense" else csr_array for k in kinds.split(", "))
        scaled = as_X(scale.transform(train))
        with pytest.warns(
            UserWarning, match=r"column \d goes from 0 to 1 in X, but from 0 to \d00"
        ):
            quiet(lambda: self.network().fit(scaled, y, X_val=as_X_val(held_out), y_val=y_val),
                  ConvergenceWarning)  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            both = as_X_val(scale.transform(held_out))
            self.network().fit(scaled, y, X_val=both, y_val=y_val)

    def test_rare_words_are_no_other_units(self):
        random = np.random.default_rng(1)
        words = csr_array(
            random.uniform(size=(400, 2000)) * (random.uniform(size=(400, 2000)) < 2e-3)
        )
        train, held_out = words[:380], words[380:]
        y = np.arange(400) % 2
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.network().fit(train, y[:380], X_val=held_out, y_val=y[380:])

    def test_a_look_at_the_units_takes_little_memory(self):
        rows = np.zeros((200_000, 50))
        rows[::2] = 1
        given = np.asfortranarray(rows[:1000] * 1e3)
        tracemalloc.start()
        with pytest.warns(UserWarning, match="from 0 to 1000 in X_val"):
            warn_of_other_units(rows, rows, given)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < rows.nbytes / 2

    def test_a_pipeline_that_transforms_them_gives_what_is_done_by_hand(self):
        train, held_out, y, y_val = self.data()
        scale = StandardScaler().fit(train)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            by_hand = self.network().fit(
                scale.transform(train), y, X_val=scale.transform(held_out), y_val=y_val
            )
            with sklearn.config_context(enable_metadata_routing=True):
                network = self.network().set_fit_request(X_val=True, y_val=True)
                steps = [("scale", StandardScaler()), ("network", network)]
                routed = Pipeline(steps, transform_input=["X_val"])
                routed.fit(train, y, X_val=held_out, y_val=y_val)
        np.testing.assert_array_equal(routed[-1].coefs_[0], by_hand.coefs_[0])


class TestStream:
    def test_a_model_does_not_grow_with_the_calls_of_partial_fit(self):
        model = BackpropRegressor(hidden_layer_sizes=4, max_iter=5, random_state=0)
        quiet(lambda: model.fit(X, TARGET))
        fitted = list(model.loss_curve_)
        sizes = []
        for _ in range(4):
            for row in range(1500):
                i = row % len(X)
                model.partial_fit(X[i : i + 1], TARGET[i : i + 1])
            sizes.append(len(pickle.dumps(model)))
        assert max(sizes) < min(sizes) + 9 * 1001
        assert len(model.loss_curve_) <= 5 + 2000
        assert model.loss_curve_[:5] == fitted
        assert model.n_iter_ == 5 + 6000
        assert model.t_ == 5 * len(X) + 6000
        assert model.best_loss_ <= min(model.loss_curve_)
        assert model.loss_ == model.loss_curve_[-1]
        assert copy.deepcopy(model).n_iter_ == model.n_iter_
        assert fastbp.BackpropRegressor.from_sklearn(model.to_sklearn()).t_ == model.t_


class TestAnswersAlikeThoughFewRowsShowIt:
    """Among the first rows looked at some classes, or targets, are all alike."""

    @pytest.mark.parametrize(
        ("kind", "targets"),
        [
            (BackpropClassifier, np.arange(len(X)) % 40),
            (BackpropClassifier, np.arange(len(X)) % 50 == 7),
            (BackpropClassifier, np.arange(len(X))[:, None] % 50 == [7, 8]),
            (BackpropRegressor, np.where(np.arange(len(X)) % 50 == 7, 5.0, 0.0)),
            (BackpropRegressor, np.column_stack([TARGET, np.ones(len(X))])),
        ],
        ids=["forty classes", "a rare class", "rare labels", "rare counts", "a constant column"],
    )
    def test_the_same_answer_for_all_is_said(self, kind, targets):
        targets = targets.astype(int) if targets.dtype == bool else targets
        model = kind(
            hidden_layer_sizes=4, max_iter=20, alpha=20.0, learning_rate_init=0.02, random_state=0
        )
        with pytest.warns(DivergenceWarning, match="same output for every row"):
            model.fit(X, targets)

    @pytest.mark.parametrize("sparse", [False, True])
    def test_one_row_of_many_that_has_another_answer_is_seen(self, sparse):
        rows, y = np.zeros((5000, 3)), np.zeros(5000)
        rows[1234], y[1234] = 1, 100
        rows[:, 2] += np.arange(5000) % 2 * 1e-9
        model = BackpropRegressor(
            hidden_layer_sizes=4, max_iter=20, n_iter_no_change=np.inf, random_state=0
        )
        model.fit(csr_array(rows) if sparse else rows, y)  # the suite's filter refuses warnings
        assert np.ptp(model.predict(rows)) > 10


def test_class_weights_that_make_steps_tiny_are_said():
    model = BackpropClassifier(max_iter=2, n_iter_no_change=np.inf, class_weight={0: 0.01, 1: 0.01})
    with pytest.warns(UserWarning, match="Multiply the weights by 100 "):
        model.fit(X, (TARGET > 0).astype(int))


def test_targets_held_out_in_other_units_are_said():
    model = BackpropRegressor(max_iter=2, n_iter_no_change=np.inf)
    scaled = TransformedTargetRegressor(model, transformer=StandardScaler())
    y = 1e4 + 1e3 * TARGET
    with pytest.warns(UserWarning, match="y_val lies far outside") as caught:
        scaled.fit(X, y, X_val=X, y_val=y)
    assert len(caught) == 1
    model.fit(X, TARGET, X_val=X, y_val=TARGET)  # not where they are alike


@pytest.mark.parametrize("n_init", [1, 4])
@pytest.mark.parametrize("judged", ["loss", "score"])
def test_without_a_tolerance_an_epoch_that_changes_nothing_is_no_better(judged, n_init):
    options = {"hidden_layer_sizes": 4, "tol": 0, "n_init": n_init, "random_state": 0}
    if judged == "score":
        model = BackpropClassifier(early_stopping=True, learning_rate_init=0.05, **options)
        model.fit(5 * X, (X[:, 0] > 0).astype(int))
    else:
        model = BackpropRegressor(learning_rate_init=1e-300, shuffle=False, **options)
        model.fit(X, TARGET)
        assert model.n_iter_ == 12  # the first, and more than n_iter_no_change
    assert model.n_iter_ < 100


def test_shares_are_multiplied_by_the_number_of_all_rows():
    weights = np.zeros(len(X))
    weights[: len(X) // 2] = 2 / len(X)
    models = [
        BackpropClassifier(max_iter=3, n_iter_no_change=np.inf, random_state=0).fit(
            X, (TARGET > 0).astype(int), each
        )
        for each in (weights, weights * len(X))
    ]
    np.testing.assert_array_equal(*(model.predict_proba(X) for model in models))
