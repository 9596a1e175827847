// The chain rule of one parameter, written out: its product, and where each factor comes from.

import { inBrackets } from "./update-rule.js";
import { largest, passedBack, Quantities } from "./worked.js";

const MOST_UNITS = 3; // of a layer, on the way back to the loss

/** Returns lines of formula parts: the product in symbols, in numbers, and the layers above. */
export function chainRule(steps, frame, at) {
  const q = new Quantities(steps, frame);
  return [...product(q, steps, at), ...wayBack(q, steps, at)];
}

function product(q, steps, at) {
  const { layer: l, i, j } = at;
  const name = steps.parameterSymbol(at);
  const [a, z] = ["a", "z"].map((letter) => steps.symbol(letter, l, j));
  const symbols = [];
  const numbers = [];
  if (q.frame.weight !== 1) {
    symbols.push("weight");
    numbers.push(q.whole("weight"));
  }
  if (inPieces(q, l, j)) {
    symbols.push(`{backward:dE/d${a}}`, `{forward:d${a}/d${z}}`);
    numbers.push(q.of(l, "dE_da", "backward", j), q.of(l, "derivative", "forward", j));
  } else {
    symbols.push(`{backward:dE/d${z}}`);
    numbers.push(q.of(l, "delta", "backward", j));
  }
  symbols.push(`{forward:d${z}/d${name}}`);
  numbers.push(i === null ? { value: 1, of: null } : q.input(l, i));
  return [
    [`{backward:dE/d${name}}`],
    ["= ", symbols.join(" × ")],
    ["= ", ...numbers.flatMap((one, k) => (k ? [" × ", ...inBrackets(one)] : [one]))],
    ["= ", q.parameter(at, "grad_", "backward")],
  ];
}

/** Whether delta is written as dE/da x f'(z): not for softmax, nor where dE/da is infinite. */
function inPieces(q, l, j) {
  const { derivative, dE_da } = q.frame.layers[l - 1];
  return !Array.isArray(derivative[j]) && Number.isFinite(dE_da[j]);
}

/** From dE/da of the unit up to the loss, a layer after the other. */
function wayBack(q, steps, { layer, j }) {
  const lines = [];
  let wanted = [j];
  for (let l = layer; l <= steps.nLayers; l++) {
    for (const unit of wanted) lines.push(...origin(q, steps, l, unit, l > layer));
    if (l < steps.nLayers) {
      const { delta, W } = q.frame.layers[l];
      const sizes = delta.map((d, k) => wanted.reduce((most, unit) => Math.max(most, Math.abs(d * W[unit][k])), 0));
      [wanted] = largest(sizes, MOST_UNITS);
      const left = steps.sizes[l + 1] - wanted.length;
      if (left) lines.push([`of layer ${l + 1} the ${wanted.length} units that weigh most, and ${left} more:`]);
    }
  }
  return lines;
}

function origin(q, steps, l, j, isAbove) {
  const [a, z] = ["a", "z"].map((letter) => steps.symbol(letter, l, j));
  const pieces = inPieces(q, l, j);
  const lines = [];
  if (isAbove && pieces) {
    const factors = [q.of(l, "dE_da", "backward", j), " × ", ...inBrackets(q.of(l, "derivative", "forward", j))];
    lines.push([`{backward:dE/d${z}} = {backward:dE/d${a}} × f′(z) = `, ...factors, " = ", q.of(l, "delta", "backward", j)]);
  }
  if (l < steps.nLayers) {
    lines.push([`{backward:dE/d${a}} = `, ...passedBack(q, l, j), " = ", q.of(l, "dE_da", "backward", j)]);
  } else if (pieces) {
    lines.push([`{backward:dE/d${a}} = `, q.of(l, "dE_da", "backward", j), ", the slope of the loss"]);
  } else {
    const difference = [q.of(l, "a", "forward", j), " − ", ...inBrackets(q.target(j))];
    lines.push([`{backward:dE/d${z}} = a − y = `, ...difference, " = ", q.of(l, "delta", "backward", j)]);
  }
  return lines;
}
