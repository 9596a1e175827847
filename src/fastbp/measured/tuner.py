"""`ChainTuner`: backpropagation through what can be run and observed, not differentiated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from .._messages import counted
from .._printable import printable
from ..network.checks import check_choice, check_flag, check_number, check_whole
from ..network.frames import as_mapping
from .losses import LOSSES
from .probes import Probes
from .result import Evaluation, Purpose, Status, TuningResult
from .sensitivity import Sensitivities
from .solvers import SOLVERS, solver_of
from .stage import Stage
from .tree import Floats, Tree

STANDS_STILL = 1e-12  # of a knob's range: a move that is none
NO_PROGRESS = 1e-6  # of the error: what it must fall by to count as falling
LONGEST_STRIDE = 4.0**30


class ChainTuner:
    """Turns the knobs of a chain, or tree, of stages until what comes out is what is wanted.

    Sensitivities are changes divided by changes: of a stage's value by those of its inputs. They
    are measured by first moving the knobs a little, and from then on by what every move itself
    changed. Chained backwards, from the target to the knobs, they say how to move every knob:
    ``-eta * dE/dy * dy/dknob``. See the notes for where it departs from this.

    Parameters
    ----------
    stages : Stage or sequence of Stage
        A chain, in the order of the flow; or, with `Stage.upstream`, any stages that do not feed
        each other in a circle.
    target : float, sequence of float, or mapping of str to float
        What is wanted of the stages that feed no other: one value for all or, in the order given,
        one for each. A mapping from names can also ask for values in between.
    loss : {"absolute_error", "squared_error"}, default="absolute_error"
        E is the sum over targets of ``|y - y'|``, or of ``1/2 (y - y')^2``.
    learning_rate : float or "auto", default=1e-3
        eta. With "auto" every move goes as far as the sensitivities say the target lies, within
        ``max_move``: few evaluations, for systems where each is dear.
    solver : {"sgd", "momentum", "adagrad"}, default="sgd"
        AdaGrad suits knobs of unlike effect, such as a main valve that feeds many showers.
    momentum : float, default=0.9
        Share of the last move that is added to a move; used by "momentum" only.
    tol : float, default=None
        How close is close enough: the target is reached when ``|y - y'| <= tol``. None is a
        thousandth of the target, or of the first ``y - y'`` if that is larger.
    max_move : float, default=0.25
        The farthest that any knob goes in one move, as a share of its range.
    patience : int, default=50
        Tuning ends once the error has not fallen during so many moves.
    verbose : bool, default=False
        Print evaluations: the first ten, then every tenth, hundredth and so on.

    Raises
    ------
    TypeError, ValueError
        If the stages do not make a tree, the target does not fit them, or a parameter is not as
        described.

    Notes
    -----
    - A move stops where its sensitivities say the target is, so that a large ``eta`` does not throw
      the system about. With several targets, each one's share of the move is shortened.
    - A knob at a bound is left there while the gradient would push it outwards.
    - While nothing answers, in a dead zone or below the noise, moves grow fourfold.

    Examples
    --------
    >>> from fastbp.measured import ChainTuner, Knob, Stage
    >>> stages = [
    ...     Stage("house_flow", lambda m: 2 * m, Knob("main_valve", 1, 10, start=4)),
    ...     Stage("shower_flow", lambda x, h: x / 4 + h / 2 - 1, Knob("handle", 1, 10, start=4)),
    ... ]
    >>> result = ChainTuner(stages, target=5.0, learning_rate="auto").tune()
    >>> result.message
    'Reached the target after 5 evaluations.'
    >>> round(result.values["shower_flow"], 3)
    5.0
    """

    def __init__(
        self,
        stages: Stage | Iterable[Stage],
        target: float | Sequence[float] | Mapping[str, float],
        loss: Literal["absolute_error", "squared_error"] = "absolute_error",
        learning_rate: float | Literal["auto"] = 1e-3,
        solver: Literal["sgd", "momentum", "adagrad"] = "sgd",
        *,
        momentum: float = 0.9,
        tol: float | None = None,
        max_move: float = 0.25,
        patience: int = 50,
        verbose: bool = False,
    ) -> None:
        tree = self._tree = Tree([stages] if isinstance(stages, Stage) else list(stages))
        if not tree.knobs:
            raise ValueError("no stage has a knob: there is nothing to turn")
        self._target = _targets(tree, target)
        self._loss, self._derivative = LOSSES[check_choice("loss", loss, tuple(LOSSES))]
        self._is_auto = isinstance(learning_rate, str)
        if isinstance(learning_rate, str):
            check_choice("learning_rate, if not a number,", learning_rate, ("auto",))
        else:
            self._eta = check_number("learning_rate", learning_rate, above=0)
        check_number("momentum", momentum, at_least=0, below=1)
        check_choice("solver", solver, SOLVERS)
        self._solver = solver_of(solver, tree.n_knobs, momentum)
        self._given_tol = None if tol is None else check_number("tol", tol, above=0)
        self._max_move = check_number("max_move", max_move, above=0)
        self._patience = check_whole("patience", patience)
        self._verbose = check_flag("verbose", verbose)

        self._low = np.array([knob.low for knob in tree.knobs])
        self._high = np.array([knob.high for knob in tree.knobs])
        self._start = np.array([knob.start for knob in tree.knobs], dtype=np.float64)
        self._target_stage = np.array([tree.node[n] - tree.n_knobs for n in self._target])
        self._wanted = np.array(list(self._target.values()))
        self._sensitivities = Sensitivities(tree)
        self._probes = Probes(tree, self._start)
        self._stride = 1.0

        self._asked = self._start
        self._purpose: Purpose = "start"
        self._status: Status = "running"
        self._message = ""
        self._nodes: list[Floats] = []
        self._errors: list[float] = []
        self._purposes: list[Purpose] = []
        self._known: list[Floats] = []  # of sensitivities, after each look
        self._best = 0
        self._error_last_time = np.inf  # that all sensitivities were measured again
        self._least: list[float] = []  # the least error of all moves so far, move by move

    # what users call

    @property
    def done(self) -> bool:
        """Whether tuning has come to its end; `result` says which."""
        return self._status not in ("running", "max_evaluations", "stopped")

    def ask(self) -> dict[str, float]:
        """Return the settings of all knobs at which to observe the stages next.

        The same until `tell` is called. Once `done`, the best that were found.
        """
        settings = self._nodes[self._best][: self._tree.n_knobs] if self.done else self._asked
        return self._named(settings)

    def tell(
        self, values: Mapping[str, float], settings: Mapping[str, float] | None = None
    ) -> Evaluation:
        """Take in what was observed at the settings that `ask` returned last.

        Parameters
        ----------
        values : mapping of str to float
            Observed at every stage.
        settings : mapping of str to float, default=None
            Where the knobs really stood, if not where they were asked to stand.

        Returns
        -------
        Evaluation

        Raises
        ------
        TypeError, ValueError
            If a value is missing, or is not one finite number; nothing has changed then, and the
            same settings can be observed once more.
        RuntimeError
            If tuning is `done`.
        """
        if self.done:
            raise RuntimeError(f"tuning is done, it takes no more observations: {self._message}")
        tree = self._tree
        observed = tree.as_values(values)
        stood = self._asked if settings is None else self._as_settings(settings)
        nodes = np.concatenate([stood, observed])
        with np.errstate(all="ignore"):  # numbers of absurd size end in small moves or in none
            if self._nodes:
                self._learn(nodes)
            self._record(nodes)
            self._end("running", f"Not finished after {self._evaluations()}.")
            self._decide()
        evaluation = self._evaluation(len(self._nodes) - 1)
        if self._verbose and (self.done or _is_round(evaluation.number)):
            print(evaluation, flush=True)
        return evaluation

    def tune(
        self,
        max_evaluations: int = 100_000,
        callback: Callable[[Evaluation], Any] | None = None,
    ) -> TuningResult:
        """Run the stages, with one setting after another, to the end.

        Parameters
        ----------
        max_evaluations : int, default=100_000
            How often the stages are run at most, in this call. A further call goes on.
        callback : callable, default=None
            Called with every `Evaluation`; tuning stops if it returns True.

        Returns
        -------
        TuningResult

        Raises
        ------
        StageError
            If a stage raises or returns what is not one finite number. `result` has what was
            found until then, and another call tries the same settings again.
        """
        check_whole("max_evaluations", max_evaluations)
        if callback is not None and not callable(callback):
            raise TypeError(f"callback must be callable or None; got {callback!r}")
        if not self.done:
            self._status = "running"
        for _ in range(max_evaluations):
            if self.done:
                break
            evaluation = self.tell(self._tree.run(self.ask()))
            if callback is not None and callback(evaluation) is True and not self.done:
                self._end("stopped", "Stopped by the callback.")
                break
        if self._status == "running":
            self._end("max_evaluations", f"Stopped after {self._evaluations()}.")
        if self._verbose:
            print(self._message, flush=True)
        return self.result()

    def sensitivity(self, of: str, to: str) -> float:
        """Return the change of a stage's value per unit of a knob or of another stage's value.

        That of a stage to its own input as last measured; those of longer ways by the chain rule:
        the product along the way or, where there are several, the sum of the products.

        Parameters
        ----------
        of : str
            A stage.
        to : str
            A knob or stage.

        Returns
        -------
        float
            0 where ``of`` does not depend on ``to``, or where nothing has been measured yet.
        """
        tree = self._tree
        stage = self._node(of) - tree.n_knobs
        if stage < 0:
            raise ValueError(f"{of!r} is a knob: it depends on nothing")
        unit = np.zeros(len(tree.stages))
        unit[stage] = 1
        return float(tree.backward(self._sensitivities.slope, unit)[self._node(to)])

    def result(self) -> TuningResult:
        """Return what was found until now.

        Raises
        ------
        RuntimeError
            If nothing has been observed yet.
        """
        if not self._nodes:
            raise RuntimeError("nothing has been observed yet: call tune(), or ask() and tell()")
        tree, learnt = self._tree, self._sensitivities
        best = self._evaluation(self._best)
        return TuningResult(
            status=self._status,
            message=self._message,
            settings=best.settings,
            values=best.values,
            error=best.error,
            target=dict(self._target),
            tol=dict(zip(self._target, self._tol.tolist(), strict=True)),
            n_evaluations=len(self._nodes),
            sensitivities=self._by_stage(learnt.slope.tolist()),
            noise=dict(zip(tree.names[tree.n_knobs :], learnt.noise.tolist(), strict=True)),
            history={
                "evaluation": np.arange(1, len(self._nodes) + 1),
                "purpose": np.array(self._purposes),
                "error": np.array(self._errors),
                **dict(zip(tree.names, np.array(self._nodes).T, strict=True)),
            },
            sensitivity_history=self._by_stage(list(np.array(self._known).T)),
            bounds={knob.name: (knob.low, knob.high) for knob in tree.knobs},
        )

    # one observation

    def _learn(self, nodes: Floats) -> None:
        """Learn sensitivities and noise from the change since the last observation."""
        change, values = nodes - self._nodes[-1], nodes[self._tree.n_knobs :]
        if self._purpose == "repeat":
            self._sensitivities.look_twice(change)
        elif self._purpose == "probe":
            self._sensitivities.measure(change, values, self._probes.moved)
        else:
            self._sensitivities.learn(change, values)
            answered = self._sensitivities.seen(change[self._tree.n_knobs :], values)
            is_silent = not answered[self._target_stage].any()
            self._stride = min(4 * self._stride, LONGEST_STRIDE) if is_silent else 1.0

    def _record(self, nodes: Floats) -> None:
        deviation = self._deviation(nodes)
        if not self._nodes:
            scale = np.maximum(np.abs(self._wanted), np.abs(deviation))
            given = self._given_tol
            self._tol = 1e-3 * scale if given is None else np.full_like(scale, given)
        error = float(self._loss(deviation).sum())
        self._nodes.append(nodes)
        self._errors.append(error)
        self._purposes.append(self._purpose)
        self._known.append(self._sensitivities.known())
        if error < self._errors[self._best]:
            self._best = len(self._errors) - 1
        if self._purpose == "move":
            self._least.append(min([error, *self._least[-1:]]))

    def _evaluations(self) -> str:
        return counted(len(self._nodes), "evaluation")

    def _decide(self) -> None:
        """Choose the next settings, or end."""
        nodes = self._nodes[-1]
        n = len(self._nodes)
        if np.all(np.abs(self._deviation(nodes)) <= self._tol):
            self._best = n - 1
            plural = "s" if len(self._target) > 1 else ""
            return self._end("reached", f"Reached the target{plural} after {self._evaluations()}.")
        if n == 1 and np.isnan(self._sensitivities.noise).any():
            self._purpose = "repeat"
            return None
        if self._purpose != "move":
            probe = self._probes.next(nodes[: self._tree.n_knobs], self._sensitivities)
            if probe is not None:
                self._purpose, self._asked = "probe", probe
                return None
        return self._move(nodes)

    def _move(self, nodes: Floats) -> None:
        """Ask for the next step towards the target; end where there is none."""
        begins = self._purpose != "move"
        base = self._begin_moves() if begins else nodes
        if not self._pull().any():
            names = ", ".join(map(printable, list(self._target)[:3]))
            return self._end("no_answer", f"No knob was seen to change {names}.")
        settings = base[: self._tree.n_knobs]
        self._asked = np.clip(settings + self._step(base), self._low, self._high)
        if np.all(np.abs(self._asked - settings) <= STANDS_STILL * (self._high - self._low)):
            if begins or not self._look_again(nodes):
                self._end("out_of_reach", self._why_out_of_reach(settings))
        elif self._is_stalled() and (self._is_hidden() or not self._look_again(nodes)):
            self._end("stalled", self._why_stalled())
        return None

    def _begin_moves(self) -> Floats:
        """Return where to move from after probing: from the best; idle knobs from where they were.

        A knob that no target answers to goes back to where it stood.
        """
        self._purpose, self._least = "move", []
        base = self._nodes[self._best].copy()
        settings = base[: self._tree.n_knobs]
        np.copyto(settings, self._probes.began_at, where=self._pull() == 0)
        return base

    def _is_stalled(self) -> bool:
        if len(self._least) <= self._patience:
            return False
        before, now = self._least[-1 - self._patience], self._least[-1]
        return now >= before * (1 - NO_PROGRESS)

    def _look_again(self, nodes: Floats) -> bool:
        """Measure all sensitivities again before giving up, if it was of use the last time."""
        if self._errors[self._best] >= self._error_last_time * (1 - NO_PROGRESS):
            return False
        self._error_last_time = self._errors[self._best]
        self._sensitivities.is_measured[:] = False
        settings = nodes[: self._tree.n_knobs]
        self._probes = Probes(self._tree, settings)
        probe = self._probes.next(settings, self._sensitivities)
        if probe is None:
            return False
        self._purpose, self._asked = "probe", probe
        return True

    def _step(self, nodes: Floats) -> Floats:
        """Return the step ``-eta dE/dy dy/dknob`` of every knob, before it is cut to the bounds.

        ``eta dE/dy`` of target i is shortened to where the deviation would be gone:
        ``|y_i - y'_i| / (|J| V |J|^T 1)_i``, with J the sensitivities dy/dknob and V the solver's
        rates. The divisor is what target i moves by, if all targets pull the same way.
        """
        tree, slopes = self._tree, self._sensitivities.slope
        settings, deviation = nodes[: tree.n_knobs], self._deviation(nodes)
        dE_dy = self._derivative(deviation)
        grad = self._gradient(dE_dy)
        rates, free = self._solver.rates(grad), np.ones(tree.n_knobs, dtype=bool)
        outward = np.zeros(tree.n_knobs, dtype=bool)
        while True:
            free &= ~outward
            pull = np.where(free, rates, 0) * self._pull()
            reach = tree.forward(np.abs(slopes), pull)[tree.n_knobs :][self._target_stage]
            n_max = np.divide(
                np.abs(deviation), reach, out=np.zeros_like(deviation), where=reach > 0
            )
            if not self._is_auto:
                n_max = np.minimum(n_max, self._eta * self._stride * np.abs(dE_dy))
            step = np.where(free, -rates, 0) * self._gradient(np.sign(deviation) * n_max)
            outward = free & (
                ((step > 0) & (settings >= self._high)) | ((step < 0) & (settings <= self._low))
            )
            if not outward.any():
                break
        step = np.nan_to_num(self._solver.move(step, grad))
        farthest = float(np.max(np.abs(step) / (self._high - self._low)))
        return step * min(1.0, self._max_move / farthest) if farthest > 0 else step

    def _gradient(self, grad_targets: Floats) -> Floats:
        """Return derivatives with respect to the knobs, given those with respect to targets."""
        return self._backward(self._sensitivities.slope, grad_targets)

    def _pull(self) -> Floats:
        """Return the sum over targets of ``|dy/dknob|``, or a bound of it, for every knob."""
        return self._backward(np.abs(self._sensitivities.slope), np.ones(len(self._wanted)))

    def _backward(self, slopes: Floats, grad_targets: Floats) -> Floats:
        grad = np.zeros(len(self._tree.stages))
        grad[self._target_stage] = grad_targets
        return self._tree.backward(slopes, grad)[: self._tree.n_knobs]

    # small things

    def _end(self, status: Status, message: str) -> None:
        self._status, self._message = status, message

    def _why_out_of_reach(self, settings: Floats) -> str:
        at_bound = [
            f"{printable(knob.name)} at {x:g}"
            for knob, x in zip(self._tree.knobs, settings, strict=True)
            if x in (knob.low, knob.high)
        ]
        where = ", ".join(at_bound[:6]) + (" and others" if len(at_bound) > 6 else "")
        why = "no move would lower the error"
        if where:
            why = f"as measured there, every knob that would help is at its bound ({where})"
        return f"Out of reach: {self._misses()}; {why}."

    def _why_stalled(self) -> str:
        hidden = "the noise hides what is closer"
        why = hidden if self._is_hidden() else "a larger learning rate may help"
        return (
            f"Stalled: {self._misses()}, and the error has not fallen during {self._patience} "
            f"moves ({why})."
        )

    def _is_hidden(self) -> bool:
        """Whether the noise is larger than what is close enough."""
        noise = self._sensitivities.noise[self._target_stage]
        return bool(np.any(2 * noise > self._tol))

    def _misses(self) -> str:
        """Return in words how far the best observation is from its target, where that is worst."""
        deviation = self._deviation(self._nodes[self._best])
        worst = int(np.argmax(np.abs(deviation) / self._tol))
        name, wanted = list(self._target.items())[worst]
        closest = "closest" if len(self._target) == 1 else "worst"
        found = wanted + deviation[worst]
        return f"{printable(name)} is {found:.6g} at its {closest}, {wanted:g} is wanted"

    def _deviation(self, nodes: Floats) -> Floats:
        deviation: Floats = nodes[self._tree.n_knobs :][self._target_stage] - self._wanted
        return deviation

    def _named(self, settings: Floats) -> dict[str, float]:
        return dict(zip(self._tree.names, settings.tolist(), strict=False))

    def _by_stage(self, edges: list[Any]) -> dict[str, dict[str, Any]]:
        """Return what each edge has, by its stage and that one's input."""
        tree = self._tree
        named: dict[str, dict[str, Any]] = {stage.name: {} for stage in tree.stages}
        for a, b, value in zip(tree.source, tree.dest, edges, strict=True):
            named[tree.names[b]][tree.names[a]] = value
        return named

    def _evaluation(self, index: int) -> Evaluation:
        named = self._named(self._nodes[index])
        settings = {knob.name: named.pop(knob.name) for knob in self._tree.knobs}
        return Evaluation(index + 1, self._purposes[index], settings, named, self._errors[index])

    def _node(self, name: str) -> int:
        if name not in self._tree.node:
            raise ValueError(f"there is no stage or knob {name!r}")
        return self._tree.node[name]

    def _as_settings(self, settings: Mapping[str, float]) -> Floats:
        names = [knob.name for knob in self._tree.knobs]
        settings = as_mapping(settings)
        if not isinstance(settings, Mapping) or set(settings) != set(names):
            raise ValueError(
                f"settings must map every knob ({', '.join(names[:6])}) to its setting"
            )
        return np.array([check_number(f"settings[{name!r}]", settings[name]) for name in names])


def _targets(tree: Tree, target: Any) -> dict[str, float]:
    """Return the target of every stage that has one."""
    target = as_mapping(target)
    if isinstance(target, Mapping):
        named = dict(target)
        stages = set(tree.names[tree.n_knobs :])
        for name in named:
            if name not in stages:
                raise ValueError(f"target names {name!r}, but there is no such stage")
    elif np.ndim(target) == 0:
        named = dict.fromkeys(tree.leaves, target)
    else:
        if np.shape(target) != (len(tree.leaves),):
            raise ValueError(
                f"target has shape {np.shape(target)}, but it needs a number for each stage that "
                f"feeds no other: {', '.join(tree.leaves[:6])}"
            )
        named = dict(zip(tree.leaves, np.asarray(target).tolist(), strict=True))
    if not named:
        raise ValueError("target must name at least one stage")
    return {name: check_number(f"target of {name!r}", value) for name, value in named.items()}


def _is_round(number: int) -> bool:
    """Whether a number is one digit and zeros."""
    return set(str(number)[1:]) <= {"0"}
