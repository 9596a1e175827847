// Activations by name: a = f(z), and f'(z) in terms of a or z. The same as the kernels' formulas.

const each = (f) => (values) => values.map((value) => f(value));

const SELU = 1.0507009873554805; // and times alpha:
const SELU_BELOW = 1.7580993408473769;

export const ACTIVATIONS = {
  identity: { of: each((z) => z), slope: each(() => 1), formula: "z", slopeFormula: "1" },
  logistic: {
    of: each(logistic),
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
  leaky_relu: {
    of: each((z) => Math.max(z, 0.01 * z)),
    slope: each((a) => (a > 0 ? 1 : 0.01)),
    formula: "z where z > 0, else 0.01 z",
    slopeFormula: "1 where a > 0, else 0.01",
  },
  elu: {
    of: each((z) => (z > 0 ? z : Math.expm1(z))),
    slope: each((a) => (a > 0 ? 1 : a + 1)),
    formula: "z where z > 0, else e^z^ − 1",
    slopeFormula: "1 where a > 0, else a + 1",
  },
  selu: {
    of: each((z) => (z > 0 ? SELU * z : SELU_BELOW * Math.expm1(z))),
    slope: each((a) => (a > 0 ? SELU : a + SELU_BELOW)),
    formula: "1.0507 z where z > 0, else 1.7581 (e^z^ − 1)",
    slopeFormula: "1.0507 where a > 0, else a + 1.7581",
  },
  softplus: {
    of: each(softplus),
    slopeOfZ: each(logistic),
    formula: "log(1 + e^z^)",
    slopeFormula: "1 / (1 + e^−z^)",
  },
  silu: {
    of: each((z) => z * logistic(z)),
    slopeOfZ: each((z) => logistic(z) * (1 + z * logistic(-z))),
    formula: "z s, s = 1 / (1 + e^−z^)",
    slopeFormula: "s (1 + z (1 − s)), s = 1 / (1 + e^−z^)",
  },
  gelu: {
    of: each((z) => z * normal(z)),
    slopeOfZ: each((z) => normal(z) + (z * Math.exp(-0.5 * z * z)) / Math.sqrt(2 * Math.PI)),
    formula: "z P, P the normal distribution's share below z",
    slopeFormula: "P + z p, p the normal distribution's density at z",
  },
  mish: {
    of: each((z) => z * Math.tanh(softplus(z))),
    slopeOfZ: each((z) => {
      const t = Math.tanh(softplus(z));
      return t + z * logistic(z) * (1 - t * t);
    }),
    formula: "z t, t = tanh(log(1 + e^z^))",
    slopeFormula: "t + z (1 − t^2^) / (1 + e^−z^), t = tanh(log(1 + e^z^))",
  },
  exp: { of: each(Math.exp), slope: each((a) => a), formula: "e^z^", slopeFormula: "a" },
  softmax: {
    of: softmax,
    slope: null, // a matrix: see slopes
    formula: "e^z^ / sum of all e^z^",
    slopeFormula: "a_k (1 − a_k), and −a_k a_j between units",
  },
};

function logistic(z) {
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}

function softplus(z) {
  return Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
}

/** The normal distribution's share below z: a series about 0, and far from it a continued fraction. */
function normal(z) {
  const x = Math.abs(z);
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  if (x < 4) {
    let term = x;
    let sum = x;
    for (let k = 3; term > sum * 1e-17; k += 2) sum += term *= (x * x) / k;
    return 0.5 + Math.sign(z) * density * sum;
  }
  let fraction = x;
  for (let k = 60; k > 0; k--) fraction = x + k / fraction;
  return z < 0 ? density / fraction : 1 - density / fraction;
}

function softmax(z) {
  const largest = z.reduce((a, b) => Math.max(a, b), -Infinity);
  const e = z.map((value) => Math.exp(value - largest));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((value) => value / sum);
}

/** Returns f'(z) of each unit; of softmax the matrix da[k]/dz[j], as a list of rows. */
export function slopes(activation, z, a) {
  const { slope, slopeOfZ } = ACTIVATIONS[activation];
  if (activation !== "softmax") return slopeOfZ ? slopeOfZ(z) : slope(a);
  return Array.from(a, (of, k) => a.map((by, j) => (k === j ? of : 0) - of * by));
}
