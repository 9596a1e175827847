// One step on one row in the browser: forward, loss, backward, update, as fastbp.trace_step has it.
//
// A network here is { activation, lossName, lossParameter, solver, layers: [{ nIn, nOut, W, b }], state, nSteps }; W is
// flat, W[i * nOut + j] from input i to unit j, in the network's dtype, and state is
// { name: [{ W, b }, ...] } of the solver. Sums run in float64 and are stored in the dtype.

import { ACTIVATIONS, slopes } from "./activations.js";
import { lossOf } from "./losses.js";
import { ruleOf, stateNames } from "./solvers.js";

/** Returns z and a of each layer. */
export function forward(network, x) {
  const passes = [];
  let input = x;
  network.layers.forEach((layer, l) => {
    const z = weightedSums(layer, input);
    const a = ACTIVATIONS[network.activation[l]].of(z);
    passes.push({ x: input, z, a });
    input = a;
  });
  return passes;
}

/** Returns z = x @ W + b. */
function weightedSums({ W, b, nIn, nOut }, x) {
  const sums = Float64Array.from(b);
  for (let i = 0; i < nIn; i++) {
    if (x[i] === 0) continue;
    for (let j = 0; j < nOut; j++) sums[j] += x[i] * W[i * nOut + j];
  }
  return b.constructor.from(sums);
}

/** Returns the loss of a row. */
export function rowLoss(network, x, y) {
  return lossOf(network.lossName, network.activation.at(-1), network.lossParameter).of(forward(network, x).at(-1).a, y);
}

/** Returns forward's numbers with dE_da, derivative, delta, grad_W and grad_b of each layer. */
export function backward(network, x, y, weight = 1) {
  const passes = forward(network, x);
  const loss = lossOf(network.lossName, network.activation.at(-1), network.lossParameter);
  let dE_da = loss.slope(passes.at(-1).a, y);
  for (let l = passes.length - 1; l >= 0; l--) {
    const pass = passes[l];
    const layer = network.layers[l];
    const derivative = slopes(network.activation[l], pass.z, pass.a);
    const fused = l === passes.length - 1 && loss.matches;
    const delta = fused ? pass.a.map((a, j) => a - y[j]) : product(dE_da, derivative);
    Object.assign(pass, { dE_da, derivative, delta, ...gradients(pass.x, delta, weight) });
    if (l > 0) dE_da = backThrough(layer, delta);
  }
  return passes;
}

/** Returns dE/dz = dE/da f'(z), where f' may be softmax's matrix. */
function product(dE_da, derivative) {
  if (!Array.isArray(derivative)) return dE_da.map((slope, j) => slope * derivative[j]);
  return dE_da.map((_, j) => dE_da.reduce((sum, slope, k) => sum + slope * derivative[k][j], 0));
}

function gradients(x, delta, weight) {
  const grad_W = new delta.constructor(x.length * delta.length);
  for (let i = 0; i < x.length; i++) {
    if (x[i] === 0) continue;
    for (let j = 0; j < delta.length; j++) grad_W[i * delta.length + j] = weight * x[i] * delta[j];
  }
  return { grad_W, grad_b: delta.map((d) => weight * d) };
}

/** Returns dE/da of the layer below: W @ delta. */
function backThrough({ W, nIn, nOut }, delta) {
  const slope = new delta.constructor(nIn);
  for (let i = 0; i < nIn; i++) {
    let sum = 0;
    for (let j = 0; j < nOut; j++) sum += W[i * nOut + j] * delta[j];
    slope[i] = sum;
  }
  return slope;
}

/** Returns every number of one step: what backward gives, and new_W, new_b, new_state, both losses. */
export function takeStep(network, x, y, weight = 1) {
  const passes = backward(network, x, y, weight);
  const layers = passes.map((pass, l) => ({ ...network.layers[l], ...pass, ...updated(network, l, pass, weight) }));
  const after = {
    ...network,
    layers: layers.map(({ nIn, nOut, new_W, new_b }) => ({ nIn, nOut, W: new_W, b: new_b })),
  };
  const loss = lossOf(network.lossName, network.activation.at(-1), network.lossParameter).of(passes.at(-1).a, y);
  return { layers, loss, new_loss: rowLoss(after, x, y) };
}

function updated(network, l, pass, weight) {
  const { solver } = network;
  const layer = network.layers[l];
  const names = Object.keys(network.state);
  const divisor = solver.by_weight ? weight : 1; // the mean over this row: per row, or per weight
  const result = { new_state: {}, state: {} };
  for (const name of names) {
    result.state[name] = network.state[name][l];
    result.new_state[name] = {};
  }
  const rule = ruleOf(solver);
  for (const [kind, values, gradient, alpha] of [
    ["W", layer.W, pass.grad_W, solver.alpha],
    ["b", layer.b, pass.grad_b, 0],
  ]) {
    const penalty = rule.decouples ? 0 : alpha;
    const G = (k) => (gradient[k] + penalty * values[k]) / divisor;
    const olds = names.map((name) => network.state[name][l][kind]);
    const before = stateFor(solver, network.state, l, kind);
    const { values: after, kept } = rule.take(values, G, before, solver, network.nSteps + 1, solver.learning_rate * alpha);
    result[`new_${kind}`] = after;
    names.forEach((name, k) => {
      result.new_state[name][kind] = kept[name] ?? olds[k];
    });
  }
  return result;
}

/** Returns what a solver keeps, zeros where it kept nothing yet. */
function stateFor(solver, state, l, kind) {
  return Object.fromEntries(stateNames(solver).map((name) => [name, state[name]?.[l][kind]]));
}
