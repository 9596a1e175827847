// Activations by name: a = f(z), and f'(z) in terms of a. The same as the kernels' formulas.

const each = (f) => (values) => values.map((value) => f(value));

export const ACTIVATIONS = {
  identity: { of: each((z) => z), slope: each(() => 1), formula: "z", slopeFormula: "1" },
  logistic: {
    of: each((z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)))),
    slope: each((a) => a * (1 - a)),
    formula: "1 / (1 + e^−z^)",
    slopeFormula: "a (1 − a)",
  },
  tanh: {
    of: each(Math.tanh),
    slope: each((a) => 1 - a * a),
    formula: "tanh(z)",
    slopeFormula: "1 − a^2^",
  },
  relu: {
    of: each((z) => Math.max(z, 0)),
    slope: each((a) => (a > 0 ? 1 : 0)),
    formula: "max(z, 0)",
    slopeFormula: "1 where a > 0, else 0",
  },
  exp: { of: each(Math.exp), slope: each((a) => a), formula: "e^z^", slopeFormula: "a" },
  softmax: {
    of: softmax,
    slope: null, // a matrix: see slopes
    formula: "e^z^ / sum of all e^z^",
    slopeFormula: "a_k (1 − a_k), and −a_k a_j between units",
  },
};

function softmax(z) {
  const largest = z.reduce((a, b) => Math.max(a, b), -Infinity);
  const e = z.map((value) => Math.exp(value - largest));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((value) => value / sum);
}

/** Returns f'(z) of each unit; of softmax the matrix da[k]/dz[j], as a list of rows. */
export function slopes(activation, a) {
  if (activation !== "softmax") return ACTIVATIONS[activation].slope(a);
  return Array.from(a, (of, k) => a.map((by, j) => (k === j ? of : 0) - of * by));
}
