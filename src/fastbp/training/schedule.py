"""`Schedule`: the learning rate during training, and the table of `SCHEDULES`."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import math
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

from .._messages import ADVICE
from ..network.checks import check_choice, check_number, check_whole
from ..network.solver import Rates

ROWS_A_RATE = 10_000  # within an epoch, after which the rate is computed again
MIN_RATE = math.ulp(0.0)  # steps need one above 0


@dataclasses.dataclass
class Schedule:
    """The learning rate during training.

    Attributes
    ----------
    kind : str or callable
        A name of `SCHEDULES`, or a function of the share of training that is done, which returns
        the factor of ``initial``.
    initial, power_t : float
    factor : float
        What "adaptive" has come to.
    options : mapping
        What the function of the schedule takes, and ``warmup``.
    n_before, n_an_epoch, n_epochs : int
        Rows visited before this call of fit, in each of its epochs, and how many epochs it makes at
        most, of which the last need not be whole. Where no epochs are known, in partial_fit, only
        "invscaling" moves the rate.
    """

    kind: str | Callable[[float], Any]
    initial: float
    power_t: float = 0.5
    factor: float = 1.0
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    n_before: int = 0
    n_an_epoch: int = 1
    n_epochs: float = 0

    def __post_init__(self) -> None:
        self._moves = False
        if self.n_epochs and (self.options or self.kind not in OF_SCIKIT_LEARN):
            self._moves, self._options = True, {**self.options}
            self._warmup = self._options.pop("warmup", 0.0)
            self._function = _of_callable if callable(self.kind) else SCHEDULES[self.kind]

    def to_dict(self) -> dict[str, float]:
        """Return what training changes of it."""
        return {"initial": self.initial, "factor": self.factor}

    def load(self, saved: Mapping[str, Any]) -> None:
        """Take what `to_dict` has returned."""
        self.initial = check_number("initial", saved["initial"], above=0)
        self.factor = check_number("factor", saved["factor"], above=0)

    def rate(self, n_rows: int) -> float:
        """Return the learning rate where so many rows were visited before, in all calls."""
        if not self._moves:  # soon: streams ask at every row
            scales = self.kind == "invscaling"
            return invscaling(self, n_rows) if scales else self.initial * self.factor
        rate = self._function(self, n_rows, **self._options)
        if self._warmup:
            n_warm = self._warmup * self.n_epochs
            rate *= min(1.0, (self.epoch(n_rows) + 1) / (n_warm + 1))
        return max(rate, MIN_RATE)

    def rates(self, n_rows: int, batch_size: int) -> Rates:
        """Return the rates of the epochs that begin after so many rows."""
        every = -(-ROWS_A_RATE // batch_size) * batch_size
        now = copy.copy(self)  # whatever `lower` does later
        if self.n_an_epoch <= every or not self._moves:
            return Rates(lambda n: now.rate(n_rows + n))
        return Rates(lambda n: now.rate(n_rows + n), every)

    def epoch(self, n_rows: int) -> float:
        """Return how many epochs of this fit there were before; a whole number where one begins."""
        return (n_rows - self.n_before) / self.n_an_epoch

    def done(self, n_rows: int) -> float:
        """Return the share of all epochs that there were before."""
        return min(1.0, self.epoch(n_rows) / self.n_epochs)

    def lower(self) -> bool:
        """Go on with a smaller rate instead of ending, if there is one."""
        if self.kind != "adaptive" or self.initial * self.factor <= 1e-6:
            return False
        self.factor /= 5
        return True


# -- each schedule: a function, whose docstring the estimators show, and a line of the table -------


def constant(schedule: Schedule, n_rows: int) -> float:
    """Unchanged."""
    return schedule.initial * schedule.factor


def invscaling(schedule: Schedule, n_rows: int) -> float:
    """Divided by ``(1 + t) ** power_t``, t being the rows visited before (``t_``)."""
    return float(schedule.initial / (1.0 + n_rows) ** schedule.power_t)


def adaptive(schedule: Schedule, n_rows: int) -> float:
    """Divided by 5 each time that `fit` would end (see ``tol``); `fit` ends once it is 1e-6."""
    return constant(schedule, n_rows)  # whose factor `lower` has made smaller


def cosine(schedule: Schedule, n_rows: int) -> float:
    """Falls along half a period of the cosine, to 0 at the end of the last epoch."""
    return schedule.initial * _half_wave(schedule.done(n_rows))


def one_cycle(
    schedule: Schedule,
    n_rows: int,
    *,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> float:
    """Rises from ``learning_rate_init / div_factor`` to ``learning_rate_init``, then falls.

    It ends at a ``final_div_factor``-th of where it began. Both along half a period of the cosine;
    a share ``pct_start`` of all epochs is for the rise (Smith and Topin, 2018).
    """
    done, top = schedule.done(n_rows), schedule.initial
    first = top / div_factor
    if done < pct_start:
        return top + (first - top) * _half_wave(done / pct_start)
    last = first / final_div_factor
    return last + (top - last) * _half_wave((done - pct_start) / (1 - pct_start))


def exponential(schedule: Schedule, n_rows: int, *, gamma: float = 0.98) -> float:
    """Multiplied by ``gamma`` after each epoch."""
    return float(schedule.initial * gamma ** math.floor(schedule.epoch(n_rows)))


def step(schedule: Schedule, n_rows: int, *, step_size: int = 30, gamma: float = 0.1) -> float:
    """Multiplied by ``gamma`` after every ``step_size`` epochs."""
    return float(schedule.initial * gamma ** (math.floor(schedule.epoch(n_rows)) // step_size))


SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": constant,
    "invscaling": invscaling,
    "adaptive": adaptive,
    "cosine": cosine,
    "one_cycle": one_cycle,
    "exponential": exponential,
    "step": step,
}
# Those whose rate changes up to the last of all epochs: training ends as planned.
TO_THE_END = ("cosine", "one_cycle")
OF_SCIKIT_LEARN = ("constant", "invscaling", "adaptive")  # as there: they move its "sgd" alone
ADVICE.update({("learning_rate_init", s): f"A schedule is learning_rate={s!r}" for s in SCHEDULES})

OPTIONS: dict[str, Callable[[str, Any], object]] = {
    "pct_start": functools.partial(check_number, above=0, below=1),
    "div_factor": functools.partial(check_number, at_least=1),
    "final_div_factor": functools.partial(check_number, at_least=1),
    "gamma": functools.partial(check_number, above=0),
    "step_size": check_whole,
    "warmup": functools.partial(check_number, at_least=0, below=1),
}


def _half_wave(x: float) -> float:
    """Return ``(1 + cos(pi x)) / 2``, from 1 at 0 to 0 at 1, and above 0 before."""
    return math.sin(math.pi / 2 * (1 - x)) ** 2


def _of_callable(schedule: Schedule, n_rows: int) -> float:
    assert callable(schedule.kind)
    return schedule.initial * factor_of(schedule.kind, schedule.done(n_rows))


def factor_of(function: Callable[[float], Any], done: float) -> float:
    """Return what a user's function has for a share of training that is done, if it is sound."""
    factor = function(done)
    try:
        return check_number("factor", factor, above=0)
    except (TypeError, ValueError):
        raise ValueError(
            f"learning_rate({done:g}) returned {factor!r}. It must return a finite number above 0: "
            "the factor of learning_rate_init when this share of training is done"
        ) from None


def goes_to_the_end(kind: str | Callable[[float], Any]) -> bool:
    """Whether a schedule counts on all epochs being made."""
    return callable(kind) or kind in TO_THE_END


def check_schedule(kind: Any, options: Any) -> None:
    """Check ``learning_rate`` and ``learning_rate_options`` of an estimator."""
    if callable(kind):
        factor_of(kind, 0.0)
        takes, name = ["warmup"], "a function"
    else:
        name = repr(check_choice("learning_rate", kind, (*SCHEDULES,), of_what=", or a function"))
        takes = [*options_of(kind), "warmup"]
    if options is None:
        return
    if not isinstance(options, Mapping):
        raise TypeError(
            "learning_rate_options must be None or a dict, such as {'warmup': 0.1}; got "
            f"{options!r}"
        )
    for option, value in options.items():
        what = f"learning_rate_options for learning_rate={name}"
        check_choice(f"A name in {what}", option, tuple(takes))
        OPTIONS[option](f"learning_rate_options[{option!r}]", value)


def options_of(kind: str) -> dict[str, Any]:
    """Return the options that a schedule of this name takes, and their defaults."""
    parameters = inspect.signature(SCHEDULES[kind]).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}


def choices() -> str:
    """Return the schedules' names, as a docstring has them."""
    return "{" + ", ".join(f'"{name}"' for name in SCHEDULES) + "}"


def about_schedules(width: int = 92) -> list[str]:
    """Return what each schedule does with the rate, as lines of a list."""
    lines: list[str] = []
    for name, function in SCHEDULES.items():
        words = " ".join((function.__doc__ or "").split())
        text = f'- "{name}": {words[:1].lower()}{words[1:]}'
        options = ", ".join(f"``{option}={value:g}``" for option, value in options_of(name).items())
        text += f" Options: {options}." if options else ""
        lines += textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
    return lines
