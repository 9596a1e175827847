// What the page shows: which step, which idea, which weight, and what the reader has changed.

import { AlongParameter } from "./along-parameter.js";
import { ideasOf } from "./ideas.js";
import { Observable } from "./observable.js";
import { parameterOf } from "./steps.js";

export class Store extends Observable {
  constructor(steps) {
    super();
    this.steps = steps;
    this.ideas = ideasOf(steps);
    this.frame = 0;
    this.idea = 0;
    this.chosen = tellingParameter(steps);
    this.hovered = null;
    this.playing = null; // "ideas", or "training"
    this.edits = { learningRate: null, parameters: new Map() };
  }

  changing(changed) {
    if (changed.has("frame") && this.edits.parameters.size) {
      this.edits = { ...this.edits, parameters: new Map() };
      changed.add("edits");
    }
    if (changed.has("frame") || changed.has("edits")) this.computed = null;
  }

  get isEdited() {
    return this.edits.learningRate !== null || this.edits.parameters.size > 0;
  }

  /** The learning rate of the recorded step, which a schedule may change from step to step. */
  get recordedRate() {
    return this.steps.frames[this.frame].learning_rate;
  }

  get learningRate() {
    return this.edits.learningRate ?? this.recordedRate;
  }

  /** The step shown: the recorded one, or computed here where the reader has changed something. */
  get step() {
    if (!this.isEdited) return this.steps.frames[this.frame];
    this.computed ??= this.steps.changed(this.frame, this.edits);
    return this.computed;
  }

  get currentIdea() {
    return this.ideas[this.idea];
  }

  /** The weight looked at: under the pointer, or else chosen. */
  get weight() {
    return this.hovered ?? this.chosen;
  }

  setLearningRate(value) {
    this.set({ edits: { ...this.edits, learningRate: value } });
  }

  setParameter(at, value) {
    const parameters = new Map(this.edits.parameters);
    parameters.set(keyOf(at), { ...at, value });
    this.set({ edits: { ...this.edits, parameters } });
  }

  reset() {
    this.set({ edits: { learningRate: null, parameters: new Map() } });
  }

  /** Goes to a step and an idea, or as near as there are such. */
  goTo({ frame, idea }) {
    const within = (k, n) => Math.min(Math.max(0, k), n - 1);
    this.set({ frame: within(frame, this.steps.length), idea: within(idea, this.ideas.length) });
  }

  /** Goes an idea on or back; past the last one to the next step that was recorded. False at the ends. */
  move(by) {
    const idea = this.idea + by;
    if (idea >= 0 && idea < this.ideas.length) this.set({ idea });
    else if (by > 0 && this.frame + 1 < this.steps.length) this.set({ frame: this.frame + 1, idea: 0 });
    else if (by < 0 && this.frame > 0) this.set({ frame: this.frame - 1, idea: this.ideas.length - 1 });
    else return false;
    return true;
  }
}

function keyOf({ layer, i, j }) {
  return [layer, i, j].join(",");
}

/** Returns the weights of the largest gradients, a layer each, and the bias of the output furthest off. */
function strongestParameters({ layers }) {
  const size = (value) => Math.abs(value) || 0;
  const ofLayers = layers.map(({ grad_W }, l) => {
    let best = { size: -1 };
    grad_W.forEach((row, i) =>
      row.forEach((gradient, j) => {
        if (size(gradient) > best.size) best = { size: size(gradient), at: { layer: l + 1, i, j } };
      }),
    );
    return best.at;
  });
  const deltas = layers.at(-1).delta.map(size);
  return [...ofLayers, { layer: layers.length, i: null, j: deltas.indexOf(Math.max(...deltas)) }];
}

/** Returns the first of these weights along which the loss shows what learning rates do, or the first that has a gradient. */
function tellingParameter(steps) {
  const candidates = strongestParameters(steps.frames[0]);
  const withGradient = candidates.find((at) => parameterOf(steps.frames[0], at, "grad_")) ?? candidates[0]; // of zeros, layer 1 has none
  if (!steps.canCompute) return withGradient;
  const tells = (at) => {
    const along = new AlongParameter(steps, steps.subject(0), at);
    if (!Number.isFinite(along.loss) || !Number.isFinite(along.slope) || along.slope === 0) return false;
    const minimum = along.minimum();
    return minimum !== null && along.rates(minimum).large !== null;
  };
  return candidates.find(tells) ?? withGradient;
}
