// The ideas of one step, in order: forward, loss, backward, update. One is shown at a time.

import { ACTIVATIONS } from "./activations.js";
import { lossOf } from "./losses.js";
import { number } from "./number.js";
import { formulaOf, ruleOf } from "./solvers.js";

export const PHASES = [
  { name: "forward", title: "Forward", says: "from the row to a prediction" },
  { name: "loss", title: "Loss", says: "how far off it is" },
  { name: "backward", title: "Backward", says: "who is to blame, layer by layer" },
  { name: "update", title: "Update", says: "every weight moves a little" },
];

/** Returns the ideas of a network's step: { key, phase, layer, title, says, formula }. */
export function ideasOf({ nLayers, data }) {
  const loss = lossOf(data.loss_name, data.activation.at(-1));
  const own = loss.own ? `,  ${loss.own} = ${number(data.loss_parameter)}` : "";
  const ofLayers = (make) => Array.from({ length: nLayers }, (_, l) => make(l + 1, data.activation[l]));
  const backwards = ofLayers((layer, activation) => backward(layer, activation, nLayers, loss, own)).reverse();
  const { units } = data.frames[0];
  return [
    ...(units ? [scaling(units)] : []),
    ROW,
    ...ofLayers(forward).flat(),
    ...(units?.y ? [{ ...PREDICTION, layer: nLayers }] : []),
    {
      key: "loss",
      phase: "loss",
      layer: nLayers,
      title: "The loss",
      says: `The ${loss.name} compares the prediction with the target. One number, which learning makes smaller.`,
      formula: `{loss:E} = ${loss.formula}${own}`,
    },
    ...backwards.flat(),
    ...ofLayers((layer) => update(layer, data.solver)),
    AFTER,
  ];
}

const ROW = {
  key: "row",
  phase: "forward",
  layer: 0,
  title: "One row",
  says: "The numbers of one row enter the network. Blue is positive and red negative, everywhere on this page.",
  formula: "{forward:x},  and the target {loss:y}",
};

const PREDICTION = {
  key: "prediction",
  phase: "forward",
  title: "The prediction in your units",
  says: "The network's answer is scaled back. The loss below compares both as the network sees them.",
  formula: "prediction = {forward:a} × scale + center",
};

function scaling({ limit }) {
  const bounded = Number.isFinite(limit) ? `,  {forward:x} = t / √(1 + (t / ${number(limit)})²)` : "";
  return {
    key: "scaling",
    phase: "forward",
    layer: 0,
    title: "Your numbers, scaled",
    says: "The model scales each number of the row by the center and the scale of its column, so that all of them are of one size.",
    formula: `t = (value − center) / scale${bounded || ",  which is {forward:x}"}`,
  };
}

const AFTER = {
  key: "after",
  phase: "update",
  layer: null,
  title: "The same row again",
  says: "With the new weights, the loss of this row is another one. Training goes on with the next row.",
  formula: "{loss:E} before → {loss:E} after",
};

function forward(layer, activation) {
  const f = ACTIVATIONS[activation];
  const input = layer === 1 ? "{forward:x}" : "{forward:a} of the layer below";
  return [
    {
      key: "z",
      phase: "forward",
      layer,
      title: `Layer ${layer}: weighted sums`,
      says: "Each unit multiplies every input by the weight of its line, adds all of it up, and adds its bias.",
      formula: `{forward:z} = sum of ${input} × {weight:W} + {weight:b}`,
    },
    {
      key: "a",
      phase: "forward",
      layer,
      title: `Layer ${layer}: activation`,
      says: `The unit answers with ${activation} of its sum${activation === "identity" ? ": the sum itself" : ""}.`,
      formula: `{forward:a} = f({forward:z}) = ${f.formula}`,
    },
  ];
}

function backward(layer, activation, nLayers, loss, own) {
  const f = ACTIVATIONS[activation];
  const last = layer === nLayers;
  const fused = last && loss.matches;
  return [
    {
      key: "slope",
      phase: "backward",
      layer,
      title: last ? "How the loss depends on the output" : `Layer ${layer}: its share of the blame`,
      says: last
        ? "The slope of the loss: how much it would grow if the output grew a little."
        : "Each unit collects what the units above pass back, each along its line.",
      formula: last
        ? `{backward:dE/da} = ${loss.slopeFormula}${own}`
        : `{backward:dE/da} = sum of {weight:W} × {backward:δ} of the layer above`,
    },
    {
      key: "delta",
      phase: "backward",
      layer,
      title: `Layer ${layer}: delta`,
      says: fused
        ? `This loss and ${activation} belong together: multiplied out, their slopes are the difference alone.`
        : `Times the slope of ${activation} at z, it becomes the blame for the unit's sum.`,
      formula: fused
        ? "{backward:δ} = dE/dz = a − y"
        : `{backward:δ} = {backward:dE/da} × f′(z),  f′(z) = ${f.slopeFormula}`,
    },
    {
      key: "gradient",
      phase: "backward",
      layer,
      title: `Layer ${layer}: gradients`,
      says: "The slope of the loss along one weight: what came in along its line, times the delta that it goes to.",
      formula: `{backward:dE/dW} = ${layer === 1 ? "{forward:x}" : "{forward:a}"} × {backward:δ},   {backward:dE/db} = {backward:δ}`,
    },
  ];
}

function update(layer, solver) {
  return {
    key: "update",
    phase: "update",
    layer,
    title: `Layer ${layer}: update`,
    says: `Against the slope, hence the minus sign: ${ruleOf(solver).says}`,
    formula: formulaOf(solver),
  };
}
