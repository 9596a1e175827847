// Losses by name: E of a row, summed over outputs, and dE/da. The same as the kernels' formulas.

const timesLog = (y, x) => (y === 0 ? 0 : y * Math.log(x));
const sumOf = (of) => (a, y, own) => a.reduce((sum, value, j) => sum + of(value, y[j], own), 0);
const eachOf = (of) => (a, y, own) => a.map((value, j) => of(value, y[j], own));

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
  huber: {
    of: sumOf((a, y, most) => {
      const r = Math.abs(a - y);
      return r <= most ? 0.5 * r * r : most * r - 0.5 * most * most;
    }),
    slope: eachOf((a, y, most) => Math.min(most, Math.max(-most, a - y))),
    name: "Huber loss",
    own: "m",
    formula: "½ (a − y)^2^, or m |a − y| − ½ m^2^ beyond m",
    slopeFormula: "a − y, within −m to m",
  },
  quantile: {
    of: sumOf((a, y, q) => (a < y ? q * (y - a) : (1 - q) * (a - y))),
    slope: eachOf((a, y, q) => (a === y ? 0 : a > y ? 1 - q : -q)),
    name: "quantile loss",
    own: "q",
    formula: "q (y − a) where a < y, else (1 − q) (a − y)",
    slopeFormula: "−q where a < y, 1 − q where a > y",
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

/**
 * Returns the loss of a network: log loss has two forms, of logistic units and of softmax; Huber's and
 * the quantile's have a number of their own.
 */
export function lossOf(lossName, outActivation, own = 0) {
  const binary = lossName === "log_loss" && outActivation === "logistic";
  const loss = LOSSES[binary ? "binary_log_loss" : lossName];
  return { ...loss, of: (a, y) => loss.of(a, y, own), slope: (a, y) => loss.slope(a, y, own) };
}
