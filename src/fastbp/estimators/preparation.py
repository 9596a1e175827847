"""From the arguments of a call to what it trains on: gaps, units, settings, a network, its rows."""

from __future__ import annotations

import copy
import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from .._core import Rows
from ..network import Network
from ..network.arrays import check_finite
from ..network.catalogue import hidden_activations
from ..network.data import as_matrix_of_row, as_summable_weights, as_weights
from ..network.scaling import LIMIT, UnitsTrace
from ..training.order import (
    SampleRepeats,
    canonical_order,
    warn_of_small_weights,
    weights_of_shares,
)
from .csr import to_csr_if_sparse
from .defaults import MIN_ROWS_TO_HOLD_OUT, Settings, settings_of
from .features import named_features
from .gaps import INDICATOR, Gaps, gaps_of, running_gaps
from .holdout import rows_to_hold_out, validation_of
from .labels import check_is_targets
from .prepared import EncodedTargets, FitRequest, GivenData, Member, TrainingData, TrainingSetup
from .units import Units, check_numbers, running_units, units_of

if TYPE_CHECKING:
    from .base import Backprop


def setup_of(
    model: Backprop, X: Any, y: Any, sample_weight: Any, request: FitRequest
) -> TrainingSetup:
    """Check the parameters and the data of a call; the model stays as it is."""
    hidden = _hidden_layer_sizes(model, request)
    checked_X = model._checked_X(X, request.warm_start)
    encoded = _encoded(model, checked_X, y, sample_weight, request)
    gaps = gaps_for(model, checked_X, encoded, request)
    if gaps is not None:
        checked_X = gaps.filled(checked_X)
    if request.warm_start and model._units is not None:
        checked_X = model._units.as_seen(checked_X)
    weights, targets_given = encoded.sample_weight, encoded.targets
    if weights is not None and not request.incremental:
        warn_of_small_weights(weights)
    units = units_for(model, checked_X, encoded, request)
    settings = settings_for(model, hidden, checked_X, request, weights)
    layer_sizes = (checked_X.shape[1], *settings.hidden_layer_sizes, encoded.n_outputs)
    if request.warm_start:
        random, seed = None, model._seed
        network = _network_to_continue(model, layer_sizes, encoded)
    else:
        random = check_random_state(model.random_state)
        network = _new_network(model, layer_sizes, encoded, checked_X.dtype, random)
        seed = copy.deepcopy(random).randint(2**31 - 1)  # random itself goes on as ever
    if units is not None:
        targets = units.targets_of_fit(targets_given)
        if request.incremental:
            targets = units.within_reach(network, checked_X, units.scaled_targets(targets_given))
        encoded = dataclasses.replace(encoded, targets=targets)
    return TrainingSetup(
        request, checked_X, encoded, targets_given, gaps, units, settings, network, random, seed
    )


def _hidden_layer_sizes(model: Backprop, request: FitRequest) -> tuple[int, ...] | None:
    """Check the parameters; return the sizes of the hidden layers, None if they are "auto"."""
    if request.prepared:
        return model.network_.layer_sizes[1:-1]
    hidden = model._check_parameters(request.incremental)
    if request.incremental and model.early_stopping is True:
        raise ValueError(
            "partial_fit does not support early_stopping=True: one call is one epoch, and "
            "the next one has other rows. Set early_stopping=False, hold rows out yourself "
            "and stop calling once score(X_val, y_val) no longer improves; or call fit, "
            "which makes all epochs"
        )
    return hidden


def _encoded(
    model: Backprop, checked_X: Any, y: Any, sample_weight: Any, request: FitRequest
) -> EncodedTargets:
    """Return y as a network takes it, of as many rows as X has."""
    check_is_targets(model, y)
    check_consistent_length(checked_X, y)
    weights = as_weights(sample_weight, checked_X.shape[0])
    if weights is not None and not request.incremental:
        weights = weights_of_shares(weights)
    return model._encoded_targets(y, weights, request)


def gaps_for(model: Backprop, X: Any, encoded: EncodedTargets, request: FitRequest) -> Gaps | None:
    """Return what stands for missing values in these rows; None where none may be."""
    gaps, weights = model._gaps, encoded.sample_weight
    if not request.warm_start:
        if model.missing != INDICATOR:
            return None
        return (running_gaps if request.incremental else gaps_of)(X, weights)
    return gaps.with_rows(X, weights) if gaps is not None and request.incremental else gaps


def units_for(
    model: Backprop, X: Any, encoded: EncodedTargets, request: FitRequest
) -> Units | None:
    """Return the units that the network sees these rows in; None is their own."""
    units = model._units if request.warm_start else None
    if units is None and (request.warm_start or not model.standardize):
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
    is_linear = not isinstance(model.hidden_layer_sizes, (str, int)) and not len(
        model.hidden_layer_sizes
    )
    limit = math.inf if is_linear else LIMIT
    return begin(X, encoded.targets, encoded.sample_weight, encoded.loss, limit)


def settings_for(
    model: Backprop,
    hidden: tuple[int, ...] | None,
    X: Any,
    request: FitRequest,
    sample_weight: NDArray[np.float64] | None = None,
) -> Settings:
    """Return what the parameters that are "auto" stand for in this call."""
    if request.warm_start and hidden is None:
        hidden = model.network_.layer_sizes[1:-1]
    is_needed = model.early_stopping is True
    can_hold_out = request.held_out is None and (is_needed or X.shape[0] >= MIN_ROWS_TO_HOLD_OUT)
    n_rows = X.shape[0]
    if sample_weight is not None and not request.incremental:  # copies of rows are rows
        total = SampleRepeats.of(sample_weight, n_rows).total
        n_rows = max(round(total), np.count_nonzero(sample_weight), 1)
    return settings_of(
        model, hidden, n_rows, is_fit=not request.incremental, can_hold_out=can_hold_out
    )


def _new_network(
    model: Backprop,
    layer_sizes: tuple[int, ...],
    encoded: EncodedTargets,
    dtype: Any,
    random: np.random.RandomState,
) -> Network:
    return Network(
        layer_sizes,
        activation=hidden_activations(model.activation, len(layer_sizes) - 2),
        out_activation=encoded.out_activation,
        loss=encoded.loss,
        **encoded.loss_parameters,
        dtype=dtype,
        random_state=random,
    )


def _network_to_continue(
    model: Backprop, layer_sizes: tuple[int, ...], encoded: EncodedTargets
) -> Network:
    """Return the fitted network, if the parameters still describe it."""
    network = model.network_
    expected: dict[str, tuple[Any, Any]] = {
        "hidden_layer_sizes": (network.layer_sizes[1:-1], layer_sizes[1:-1]),
        "activation": (
            network.activation,
            hidden_activations(model.activation, len(layer_sizes) - 2),
        ),
        "loss": (network.loss_name, encoded.loss),
        "number of outputs": (network.layer_sizes[-1], layer_sizes[-1]),
        **{name: (getattr(network, name), now) for name, now in encoded.loss_parameters.items()},
    }
    for name, (fitted, now) in expected.items():
        if fitted != now:
            raise ValueError(
                f"This model was fitted with {name} {fitted}, now it is {now}: training cannot "
                "continue from its weights. Call fit with warm_start=False to begin again."
            )
    return network


def training_data(model: Backprop, setup: TrainingSetup) -> TrainingData:
    """Return rows as pointers for C, and for each network their order and the rows held out."""
    X, encoded, units = setup.X, setup.encoded, setup.units
    repeats = SampleRepeats.of(encoded.sample_weight, X.shape[0])
    rows, given = _checked_rows(model, setup, repeats), None
    if units is not None:
        scaled = units.inputs.rows(rows, setup.network.dtype)
        rows, given = units.kept(scaled, model.batch_size), rows
    if model.shuffle and not setup.request.incremental:
        order = canonical_order(rows, given, X, encoded.targets)
    else:
        order = np.arange(rows.n, dtype=np.int64)
    members = []
    for k in range(setup.settings.n_networks):
        own, left, validation = _member_network(setup, k), order, None
        held_out = rows_to_hold_out(model, order, (setup.seed + k) % 2**31, setup)
        if held_out is not None:
            left = order[~np.isin(order, held_out, assume_unique=True)]
            part = encoded.part(held_out)
            weights = as_summable_weights(part.sample_weight, len(held_out))
            validation = validation_of(model, rows.picked(held_out, weights), part, setup)
        members.append(Member(own, repeats.order(left), validation))
    given_data = GivenData(X, setup.targets_given, encoded.sample_weight)
    return TrainingData(X, encoded.targets, rows, tuple(members), units, setup.settings, given_data)


def _checked_rows(model: Backprop, setup: TrainingSetup, repeats: SampleRepeats) -> Rows:
    """Return rows as pointers for C: of a table of mostly zeros its non-zeros, if it pays."""
    network, targets = setup.network, setup.encoded.targets
    rows = network._rows(setup.X, targets, repeats.weights)
    solver = model._solver()
    # A schedule may lower the rate to nothing, but not begin so.
    if network.dtype != np.float64:
        initial = dataclasses.replace(solver, learning_rate=model._initial_rate())
        initial.check_dtype(network.dtype, "learning_rate_init")
    # At every row, zero or not:
    moves_all = solver.drops_units or (solver.n_moments > 0 and not solver.rests)
    is_fit = not setup.request.incremental
    if (model.batch_size > 1 or not moves_all) and is_fit and not rows.sparse:
        as_csr = to_csr_if_sparse(setup.X)
        if as_csr is not setup.X:
            rows = network._rows(as_csr, targets, repeats.weights)
    return rows


def _member_network(setup: TrainingSetup, k: int) -> Network:
    """Return network k of an ensemble, of which the one set up is number 0."""
    if k == 0:
        return setup.network
    other = setup.network.copy()
    other._initialise(np.random.RandomState((setup.seed + k) % 2**31))
    return other


def encoded_again(
    model: Backprop, X: Any, y: Any, sample_weight: Any = None, *, one_row: bool = False
) -> tuple[Any, EncodedTargets, UnitsTrace | None]:
    """Return X and y as the fitted network takes them, and how a single row was scaled.

    One row may have names: see `named_features`.
    """
    check_is_fitted(model)
    model._check_parameters(incremental=True)
    row = named_features(model, X) if one_row else None
    if row is None:
        checked_X = model._checked_X(as_matrix_of_row(X) if one_row else X, True)
    else:
        checked_X = row[np.newaxis]
    request = FitRequest(warm_start=True, incremental=True)
    encoded = _encoded(model, checked_X, y, sample_weight, request)
    gaps, units = model._gaps, model._units
    if gaps is not None:
        gaps = gaps.with_rows(checked_X, encoded.sample_weight) if one_row else gaps
        checked_X = gaps.filled(checked_X)
    if units is None:
        return checked_X, encoded, None
    check_numbers(checked_X)
    checked_X = units.as_seen(checked_X)
    if one_row:  # as a call of partial_fit would see it
        units = units.with_rows(checked_X, encoded.targets, encoded.sample_weight)
    trace = units.trace(checked_X, encoded.targets) if one_row else None
    targets = units.scaled_targets(encoded.targets)
    if one_row:
        targets = units.within_reach(model.network_, checked_X, targets)
    scaled_X = units.inputs.transform(checked_X)
    return scaled_X, dataclasses.replace(encoded, targets=targets), trace
