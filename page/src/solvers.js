// Solvers by the name of their rule: what a step does to each parameter, and the same with its numbers. The names of
// what is kept, and the rule's formula, come with the page's data (solver.kept, solver.formula).

/** Returns the entry of a solver. */
export function ruleOf(solver) {
  return RULES[solver.rule];
}

/** Returns the names of what a solver keeps beside each parameter. */
export function stateNames(solver) {
  return Object.keys(solver.kept);
}

/** Returns the update's formula as the page sets it, of the text that comes with the data. */
export function formulaOf(solver) {
  const set = [
    [/\n\s+/g, " "], [/, /g, ",   "], [/ - /g, " − "], [/sqrt\((\w+)'\)/g, "√$1'"], [/sqrt\(/g, "√("], [/\^(\w)/g, "^$1^"],
    [/\bW'/g, "{update:W'}"], [/(?<!:)\bW\b/g, "{weight:W}"], [/'/g, "′"], [/learning_rate/g, "{update:η}"], [/momentum/g, "μ"],
    [/beta_/g, "β_"], [/alpha/g, "α"], [/epsilon/g, "ε"], [/gradient/g, "{backward:dE/dW}"],
  ];
  return set.reduce((text, [what, by]) => text.replace(what, by), solver.formula);
}

// take: new values and what is kept, of the values, the gradients G(k), what was kept, the options and the number of
// the step. lines: that with the numbers of one parameter, of the parts that update-rule.js has.
const RULES = {
  plain: {
    name: () => "plain steps",
    says: "a positive slope moves the weight down, a negative one up.",
    take: (values, G, _, { learning_rate }) => ({ values: values.map((w, k) => w - learning_rate * G(k)), kept: {} }),
    lines: (u) => [u.moved(" − ", u.rate, " × ", ...u.gradient)],
  },
  momentum: {
    name: ({ nesterov, momentum }, number) => `${nesterov ? "Nesterov's momentum" : "momentum"} ${number(momentum)}`,
    says: "the step keeps some of the speed of those before.",
    take(values, G, { velocities }, { learning_rate: eta, momentum: mu, nesterov }) {
      const v = velocities.map((old, k) => mu * old - eta * G(k));
      return { values: values.map((w, k) => w + (nesterov ? mu * v[k] - eta * G(k) : v[k])), kept: { velocities: v } };
    },
    lines(u) {
      const { before, after } = u.kept("velocities");
      const mu = u.option("momentum");
      const step = u.solver.nesterov ? [mu, " × ", ...after, " − ", u.rate, " × ", ...u.gradient] : after;
      return [
        ["{update:v′} = ", mu, " × ", ...before, " − ", u.rate, " × ", ...u.gradient, " = ", after.value],
        u.moved(" + ", ...step),
      ];
    },
  },
  adam: {
    name: () => "Adam",
    says: "Adam divides a mean of the gradients by their usual size.",
    take(values, G, kept, { learning_rate, beta_1, beta_2, epsilon }, t) {
      const rate = (learning_rate * Math.sqrt(1 - beta_2 ** t)) / (1 - beta_1 ** t);
      const { m, s } = moments(kept, G, beta_1, beta_2);
      return {
        values: values.map((w, k) => w - (rate * m[k]) / (Math.sqrt(s[k]) + epsilon)),
        kept: { first_moments: m, second_moments: s },
      };
    },
    lines(u) {
      const { beta_1, beta_2 } = u.solver;
      const rate = u.number((u.rate.value * Math.sqrt(1 - beta_2 ** u.t)) / (1 - beta_1 ** u.t));
      const [m, s] = [u.kept("first_moments").after, u.kept("second_moments").after];
      return [
        ...linesOfMoments(u),
        [`step ${u.t}: {update:η} √(1 − β_2^t^) / (1 − β_1^t^) = `, rate],
        u.moved(" − ", rate, " × ", ...m, " / (√", s.value, " + ", u.option("epsilon"), ")"),
      ];
    },
  },
  adamw: {
    name: () => "AdamW",
    says: "Adam's step, and weights shrink by their penalty beside it.",
    take(values, G, kept, { learning_rate, beta_1, beta_2, epsilon }, t, decay) {
      const { m, s } = moments(kept, G, beta_1, beta_2);
      const [lack_1, lack_2] = [1 - beta_1 ** t, 1 - beta_2 ** t];
      return {
        values: values.map((w, k) => (1 - decay) * w - ((learning_rate / lack_1) * m[k]) / (Math.sqrt(s[k] / lack_2) + epsilon)),
        kept: { first_moments: m, second_moments: s },
      };
    },
    lines(u) {
      const [m, s] = [u.kept("first_moments").after, u.kept("second_moments").after];
      const lacks = [u.solver.beta_1, u.solver.beta_2].map((beta) => u.number(1 - beta ** u.t));
      return [
        ...linesOfMoments(u),
        [`step ${u.t}: 1 − β_1^t^ = `, lacks[0], ", 1 − β_2^t^ = ", lacks[1]],
        u.moved(" − ", u.rate, " × ", ...m, " / ", lacks[0], " / (√(", s.value, " / ", lacks[1], ") + ", u.option("epsilon"), ")"),
      ];
    },
    decouples: true, // the penalty is not part of the gradient
  },
  adagrad: {
    name: () => "AdaGrad",
    says: "AdaGrad divides the gradient by the root of the sum of all its squares.",
    take(values, G, { sums_of_squares }, solver) {
      const s = sums_of_squares.map((old, k) => old + G(k) ** 2);
      return { values: alongRoot(values, G, s, solver), kept: { sums_of_squares: s } };
    },
    lines(u) {
      const { before, after } = u.kept("sums_of_squares");
      return [["{update:s′} = ", before.value, " + ", ...u.gradient, "^2^ = ", after.value], lineAlongRoot(u, after)];
    },
  },
  rmsprop: {
    name: () => "RMSprop",
    says: "RMSprop divides the gradient by its usual size.",
    take(values, G, { means_of_squares }, solver) {
      const s = means_of_squares.map((old, k) => solver.beta_2 * old + (1 - solver.beta_2) * G(k) ** 2);
      return { values: alongRoot(values, G, s, solver), kept: { means_of_squares: s } };
    },
    lines: (u) => [lineOfMean(u, "means_of_squares", "s", "beta_2", "^2^"), lineAlongRoot(u, u.kept("means_of_squares").after)],
  },
};

function moments({ first_moments, second_moments }, G, beta_1, beta_2) {
  return {
    m: first_moments.map((old, k) => beta_1 * old + (1 - beta_1) * G(k)),
    s: second_moments.map((old, k) => beta_2 * old + (1 - beta_2) * G(k) ** 2),
  };
}

function alongRoot(values, G, s, { learning_rate, epsilon }) {
  return values.map((w, k) => w - (learning_rate * G(k)) / (Math.sqrt(s[k]) + epsilon));
}

function linesOfMoments(u) {
  return [lineOfMean(u, "first_moments", "m", "beta_1", ""), lineOfMean(u, "second_moments", "s", "beta_2", "^2^")];
}

function lineOfMean(u, name, letter, beta, squared) {
  const { before, after } = u.kept(name);
  return [`{update:${letter}′} = `, u.option(beta), " × ", ...before, " + (1 − ", u.option(beta), ") × ", ...u.gradient, squared, " = ", after.value];
}

function lineAlongRoot(u, s) {
  return u.moved(" − ", u.rate, " × ", ...u.gradient, " / (√", s.value, " + ", u.option("epsilon"), ")");
}
