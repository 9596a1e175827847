"""`Backprop`: what the two estimators share, which is all but targets and predictions."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .._core import Rows
from ..network import Network
from ..network.arrays import check_finite
from ..network.catalogue import hidden_activations
from ..network.data import as_matrix_of_row, as_summable_weights, as_weights
from ..network.network import warn_of_divergence
from ..network.scaling import LIMIT, UnitsTrace
from ..training.ensemble import joined_history, joined_network, train_in_step
from ..training.epochs import train_epochs
from ..training.order import (
    SampleRepeats,
    canonical_order,
    warn_of_small_weights,
    weights_of_shares,
)
from ..training.restarts import best_of, draw_restarts, train_restarts
from ..training.run import History, Restart
from ..training.stopping import Score, Validation
from .callbacks import CallbackNotifier, CallbackSupport, notified_fit, with_callbacks
from .csr import to_csr_if_sparse
from .dead import dead_units
from .defaults import MIN_ROWS_TO_HOLD_OUT, Settings, settings_of
from .features import has_one_row, named_features, plain_features
from .fitted import Fitted
from .gaps import INDICATOR, Gaps, gaps_of, running_gaps
from .holdout import (
    checked_like,
    held_out_rows,
    named_as_held_out,
    warn_of_other_targets,
    warn_of_other_units,
)
from .labels import check_is_targets, numbers_of
from .outcome import warn_of_outcome
from .parameters import Parameters
from .prepared import (
    EncodedTargets,
    FitRequest,
    Member,
    PreparedCall,
    TrainingData,
    ValidationSet,
    parameters_of,
)
from .stream import Streaming
from .units import Units, check_numbers, running_units, units_of

# Parameters that only assigning to them changes, and lists, of which copies are kept.
CONSTANTS = (int, float, str, tuple, list, np.generic, np.random.RandomState, type(None))


class Backprop(Parameters, CallbackSupport, Streaming, Fitted):
    """What the regressor and the classifier share: training, parameters, fitted attributes."""

    _random_state: np.random.RandomState
    _prepared: PreparedCall | None = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing == INDICATOR
        return tags

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train from new weights, or with ``warm_start=True`` from the present ones.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight w counts like w copies of it. None is 1 each. Weights that sum up to 1,
            such as AdaBoost's, are shares: they are multiplied by the number of rows.
        X_val, y_val : like X and y, default=None
            Rows to hold out. After each epoch their loss and score are noted (see
            ``validation_loss_curve_``), and with ``early_stopping`` training ends by them. None:
            with ``early_stopping`` a share of the rows of ``X``, else none.
        sample_weight_val : array-like of shape (n_val_samples,), default=None
            Weights in their mean loss and score.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For a parameter or data that cannot be used. A model fitted before stays as it was.
        KeyboardInterrupt
            If training is interrupted. What was learnt until then is kept: the model is fitted.
        """
        warm_start = self.warm_start and hasattr(self, "network_")
        held_out = _explicit_validation_set(X_val, y_val, sample_weight_val)
        with _unchanged_by_errors(self, warm_start):
            data = self._prepare_training(
                X, y, sample_weight, FitRequest(warm_start, held_out=held_out)
            )
            run = self._run_fit(data, warm_start, X, y, sample_weight)
        if self.verbose:
            print(self.convergence_, flush=True)
        if run is not None:
            warn_of_outcome(self, run, data)
        return self

    @with_callbacks
    def _run_fit(
        self, data: TrainingData, warm_start: bool, X: Any, y: Any, sample_weight: Any
    ) -> Restart | None:
        """Run the epochs of `fit`, and notify scikit-learn's callbacks, if there are any."""
        groups = [self._restarts_of(member, data.settings, warm_start) for member in data.members]
        max_epochs = data.settings.max_iter * sum(map(len, groups))
        fitted = functools.partial(self._fitted_so_far, [one for group in groups for one in group])
        with notified_fit(self, max_epochs, fitted, X, y, sample_weight) as notifier:
            observer = notifier if hasattr(self, "_skl_callbacks") else None
            return self._train(groups, data, warm_start, observer)

    def _restarts_of(self, member: Member, settings: Settings, warm_start: bool) -> list[Restart]:
        """Return the initialisations that a network of the ensemble is trained from."""
        history = self._history if member.network is self.network_ else History()
        validation = member.validation
        schedule = self._schedule_of_fit(len(member.order), settings)
        stopping = self._stopping(settings, validation is not None and validation.stops)
        first = Restart(member.network, history, stopping, schedule, validation)
        if warm_start and validation is not None:
            validation.evaluate(member.network, self.n_threads)  # to end with nothing worse
        return draw_restarts(first, 1 if warm_start else int(self.n_init), self._random_state)

    def _train(
        self,
        groups: list[list[Restart]],
        data: TrainingData,
        warm_start: bool,
        notifier: CallbackNotifier | None,
    ) -> Restart:
        """Run the epochs of `fit`; return what is kept: one network, or several joined to one."""
        options: dict[str, Any] = {
            "max_iter": data.settings.max_iter,
            "shuffle": self._random_state if self.shuffle else None,
            "notifier": notifier,
            "verbose": bool(self.verbose),
            "n_threads": self.n_threads,
        }
        rows, orders = data.rows, [member.order for member in data.members]
        try:
            if len(groups) == 1:
                train_restarts(groups[0], rows, orders[0], self._solver(), **options)
            else:
                train_in_step(
                    [group[0] for group in groups], rows, orders, self._solver(), **options
                )
        finally:
            best = [group[best_of(group)] for group in groups]
            self._dead = dead_units([one.network for one in best], data)
            run = self._join([one for one in best if one.history.loss_curve] or best[:1])
            if not warm_start:
                restarts = [one for group in groups for one in group]
                self.init_losses_ = np.array([restart.loss for restart in restarts])
                self.best_init_ = best_of(restarts)
        return run

    def _join(self, best: list[Restart]) -> Restart:
        """Keep the networks that were trained, joined into one."""
        network = joined_network([one.network for one in best])
        constant = None if self._units is None else self._units.constant
        if constant is not None and not self.warm_start:  # met exactly: z is 0
            network.weights[-1][:, constant] = network.biases[-1][constant] = 0
        history = joined_history([one.history for one in best])
        run = dataclasses.replace(best[0], network=network, history=history)
        if any(one.ending == "diverged" for one in best):
            run.ending = "diverged"
        self.network_, self._history, self._ending = network, history, run.ending
        self._n_joined = len(best)
        self._rate_factor = 1.0 if run.schedule is None else run.schedule.factor
        return run

    def _fitted_so_far(self, restarts: list[Restart]) -> dict[str, Any]:
        """Return what makes a copy of this estimator one whose fit ends here; see `notified_fit`.

        The network is the one in training.
        """
        running = next((one for one in restarts if one.ending is None), restarts[-1])
        return {
            "network_": running.network.copy(),
            "_units": self._units,
            "_gaps": self._gaps,
            "_history": copy.deepcopy(running.history),
            "_random_state": copy.deepcopy(self._random_state),
        }

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Self:
        prepared = self._prepared
        if prepared is not None and not prepared.is_current(self):
            prepared = None
        if (
            prepared
            and sample_weight is None
            and (classes is None or prepared.has_classes(classes))
            and self._try_row(prepared, X, y)
        ):
            return self
        request = FitRequest(hasattr(self, "network_"), True, classes, prepared)
        data = self._prepare_training(X, y, sample_weight, request)
        prepared = prepared or self._prepare()
        ending = train_epochs(
            self.network_,
            data.rows,
            data.members[0].order,
            prepared.solver,
            self._history,
            max_iter=1,
            schedule=prepared.schedule,
            shuffle=self._random_state if self.shuffle else None,
            verbose=bool(self.verbose),
            n_threads=self.n_threads,
            is_call=True,
        )
        if ending == "diverged":
            warn_of_divergence("learning_rate_init", self._rate)
        return self

    def _try_row(self, prepared: PreparedCall, X: Any, y: Any) -> bool:
        """Train on one row and return True, if that needs no conversion.

        All else takes the general path, and raises its errors there.
        """
        if not prepared.steps:
            return False
        if type(X) is np.ndarray:
            if X.ndim != 2 or len(X) != 1 or "feature_names_in_" in self.__dict__:
                return False
            row = X[0]
        else:
            plain = plain_features(self, X) if has_one_row(X) else None
            if plain is None:
                return False
            row = plain[0]
        target = self._target_of_one(y, prepared)
        if target is None:
            return False
        rate, units, gaps = prepared.schedule.rate(self._history.n_rows), None, self._gaps
        network = prepared.network
        if gaps is not None:
            if row.dtype != network.dtype or row.shape != gaps.means.shape:
                return False
            gaps = gaps.with_row(row)
            row = gaps.filled(row)
        if self._units is not None:
            units = self._units.of_row(network.dtype)
            seen = None if units is None else units.seen(row, target)
            if seen is None:
                return False
            row, target = seen[0], self._units.near(network, *seen)
        loss = network._run_row(row, target, prepared.solver, rate)
        if loss is None:
            return False
        if units is not None:
            units.commit()
        self._gaps = gaps
        self._history.begin_call()
        self._history.add_call(loss, 1)
        return True

    def _target_of_one(self, y: Any, prepared: PreparedCall) -> Any:
        """Return the target of one row as `Network.step` takes it, or None where y needs checks."""
        raise NotImplementedError

    def _prepare(self) -> PreparedCall:
        """Return what was checked; store it for the next call, unless it could change."""
        solver, parameters = self._solver(), parameters_of(self)
        lists = tuple((value, list(value)) for value in parameters if isinstance(value, list))
        classes = getattr(self, "classes_", None)
        steps = solver.takes_rows and not self.verbose
        prepared = PreparedCall(
            self.network_,
            solver,
            self._schedule(),
            parameters,
            lists,
            steps,
            classes,
            {} if classes is None else numbers_of(classes),
        )
        if all(isinstance(value, CONSTANTS) for value in parameters):
            self._prepared = prepared
        return prepared

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_prepared"}

    def _prepare_training(
        self, X: Any, y: Any, sample_weight: Any, request: FitRequest
    ) -> TrainingData:
        """Check everything, set the fitted attributes and return the training data.

        A call that fails here leaves the model as it was. Whatever ends training after this
        leaves it usable: all attributes are set, and training changes them in place.
        """
        if request.prepared:
            hidden: tuple[int, ...] | None = self.network_.layer_sizes[1:-1]
        else:
            hidden = self._check_parameters(request.incremental)
            if request.incremental and self.early_stopping is True:
                raise ValueError(
                    "partial_fit does not support early_stopping=True: one call is one epoch, and "
                    "the next one has other rows. Set early_stopping=False, hold rows out yourself "
                    "and stop calling once score(X_val, y_val) no longer improves; or call fit, "
                    "which makes all epochs"
                )
        checked_X, encoded = self._encoded(X, y, sample_weight, request)
        gaps = self._gaps_for(checked_X, encoded, request)
        if gaps is not None:
            checked_X = gaps.filled(checked_X)
        if request.warm_start and self._units is not None:
            checked_X = self._units.as_seen(checked_X)
        if encoded.sample_weight is not None and not request.incremental:
            warn_of_small_weights(encoded.sample_weight)
        units, in_own_units = self._units_for(checked_X, encoded, request), encoded.targets
        settings = self._settings_for(hidden, checked_X, request, encoded.sample_weight)
        layer_sizes = (checked_X.shape[1], *settings.hidden_layer_sizes, encoded.n_outputs)
        if request.warm_start:
            network, seed = self._network_to_continue(layer_sizes, encoded), self._seed
        else:
            random = check_random_state(self.random_state)
            network = self._new_network(layer_sizes, encoded, checked_X.dtype, random)
            seed = copy.deepcopy(random).randint(2**31 - 1)  # random itself goes on as ever
        if units is not None:
            targets = units.targets_of_fit(encoded.targets)
            if request.incremental:
                targets = units.within_reach(network, checked_X, units.scaled_targets(in_own_units))
            encoded = dataclasses.replace(encoded, targets=targets)
        data = self._training_data(network, checked_X, encoded, request, seed, units, settings)
        if request.held_out is not None:
            X_val = checked_like(self, X, request.held_out.X, network.dtype, gaps)
            validation = self._explicit_validation(
                network, X_val, request.held_out, encoded, units, settings
            )
            members = [
                dataclasses.replace(one, validation=dataclasses.replace(validation))
                for one in data.members
            ]
            data = dataclasses.replace(data, members=tuple(members))
            both = checked_X, X_val
            if gaps is not None:  # marks have no units
                both = tuple(rows[:, : len(gaps.means)] for rows in both)
            warn_of_other_units(X, *both)
            if encoded.classes is None:
                warn_of_other_targets(in_own_units, request.held_out.y)

        if not request.warm_start:
            validate_data(self, X, skip_check_array=True)  # sets n_features_in_, feature_names_in_
            if encoded.classes is not None:
                self.classes_ = encoded.classes
            self._random_state, self._history, self.network_ = random, History(), network
            self._seed = seed
            self._n_joined = 1
        self._units, self._settings, self._ending = units, settings, None
        self._dead = []
        self._gaps = gaps
        self._rate = self._initial_rate(is_fit=not request.incremental)
        self._history.begin_call()
        if not request.incremental:
            self._rate_factor, self._prepared = 1.0, None
        return data

    def _settings_for(
        self,
        hidden: tuple[int, ...] | None,
        X: Any,
        request: FitRequest,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> Settings:
        """Return what the parameters that are "auto" stand for in this call."""
        if request.warm_start and hidden is None:
            hidden = self.network_.layer_sizes[1:-1]
        is_needed = self.early_stopping is True
        can_hold_out = request.held_out is None and (
            is_needed or X.shape[0] >= MIN_ROWS_TO_HOLD_OUT
        )
        n_rows = X.shape[0]
        if sample_weight is not None and not request.incremental:  # copies of rows are rows
            total = SampleRepeats.of(sample_weight, n_rows).total
            n_rows = max(round(total), np.count_nonzero(sample_weight), 1)
        return settings_of(
            self, hidden, n_rows, is_fit=not request.incremental, can_hold_out=can_hold_out
        )

    def _gaps_for(self, X: Any, encoded: EncodedTargets, request: FitRequest) -> Gaps | None:
        """Return what stands for missing values in these rows; None where none may be."""
        gaps, weights = self._gaps, encoded.sample_weight
        if not request.warm_start:
            if self.missing != INDICATOR:
                return None
            return (running_gaps if request.incremental else gaps_of)(X, weights)
        return gaps.with_rows(X, weights) if gaps is not None and request.incremental else gaps

    def _units_for(self, X: Any, encoded: EncodedTargets, request: FitRequest) -> Units | None:
        """Return the units that the network sees these rows in; None is their own."""
        units: Units | None = self._units if request.warm_start else None
        if units is None and (request.warm_start or not self.standardize):
            return None
        check_numbers(X)
        if encoded.classes is None:  # in the dtype of the outputs
            with np.errstate(over="ignore"):
                check_finite("y", encoded.targets.astype(X.dtype, copy=False))
        if units is not None:
            if request.incremental:
                units = units.with_rows(X, encoded.targets, encoded.sample_weight)
            return units
        begin = running_units if request.incremental else units_of
        is_linear = not isinstance(self.hidden_layer_sizes, (str, int)) and not len(
            self.hidden_layer_sizes
        )
        limit = math.inf if is_linear else LIMIT
        return begin(X, encoded.targets, encoded.sample_weight, encoded.loss, limit)

    def _training_data(
        self,
        network: Network,
        X: Any,
        encoded: EncodedTargets,
        request: FitRequest,
        seed: int,
        units: Units | None,
        settings: Settings,
    ) -> TrainingData:
        """Return rows as pointers for C, and for each network their order and the rows held out."""
        repeats = SampleRepeats.of(encoded.sample_weight, X.shape[0])
        rows, given = self._checked_rows(network, X, encoded, repeats, request), None
        if units is not None:
            rows, given = units.kept(units.inputs.rows(rows, network.dtype), self.batch_size), rows
        if self.shuffle and not request.incremental:
            order = canonical_order(rows, given, X, encoded.targets)
        else:
            order = np.arange(rows.n, dtype=np.int64)
        members = []
        for k in range(settings.n_networks):
            own, left, validation = self._another(network, seed, k), order, None
            held_out = self._held_out(order, (seed + k) % 2**31, encoded, settings)
            if held_out is not None:
                left = order[~np.isin(order, held_out, assume_unique=True)]
                part = encoded.part(held_out)
                weights = as_summable_weights(part.sample_weight, len(held_out))
                picked = rows.picked(held_out, weights)
                validation = self._validation(picked, part, settings)
            members.append(Member(own, repeats.order(left), validation))
        return TrainingData(X, encoded.targets, rows, tuple(members), units, settings)

    def _checked_rows(
        self,
        network: Network,
        X: Any,
        encoded: EncodedTargets,
        repeats: SampleRepeats,
        request: FitRequest,
    ) -> Rows:
        """Return rows as pointers for C: of a table of mostly zeros its non-zeros, if it pays."""
        rows = network._rows(X, encoded.targets, repeats.weights)
        solver = self._solver()
        # A schedule may lower the rate to nothing, but not begin so.
        if network.dtype != np.float64:
            initial = dataclasses.replace(solver, learning_rate=self._initial_rate())
            initial.check_dtype(network.dtype, "learning_rate_init")
        # At every row, zero or not:
        moves_all = solver.drops_units or (solver.n_moments > 0 and not solver.rests)
        if (self.batch_size > 1 or not moves_all) and not request.incremental and not rows.sparse:
            as_csr = to_csr_if_sparse(X)
            if as_csr is not X:
                rows = network._rows(as_csr, encoded.targets, repeats.weights)
        return rows

    def _another(self, network: Network, seed: int, k: int) -> Network:
        """Return network k of an ensemble, of which this is number 0."""
        if k == 0:
            return network
        other = network.copy()
        other._initialise(np.random.RandomState((seed + k) % 2**31))
        return other

    def _held_out(
        self, order: NDArray[np.int64], seed: int, encoded: EncodedTargets, settings: Settings
    ) -> NDArray[np.int64] | None:
        """Return the numbers of the rows to hold out; None where none are, or can be."""
        if not settings.holds_out:
            return None
        classes = self._classes_to_divide(encoded)
        fraction, weights = self.validation_fraction, encoded.sample_weight
        try:
            return held_out_rows(order, fraction, seed, weights, classes)
        except ValueError:
            if not settings.by_loss:
                raise
        try:  # a class may have a single row
            return held_out_rows(order, fraction, seed, weights, None)
        except ValueError:
            return None

    def _explicit_validation(
        self,
        network: Network,
        X_val: Any,
        held_out: ValidationSet,
        encoded: EncodedTargets,
        units: Units | None,
        settings: Settings,
    ) -> Validation:
        """Return the explicit validation set, whose rows are X_val as an array."""
        with named_as_held_out():
            check_consistent_length(X_val, held_out.y)
            weights = as_weights(held_out.sample_weight, X_val.shape[0], "sample_weight_val")
            own = self._validation_targets(held_out.y, weights, encoded)
            if units is not None:
                own = dataclasses.replace(own, targets=units.targets_of_fit(own.targets))
                X_val = units.as_seen(X_val)
            rows = network._rows(X_val, own.targets, own.sample_weight, needs_y=True)
            if units is not None:
                rows = units.kept(units.inputs.rows(rows, network.dtype))
            return self._validation(rows, own, settings)

    def _validation(self, rows: Rows, encoded: EncodedTargets, settings: Settings) -> Validation:
        score = None if settings.by_loss else self._score_of(encoded)
        return Validation(rows, score, bool(self.early_stopping), settings.looks)

    def _validation_targets(
        self, y: Any, sample_weight: Any, encoded: EncodedTargets
    ) -> EncodedTargets:
        """Return the encoded targets of an explicit validation set."""
        raise NotImplementedError

    def _score_of(self, encoded: EncodedTargets) -> Score | None:
        """Return what makes a score of the network's outputs; None is minus the loss."""
        raise NotImplementedError

    def _classes_to_divide(self, encoded: EncodedTargets) -> NDArray[np.intp] | None:
        """Return the number of each row's class, if the split is to be stratified."""
        raise NotImplementedError

    def _encoded(
        self, X: Any, y: Any, sample_weight: Any, request: FitRequest
    ) -> tuple[Any, EncodedTargets]:
        """Return X and y as a network takes them."""
        return self._with_targets(self._checked_X(X, request.warm_start), y, sample_weight, request)

    def _encoded_again(
        self, X: Any, y: Any, sample_weight: Any = None, *, one_row: bool = False
    ) -> tuple[Any, EncodedTargets, UnitsTrace | None]:
        """Return X and y as the fitted network takes them, and how a single row was scaled.

        One row may have names: see `named_features`.
        """
        check_is_fitted(self)
        self._check_parameters(incremental=True)
        row = named_features(self, X) if one_row else None
        if row is None:
            checked_X = self._checked_X(as_matrix_of_row(X) if one_row else X, True)
        else:
            checked_X = row[np.newaxis]
        checked_X, encoded = self._with_targets(
            checked_X, y, sample_weight, FitRequest(warm_start=True, incremental=True)
        )
        gaps = self._gaps
        if gaps is not None:
            gaps = gaps.with_rows(checked_X, encoded.sample_weight) if one_row else gaps
            checked_X = gaps.filled(checked_X)
        units = self._units
        if units is None:
            return checked_X, encoded, None
        check_numbers(checked_X)
        checked_X = units.as_seen(checked_X)
        if one_row:  # as a call of partial_fit would see it
            units = units.with_rows(checked_X, encoded.targets, encoded.sample_weight)
        trace = units.trace(checked_X, encoded.targets) if one_row else None
        targets = units.scaled_targets(encoded.targets)
        if one_row:
            targets = units.within_reach(self.network_, checked_X, targets)
        scaled_X = units.inputs.transform(checked_X)
        return scaled_X, dataclasses.replace(encoded, targets=targets), trace

    def _with_targets(
        self, checked_X: Any, y: Any, sample_weight: Any, request: FitRequest
    ) -> tuple[Any, EncodedTargets]:
        check_is_targets(self, y)
        check_consistent_length(checked_X, y)
        weights = as_weights(sample_weight, checked_X.shape[0])
        if weights is not None and not request.incremental:
            weights = weights_of_shares(weights)
        return checked_X, self._encoded_targets(y, weights, request)

    def _encoded_targets(self, y: Any, sample_weight: Any, request: FitRequest) -> EncodedTargets:
        raise NotImplementedError

    def _new_network(
        self,
        layer_sizes: tuple[int, ...],
        encoded: EncodedTargets,
        dtype: Any,
        random: np.random.RandomState,
    ) -> Network:
        return Network(
            layer_sizes,
            activation=hidden_activations(self.activation, len(layer_sizes) - 2),
            out_activation=encoded.out_activation,
            loss=encoded.loss,
            **encoded.loss_parameters,
            dtype=dtype,
            random_state=random,
        )

    def _network_to_continue(
        self, layer_sizes: tuple[int, ...], encoded: EncodedTargets
    ) -> Network:
        """Return the fitted network, if the parameters still describe it."""
        network: Network = self.network_
        expected = {
            "hidden_layer_sizes": (network.layer_sizes[1:-1], layer_sizes[1:-1]),
            "activation": (
                network.activation,
                hidden_activations(self.activation, len(layer_sizes) - 2),
            ),
            "loss": (network.loss_name, encoded.loss),
            "number of outputs": (network.layer_sizes[-1], layer_sizes[-1]),
            **{
                name: (getattr(network, name), now) for name, now in encoded.loss_parameters.items()
            },
        }
        for name, (fitted, now) in expected.items():
            if fitted != now:
                raise ValueError(
                    f"This model was fitted with {name} {fitted}, now it is {now}: training cannot "
                    "continue from its weights. Call fit with warm_start=False to begin again."
                )
        return network


@contextlib.contextmanager
def _unchanged_by_errors(model: Backprop, in_place: bool) -> Iterator[None]:
    """Give a model back as it was before an error in training: of a schedule, or a callback.

    ``in_place``: the training changes the network and the history that there are. What Ctrl-C ends
    keeps what was learnt.
    """
    before = dict(vars(model))
    state = model.network_._state.save() if in_place else None
    history = copy.deepcopy(model._history) if in_place else None
    try:
        yield
    except Exception:
        model.__dict__ = before
        if state is not None and history is not None:
            model.network_._state.restore(state)
            model._history = history
        raise


def _explicit_validation_set(
    X_val: Any, y_val: Any, sample_weight_val: Any
) -> ValidationSet | None:
    if X_val is None and y_val is None and sample_weight_val is None:
        return None
    if X_val is None or y_val is None:
        raise ValueError("Pass X_val and y_val together: a validation set needs both")
    return ValidationSet(X_val, y_val, sample_weight_val)
