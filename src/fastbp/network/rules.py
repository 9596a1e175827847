"""Rules: what a step does to each weight, one entry each, and the solvers that take such steps.

The arithmetic stands in ``csrc/kernels/solvers.inc.h``, one line a rule in
``csrc/tables/solvers.h``. What
checks options, allots moments, writes texts and docstrings or saves a network
reads it here.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

from .. import _core
from .checks import check_flag, check_number


@dataclasses.dataclass(frozen=True)
class Option:
    """A number that solvers take, with its default and bounds; or a flag."""

    default: float | bool
    at_least: float = -math.inf
    above: float = -math.inf
    below: float = math.inf

    def check(self, name: str, value: Any) -> None:
        """Refuse what cannot be its value."""
        if isinstance(self.default, bool):
            check_flag(name, value)
        else:
            check_number(name, value, at_least=self.at_least, above=self.above, below=self.below)


OPTIONS = {
    "momentum": Option(0.0, at_least=0, below=1),
    "nesterov": Option(False),
    "beta_1": Option(0.9, at_least=0, below=1),
    "beta_2": Option(0.999, at_least=0, below=1),
    "epsilon": Option(1e-8, above=0),
}


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a step does to each weight.

    Attributes
    ----------
    name : str
        Its name among the kernels.
    solver : str
        The solver that takes such steps.
    formula : str
        W' of W and the gradient {g}; {ahead} is what Nesterov's momentum changes, {decayed} W less
        its decay, where the penalty is not part of the gradient.
    moments : dict of str to str
        Names of the numbers that are kept beside each weight, and the formula's letter for each.
    options : tuple of str
        Options that it uses, of `OPTIONS`.
    """

    name: str
    solver: str
    formula: str
    moments: dict[str, str] = dataclasses.field(default_factory=dict)
    options: tuple[str, ...] = ()

    @functools.cached_property
    def facts(self) -> tuple[int, bool, bool, bool]:
        """How many moments, whether it rests, is linear, counts steps: csrc/tables/solvers.h."""
        return _core.FACTS_OF_RULES[self.name]

    @property
    def rests(self) -> bool:
        """Whether a weight whose gradient is 0 stays as it is, if there is no penalty."""
        return self.facts[1]

    @property
    def is_linear(self) -> bool:
        """Whether steps can be taken several at a time."""
        return self.facts[2]

    @property
    def counts_steps(self) -> bool:
        """Whether its coefficients depend on how many steps there were before."""
        return self.facts[3]

    def text(self, alpha: float, nesterov: bool) -> str:
        """Return the formula for a step with such options."""
        decouples = "{decayed}" in self.formula
        g = "(gradient + alpha W)" if alpha and not decouples else "gradient"
        ahead = f"momentum v' - learning_rate {g}" if nesterov else "v'"
        decayed = "(1 - learning_rate alpha) W" if alpha else "W"
        return self.formula.format(g=g, ahead=ahead, decayed=decayed)


_MOMENTS = {"first_moments": "m", "second_moments": "s"}
_MEANS = "m' = beta_1 m + (1 - beta_1) {g}, s' = beta_2 s + (1 - beta_2) {g}^2,\n"
RULES = {
    rule.name: rule
    for rule in (
        Rule("plain", "sgd", "W' = W - learning_rate {g}"),
        Rule(
            "momentum",
            "sgd",
            "v' = momentum v - learning_rate {g}, W' = W + {ahead}",
            {"velocities": "v"},
            ("momentum", "nesterov"),
        ),
        Rule(
            "adam",
            "adam",
            _MEANS + "  W' = W - learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) "
            "m' / (sqrt(s') + epsilon)",
            _MOMENTS,
            ("beta_1", "beta_2", "epsilon"),
        ),
        Rule(
            "adamw",
            "adamw",
            _MEANS + "  W' = {decayed} - learning_rate m' / (1 - beta_1^t) / "
            "(sqrt(s' / (1 - beta_2^t)) + epsilon)",
            _MOMENTS,
            ("beta_1", "beta_2", "epsilon"),
        ),
        Rule(
            "adagrad",
            "adagrad",
            "s' = s + {g}^2, W' = W - learning_rate {g} / (sqrt(s') + epsilon)",
            {"sums_of_squares": "s"},
            ("epsilon",),
        ),
        Rule(
            "rmsprop",
            "rmsprop",
            "s' = beta_2 s + (1 - beta_2) {g}^2,\n"
            "  W' = W - learning_rate {g} / (sqrt(s') + epsilon)",
            {"means_of_squares": "s"},
            ("beta_2", "epsilon"),
        ),
    )
}
SOLVERS = tuple(dict.fromkeys(rule.solver for rule in RULES.values()))
LETTERS = {name: letter for rule in RULES.values() for name, letter in rule.moments.items()}

# What users are told of each.
ABOUT = {
    "sgd": "gradient descent, with ``momentum`` if there is any",
    "adam": "Adam (Kingma and Ba, 2015): along a mean of the gradients, divided by the root of "
    "the mean of their squares",
    "adamw": "Adam with decoupled weight decay (Loshchilov and Hutter, 2019): each step takes "
    "``{rate} * alpha * W`` off the weights, whatever the gradients and the batch size",
    "adagrad": "AdaGrad (Duchi, Hazan and Singer, 2011): the gradient, divided by the root of the "
    "sum of all its squares; rare inputs keep long steps, and rows of a CSR matrix cost their "
    "non-zeros only (without ``alpha``)",
    "rmsprop": "RMSprop (Tieleman and Hinton, 2012): the gradient, divided by the root of the mean "
    "of its squares",
}


def rule_of(solver: str, momentum: float) -> Rule:
    """Return the rule that a solver's steps follow."""
    if solver == "sgd":
        return RULES["momentum" if momentum > 0 else "plain"]
    return RULES[solver]


def choices() -> str:
    """Return the solvers' names, as a docstring has them."""
    return "{" + ", ".join(f'"{name}"' for name in SOLVERS) + "}"


def solvers_with(option: str) -> list[str]:
    """Return the solvers that use an option."""
    return list(dict.fromkeys(rule.solver for rule in RULES.values() if option in rule.options))


def documented(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put the solvers into a docstring that names them: ``$solvers``, and ``$about_solvers``."""
    if function.__doc__ is not None:  # python -OO leaves none
        about = "\n            ".join(_list_of_solvers("learning_rate", 84))
        doc = function.__doc__.replace("$solvers", choices())
        function.__doc__ = doc.replace("$about_solvers", about)
    return function


def _list_of_solvers(rate: str, width: int) -> list[str]:
    """Return what each solver is, as lines of a list."""
    import textwrap

    lines: list[str] = []
    for name, about in ABOUT.items():
        text = f'- "{name}": {about.format(rate=rate)}.'
        lines += textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
    return lines


def part_of_docs(rate: str) -> str:
    """Return the entry of ``solver`` in an estimator's docstring."""
    lines = "\n    ".join(["", *_list_of_solvers(rate, 92)])
    return f'solver : {choices()}, default="sgd"\n    How a step follows the gradient:\n{lines}\n'
