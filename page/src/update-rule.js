// The update of one parameter with its numbers: the lines of its solver in solvers.js, of these parts.

import { ruleOf } from "./solvers.js";

/** Returns lines of formula parts, from the gradient to the new value. */
export function updateLines(q, at) {
  const { solver } = q.steps.data;
  return ruleOf(solver).lines({
    solver,
    t: q.frame.n_steps + 1,
    rate: { value: q.rate, of: "solver.learning_rate", role: "update" },
    gradient: gradient(q, at),
    option: (name) => option(solver, name),
    number: (value) => ({ value, of: null, role: "update" }),
    kept: (name) => ({ before: bracketed(q.kept("state", name, at)), after: bracketed(q.kept("new_state", name, at)) }),
    moved: (...step) => [
      `{update:${q.steps.parameterSymbol(at)}′} = `, ...shrunk(q, at), ...step, " = ", q.parameter(at, "new_", "update"),
    ],
  });
}

/** A number as parts, in brackets if need be; and without, as its value. */
function bracketed(one) {
  return Object.assign(inBrackets(one), { value: one });
}

/** The parameter, less what a solver whose penalty is not in the gradient takes off it. */
function shrunk(q, at) {
  const { solver } = q.steps.data;
  const before = q.parameter(at, "", "weight");
  if (!ruleOf(solver).decouples || !solver.alpha || at.i === null) return [before];
  const rate = { value: q.rate, of: "solver.learning_rate", role: "update" };
  return ["(1 − ", rate, " × ", option(solver, "alpha"), ") × ", ...inBrackets(before)];
}

/** The gradient as the solver takes it: with the penalty, and per weight where the estimator says so. */
function gradient(q, at) {
  const { solver } = q.steps.data;
  const g = q.parameter(at, "grad_", "backward");
  const perWeight = solver.by_weight && q.frame.weight !== 1 ? [" / ", q.whole("weight")] : [];
  const isPenalised = solver.alpha && at.i !== null && !ruleOf(solver).decouples;
  if (!isPenalised) return perWeight.length ? ["(", g, ...perWeight, ")"] : inBrackets(g);
  const penalty = [" + ", option(solver, "alpha"), " × ", ...inBrackets(q.parameter(at, "", "weight"))];
  return perWeight.length ? ["((", g, ...penalty, ")", ...perWeight, ")"] : ["(", g, ...penalty, ")"];
}

function option(solver, name) {
  return { value: solver[name], of: `solver.${name}` };
}

/** A negative number after a sign needs brackets. */
export function inBrackets(one) {
  return one.value < 0 ? ["(", one, ")"] : [one];
}
