// A tuned system read: `Tuning` has its knobs and stages, and what each look at it told.

import { Observable } from "./observable.js";

export class Tuning extends Observable {
  constructor(data) {
    super();
    this.data = data;
    this.names = [...data.knobs, ...data.stages];
    this.length = data.evaluation.length;
    this.frame = 0; // the evaluation shown, by its place among those that are held
    this.playing = null;
  }

  /** Goes to an evaluation, or as near as there is one. */
  goTo({ frame }) {
    this.set({ frame: Math.min(Math.max(0, frame), this.length - 1) });
  }

  move(by) {
    const at = this.frame + by;
    if (at < 0 || at >= this.length) return false;
    this.set({ frame: at });
    return true;
  }

  /** A number that was observed, or set, and where it stands in the data. */
  observed(name, at = this.frame) {
    const role = this.data.knobs.includes(name) ? "update" : "forward";
    return { value: this.data.columns[name][at] ?? NaN, of: `columns.${name}.${at}`, role };
  }

  error(at = this.frame) {
    return { value: this.data.error[at] ?? NaN, of: `error.${at}`, role: "loss" };
  }

  /** A sensitivity as it was known after a look; NaN where nothing had been measured yet. */
  sensitivity(stage, source, at = this.frame) {
    return { value: this.data.sensitivities[stage][source][at] ?? NaN, of: `sensitivities.${stage}.${source}.${at}`, role: "backward" };
  }

  get purpose() {
    return this.data.purpose[this.frame];
  }

  /** Whether the look before this one is held as well: of very many, not all are. */
  get followsOnTheLast() {
    return this.frame > 0 && this.data.evaluation[this.frame] === this.data.evaluation[this.frame - 1] + 1;
  }

  inputs(stage) {
    return Object.keys(this.data.sensitivities[stage]);
  }

  /** Returns what changed since the look before: names of knobs, or of a stage's inputs. */
  changed(names) {
    return names.filter((name) => this.observed(name).value !== this.observed(name, this.frame - 1).value);
  }

  /** Returns the ways from a knob to a stage with a target: [[stage, source], ...], target first. */
  chains() {
    const { target, stages } = this.data;
    const back = (stage) =>
      this.inputs(stage).flatMap((source) => {
        const link = [[stage, source]];
        return stages.includes(source) ? back(source).map((way) => [...link, ...way]) : [link];
      });
    return Object.keys(target).flatMap(back);
  }

  /** Returns the column of each node: knobs and stages stand one to the right of what feeds them. */
  depths() {
    const depth = {};
    for (const stage of this.data.stages) {
      const feeds = this.inputs(stage).filter((name) => this.data.stages.includes(name));
      depth[stage] = 1 + Math.max(0, ...feeds.map((name) => depth[name]));
    }
    for (const knob of this.data.knobs) {
      depth[knob] = Math.min(...this.data.stages.filter((stage) => this.inputs(stage).includes(knob)).map((stage) => depth[stage])) - 1;
    }
    return depth;
  }
}
