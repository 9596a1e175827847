"""From what a pass over all rows has found out to a model that can be trained: classes, units."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from .._messages import counted
from ..distributed.statistics import Statistics
from ..estimators.csr import MAX_SHARE
from ..estimators.defaults import HIDDEN_LAYER_SIZES_OF_ONE, Settings, settings_of
from ..estimators.preparation import _new_network
from ..estimators.prepared import EncodedTargets
from ..estimators.units import (
    RUINOUS,
    Units,
    scaling_of_targets,
)
from ..network.scaling import FAR, LIMIT, SQUEEZED, Scaling, middle_of
from ..network.tables import LOSSES
from ..training.order import MAX_REPEATS
from ..training.run import History
from .tasks import Survey


def mostly_zeros(survey: Survey) -> bool:
    """Whether the columns are scaled without means, so that zeros stay zeros."""
    return survey.is_sparse or survey.statistics.nonzero_share <= MAX_SHARE


def weight_factor(statistics: Statistics) -> float:
    """Return by what weights of rows are multiplied, as `fit` of one process does."""
    total, n = statistics.weight, statistics.n_weighted
    if math.isnan(total):
        return 1.0
    if not n:
        raise ValueError("Every sample_weight is zero: there is nothing to learn from")
    factor = 1.0
    if statistics.largest_weight < 1 and math.isclose(total, 1, rel_tol=1e-6):
        factor = float(statistics.n_rows)
    mean = total * factor / n
    return factor * min(1.0, MAX_REPEATS / mean)


def encoded_targets(model: Any, survey: Survey) -> EncodedTargets:
    """Return what the targets say of the network, without them."""
    nothing = np.empty(0)
    if not hasattr(model, "predict_proba"):
        n_outputs = survey.y_shape[0] if survey.y_shape else 1
        own = LOSSES[model.loss].parameter
        parameters = {} if own is None else {own: getattr(model, own)}
        return EncodedTargets(
            nothing, None, n_outputs, None, str(model.loss), loss_parameters=parameters
        )
    if survey.y_shape:
        columns = np.arange(survey.y_shape[0])
        return EncodedTargets(nothing, None, len(columns), "logistic", "log_loss", columns)
    classes = classes_of(survey)
    n_outputs = 1 if len(classes) == 2 else len(classes)
    return EncodedTargets(nothing, None, n_outputs, None, "log_loss", classes)


def classes_of(survey: Survey) -> NDArray[Any]:
    """Return the labels that occur, in order.

    Raises
    ------
    ValueError
        If there are no two of them.
    """
    counted_labels = survey.statistics.classes
    labels = sorted(counted_labels)
    present = [label for label in labels if counted_labels[label][1] > 0]
    if len(present) < 2:
        raise ValueError(
            f"y has only one class in all partitions: {present}. A classifier needs rows of at "
            "least two classes; check how the rows were selected."
        )
    return np.array(labels, dtype=object if survey.y_kind == "O" else None)


def balanced(survey: Survey) -> dict[Any, float]:
    """Return the weights of classes that give each the same sum of weights."""
    totals = {label: weight for label, (_, weight) in survey.statistics.classes.items()}
    known = [weight for weight in totals.values() if weight > 0]
    share = sum(known) / max(len(known), 1)
    return {label: share / weight if weight > 0 else 0.0 for label, weight in totals.items()}


def units_of_survey(model: Any, survey: Survey, loss: str) -> Units | None:
    """Return the units for a fit: as those of `units_of`, but medians are of some of the rows."""
    if not model.standardize:
        return None
    sizes = model.hidden_layer_sizes
    limit = math.inf if not isinstance(sizes, (str, int)) and not len(sizes) else LIMIT
    found = survey.statistics
    if mostly_zeros(survey):
        assert found.nonzeros is not None
        inputs = found.nonzeros.scaling(limit)
    else:
        inputs = _inputs(found, limit)
    if loss == "log_loss":
        return Units(inputs, None, loss, limit)
    return _with_targets(inputs, found, loss, limit)


def _inputs(found: Statistics, limit: float) -> Scaling:
    """Return the scaling of dense columns; of those with a few huge values by quartiles."""
    moments, X = found.inputs, found.some_X
    assert moments is not None
    assert X is not None
    center, scale = moments.mean.copy(), moments.spread()
    farthest = np.maximum(moments.high - moments.mean, moments.mean - moments.low)
    far = min(FAR, 0.5 * math.sqrt(found.n_rows))
    for column in np.flatnonzero(farthest > far * moments.deviation()).tolist():
        median, middle = middle_of(X[:, column], found.some_weights)
        if 0 < SQUEEZED * middle < scale[column]:
            center[column], scale[column] = median, middle
    return Scaling(center, scale, limit)


def _with_targets(inputs: Scaling, found: Statistics, loss: str, limit: float) -> Units:
    """Return the units of a regression."""
    moments, some = found.targets, found.some_y
    assert moments is not None
    assert some is not None
    of_some = scaling_of_targets(some, found.some_weights, loss)
    assert of_some is not None
    center, scale = of_some.center.copy(), of_some.scale.copy()
    deviation = moments.deviation()
    constant = np.isinf(deviation)
    if LOSSES[loss].grows:
        own = np.where(constant, 1.0, deviation)
        squeezed = SQUEEZED * scale < own  # those of the middle of some of the rows
        if LOSSES[loss].by_mean:
            scale = np.where(moments.mean > 0, moments.mean, 1.0)
        else:
            center = np.where(squeezed, center, moments.mean)
            scale = np.where(squeezed, scale, own)
    center = np.where(constant & (not LOSSES[loss].by_mean), moments.low, center)
    scaling = Scaling(center, scale)
    farthest = np.maximum(moments.high - center, center - moments.low) / scale
    sizes = np.abs(some.reshape(len(some), -1) - center) / scale
    others = np.where(sizes <= RUINOUS, sizes, 1).max(axis=0)
    most = np.where(farthest > RUINOUS, np.maximum(others, 1), math.inf)
    return Units(inputs, scaling, loss, limit, most if np.isfinite(most).any() else None, constant)


def settings_of_fit(model: Any, n_rows: int, *, incremental: bool) -> Settings:
    """Return the settings of a fit, which trains one network."""
    hidden = model._check_parameters(incremental)
    if hidden is None:
        fitted = hasattr(model, "network_") and (model.warm_start or incremental)
        hidden = model.network_.layer_sizes[1:-1] if fitted else HIDDEN_LAYER_SIZES_OF_ONE
    found = settings_of(model, hidden, n_rows, is_fit=not incremental, can_hold_out=False)
    return dataclasses.replace(found, n_networks=1)


def begin(model: Any, survey: Survey, settings: Settings) -> None:
    """Set what a fitted model has, with new weights."""
    encoded = encoded_targets(model, survey)
    units = units_of_survey(model, survey, encoded.loss)
    random = check_random_state(model.random_state)
    sizes = (survey.n_features, *settings.hidden_layer_sizes, encoded.n_outputs)
    network = _new_network(model, sizes, encoded, survey.dtype, random)
    if encoded.classes is not None:
        model.classes_ = encoded.classes
    vars(model).pop("feature_names_in_", None)
    model.n_features_in_ = survey.n_features
    if survey.names is not None:
        model.feature_names_in_ = np.array(survey.names, dtype=object)
    model._seed = copy.deepcopy(random).randint(2**31 - 1)
    model._random_state, model._history = random, History()
    model.network_, model._n_joined = network, 1
    model._units, model._gaps, model._prepared = units, None, None


def check_continues(model: Any, survey: Survey) -> None:
    """Refuse rows that a fitted model cannot go on with."""
    names = getattr(model, "feature_names_in_", None)
    if survey.n_features != model.n_features_in_:
        raise ValueError(
            f"X has {counted(survey.n_features, 'feature')}, but this model was fitted with "
            f"{model.n_features_in_}"
        )
    if names is not None and survey.names is not None and names.tolist() != survey.names:
        raise ValueError(
            f"X has the columns {survey.names[:10]}, but this model was fitted with "
            f"{names.tolist()[:10]}"
        )
