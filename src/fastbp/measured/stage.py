"""`Stage` and `Knob`: what a measured system is made of, as its user describes it."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .._printable import printable
from ..network.checks import check_number


class StageError(RuntimeError):
    """A stage raised, or what it returned is not one finite number.

    The exception that the stage raised, if it did, is the ``__cause__``.
    """


@dataclasses.dataclass(frozen=True)
class Knob:
    """Something that can be set, within bounds: a valve, a heater, a price.

    Parameters
    ----------
    name : str
    low, high : float
        Bounds: it is never set outside of them.
    start : float, default=None
        Its first setting; None is the middle.
    probe : float, default=None
        By how much it is moved to measure a sensitivity for the first time; None is a tenth of
        the way from low to high. Make it large enough to be seen, small enough to be harmless.
        A knob that does not answer is moved further.

    Raises
    ------
    ValueError
        If the bounds are equal or reversed, or start or probe does not fit them.
    """

    name: str
    low: float
    high: float
    start: float | None = None
    probe: float | None = None

    def __post_init__(self) -> None:
        _check_name("a knob", self.name)
        what = f"knob {self.name!r}: "
        low, high = check_number(what + "low", self.low), check_number(what + "high", self.high)
        if not low < high:
            raise ValueError(
                f"{what}low must be below high; got {low:g} and {high:g}"
                + (" (are they reversed?)" if low > high else "")
            )
        check_number(what + "high - low", high - low)
        start = low / 2 + high / 2 if self.start is None else check_number("start", self.start)
        if not low <= start <= high:
            raise ValueError(f"{what}start must be from {low:g} to {high:g}; got {start:g}")
        probe = (high - low) / 10 if self.probe is None else self.probe
        probe = check_number(what + "probe", probe, above=0)
        if probe > high - low:
            raise ValueError(f"{what}probe must be at most high - low; got {probe:g}")
        for field, value in (("low", low), ("high", high), ("start", start), ("probe", probe)):
            object.__setattr__(self, field, value)


@dataclasses.dataclass(frozen=True, init=False)
class Stage:
    """One step of a system, whose result can be observed: valve in, flow out.

    Parameters
    ----------
    name : str
        Of the value that is observed.
    run : callable, default=None
        Returns that value, one number; is called with the values of the stages upstream and then
        with the settings of the knobs, in the order given here. It may be any program, measurement
        or simulation. None where the observations are passed to `ChainTuner.tell`.
    knobs : Knob or sequence of Knob, default=()
    upstream : str or sequence of str, default=None
        Names of the stages that this one is fed by. None is the stage before it in the list of
        stages, so that a plain list is a chain; ``()`` is none.
    noise : float, default=None
        Standard deviation of one observation. None if not known: then the tuner starts by
        observing the first settings twice.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as described.
    """

    name: str
    run: Callable[..., Any] | None
    knobs: tuple[Knob, ...]
    upstream: tuple[str, ...] | None
    noise: float | None

    def __init__(
        self,
        name: str,
        run: Callable[..., Any] | None = None,
        knobs: Knob | Iterable[Knob] = (),
        upstream: str | Iterable[str] | None = None,
        noise: float | None = None,
    ) -> None:
        _check_name("a stage", name)
        what = f"stage {name!r}: "
        if run is not None and not callable(run):
            raise TypeError(f"{what}run must be callable or None; got {run!r}")
        fields = {
            "name": name,
            "run": run,
            "knobs": _as_tuple(what + "knobs", knobs, Knob),
            "upstream": None if upstream is None else _as_tuple(what + "upstream", upstream, str),
            "noise": None if noise is None else check_number(what + "noise", noise, at_least=0),
        }
        for field, value in fields.items():
            object.__setattr__(self, field, value)

    def observe(self, inputs: dict[str, float]) -> float:
        """Run the stage on its inputs, in order, and return what is observed.

        Raises
        ------
        StageError
            If it raises, or does not return one finite number.
        """
        if self.run is None:
            raise StageError(
                f"stage {self.name!r} has no run: drive it with ask() and tell(), or give it one"
            )
        try:
            value = self.run(*inputs.values())
        except Exception as error:
            what = f"stage {self.name!r} failed{_at(inputs)}: {type(error).__name__}: {error}"
            raise StageError(what) from error
        try:
            return as_observation(self.name, value)
        except (TypeError, ValueError) as error:
            raise StageError(f"{error}, returned{_at(inputs)}") from None


def as_observation(name: str, value: Any) -> float:
    """Return what was observed at a stage as a float, if it is one finite number."""
    if type(value) is float and math.isfinite(value):
        return value
    what = f"the value of stage {name!r} must be one finite number"
    try:
        array = np.asarray(value)
    except ValueError:  # a list of lists of different lengths
        raise TypeError(f"{what}; got {value!r}") from None
    if array.shape != ():
        raise ValueError(f"{what}; got an array of shape {array.shape}")
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{what}; got {value!r}")
    if not np.isfinite(array):
        raise ValueError(f"{what}; got {float(array)}")
    return float(array)


def _at(inputs: dict[str, float]) -> str:
    shown = ", ".join(f"{printable(name)} = {value:.6g}" for name, value in inputs.items())
    return f" at {shown}" if shown else ""


def _check_name(what: str, name: Any) -> None:
    if not isinstance(name, str) or not name:
        raise TypeError(f"the name of {what} must be a text that is not empty; got {name!r}")


def _as_tuple(what: str, value: Any, kind: type) -> tuple[Any, ...]:
    """Return one ``kind``, or several, as a tuple."""
    values: Iterable[Any] = [value]
    if not isinstance(value, kind):
        with contextlib.suppress(TypeError):
            values = tuple(value)
    for one in values:
        if not isinstance(one, kind):
            raise TypeError(f"{what} must be {kind.__name__} or several; got {one!r}")
    return tuple(values)
