// `Steps`: the data of a page read: its steps, its units' names, and networks to compute steps with.

import { takeStep } from "./step.js";

const ARRAYS = { float64: Float64Array, float32: Float32Array };

export class Steps {
  constructor(data) {
    if (data.format !== "fastbp.page/1") throw new Error(`a page of the format ${data.format} cannot be shown`);
    this.data = data;
    this.sizes = data.layer_sizes;
    this.shown = data.shown; // true numbers of the units drawn, layer by layer, inputs first
    this.nLayers = this.sizes.length - 1;
    this.length = data.frames.length;
    this.inPart = this.shown.some((units, l) => units.length < this.sizes[l]);
    this.nParameters = this.sizes.slice(1).reduce((sum, n, l) => sum + n * (this.sizes[l] + 1), 0);
    this.frames = data.frames.map(finite);
  }

  /** Whether steps can be computed here: a large network is not held with every step. */
  get canCompute() {
    return !this.inPart || this.frames.every((frame) => frame.whole);
  }

  /** Returns the name of a unit by its place among those drawn. */
  unitName(layer, place) {
    const index = this.shown[layer][place];
    if (layer === 0) return featureName(this.data.names.features[place], index);
    if (layer === this.nLayers) return outputName(this.data.names.outputs[place], index, this.sizes.at(-1));
    return `unit ${index}`;
  }

  /** Returns the symbol of what a unit gives: x[0], a[1][2]. */
  symbol(letter, layer, place) {
    const index = this.shown[layer][place];
    return layer === 0 ? `x[${index}]` : `${letter}[${layer}][${index}]`;
  }

  /** Returns the symbol of a parameter: W[1][0, 2], or b[1][2] where i is null. */
  parameterSymbol({ layer, i, j }) {
    const to = this.shown[layer][j];
    return i === null ? `b[${layer}][${to}]` : `W[${layer}][${this.shown[layer - 1][i]}, ${to}]`;
  }

  /** Returns where a number stands in the trace, by the units' true numbers. */
  path(layer, name, ...places) {
    const { shown } = this;
    const ofInput = places.length === 2 ? shown[layer - 1] : shown[layer];
    const indices = places.length === 2 ? [ofInput[places[0]], shown[layer][places[1]]] : [ofInput[places[0]]];
    return ["layers", layer - 1, name, ...indices].join(".");
  }

  /** Returns { network, x, y, weight } of a step, all units of it, with the reader's changes. */
  subject(k, edits = null) {
    const frame = this.frames[k];
    const parts = frame.whole ? this.unpacked(frame) : this.gathered(frame);
    if (edits && edits.learningRate !== null) parts.network.solver.learning_rate = edits.learningRate;
    for (const { value, ...at } of edits?.parameters.values() ?? []) this.setParameter(parts.network, at, value);
    return { ...parts, weight: frame.weight };
  }

  network(layers, state, { n_steps: nSteps, learning_rate }) {
    const { activation, loss_name, loss_parameter, solver } = this.data;
    return { activation, lossName: loss_name, lossParameter: loss_parameter, solver: { ...solver, learning_rate }, layers, state, nSteps };
  }

  gathered(frame) {
    const { sizes } = this;
    const typed = (values) => ARRAYS[this.data.dtype].from(values.flat());
    const layers = frame.layers.map(({ W, b }, l) => ({ nIn: sizes[l], nOut: sizes[l + 1], W: typed(W), b: typed(b) }));
    const state = {};
    for (const name of Object.keys(frame.layers[0].state)) {
      state[name] = frame.layers.map((layer) => ({ W: typed(layer.state[name].W), b: typed(layer.state[name].b) }));
    }
    return { network: this.network(layers, state, frame), x: typed(frame.x), y: typed(frame.y) };
  }

  unpacked(frame) {
    const { sizes } = this;
    const bytes = Uint8Array.from(atob(frame.whole), (c) => c.charCodeAt(0));
    const values = new ARRAYS[this.data.dtype](bytes.buffer); // little-endian, as all browsers' machines
    let at = 0;
    const take = (n) => values.slice(at, (at += n));
    const x = take(sizes[0]);
    const y = take(sizes.at(-1));
    const all = () => sizes.slice(1).map((nOut, l) => ({ nIn: sizes[l], nOut, W: take(sizes[l] * nOut), b: take(nOut) }));
    const layers = all();
    const state = Object.fromEntries(Object.keys(frame.layers[0].state).map((name) => [name, all()]));
    return { network: this.network(layers, state, frame), x, y };
  }

  /** Returns the step that follows frame k with other parameters or another learning rate. */
  changed(k, edits) {
    const { network, x, y, weight } = this.subject(k, edits);
    const step = takeStep(network, x, y, weight);
    const { snapshot, step: taken, epoch, n_rows, n_steps } = this.frames[k];
    return {
      ...{ snapshot, step: taken, epoch, n_rows, n_steps, weight, learning_rate: network.solver.learning_rate },
      x: this.frames[k].x,
      y: this.frames[k].y,
      loss: step.loss,
      new_loss: step.new_loss,
      layers: step.layers.map((layer, l) => this.part(layer, l + 1)),
    };
  }

  setParameter(network, { layer, i, j }, value) {
    const at = network.layers[layer - 1];
    const to = this.shown[layer][j];
    if (i === null) at.b[to] = value;
    else at.W[this.shown[layer - 1][i] * at.nOut + to] = value;
  }

  /** Returns the units drawn of a computed layer, as frames have them. */
  part(layer, l) {
    const inputs = this.shown[l - 1];
    const units = this.shown[l];
    const ofUnits = (values) => units.map((j) => values[j]);
    const ofLinks = (values) => inputs.map((i) => units.map((j) => values[i * layer.nOut + j]));
    const ofState = (state) =>
      Object.fromEntries(Object.entries(state).map(([name, { W, b }]) => [name, { W: ofLinks(W), b: ofUnits(b) }]));
    const matrix = Array.isArray(layer.derivative);
    return {
      ...Object.fromEntries(["z", "a", "dE_da", "delta", "b", "grad_b", "new_b"].map((name) => [name, ofUnits(layer[name])])),
      ...Object.fromEntries(["W", "grad_W", "new_W"].map((name) => [name, ofLinks(layer[name])])),
      derivative: matrix ? units.map((k) => ofUnits(layer.derivative[k])) : ofUnits(layer.derivative),
      state: ofState(layer.state),
      new_state: ofState(layer.new_state),
    };
  }
}

/** Returns the value of a parameter, or of its gradient and so on: name is "", "grad_" or "new_". */
export function parameterOf(frame, { layer, i, j }, prefix = "") {
  const at = frame.layers[layer - 1];
  return i === null ? at[`${prefix}b`][j] : at[`${prefix}W`][i][j];
}

/** JSON has no NaN: what is not finite is null there. */
function finite(value) {
  if (value === null) return NaN;
  if (Array.isArray(value)) return value.map(finite);
  if (typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, key === "whole" ? item : finite(item)]),
  );
}

function featureName(name, index) {
  return name === String(index) ? `x[${index}]` : name;
}

function outputName(name, index, n) {
  if (name !== String(index)) return name;
  return n === 1 ? "output" : `output ${index}`;
}
