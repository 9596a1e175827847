// An idea of a step with its numbers: the lines that work it out for one unit, and a table of a layer.

import { lossOf } from "./losses.js";
import { parameterOf } from "./steps.js";
import { inBrackets, updateLines } from "./update-rule.js";

const MOST_TERMS = 4; // of a sum, that are written out
const MOST_PARAMETERS = 16; // of a table

/** Returns quantities of a step with their places in the trace, to be printed by `formula`. */
export class Quantities {
  constructor(steps, frame) {
    this.steps = steps;
    this.frame = frame;
  }

  of(layer, name, role, ...places) {
    const { frame, steps } = this;
    const value = places.reduce((values, place) => values[place], frame.layers[layer - 1][name]);
    return { value, of: steps.path(layer, name, ...places), role };
  }

  /** What a layer reads from its i-th input. */
  input(layer, i) {
    const { frame, steps } = this;
    if (layer > 1) return this.of(layer - 1, "a", "forward", i);
    return { value: frame.x[i], of: `x.${steps.shown[0][i]}`, role: "forward" };
  }

  /** Scaling is that of the only step of a page, whatever the reader changes. */
  get units() {
    return this.steps.frames[0].units;
  }

  /** A number of the user's, or of how it was scaled. */
  unit(name, layer, place) {
    return { value: this.units[name][place], of: `units.${name}.${this.steps.shown[layer][place]}`, role: "forward" };
  }

  target(j) {
    return { value: this.frame.y[j], of: `y.${this.steps.shown.at(-1)[j]}`, role: "loss" };
  }

  /** The learning rate of this step: the reader's, or the recorded one, which a schedule may change. */
  get rate() {
    return this.frame.learning_rate;
  }

  whole(name, role) {
    return { value: this.frame[name], of: name, role };
  }

  /** A number that the solver keeps beside a parameter: when is "state" or "new_state". */
  kept(when, name, { layer, i, j }) {
    const { frame, steps } = this;
    const of = frame.layers[layer - 1][when][name];
    const kind = i === null ? "b" : "W";
    const value = i === null ? of.b[j] : of.W[i][j];
    const path = steps.path(layer, kind, ...(i === null ? [j] : [i, j]));
    return { value, of: path.replace(`.${kind}.`, `.${when}.${name}.${kind}.`), role: "update" };
  }

  parameter({ layer, i, j }, prefix, role) {
    const places = i === null ? [j] : [i, j];
    return this.of(layer, `${prefix}${i === null ? "b" : "W"}`, role, ...places);
  }
}

/** Returns the places of the largest, in order, and how many were left out. */
export function largest(sizes, most) {
  const places = Array.from(sizes, (_, k) => k);
  if (places.length <= most) return [places, 0];
  const size = (k) => (Number.isFinite(sizes[k]) ? Math.abs(sizes[k]) : Infinity);
  const kept = places.sort((a, b) => size(b) - size(a) || a - b).slice(0, most);
  return [kept.sort((a, b) => a - b), sizes.length - most];
}

/** Returns lines of formula parts for one unit of the idea's layer. */
export function workedLines(steps, frame, idea, j) {
  const q = new Quantities(steps, frame);
  return LINES[idea.key](q, idea.layer, j, steps) ?? [];
}

const LINES = {
  row: () => [],
  scaling: (q, l, j, steps) => q.units.x.slice(0, MOST_TERMS).map((_, i) => scalingLine(q, i, steps)),
  prediction: (q, l, j, steps) => [
    ["prediction = ", q.of(l, "a", "forward", j), " × ", q.unit("target_scale", l, j), " + ", ...inBrackets(q.unit("target_center", l, j)), " = ", inUnitsOfY(q, l, j)],
    [`target = `, q.unit("y", l, j)],
  ],
  z: (q, l, j, steps) => [[`{forward:${steps.symbol("z", l, j)}} = `, ...weightedSum(q, l, j), " = ", q.of(l, "z", "forward", j)]],
  a: (q, l, j, steps) => [
    [`{forward:${steps.symbol("a", l, j)}} = f(`, q.of(l, "z", "forward", j), ") = ", q.of(l, "a", "forward", j)],
  ],
  loss: (q, l, j, steps) => {
    const n = steps.sizes.at(-1);
    return [
      [`prediction {forward:${steps.symbol("a", l, j)}} = `, q.of(l, "a", "forward", j), ",  target {loss:y} = ", q.target(j)],
      [`{loss:E} = `, q.whole("loss", "loss"), n > 1 ? `, summed over ${n} outputs` : ""],
    ];
  },
  slope: (q, l, j, steps) => {
    const value = q.of(l, "dE_da", "backward", j);
    const left = `{backward:dE/d${steps.symbol("a", l, j)}} = `;
    return [[left, ...(l === steps.nLayers ? ofLoss(q, l, j) : [...passedBack(q, l, j), " = "]), value]];
  },
  delta: (q, l, j, steps) => [[`{backward:δ${steps.symbol("", l, j)}} = `, ...deltaOf(q, l, j), q.of(l, "delta", "backward", j)]],
  gradient: (q, l, j, steps) => {
    const [i] = strongestInputs(q, l, j);
    const at = { layer: l, i, j };
    return [gradientLine(q, steps, at), gradientLine(q, steps, { ...at, i: null })];
  },
  update: (q, l, j, steps) => {
    const [i] = strongestInputs(q, l, j);
    return [{ layer: l, i, j }, { layer: l, i: null, j }].flatMap((at) => updateLines(q, at));
  },
  after: (q) => [
    ["{loss:E}: ", q.whole("loss", "loss"), " → ", q.whole("new_loss", "loss")],
    [{ value: q.frame.new_loss - q.frame.loss, of: null }, q.frame.new_loss <= q.frame.loss ? ": it fell" : ": it rose"],
  ],
};

function scalingLine(q, i, steps) {
  const { x, center, scale } = q.units;
  if (!Number.isFinite(scale[i])) return [`{forward:${steps.symbol("x", 0, i)}}: a constant column, which becomes `, q.input(1, i)];
  const t = { value: (x[i] - center[i]) / scale[i], of: null };
  const parts = [`{forward:${steps.symbol("x", 0, i)}}: (`, q.unit("x", 0, i), " − ", ...inBrackets(q.unit("center", 0, i)), ") / ", q.unit("scale", 0, i), " = ", t];
  return Number.isFinite(q.units.limit) ? [...parts, ",  bounded: ", q.input(1, i)] : parts;
}

function inUnitsOfY(q, l, j) {
  const { target_center: center, target_scale: scale } = q.units;
  return { value: q.frame.layers[l - 1].a[j] * scale[j] + center[j], of: null };
}

function weightedSum(q, l, j) {
  const { W, b, z } = q.frame.layers[l - 1];
  const products = W.map((row, i) => q.input(l, i).value * row[j]);
  const [places, nMore] = largest(products, MOST_TERMS);
  const parts = places.flatMap((i, k) => [k ? " + " : "", ...times(q.input(l, i), q.of(l, "W", "weight", i, j), k > 0)]);
  const left = q.steps.sizes[l - 1] - places.length;
  if (nMore || left) {
    const rest = z[j] - b[j] - places.reduce((sum, i) => sum + products[i], 0);
    parts.push(` + ${left} more: `, { value: rest, of: null });
  }
  return [...parts, " + ", ...inBrackets(q.of(l, "b", "weight", j))];
}

/** dE/da of a unit below the last layer: delta x W, summed over the units above. */
export function passedBack(q, l, j) {
  const above = q.frame.layers[l];
  const products = above.delta.map((delta, k) => delta * above.W[j][k]);
  const [places] = largest(products, MOST_TERMS);
  const parts = places.flatMap((k, n) => [n ? " + " : "", ...times(q.of(l + 1, "delta", "backward", k), q.of(l + 1, "W", "weight", j, k), n > 0)]);
  const left = q.steps.sizes[l + 1] - places.length;
  if (left) {
    const rest = q.frame.layers[l - 1].dE_da[j] - places.reduce((sum, k) => sum + products[k], 0);
    parts.push(` + ${left} more: `, { value: rest, of: null });
  }
  return parts;
}

function ofLoss(q, l, j) {
  const names = { squared_error: ["", " − ", " = "], absolute_error: ["sign(", " − ", ") = "] }[q.steps.data.loss_name];
  if (!names) return [];
  return [names[0], q.of(l, "a", "forward", j), names[1], ...inBrackets(q.target(j)), names[2]];
}

/** The last layer's delta of a loss that belongs to its activation is a - y; else dE/da x f'(z). */
function deltaOf(q, l, j) {
  const { derivative } = q.frame.layers[l - 1];
  const { nLayers, data } = q.steps;
  if (l === nLayers && lossOf(data.loss_name, data.activation.at(-1)).matches) {
    return [q.of(l, "a", "forward", j), " − ", ...inBrackets(q.target(j)), " = "];
  }
  if (Array.isArray(derivative[j])) return ["sum of dE/da × da/dz = "];
  return [...times(q.of(l, "dE_da", "backward", j), q.of(l, "derivative", "forward", j)), " = "];
}

function gradientLine(q, steps, at) {
  const { layer: l, i, j } = at;
  const weight = q.frame.weight === 1 ? [] : [q.whole("weight"), " × "];
  const delta = q.of(l, "delta", "backward", j);
  if (i === null) return [`{backward:dE/d${steps.parameterSymbol(at)}} = `, ...weight, `{backward:δ${steps.symbol("", l, j)}} = `, q.parameter(at, "grad_", "backward")];
  const product = times(q.input(l, i), delta);
  return [`{backward:dE/d${steps.parameterSymbol(at)}} = `, ...weight, ...product, " = ", q.parameter(at, "grad_", "backward")];
}

function strongestInputs(q, l, j) {
  return largest(q.frame.layers[l - 1].grad_W.map((row) => row[j]), 1)[0];
}

/** a x b; a follows a sign itself where `isLater`. */
function times(a, b, isLater = false) {
  return [...(isLater ? inBrackets(a) : [a]), " × ", ...inBrackets(b)];
}

/** Returns { head, rows, more } of the layer's numbers in an idea; a row is { unit or parameter, cells }. */
export function tableOf(steps, frame, idea) {
  const q = new Quantities(steps, frame);
  if (idea.key === "row") return rowTable(q, steps);
  if (idea.key === "scaling") return scalingTable(q, steps);
  if (idea.key === "gradient" || idea.key === "update") return parameterTable(q, steps, idea);
  const columns = COLUMNS[idea.key];
  if (!columns) return null;
  const units = steps.shown[idea.layer];
  const matrix = Array.isArray(frame.layers[idea.layer - 1].derivative[0]);
  const kept = columns.filter(([, name]) => !(matrix && name === "derivative"));
  return {
    head: ["unit", ...kept.map(([title]) => title)],
    rows: units.map((_, j) => ({
      unit: j,
      title: steps.unitName(idea.layer, j),
      cells: kept.map(([, name, role]) => (name === "y" ? q.target(j) : q.of(idea.layer, name, role, j))),
    })),
    more: leftOut(units.length, steps.sizes[idea.layer], "units"),
  };
}

const COLUMNS = {
  z: [["b", "b", "weight"], ["z", "z", "forward"]],
  a: [["z", "z", "forward"], ["a", "a", "forward"]],
  loss: [["prediction a", "a", "forward"], ["target y", "y", "loss"]],
  slope: [["a", "a", "forward"], ["dE/da", "dE_da", "backward"]],
  delta: [["dE/da", "dE_da", "backward"], ["f′(z)", "derivative", "forward"], ["δ", "delta", "backward"]],
};

function rowTable(q, steps) {
  const inputs = steps.shown[0].map((_, i) => ({ title: steps.unitName(0, i), cells: [q.input(1, i)] }));
  const targets = steps.shown.at(-1).map((_, j) => ({ title: `target: ${steps.unitName(steps.nLayers, j)}`, cells: [q.target(j)] }));
  return { head: ["name", "value"], rows: [...inputs, ...targets], more: leftOut(inputs.length, steps.sizes[0], "inputs") };
}

function scalingTable(q, steps) {
  const rows = steps.shown[0].map((_, i) => ({
    title: steps.unitName(0, i),
    cells: [...["x", "center", "scale"].map((name) => q.unit(name, 0, i)), q.input(1, i)],
  }));
  return { head: ["name", "value", "center", "scale", "x"], rows, more: leftOut(rows.length, steps.sizes[0], "inputs") };
}

function parameterTable(q, steps, idea) {
  const all = parametersOf(steps, idea.layer);
  const gradients = all.map((at) => parameterOf(q.frame, at, "grad_"));
  const [places, nMore] = largest(gradients, MOST_PARAMETERS);
  const update = idea.key === "update";
  const n = steps.sizes[idea.layer] * (steps.sizes[idea.layer - 1] + 1);
  return {
    head: update ? ["parameter", "before", "gradient", "after"] : ["parameter", "input", "δ", "gradient"],
    rows: places.map((k) => {
      const at = all[k];
      const gradient = q.parameter(at, "grad_", "backward");
      const input = at.i === null ? { value: 1, of: null } : q.input(at.layer, at.i);
      const cells = update
        ? [q.parameter(at, "", "weight"), gradient, q.parameter(at, "new_", "update")]
        : [input, q.of(at.layer, "delta", "backward", at.j), gradient];
      return { parameter: at, unit: at.j, title: steps.parameterSymbol(at), cells };
    }),
    more: nMore || all.length < n ? `the ${places.length} largest gradients of those drawn; the layer has ${n} parameters` : null,
  };
}

/** Returns the drawn weights and biases of a layer. */
export function parametersOf(steps, layer) {
  const inputs = steps.shown[layer - 1].map((_, i) => i);
  return steps.shown[layer].flatMap((_, j) => [...inputs, null].map((i) => ({ layer, i, j })));
}

function leftOut(n, all, what) {
  return n < all ? `${n} of ${all} ${what} shown` : null;
}
