// Losses by name: E of a row, summed over outputs, and dE/da. The same as the kernels' formulas.

const timesLog = (y, x) => (y === 0 ? 0 : y * Math.log(x));
const sumOf = (of) => (a, y) => a.reduce((sum, value, j) => sum + of(value, y[j]), 0);
const eachOf = (of) => (a, y) => a.map((value, j) => of(value, y[j]));

const LOSSES = {
  squared_error: {
    of: sumOf((a, y) => 0.5 * (a - y) ** 2),
    slope: eachOf((a, y) => a - y),
    name: "squared error",
    formula: "½ (a − y)^2^",
    slopeFormula: "a − y",
  },
  absolute_error: {
    of: sumOf((a, y) => Math.abs(a - y)),
    slope: eachOf((a, y) => Math.sign(a - y)),
    name: "absolute error",
    formula: "|a − y|",
    slopeFormula: "sign(a − y)",
  },
  binary_log_loss: {
    of: sumOf((a, y) => -timesLog(y, a) - timesLog(1 - y, 1 - a)),
    slope: eachOf((a, y) => (a - y) / (a * (1 - a))),
    name: "cross-entropy",
    formula: "−y log a − (1 − y) log(1 − a)",
    slopeFormula: "(a − y) / (a (1 − a))",
    matches: true, // with its activation dE/dz = a - y
  },
  log_loss: {
    of: sumOf((a, y) => -timesLog(y, a)),
    slope: eachOf((a, y) => -y / a),
    name: "cross-entropy",
    formula: "−y log a",
    slopeFormula: "−y / a",
    matches: true,
  },
  poisson: {
    of: sumOf((a, y) => timesLog(y, y / a) - y + a),
    slope: eachOf((a, y) => 1 - y / a),
    name: "Poisson deviance, half of it",
    formula: "y log(y / a) − y + a",
    slopeFormula: "1 − y / a",
    matches: true,
  },
};

/** Returns the loss of a network: log loss has two forms, of logistic units and of softmax. */
export function lossOf(lossName, outActivation) {
  const binary = lossName === "log_loss" && outActivation === "logistic";
  return LOSSES[binary ? "binary_log_loss" : lossName];
}
