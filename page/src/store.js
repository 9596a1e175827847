// What the page shows: which step, which idea, which weight, and what the reader has changed.

import { ideasOf } from "./ideas.js";
import { Observable } from "./observable.js";

export class Store extends Observable {
  constructor(steps) {
    super();
    this.steps = steps;
    this.ideas = ideasOf(steps);
    this.frame = 0;
    this.idea = 0;
    this.chosen = strongestParameter(steps.frames[0], steps.nLayers);
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

  get learningRate() {
    return this.edits.learningRate ?? this.steps.data.solver.learning_rate;
  }

  /** The step shown: the recorded one, or computed here where the reader has changed something. */
  get step() {
    if (!this.isEdited) return this.steps.frames[this.frame];
    this.computed ??= { ...this.steps.changed(this.frame, this.edits), learning_rate: this.learningRate };
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

/** Returns the weight of the largest gradient in the first layer, or else in those above. */
function strongestParameter(frame, nLayers) {
  for (let layer = 1; layer <= nLayers; layer++) {
    let best = null;
    frame.layers[layer - 1].grad_W.forEach((row, i) =>
      row.forEach((gradient, j) => {
        const size = Math.abs(gradient);
        if (size > 0 && (best === null || size > best.size)) best = { size, at: { layer, i, j } };
      }),
    );
    if (best) return best.at;
  }
  return { layer: 1, i: 0, j: 0 };
}
