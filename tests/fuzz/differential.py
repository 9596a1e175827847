"""Random networks and training beside the NumPy reference, and one way beside another.

How far rounding may carry numbers apart is not guessed. Each sum of n terms of a dtype is wrong by
about ``sqrt(n)`` times its last digit; the reference runs again, a few times, with errors of this
size in every step's weights and gradients, and what these come to is what the kernels' rounding may
come to.
"""

from types import MappingProxyType
from unittest import mock

import numpy as np
from cases import parameters_of
from reference import BACK_THROUGH, Reference

from fastbp import DivergenceWarning, _core
from fastbp.network import threads

from .values import (
    dense_form,
    diverged,
    draw_case,
    draw_order,
    draw_solver,
    only_warnings_of,
    running_on,
    sparse_form,
    state_of,
)

N_NOISY, N_MORE = 2, 30  # runs with errors, before a difference is believed
HEADROOM = 20  # times the largest of their differences


class Noisy(Reference):
    """The reference with errors of a relative size in what each step begins with and ends with."""

    def __init__(self, network, size, random):
        super().__init__(network)
        self.size, self.random = size, random

    def forward(self, X, masks=None):
        self._disturb(self.parameters)
        return super().forward(X, masks)

    def summed_gradients(self, X, y, w, masks=None):
        names = ("logistic", "tanh")
        with mock.patch.dict(BACK_THROUGH, {name: self._back_through(name) for name in names}):
            w = w * (1 + self.size * self.random.normal(size=w.shape))
            gradients = super().summed_gradients(X, y, w, masks)
        self._disturb(gradients)
        return gradients

    def _back_through(self, name, exact=MappingProxyType(dict(BACK_THROUGH))):
        """Derivatives with an error that is not relative: from an a near 1 they are 1 - a."""
        return lambda z, d: exact[name](z, d) + self.size * d * self.random.normal(size=z.shape)

    def _disturb(self, arrays):
        """An error in every number that is not 0, of a size that the largest of its array has."""
        for array in arrays:
            largest = np.abs(array).max()
            array += np.where(array != 0, self.size * largest, 0) * self.random.normal(
                size=array.shape
            )


def rounding(network, n_terms):
    """The relative error of a sum, by the dtype and the most terms that are added up."""
    return float(np.finfo(network.dtype).eps) * np.sqrt(max(*network.layer_sizes, n_terms))


def assert_close(found, expected, noisy_run, size):
    """Hold lists of arrays to the spread of runs with errors of this size."""
    expected = [np.asarray(array, dtype=np.float64) for array in expected]
    spread = [np.zeros(())] * len(expected)
    for n in (N_NOISY, N_MORE):
        for _ in range(n):
            runs = zip(noisy_run(), expected, spread, strict=True)
            spread = [np.maximum(most, np.abs(run - e).max()) for run, e, most in runs]
        pairs = list(zip(found, expected, spread, strict=True))
        excess = [
            np.abs(np.asarray(f, dtype=np.float64) - e).max()
            - HEADROOM * (most + size * np.abs(e).max())
            for f, e, most in pairs
        ]
        if max(excess) <= 0:
            return max(most / max(np.abs(e).max(), 1e-300) for _, e, most in pairs)
    worst = int(np.argmax(excess))
    found, expected, most = pairs[worst]
    raise AssertionError(
        f"array {worst} of {len(pairs)} differs by {np.abs(found - expected).max()}, "
        f"but rounding explains {HEADROOM} times {most} of numbers up to {np.abs(expected).max()}"
    )


# -- one network, looked at ------------------------------------------------------------------------


def looked_at(reference, case):
    """Outputs, loss and gradients of a reference."""
    outputs = reference.forward(case.X)[1][-1]
    loss = reference.loss(case.X, case.y, case.sample_weight)
    return [outputs, np.array(loss), *reference.gradients(case.X, case.y, case.sample_weight)]


def check_looks(random, case, network, rows):
    """Outputs, loss and gradients follow the reference, and looking changes nothing."""
    before = state_of(network)
    size = rounding(network, len(case.X))
    y = case.y if case.numbers is None else case.numbers
    n_threads = int(random.integers(1, 4))
    loss, grad_W, grad_b = network.gradients(rows, y, case.sample_weight)
    found = [network.forward(rows, n_threads), np.array(loss), *grad_W, *grad_b]
    assert_close(
        found,
        looked_at(Reference(network), case),
        lambda: looked_at(Noisy(network, size, random), case),
        size,
    )
    np.testing.assert_array_equal(found[0], network.forward(rows))
    slopes = network.sensitivity(rows)
    assert slopes.shape == (len(case.X), network.layer_sizes[-1], network.layer_sizes[0])
    assert state_of(network) == before


# -- training ------------------------------------------------------------------------------------


def trained(reference, case, n_epochs, **options):
    """Parameters of a reference after some epochs, and their losses."""
    losses = [
        reference.train_epoch(case.X, case.y, sample_weight=case.sample_weight, **options)
        for _ in range(n_epochs)
    ]
    return [*reference.parameters, np.array(losses)]


def is_calm(case, n_epochs, options):
    """Whether no step of the reference meets a number that training is right to stop at."""
    *parameters, losses = trained(Reference(case.network), case, n_epochs, **options)
    numbers = [losses, *parameters, *looked_at(Reference(case.network), case)]
    return (
        all(np.isfinite(n).all() for n in numbers) and max(np.abs(p).max() for p in numbers) < 1e5
    )


def check_training(random, case, network, rows):
    """Some epochs follow the reference; other threads and other forms of X give the same bits."""
    options = draw_solver(random, len(case.X), case.X)
    options["order"] = draw_order(random, len(case.X))
    if case.sample_weight is not None and options["order"] is not None:
        options["order"][0] = 0  # which has a weight
    n_epochs = int(random.integers(1, 4))
    if not is_calm(case, n_epochs, options):
        return "diverges"
    check_looks(random, case, network, rows)
    size = rounding(network, min(options.get("batch_size", 1), len(case.X)))
    y = case.y if case.numbers is None else case.numbers
    copy = network.copy()
    found = train(network, rows, y, case.sample_weight, n_epochs, options)
    assert_close(
        [*parameters_of(network), found],
        trained(Reference(copy), case, n_epochs, **options),
        lambda: trained(Noisy(copy, size, random), case, n_epochs, **options),
        size,
    )
    form = sparse_form if hasattr(rows, "tocsr") else dense_form
    rows, n_threads = form(random, case.X, network.dtype), int(random.integers(1, 4))
    again = train(copy, rows, y, case.sample_weight, n_epochs, {**options, "n_threads": n_threads})
    assert again.tolist() == found.tolist()
    assert state_of(copy) == state_of(network)
    plan_options = ("batch_size", "momentum", "solver")
    plan = network.plan(
        len(case.X),
        sparse=hasattr(rows, "tocsr"),
        **{name: options[name] for name in plan_options if name in options},
    )
    return f"{plan.path}, {'CSR' if hasattr(rows, 'tocsr') else 'dense'}"


def train(network, rows, y, sample_weight, n_epochs, options):
    """Train and return the losses; nothing may diverge."""
    with only_warnings_of(DivergenceWarning) as caught:
        losses = [
            network.train_epoch(rows, y, sample_weight=sample_weight, **options)
            for _ in range(n_epochs)
        ]
    assert not diverged(caught), f"diverged with {options}"
    return np.array(losses)


def check(seed):
    """Draw a network, rows and a way to train; compare with the reference."""
    random = np.random.default_rng(seed)
    isa = str(random.choice(_core.available_isas()))
    least_share = mock.patch.object(threads, "MIN_OPERATIONS", 1)
    with running_on(isa), least_share, np.errstate(all="ignore"):
        case = draw_case(random)
        form = sparse_form if random.random() < 0.4 else dense_form
        rows = form(random, case.X, case.network.dtype)
        return check_training(random, case, case.network, rows)
