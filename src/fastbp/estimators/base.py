"""`Backprop`: what the two estimators share, which is all but targets and predictions."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import validate_data

from ..network.divergence import warn_of_divergence
from ..network.scaling import UnitsTrace
from ..training.ensemble import StepLoop, joined_history, joined_network
from ..training.epochs import EpochLoop
from ..training.restarts import RestartsLoop, best_of, draw_restarts
from ..training.run import History, Restart
from ..training.stopping import Score
from .callbacks import CallbackNotifier, CallbackSupport, notified_fit, with_callbacks
from .calls import PreparedCall, prepared_call, try_row
from .dead import dead_units
from .defaults import Settings
from .fitted import Fitted
from .gaps import INDICATOR
from .holdout import explicit_validation_set, with_explicit_validation
from .outcome import warn_of_outcome
from .parameters import Parameters
from .preparation import encoded_again, setup_of, training_data
from .prepared import EncodedTargets, FitRequest, Member, TrainingData, ValidationSet
from .stream import Streaming

if TYPE_CHECKING:
    from ..io.checkpoint import Keeper


class Backprop(Parameters, CallbackSupport, Streaming, Fitted):
    """What the regressor and the classifier share: training, parameters, fitted attributes."""

    _random_state: np.random.RandomState
    _prepared: PreparedCall | None = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing == INDICATOR
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_prepared"}

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: ArrayLike | None = None,
        checkpoint: Any = None,
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
        checkpoint : str, path-like or fastbp.Checkpoint, default=None
            A file that training is saved to on its way; `fastbp.resume` goes on from it, to the
            same bits, if the process is killed.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For a parameter or data that cannot be used. A model fitted before stays as it was.
        OSError
            If ``checkpoint`` cannot be written, or there is a file that it does not replace: one
            of training that has not ended, or no checkpoint.
        KeyboardInterrupt
            If training is interrupted. What was learnt until then is kept: the model is fitted.
        """
        held_out = explicit_validation_set(X_val, y_val, sample_weight_val)
        keeper = None
        if checkpoint is not None:
            from ..io.checkpoint import keeper_of

            keeper = keeper_of(self, checkpoint)
        return self._fit(X, y, sample_weight, held_out, keeper)

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        held_out: ValidationSet | None,
        keeper: Keeper | None,
    ) -> Self:
        """Do what `fit` does; ``keeper`` writes checkpoints, and may have one to go on from."""
        warm_start = self.warm_start and hasattr(self, "network_")
        with _unchanged_by_errors(self, warm_start):
            data = self._prepare_training(
                X, y, sample_weight, FitRequest(warm_start, held_out=held_out)
            )
            if keeper is not None:
                keeper.check(self, data)
            run = self._run_fit(data, warm_start, keeper, X, y, sample_weight)
        if keeper is not None:
            keeper.warn_again()
        if self.verbose:
            print(self.convergence_, flush=True)
        if run is not None:
            warn_of_outcome(self, run, data)
        return self

    @with_callbacks
    def _run_fit(
        self,
        data: TrainingData,
        warm_start: bool,
        keeper: Keeper | None,
        X: Any,
        y: Any,
        sample_weight: Any,
    ) -> Restart | None:
        """Run the epochs of `fit`, and notify scikit-learn's callbacks, if there are any."""
        groups = [self._restarts_of(member, data.settings, warm_start) for member in data.members]
        max_epochs = data.settings.max_iter * sum(map(len, groups))
        fitted = functools.partial(self._fitted_so_far, [one for group in groups for one in group])
        with notified_fit(self, max_epochs, fitted, X, y, sample_weight) as notifier:
            observer = notifier if hasattr(self, "_skl_callbacks") else None
            return self._train(groups, data, warm_start, observer, keeper)

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
        keeper: Keeper | None,
    ) -> Restart:
        """Run the epochs of `fit`; return what is kept: one network, or several joined to one."""
        options: dict[str, Any] = {
            "max_iter": data.settings.max_iter,
            "shuffle": self._random_state if self.shuffle else None,
            "notifier": notifier,
            "verbose": bool(self.verbose),
            "n_threads": self.n_threads,
            "pauses": None if keeper is None else keeper.pauses,
        }
        rows, orders = data.rows, [member.order for member in data.members]
        try:
            with contextlib.nullcontext() if keeper is None else keeper.running():
                if len(groups) == 1:
                    RestartsLoop(groups[0], rows, orders[0], self._solver(), **options).run()
                else:
                    members = [group[0] for group in groups]
                    StepLoop(members, rows, orders, self._solver(), **options).run()
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
            and try_row(self, prepared, X, y)
        ):
            return self
        request = FitRequest(hasattr(self, "network_"), True, classes, prepared)
        data = self._prepare_training(X, y, sample_weight, request)
        prepared = prepared or prepared_call(self)
        ending = EpochLoop(
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
        ).run()
        if ending == "diverged":
            warn_of_divergence("learning_rate_init", self._rate)
        return self

    def _prepare_training(
        self, X: Any, y: Any, sample_weight: Any, request: FitRequest
    ) -> TrainingData:
        """Check everything, set the fitted attributes and return the training data.

        A call that fails here leaves the model as it was. Whatever ends training after this
        leaves it usable: all attributes are set, and training changes them in place.
        """
        setup = setup_of(self, X, y, sample_weight, request)
        data = training_data(self, setup)
        if request.held_out is not None:
            data = with_explicit_validation(self, X, setup, data)

        if setup.random is not None:
            validate_data(self, X, skip_check_array=True)  # sets n_features_in_, feature_names_in_
            if setup.encoded.classes is not None:
                self.classes_ = setup.encoded.classes
            self._random_state, self._history = setup.random, History()
            self.network_, self._seed, self._n_joined = setup.network, setup.seed, 1
        self._units, self._gaps, self._settings = setup.units, setup.gaps, setup.settings
        self._ending, self._dead = None, []
        self._rate = self._initial_rate(is_fit=not request.incremental)
        self._history.begin_call()
        if not request.incremental:
            self._rate_factor, self._prepared = 1.0, None
        return data

    def _encoded_again(
        self, X: Any, y: Any, sample_weight: Any = None, *, one_row: bool = False
    ) -> tuple[Any, EncodedTargets, UnitsTrace | None]:
        """Return data as the fitted network takes them, for traces: see `encoded_again`."""
        return encoded_again(self, X, y, sample_weight, one_row=one_row)

    # -- what the two do each their way ---------------------------------------------------------

    def _encoded_targets(self, y: Any, sample_weight: Any, request: FitRequest) -> EncodedTargets:
        """Return y as a network takes it, checked."""
        raise NotImplementedError

    def _target_of_one(self, y: Any, prepared: PreparedCall) -> Any:
        """Return the target of one row as `Network.step` takes it, or None where y needs checks."""
        raise NotImplementedError

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
