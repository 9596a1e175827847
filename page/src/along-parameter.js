// The loss of a row as a function of one parameter: its shape, slope and minimum, and what steps do on it.

import { backward, rowLoss } from "./step.js";

const REACHES = [0.25, 0.5, 1, 2, 4, 8, 16]; // how far a minimum is looked for
const SCAN = 48; // places along a reach
const MOST_TIMES_TOO_LARGE = 60;

export class AlongParameter {
  /**
   * @param steps Steps, for where the parameter stands
   * @param subject { network, x, y, weight }, whose network is changed and put back
   * @param at { layer, i, j }
   */
  constructor(steps, { network, x, y, weight }, at) {
    Object.assign(this, { steps, network, x, y, weight, at });
    this.start = this.read(network.layers);
    this.loss = this.lossAt(this.start);
    this.slope = this.slopeAt(this.start);
  }

  read(layers, [W, b] = ["W", "b"]) {
    const { layer, i, j } = this.at;
    const { shown } = this.steps;
    const of = layers[layer - 1];
    return i === null ? of[b][shown[layer][j]] : of[W][shown[layer - 1][i] * this.steps.sizes[layer] + shown[layer][j]];
  }

  with(value, compute) {
    this.steps.setParameter(this.network, this.at, value);
    const result = compute();
    this.steps.setParameter(this.network, this.at, this.start);
    return result;
  }

  lossAt(value) {
    return this.weight * this.with(value, () => rowLoss(this.network, this.x, this.y));
  }

  slopeAt(value) {
    return this.with(value, () => this.read(backward(this.network, this.x, this.y, this.weight), ["grad_W", "grad_b"]));
  }

  /** Returns where the loss is least on the way down, or null if it falls as far as is looked. */
  minimum() {
    const way = -Math.sign(this.slope);
    for (const reach of REACHES) {
      const places = Array.from({ length: SCAN + 1 }, (_, k) => this.start + (way * reach * k) / SCAN);
      const losses = places.map((place) => this.lossAt(place));
      const k = losses.findIndex((loss, n) => n > 0 && loss >= losses[n - 1]);
      if (k > 1) return this.refined(places[k - 2], places[k]);
      if (k === 1) return this.refined(places[0], places[1]);
    }
    return null;
  }

  /** Golden section, between two places with the least in between. */
  refined(from, to) {
    const golden = (Math.sqrt(5) - 1) / 2;
    let [low, high] = from < to ? [from, to] : [to, from];
    for (let n = 0; n < 40; n++) {
      const [a, b] = [high - golden * (high - low), low + golden * (high - low)];
      if (this.lossAt(a) < this.lossAt(b)) high = b;
      else low = a;
    }
    return (low + high) / 2;
  }

  /** Returns learning rates that are too small, right and too large for this parameter alone. */
  rates(minimum) {
    const lands = Math.abs(minimum - this.start) / Math.abs(this.slope); // one step lands there
    let times = 2.1;
    while (times < MOST_TIMES_TOO_LARGE && !(this.lossAt(this.start - times * lands * this.slope) > this.loss)) times *= 1.25;
    const right = this.rightRate(minimum, 0.6 * lands);
    return { small: 0.1 * right, right, large: times < MOST_TIMES_TOO_LARGE ? times * lands : null };
  }

  /** Returns a learning rate, this one or smaller, whose steps go to the minimum and not far past it. */
  rightRate(minimum, rate) {
    const beyond = (place) => (place - minimum) * Math.sign(minimum - this.start);
    const most = 0.25 * Math.abs(minimum - this.start);
    let found = rate;
    while (found > 0.02 * rate && this.walk(found, 7).some((place) => beyond(place) > most)) found *= 0.8;
    return found;
  }

  /** Returns the places that plain steps of this parameter alone visit. */
  walk(rate, n) {
    const places = [this.start];
    for (let k = 0; k < n; k++) {
      const next = places.at(-1) - rate * this.slopeAt(places.at(-1));
      if (!Number.isFinite(next) || Math.abs(next) > 1e6) break;
      places.push(next);
    }
    return places;
  }
}
