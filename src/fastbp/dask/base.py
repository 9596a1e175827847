"""`DaskTraining`: what the two estimators of Dask share, beside what those of one process have."""

from __future__ import annotations

import copy
import dataclasses
import math
import time
import warnings
from typing import Any, Self

import numpy as np

from .._messages import level_of_caller
from ..distributed import Layout, OuterStep, RoundState, Settings, Training, made_with
from ..distributed.training import RoundResult
from ..estimators.defaults import AUTO
from ..exceptions import DivergenceWarning
from ..network.checks import check_number, check_whole
from ..network.divergence import warn_of_divergence
from ..network.scaling import ROWS_LOOKED_AT
from ..training.schedule import goes_to_the_end
from ..training.stopping import EarlyStopping
from . import checkpoint as files
from . import lazily
from .cluster import SECONDS_WITHOUT_WORKERS, LostCluster, cluster_of
from .encoding import (
    balanced,
    begin,
    check_continues,
    mostly_zeros,
    settings_of_fit,
    weight_factor,
)
from .engine import Engine
from .partitions import is_distributed, partitions_of
from .progress import Progress
from .tasks import Encoder, Judgement

# Measured, see docs/decisions/0029.
LEAST_SHARDS, SOME_SHARDS = 2, 8
ROWS_OF_SOME, ROWS_OF_MORE = 100_000, 250_000  # of a shard, up to SOME_SHARDS and above
LEAST_ROUNDS, MOST_ROUNDS, ROWS_A_ROUND = 5, 20, 20_000
MOST_MOMENTUM, RATE_OF_SEVERAL = 0.9, 2.0
SECONDS_AHEAD, MOST_ROUNDS_AHEAD = 5.0, 20
OWN = ("rounds", "rows_per_round", "n_shards", "outer_momentum", "outer_learning_rate")


class DaskTraining:
    """Trains on the workers of Dask; all else is inherited from the estimator of one process."""

    rounds: int | str
    rows_per_round: int | float | str
    n_shards: int | str
    outer_momentum: float | str
    outer_learning_rate: float
    workers_timeout = SECONDS_WITHOUT_WORKERS
    _client: Any = None
    _rounds: dict[str, list[Any]] | None = None
    _local: Any = None  # the class of one process

    def __getstate__(self) -> dict[str, Any]:
        parent: Any = super()
        state: dict[str, Any] = parent.__getstate__()
        return {name: value for name, value in state.items() if name != "_client"}

    @property
    def client(self) -> Any:
        """The client of Dask to train with; None is that of the task, or else the newest one."""
        return self._client

    @client.setter
    def client(self, client: Any) -> None:
        self._client = client

    @property
    def history_(self) -> dict[str, list[Any]]:
        """Rounds of `fit`, as columns that a DataFrame takes.

        ``round`` and ``epoch``, from 1; ``rows`` seen up to its end, by all shards; ``loss``;
        ``validation_loss`` and ``validation_score`` after each epoch, NaN elsewhere;
        ``learning_rate`` at its beginning; ``rows_per_second``; ``seconds`` that it took, of which
        ``seconds_computing`` are those of the shard that took longest, and ``seconds_moving`` the
        rest: states that move, averages, and waiting for the scheduler.
        """
        self._check_is_fitted()  # type: ignore[attr-defined]
        if self._rounds is None:
            table: dict[str, list[Any]] = self._history.table()  # type: ignore[attr-defined]
            return table
        return {name: list(values) for name, values in self._rounds.items()}

    # -- training ------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        checkpoint: Any = None,
        resume: bool = False,
    ) -> Self:
        """Train from new weights, or with ``warm_start=True`` from the present ones.

        Parameters
        ----------
        X : array or DataFrame of Dask, bag of paths, or list of delayed blocks
            Arrays must not be chunked by columns; their blocks are dense or CSR matrices. A bag
            holds paths of Parquet files, which workers can read. A block is a pair (X, y), a
            triple (X, y, weights) or a table; it may be delayed, a future, or at hand. Rows of
            this process are taken, too, and sent to workers.
        y : array or Series of Dask, name of a column, or list of names
            Divided as X is. The name of the target's column where X is a DataFrame or holds
            paths or tables; None where it holds pairs.
        sample_weight : array or Series of Dask, default=None
        X_val, y_val, sample_weight_val : like X, y and sample_weight, default=None
            Rows held out, on which every epoch is judged. With ``early_stopping`` ("auto" or
            True) training ends by them, with the weights of the best epoch.
        checkpoint : path, default=None
            File to which every round is saved.
        resume : bool, default=False
            Go on from that file, with the same rows and parameters, to the bits of a fit that was
            not stopped.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For parameters or data that cannot be used; the number of the partition is named.
        TimeoutError
            If there have been no workers for ``workers_timeout`` seconds, an attribute.
        RuntimeError
            If the scheduler is lost, or versions of fastbp differ. What was learnt up to the
            last round is kept where there was one.
        KeyboardInterrupt
            If training is interrupted: tasks are let go, and the last average is kept.
        """
        return self._fit_on_cluster(
            (X, y, sample_weight),
            (X_val, y_val, sample_weight_val),
            warm_start=self.warm_start and hasattr(self, "network_"),  # type: ignore[attr-defined]
            checkpoint=checkpoint,
            resume=resume,
        )

    def _fit_on_cluster(
        self,
        rows: tuple[Any, Any, Any],
        held_out: tuple[Any, Any, Any],
        *,
        warm_start: bool,
        incremental: bool = False,
        classes: Any = None,
        checkpoint: Any = None,
        resume: bool = False,
    ) -> Self:
        self._check_own_parameters(has_validation=held_out[0] is not None)
        self._check_parameters(incremental)  # type: ignore[attr-defined]
        partitions = partitions_of(*rows)
        if not partitions:
            raise ValueError("X has no partitions")
        others = None if held_out[0] is None else partitions_of(*held_out)
        before = dict(vars(self))
        with cluster_of(self._client, self.workers_timeout) as cluster, Engine(cluster) as engine:
            try:
                run = _Fit(self, engine, incremental, classes)
                run.prepare(partitions, others, warm_start)
            except BaseException:
                self.__dict__ = before
                raise
            if checkpoint is not None:
                run.use_checkpoint(checkpoint, resume)
            try:
                run.train()
            except LostCluster as error:
                kept = f"The {run.training.number} rounds up to then are kept"
                if checkpoint is not None:
                    kept += ", and fit(..., checkpoint=..., resume=True) goes on with a new client"
                raise RuntimeError(
                    f"The scheduler was lost in round {run.training.number + 1} of "
                    f"{run.training.settings.n_rounds} ({error}). {kept}"
                ) from error
        return self

    def _check_own_parameters(self, *, has_validation: bool) -> None:
        for name in ("rounds", "n_shards"):
            if getattr(self, name) != AUTO:
                check_whole(name, getattr(self, name))
        if self.rows_per_round != AUTO:
            if isinstance(self.rows_per_round, float) and self.rows_per_round <= 1:
                check_number("rows_per_round", self.rows_per_round, above=0)
            else:
                check_whole("rows_per_round", self.rows_per_round)
        if self.outer_momentum != AUTO:
            check_number("outer_momentum", self.outer_momentum, at_least=0, below=1)
        check_number("outer_learning_rate", self.outer_learning_rate, above=0)
        model: Any = self
        for name in ("n_init", "ensemble"):
            if getattr(model, name) not in (1, AUTO):
                raise ValueError(
                    f"{name} must be 1 here, since all shards train one network: fit several "
                    "estimators, with other seeds, at once"
                )
        if model.missing != "error":
            raise ValueError(
                'missing must be "error" here: fill gaps first, for instance with fillna or '
                "dask_ml.impute.SimpleImputer"
            )
        if model.learning_rate == "adaptive":
            raise ValueError(
                'learning_rate="adaptive" is that of one process: here there are "cosine", '
                '"one_cycle", "constant" and others'
            )
        if model.early_stopping is True and not has_validation:
            raise ValueError(
                "early_stopping=True needs X_val and y_val here: no rows are held out of X"
            )

    def _n_shards(self, n_partitions: int, n_rows: int) -> int:
        if self.n_shards != AUTO:
            return min(int(self.n_shards), n_partitions)
        some = min(SOME_SHARDS, n_rows // ROWS_OF_SOME)
        return min(n_partitions, max(LEAST_SHARDS, some, n_rows // ROWS_OF_MORE))

    def _rounds_an_epoch(self, layout: Layout) -> int:
        given = self.rows_per_round
        if given == AUTO:
            return min(max(layout.largest // ROWS_A_ROUND, LEAST_ROUNDS), MOST_ROUNDS)
        if isinstance(given, float) and given <= 1:
            return max(1, math.ceil(1 / given - 1e-9))
        return layout.rounds_an_epoch(int(given))

    def _outer_step(self, n_shards: int) -> OuterStep:
        momentum = self.outer_momentum
        if momentum == AUTO:
            momentum = min(MOST_MOMENTUM, 1 - 1 / n_shards)
        return OuterStep(float(self.outer_learning_rate), float(momentum))

    # -- afterwards ----------------------------------------------------------------------------

    def to_local(self) -> Any:
        """Return the ordinary estimator, a copy: `BackpropClassifier` or `BackpropRegressor`."""
        model: Any = self
        local = self._local(**{name: getattr(model, name) for name in self._local_names()})
        state = {
            name: value
            for name, value in self.__getstate__().items()
            if name not in (*OWN, "_rounds", "_sklearn_version")
        }
        local.__dict__.update(copy.deepcopy(state))
        return local

    def _local_names(self) -> list[str]:
        return list(self._local._get_param_names())

    def predict(self, X: Any) -> Any:
        """Predict for rows of this process as an array, for those of Dask lazily.

        Parameters
        ----------
        X : array-like, or array or DataFrame of Dask, of shape (n_samples, n_features)

        Returns
        -------
        ndarray, or array or Series of Dask
        """
        return lazily.applied(self, "predict", X, super().predict)  # type: ignore[misc]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy, or R2, for rows of this process or of Dask.

        Parameters
        ----------
        X, y, sample_weight : as given to `fit`

        Returns
        -------
        float
        """
        if not is_distributed(X):
            value: float = super().score(X, y, sample_weight)  # type: ignore[misc]
            return value
        model: Any = self
        model._check_is_fitted()
        partitions = partitions_of(X, y, sample_weight)
        with cluster_of(self._client, self.workers_timeout) as cluster, Engine(cluster) as engine:
            blocks = engine.read(partitions, hasattr(self, "predict_proba"))
            return engine.judge(Encoder(self.to_local(), False, 1.0), blocks).score


class _Fit:
    """One fit: what it has found out, and its rounds."""

    training: Training

    def __init__(self, model: Any, engine: Engine, incremental: bool, classes: Any) -> None:
        self.model, self.engine = model, engine
        self.incremental, self.classes = incremental, classes
        self.is_classifier = hasattr(model, "predict_proba")
        self.checkpoint: Any = None
        self.best: RoundState | None = None
        self.held_out: Any = None
        self.stopping: EarlyStopping | None = None
        self.epoch_losses: list[tuple[float, int]] = []
        self.epoch_began = 0.0
        self.seconds: list[float] = []  # of the rounds of this call
        self.seconds_lost = 0.0  # in rounds that diverged, since the last one that did not

    # -- before the rounds -----------------------------------------------------------------------

    def prepare(self, partitions: Any, held_out: Any, warm_start: bool) -> None:
        """Make the passes over the rows, and the model that is trained."""
        model, engine = self.model, self.engine
        blocks = engine.read(partitions, self.is_classifier)
        others = None if held_out is None else engine.read(held_out, self.is_classifier)
        n_some = max(1, ROWS_LOOKED_AT // len(partitions))
        survey = engine.survey(blocks, n_some, self.is_classifier)
        if survey is None:
            raise ValueError("X has no rows: all partitions are empty")
        if self.is_classifier and self.classes is not None and not warm_start:
            survey = _with_classes(survey, self.classes)
        settings = settings_of_fit(model, survey.statistics.n_rows, incremental=self.incremental)
        if warm_start:
            check_continues(model, survey)
        else:
            begin(model, survey, settings)
        model._settings, model._ending, model._dead = settings, None, []
        model._rate_factor = 1.0
        n_shards = model._n_shards(len(partitions), survey.statistics.n_rows)
        model._rate = self._rate(n_shards)
        model._history.begin_call()
        if not warm_start:
            model._rounds = None
        self.encoder = self._encoder(survey)
        sizes = engine.make_shards(self.encoder, blocks)
        if not any(sizes):
            raise ValueError("Every sample_weight is zero: there is nothing to learn from")
        if others is not None:
            self.held_out = others
            stops = bool(model.early_stopping) and not self.incremental
            self.stopping = model._stopping(settings, True) if stops else None
        elif not goes_to_the_end(model.learning_rate) and not self.incremental:
            self.stopping = model._stopping(settings, False)
        self.training = self._training(sizes, n_shards, settings)

    def _rate(self, n_shards: int) -> float:
        model = self.model
        rate = float(model._initial_rate(is_fit=not self.incremental))
        if model.learning_rate_init == AUTO and n_shards > 1:
            rate *= RATE_OF_SEVERAL
        return rate

    def _encoder(self, survey: Any) -> Encoder:
        model = self.model
        local = model.to_local()
        if self.is_classifier and isinstance(model.class_weight, str):
            local.class_weight = balanced(survey)
        solver = model._solver()
        moves_all = solver.drops_units or (solver.n_moments > 0 and not solver.rests)
        is_sparse = mostly_zeros(survey) and (
            survey.is_sparse or model.batch_size > 1 or not moves_all
        )
        return Encoder(local, is_sparse, weight_factor(survey.statistics))

    def _training(self, sizes: tuple[int, ...], n_shards: int, settings: Any) -> Training:
        model = self.model
        seed = self._seed_of_call()
        layout = Layout(sizes, n_shards, seed, bool(model.shuffle))
        rounds_an_epoch = model._rounds_an_epoch(layout)
        n_rounds = rounds_an_epoch * (1 if self.incremental else settings.max_iter)
        if model.rounds != AUTO and not self.incremental:
            n_rounds = int(model.rounds)
        schedule = dataclasses.replace(
            model._schedule(is_fit=not self.incremental),
            initial=model._rate,
            options=model.learning_rate_options or {},
            n_epochs=0,
        )
        if self.incremental:
            schedule = dataclasses.replace(schedule, kind="constant")
        how = Settings(
            made_with(model.network_),
            dataclasses.replace(model._solver(), learning_rate=model._rate),
            schedule,
            rounds_an_epoch,
            n_rounds,
            seed=seed,
            shuffle=bool(model.shuffle),
            outer=model._outer_step(n_shards),
            n_threads=model.n_threads,
        )
        return Training(how, layout, RoundState.of(model.network_))

    def _seed_of_call(self) -> int:
        """Return the seed of this call; calls that go on from another have others."""
        model = self.model
        return int((model._seed + model._history.n_epochs) % 2**31)

    def use_checkpoint(self, path: Any, resume: bool) -> None:
        """Save every round to a file, and go on from it if that is wanted."""
        self.checkpoint = files.Checkpoint(path, files.fingerprint(self))
        if resume:
            self.checkpoint.load(self)

    # -- rounds ----------------------------------------------------------------------------------

    def train(self) -> None:
        """Make the rounds, up to the last or to an end before it."""
        model, training = self.model, self.training
        progress = Progress(training.settings.n_rounds, bool(model.verbose), model._rounds)
        model._rounds = progress.rounds
        self.epoch_began = time.perf_counter()
        training.state.into(model.network_)
        while not training.is_over:
            if not self._round(progress):
                break
        self._finish()

    def _round(self, progress: Progress) -> bool:
        """Make a round; return whether there is to be another."""
        model, training = self.model, self.training
        epoch, rate = training.epoch, training.rate()
        result, seconds = self.engine.run(training, self._n_ahead())
        if not training.accept(result):
            self.seconds_lost += seconds
            return self._slow_down(result, rate)
        self.seconds.append(seconds)
        training.state.into(model.network_)
        times = seconds + self.seconds_lost, result.seconds
        progress.add(epoch, result.n_rows, result.loss, rate, times)
        self.seconds_lost = 0.0
        self.epoch_losses.append((result.loss, result.n_rows))
        goes_on = True
        if training.ends_an_epoch:
            goes_on = self._end_epoch(progress, rate)
        progress.say()
        if self.checkpoint is not None:
            self.checkpoint.save(self)
        return goes_on

    def _slow_down(self, result: RoundResult, rate: float) -> bool:
        """Make a round that diverged again, at a smaller rate; return False after the last try."""
        training, before = self.training, self.training.settings.solver.learning_rate
        self.engine.forget_rounds()
        if not training.slow_down():
            self._note_epoch([math.inf], result.n_rows, rate)
            self.model._ending = "diverged_in_round"
            return False
        warnings.warn(
            f"Training diverged in round {training.number + 1} at a learning rate of {before:g}, "
            f"and goes on from before it at {training.settings.solver.learning_rate:g}.",
            DivergenceWarning,
            stacklevel=level_of_caller(),
        )
        return True

    def _n_ahead(self) -> int:
        """Return how many rounds to hand over at once.

        Some seconds of work, which a worker's death may cost, and none after an epoch that is
        judged.
        """
        training = self.training
        if self.stopping is not None or self.held_out is not None:
            n = training.n_left_in_epoch
        else:
            n = training.settings.n_rounds - training.number
        some = self.seconds[-MOST_ROUNDS_AHEAD:]
        n_in_time = int(SECONDS_AHEAD * len(some) / max(sum(some), 1e-6)) if some else 1
        return max(1, min(n, MOST_ROUNDS_AHEAD, n_in_time))

    def _end_epoch(self, progress: Progress, rate: float) -> bool:
        model, training = self.model, self.training
        n_rows = sum(n for _, n in self.epoch_losses)
        loss = sum(loss * n for loss, n in self.epoch_losses) / max(n_rows, 1)
        self._note_epoch([loss], n_rows, rate)
        judged = loss
        if self.held_out is not None:
            judgement = self.engine.judge(self.encoder, self.held_out, training.state)
            judged = self._note_validation(judgement, progress)
        if self.stopping is not None and self.stopping.update(judged):
            model._ending = "converged"
            return False
        return True

    def _note_epoch(self, losses: list[float], n_rows: int, rate: float) -> None:
        seconds = time.perf_counter() - self.epoch_began
        self.model._history.add(losses, n_rows, [rate], seconds)
        self.epoch_losses, self.epoch_began = [], time.perf_counter()

    def _note_validation(self, judgement: Judgement, progress: Progress) -> float:
        """Note how rows held out are predicted; return what early stopping minimises."""
        model = self.model
        score = judgement.score
        of_score = score
        if self.stopping is not None and model._settings.by_loss:
            of_score = score = -judgement.loss
        scores = model._history.validation_scores
        if self.stopping is not None and of_score > max(scores, default=-math.inf):
            self.best = self.training.state
        model._history.add_validation(judgement.loss, score)
        progress.add_validation(judgement.loss, judgement.score)
        return -of_score

    def _finish(self) -> None:
        model, training = self.model, self.training
        state = self.best if self.best is not None else training.state
        state.into(model.network_)
        constant = None if model._units is None else model._units.constant
        if constant is not None and constant.any() and not self.incremental:
            model.network_.weights[-1][:, constant] = 0
            model.network_.biases[-1][constant] = 0
        if model._ending is None:
            model._ending = "max_iter"
        if model._ending == "diverged_in_round":
            last = training.settings.solver.learning_rate
            warn_of_divergence("learning_rate_init", last, "from before the last round")
        if model.verbose:
            print(model.convergence_, flush=True)


def _with_classes(survey: Any, classes: Any) -> Any:
    """Return a survey with labels that these rows need not have."""
    known = np.unique(np.asarray(classes)).tolist()
    counts = dict.fromkeys(known, (0, 1.0))
    unknown = [label for label in survey.statistics.classes if label not in counts]
    if unknown:
        raise ValueError(f"y contains {unknown[0]!r}, which is not among the classes given")
    counts |= survey.statistics.classes
    return dataclasses.replace(
        survey, statistics=dataclasses.replace(survey.statistics, classes=counts)
    )
