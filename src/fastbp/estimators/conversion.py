"""Models of scikit-learn's own MLP classes from and to those of this package, as they stand.

Parameters, weights, what the solver remembers, the curves and the generator's state go across bit
for bit, so that training goes on from where it was. What has no counterpart is refused.
"""

from __future__ import annotations

import copy
import inspect
import math
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..network import Network
from ..network.scaling import Scaling
from ..training.run import History
from ..training.schedule import OF_SCIKIT_LEARN, Schedule
from ..training.stopping import EarlyStopping
from .base import Backprop
from .defaults import AUTO, Settings
from .gaps import INDICATOR, Gaps
from .preparation import settings_for
from .prepared import FitRequest
from .units import Units

Model = TypeVar("Model", bound="Convertible")

# Parameters that mean the same on both sides.
SHARED = (
    "hidden_layer_sizes", "activation", "solver", "alpha", "batch_size", "learning_rate",
    "learning_rate_init", "power_t", "max_iter", "shuffle", "random_state", "tol",
    "n_iter_no_change", "early_stopping", "validation_fraction", "verbose", "warm_start",
    "momentum", "nesterovs_momentum", "beta_1", "beta_2", "epsilon",
)  # fmt: skip
MAX_AUTOMATIC_BATCH = 200  # of scikit-learn's batch_size="auto", which is at most all rows
LOSSES = ("squared_error", "poisson")  # of both regressors
# Activations and solvers of both sides, and what the optimisers there call what each keeps.
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
SOLVERS = ("sgd", "adam")
MOMENTS = {"velocities": "velocities", "first_moments": "ms", "second_moments": "vs"}


def _class_of_scikit_learn(name: str) -> Any:
    """Return scikit-learn's own class of this name, which `patch_sklearn` does not replace."""
    from sklearn.neural_network import _multilayer_perceptron as home

    return getattr(home, name)


class Convertible(Backprop):
    """An estimator that can be had from, and as, scikit-learn's own for the same task."""

    _counterpart: ClassVar[str]  # the name of scikit-learn's class

    @classmethod
    def from_sklearn(cls, mlp: Any) -> Self:
        """Return a model that is as scikit-learn's is, and goes on training from there.

        Weights, predictions (to rounding), the solver's state and curves go across; parameters
        keep their meaning (`docs/migration.md` has the differences). ``batch_size="auto"`` becomes
        200. Curves keep scikit-learn's numbers, which include the L2 penalty.

        Parameters
        ----------
        mlp : sklearn.neural_network.MLPClassifier for a classifier, MLPRegressor for a regressor
            Or of a subclass; fitted or not. Or a Pipeline that ends with one, after what
            `to_sklearn` puts there: a ``SimpleImputer`` of means with ``add_indicator=True``, and a
            ``StandardScaler`` or the transformer of its own. The model then fills and scales so
            itself; of a pipeline that is not fitted it is one with ``standardize=True``, which
            scales targets, too. It is not changed, and nothing is shared with it.

        Returns
        -------
        BackpropClassifier or BackpropRegressor

        Raises
        ------
        TypeError
            For anything else.
        ValueError
            For ``solver="lbfgs"``, which there is not here, and other steps of a pipeline.
        """
        return _from_sklearn(cls, mlp)

    def to_sklearn(self) -> Any:
        """Return scikit-learn's model that is as this one is, and goes on training from there.

        The opposite of `from_sklearn`. ``n_threads``, ``n_init`` and ``ensemble`` have no
        counterpart and are left behind; a parameter that is "auto" becomes what `fit` took for
        it.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or MLPRegressor, or Pipeline
            Fitted if this one is; with ``standardize=True`` then a pipeline that scales the inputs
            before, with ``missing="indicator"`` one that first fills them. Targets stay in their
            own units. Nothing is shared with it.

        Raises
        ------
        ValueError
            For what scikit-learn's model cannot be: ``dropout``, different activations, another
            ``solver`` than "sgd" and "adam", a ``learning_rate`` or options of it that it does not
            have (but the "cosine" of a fitted model becomes "constant"); for a classifier
            ``class_weight``, for a regressor another ``loss`` than squared error and poisson.
        """
        return _to_sklearn(self)


# -- from scikit-learn ---------------------------------------------------------------------------


def _from_sklearn(kind: type[Model], mlp: Any) -> Model:
    """Return a model of this class that is as the ``mlp`` is, fitted if it is."""
    expected = kind._counterpart
    if hasattr(mlp, "steps"):
        return _from_pipeline(kind, mlp)
    if not isinstance(mlp, _class_of_scikit_learn(expected)):
        raise TypeError(
            f"{kind.__name__}.from_sklearn takes a sklearn.neural_network.{expected}, or a "
            f"pipeline that ends with one; got {type(mlp).__name__}"
        )
    if mlp.solver not in SOLVERS:
        raise ValueError(
            f"{kind.__name__} has no solver={mlp.solver!r}. If the weights are what you want, call "
            'set_params(solver="sgd") on the model to convert; training then goes on with that'
        )
    parameters = {name: getattr(mlp, name) for name in SHARED}
    if mlp.batch_size == "auto":
        parameters["batch_size"] = MAX_AUTOMATIC_BATCH
    if mlp.n_iter_no_change == math.inf:
        parameters["n_iter_no_change"] = int(np.iinfo(np.int64).max)
    if "loss" in kind._get_param_names():
        parameters["loss"] = getattr(mlp, "loss", LOSSES[0])  # scikit-learn 1.6 has only that one
    model = kind(**parameters, standardize=False, ensemble=1)
    if hasattr(mlp, "coefs_"):
        _copy_state_from(model, mlp)
    return model


def _from_pipeline(kind: type[Model], pipeline: Any) -> Model:
    """Return a model that does what the steps before the MLP do, too."""
    *before, mlp = [step for _, step in pipeline.steps if step not in (None, "passthrough")]
    model = _from_sklearn(kind, mlp)
    names = [type(step).__name__ for step in before]
    if names[:1] == ["SimpleImputer"]:
        model.missing, names = INDICATOR, names[1:]
    if names not in ([], ["StandardScaler"], ["FunctionTransformer"]):
        raise ValueError(
            f"{kind.__name__}.from_sklearn takes pipelines of a SimpleImputer, a StandardScaler "
            f"and the MLP, each but the last optional; this one has {', '.join(names)}. Convert "
            "its last step, pipeline[-1], and put that into the pipeline"
        )
    model.standardize = bool(names)
    if not hasattr(mlp, "coefs_"):
        return model
    if model.missing == INDICATOR:
        model._gaps = _gaps_from(before[0])
    if names:
        inputs = _scaling_from(before[-1], len(model.coefs_[0]))
        targets = None
        if not hasattr(model, "classes_"):  # the last layer has their units
            targets = Scaling(np.zeros(model.n_outputs_), np.ones(model.n_outputs_))
        model._units = Units(inputs, targets, model.network_.loss_name, inputs.limit)
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(before[0] if before else mlp, name):
            setattr(model, name, copy.copy(getattr(before[0] if before else mlp, name)))
    return model


def _gaps_from(imputer: Any) -> Gaps:
    if not (imputer.strategy == "mean" and imputer.add_indicator and imputer.keep_empty_features):
        raise ValueError(
            'Of SimpleImputer only strategy="mean", with add_indicator=True and '
            'keep_empty_features=True, is what missing="indicator" does'
        )
    means = np.array(imputer.statistics_, np.float64)
    return Gaps(np.array(imputer.indicator_.features_, np.intp), means)


def _scaling_from(scaler: Any, n: int) -> Scaling:
    """Return the scaling that a step of a pipeline makes of n columns."""
    if type(scaler).__name__ == "StandardScaler":
        mean = np.zeros(n) if scaler.mean_ is None or not scaler.with_mean else scaler.mean_
        scale = np.ones(n) if scaler.scale_ is None else scaler.scale_
        return Scaling(np.array(mean, np.float64), np.array(scale, np.float64))
    scaling = getattr(scaler.func, "__self__", None)
    if not isinstance(scaling, Scaling):
        raise ValueError(
            "Of FunctionTransformer only the one that to_sklearn makes can be converted"
        )
    return copy.deepcopy(scaling)


def _copy_state_from(model: Backprop, mlp: Any) -> None:
    if len(getattr(mlp, "classes_", (0, 1))) < 2:
        raise ValueError(f"The model knows only one class, {mlp.classes_.tolist()}")
    network = Network(
        (mlp.coefs_[0].shape[0], *(W.shape[1] for W in mlp.coefs_)),
        activation=mlp.activation,
        out_activation=mlp.out_activation_,
        loss="log_loss" if hasattr(mlp, "classes_") else model.loss,
        dtype=np.float32 if mlp.coefs_[0].dtype == np.float32 else np.float64,
        random_state=0,
    )
    network.weights, network.biases = mlp.coefs_, mlp.intercepts_
    model.network_, model._units, model._rate = network, None, model._initial_rate()
    model._settings = settings_for(
        model, model._check_parameters(False), np.empty((1, 0)), FitRequest(False)
    )
    for name in ("classes_", "n_features_in_", "feature_names_in_"):
        if hasattr(mlp, name):
            setattr(model, name, copy.copy(getattr(mlp, name)))
    losses = [float(loss) for loss in getattr(mlp, "loss_curve_", ())]
    model._history = History.of_curve(
        losses,
        n_rows=int(mlp.t_),
        n_before=len(losses) - mlp.n_iter_,  # which scikit-learn counts from 0 in every call
        validation_scores=list(getattr(mlp, "validation_scores_", None) or ()),
    )
    model._random_state = copy.deepcopy(mlp._random_state)
    model._seed = copy.deepcopy(mlp._random_state).randint(2**31 - 1)
    model.init_losses_, model.best_init_ = np.array([model.loss_]), 0
    _copy_moments_from(model, getattr(mlp, "_optimizer", None))


def _copy_moments_from(model: Backprop, optimizer: Any) -> None:
    """Go on with the velocities of momentum, or the moments of Adam, and the learning rate."""
    if hasattr(optimizer, "velocities") and model.learning_rate == "adaptive":
        model._rate_factor = optimizer.learning_rate / optimizer.learning_rate_init
    solver = model._solver()
    names = solver.rule.moments
    if not names or not all(hasattr(optimizer, MOMENTS[name]) for name in names):
        return  # without momentum velocities are not used
    moments = model.network_._state.moments_of(solver.rule)
    assert moments is not None  # for what has names
    moments.n_steps = getattr(optimizer, "t", 0)
    for name, arena in moments.arenas.items():
        values = getattr(optimizer, MOMENTS[name])
        n = len(arena.weights)
        arena.weights[:], arena.biases[:] = values[:n], values[n:]


# -- to scikit-learn -----------------------------------------------------------------------------


def _to_sklearn(model: Convertible) -> Any:
    """Return a model of scikit-learn's class for the same task, fitted if this one is."""
    kind = _class_of_scikit_learn(model._counterpart)
    mlp = kind(**_parameters_for(model, kind))
    if not hasattr(model, "network_"):
        return mlp
    _copy_state_to(model, mlp)
    units, steps = model._units, []
    if model._gaps is not None:
        steps.append(("impute", _imputer(model, model._gaps)))
    if units is not None and units.targets is not None:
        _fold_targets(mlp, units.targets, model.out_activation_)
    if units is not None and units.inputs.is_linear:
        _fold_inputs(mlp, units.inputs)
    elif units is not None:
        steps.append(("scale", _scaler(units.inputs)))
    if not steps:
        return mlp
    from sklearn.pipeline import Pipeline

    mlp.n_features_in_ = model.network_.layer_sizes[0]
    vars(mlp).pop("feature_names_in_", None)  # which an array between the two does not have
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(model, name):
            setattr(steps[0][1], name, copy.copy(getattr(model, name)))
    return Pipeline([*steps, ("mlp", mlp)])


def _scaler(scaling: Scaling) -> Any:
    """Return scikit-learn's transformer that scales as the model does."""
    from sklearn.preprocessing import FunctionTransformer

    scaler = FunctionTransformer(scaling.transform, validate=True, accept_sparse=True)
    scaler.n_features_in_ = len(scaling.center)
    return scaler


def _imputer(model: Backprop, gaps: Gaps) -> Any:
    """Return scikit-learn's imputer that fills and marks as the model does.

    Two rows make it: one of the means, and one with the gaps that are marked.
    """
    from sklearn.impute import SimpleImputer

    rows = np.array([gaps.means, gaps.means], dtype=model.network_.dtype)
    rows[1, gaps.features] = np.nan
    return SimpleImputer(add_indicator=True, keep_empty_features=True).fit(rows)


def _fold_inputs(mlp: Any, scaling: Scaling) -> None:
    """Let the first layer take inputs in their own units: ``(x - center) / scale @ W + b``."""
    W = mlp.coefs_[0] / scaling.scale[:, np.newaxis]
    mlp.intercepts_[0][...] -= (scaling.center @ W).astype(W.dtype)
    mlp.coefs_[0][...] = W


def _fold_targets(mlp: Any, scaling: Scaling, out_activation: str) -> None:
    """Let the last layer give outputs in the units of the targets."""
    if out_activation == "exp":  # counts
        mlp.intercepts_[-1][...] += np.log(scaling.scale)
        return
    mlp.coefs_[-1][...] *= scaling.scale
    mlp.intercepts_[-1][...] = mlp.intercepts_[-1] * scaling.scale + scaling.center


def _parameters_for(model: Backprop, kind: Any) -> dict[str, Any]:
    parameters = {name: getattr(model, name) for name in SHARED}
    parameters |= _parameters_that_are_auto(model)
    if model.solver not in SOLVERS:
        _refuse(kind, f"solver={model.solver!r}")
    if model.learning_rate == "cosine" and hasattr(model, "network_"):
        parameters["learning_rate"] = "constant"  # which a fit that is over has no use for
    elif model.learning_rate not in OF_SCIKIT_LEARN:
        _refuse(kind, f"learning_rate={model.learning_rate!r}")
    if model.learning_rate_options:
        _refuse(kind, f"learning_rate_options={model.learning_rate_options!r}")
    parameters["activation"] = _only_activation(model, kind)
    loss = getattr(model, "loss", None)
    if loss is not None and loss != LOSSES[0]:
        takes = inspect.signature(kind).parameters
        if loss not in LOSSES or "loss" not in takes:
            _refuse(kind, f"loss={loss!r}")
        parameters["loss"] = loss
    for name, nothing in (("dropout", 0.0), ("class_weight", None)):
        value = getattr(model, name, nothing)
        if value is not nothing and np.any(value):
            hint = f"set_params({name}={nothing}) first if only its predictions are wanted"
            _refuse(kind, f"{name}={value!r}: {hint}")
    return parameters


def _parameters_that_are_auto(model: Backprop) -> dict[str, Any]:
    """Return what they stand for: of a fitted model what its fit took, else scikit-learn's own."""
    taken: dict[str, Any] = {"learning_rate_init": getattr(model, "_rate", 0.001)}
    if hasattr(model, "network_"):
        settings = model._settings
        taken["hidden_layer_sizes"] = model.network_.layer_sizes[1:-1]
        taken["max_iter"], taken["n_iter_no_change"] = settings.max_iter, _as_whole(settings)
    else:
        taken |= {"hidden_layer_sizes": (100,), "max_iter": 200, "n_iter_no_change": 10}
    taken["early_stopping"] = False
    return {name: value for name, value in taken.items() if getattr(model, name) == AUTO}


def _as_whole(settings: Settings) -> float:
    """Return the epochs without progress as a number that scikit-learn takes."""
    n = settings.n_iter_no_change
    return n if math.isinf(n) else int(n)


def _only_activation(model: Backprop, kind: Any) -> str:
    """Return the activation of all hidden layers."""
    names = {model.activation} if isinstance(model.activation, str) else set(model.activation)
    if len(names) > 1:
        _refuse(kind, f"activation={model.activation!r}, one for each layer")
    if not names <= set(ACTIVATIONS):
        _refuse(kind, f"activation={model.activation!r}")
    return names.pop() if names else ACTIVATIONS[0]


def _refuse(kind: Any, what: str) -> None:
    raise ValueError(f"sklearn.neural_network.{kind.__name__} has no {what}")


def _copy_state_to(model: Backprop, mlp: Any) -> None:
    network, history = model.network_, model._history
    mlp.coefs_ = [np.array(W) for W in network.weights]
    mlp.intercepts_ = [np.array(b) for b in network.biases]
    mlp._best_coefs, mlp._best_intercepts = mlp.coefs_, mlp.intercepts_
    if model.early_stopping is not True:  # after which scikit-learn leaves both the same arrays
        mlp._best_coefs = [W.copy() for W in mlp.coefs_]
        mlp._best_intercepts = [b.copy() for b in mlp.intercepts_]
    for name in ("n_layers_", "n_outputs_", "out_activation_", "t_", "n_features_in_"):
        setattr(mlp, name, getattr(model, name))
    if hasattr(model, "feature_names_in_"):
        mlp.feature_names_in_ = model.feature_names_in_.copy()
    if hasattr(model, "classes_"):
        mlp.classes_ = model.classes_.copy()
        mlp._label_binarizer = _label_binarizer(model)
    mlp.n_iter_ = history.n_epochs - history.n_before
    mlp.loss_curve_ = [np.float64(loss) for loss in history.loss_curve]
    mlp.loss_, mlp.best_loss_ = np.float64(model.loss_), np.float64(model.best_loss_)
    mlp.validation_scores_ = mlp.best_validation_score_ = None
    if model.early_stopping is True:
        mlp.best_loss_ = None
        mlp.validation_scores_ = list(history.validation_scores)
        mlp.best_validation_score_ = max(history.validation_scores, default=-np.inf)
    mlp._no_improvement_count = _epochs_without_improvement(model)
    mlp._random_state = copy.deepcopy(model._random_state)
    mlp._optimizer = _optimizer(model, mlp)


def _epochs_without_improvement(model: Backprop) -> int:
    """Return what scikit-learn would have counted on the way, which goes on from call to call."""
    history = model._history
    stopping = EarlyStopping(model.tol, model._settings.n_iter_no_change, counts_equal=False)
    schedule = Schedule(model.learning_rate, model._rate)
    for judged in (
        [-score for score in history.validation_scores]
        if model.early_stopping is True
        else history.loss_curve
    ):
        if stopping.update(judged) and model.solver == "sgd" and schedule.lower():
            stopping.n_without = 0
    return stopping.n_without


def _label_binarizer(model: Any) -> Any:
    """Return what scikit-learn's classifier makes labels of outputs with."""
    from sklearn.preprocessing import LabelBinarizer

    classes: NDArray[Any] = model.classes_
    if not model._is_multilabel():
        binarizer = LabelBinarizer().fit(classes)
    else:
        binarizer = LabelBinarizer().fit(np.array([np.zeros(len(classes)), np.ones(len(classes))]))
    binarizer.classes_ = classes.copy()
    return binarizer


def _optimizer(model: Backprop, mlp: Any) -> Any:
    """Return scikit-learn's solver, as far as the network's has come."""
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

    arrays = mlp.coefs_ + mlp.intercepts_
    moments = model.network_._state.moments.get(model._solver().rule.name)
    arenas = {} if moments is None else moments.arenas
    copies = {
        MOMENTS[name]: [np.array(one) for one in (*arena.weights, *arena.biases)]
        for name, arena in arenas.items()
    }
    if model.solver == "adam":
        optimizer = AdamOptimizer(arrays, model._rate, model.beta_1, model.beta_2, model.epsilon)
        optimizer.t = 0 if moments is None else moments.n_steps
        vars(optimizer).update(copies)
        return optimizer
    optimizer = SGDOptimizer(
        arrays,
        model._rate,
        model.learning_rate,
        model.momentum,
        model.nesterovs_momentum,
        model.power_t,
    )
    optimizer.learning_rate = model._solver().learning_rate
    vars(optimizer).update(copies)
    return optimizer
