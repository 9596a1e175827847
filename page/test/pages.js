// A page's data for tests: one linear unit that is worked out in the documentation of trace_step.

import { Steps } from "../src/steps.js";

export function onePage(changes = {}) {
  const layer = {
    z: [1], a: [1], derivative: [1], dE_da: [-2], delta: [-2], W: [[0.5]], b: [0], grad_W: [[-4]], grad_b: [-2],
    new_W: [[0.9]], new_b: [0.2], state: {}, new_state: {},
  };
  const frame = { x: [2], y: [3], weight: 1, n_steps: 0, learning_rate: 0.1, loss: 2, new_loss: 0.5, layers: [layer], whole: null };
  return new Steps({
    format: "fastbp.page/1",
    kind: "step",
    layer_sizes: [1, 1],
    activation: ["identity"],
    loss_name: "squared_error",
    dtype: "float64",
    solver: { learning_rate: 0.1, momentum: 0, nesterov: false, alpha: 0, solver: "sgd", by_weight: false, rule: "plain", kept: {}, formula: "W' = W - learning_rate gradient" },
    shown: [[0], [0]],
    names: { features: ["size"], outputs: ["0"] },
    frames: [frame, frame],
    ...changes,
  });
}
