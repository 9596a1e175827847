// The update of one parameter with its numbers, for each of the solvers.

/** Returns lines of formula parts, from the gradient to the new value. */
export function updateLines(q, at) {
  const { solver } = q.steps.data;
  if (solver.solver === "adam") return adam(q, at, solver);
  return solver.momentum > 0 ? momentum(q, at, solver) : [plain(q, at)];
}

function plain(q, at) {
  return [...ends(q, at).left, " − ", rate(q), " × ", ...gradient(q, at), ...ends(q, at).right];
}

function momentum(q, at, solver) {
  const mu = option(solver, "momentum");
  const v = [mu, " × ", ...inBrackets(q.kept("state", "velocities", at))];
  const after = q.kept("new_state", "velocities", at);
  const step = solver.nesterov ? [mu, " × ", ...inBrackets(after), " − ", rate(q), " × ", ...gradient(q, at)] : inBrackets(after);
  return [
    ["{update:v′} = ", ...v, " − ", rate(q), " × ", ...gradient(q, at), " = ", after],
    [...ends(q, at).left, " + ", ...step, ...ends(q, at).right],
  ];
}

function adam(q, at, solver) {
  const t = q.frame.n_steps + 1;
  const { beta_1, beta_2 } = solver;
  const corrected = (q.rate * Math.sqrt(1 - beta_2 ** t)) / (1 - beta_1 ** t);
  const [m, s] = ["first_moments", "second_moments"].map((name) => q.kept("new_state", name, at));
  const moment = (name, beta, letter, squared, after) => [
    `{update:${letter}′} = `, option(solver, beta), " × ", ...inBrackets(q.kept("state", name, at)),
    " + (1 − ", option(solver, beta), ") × ", ...gradient(q, at), squared ? "^2^" : "", " = ", after,
  ];
  return [
    moment("first_moments", "beta_1", "m", false, m),
    moment("second_moments", "beta_2", "s", true, s),
    [`step ${t}: {update:η} √(1 − β_2^t^) / (1 − β_1^t^) = `, { value: corrected, of: null, role: "update" }],
    [...ends(q, at).left, " − ", { value: corrected, of: null, role: "update" }, " × ", ...inBrackets(m),
      " / (√", s, " + ", option(solver, "epsilon"), ")", ...ends(q, at).right],
  ];
}

function ends(q, at) {
  return {
    left: [`{update:${q.steps.parameterSymbol(at)}′} = `, q.parameter(at, "", "weight")],
    right: [" = ", q.parameter(at, "new_", "update")],
  };
}

/** The gradient as the solver takes it: with the penalty, and per weight where the estimator says so. */
function gradient(q, at) {
  const { solver } = q.steps.data;
  const g = q.parameter(at, "grad_", "backward");
  const perWeight = solver.by_weight && q.frame.weight !== 1 ? [" / ", q.whole("weight")] : [];
  if (!solver.alpha || at.i === null) return perWeight.length ? ["(", g, ...perWeight, ")"] : inBrackets(g);
  const penalty = [" + ", option(solver, "alpha"), " × ", ...inBrackets(q.parameter(at, "", "weight"))];
  return perWeight.length ? ["((", g, ...penalty, ")", ...perWeight, ")"] : ["(", g, ...penalty, ")"];
}

function rate(q) {
  return { value: q.rate, of: "solver.learning_rate", role: "update" };
}

function option(solver, name) {
  return { value: solver[name], of: `solver.${name}` };
}

/** A negative number after a sign needs brackets. */
export function inBrackets(one) {
  return one.value < 0 ? ["(", one, ")"] : [one];
}
