import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "../src/store.js";
import { tableOf, workedLines } from "../src/worked.js";
import { onePage } from "./pages.js";

const keys = (store) => store.ideas.map(({ key }) => key);

test("the ideas of a step go forward, then to the loss, back, and to the update", () => {
  const store = new Store(onePage());
  assert.deepEqual(keys(store), ["row", "z", "a", "loss", "slope", "delta", "gradient", "update", "after"]);
});

test("a row that was scaled has ideas of its own, first, and after the prediction", () => {
  const page = onePage();
  const units = { x: [12], center: [8], scale: [2], limit: null, y: [7], target_center: [1], target_scale: [2] };
  const store = new Store(onePage({ frames: [{ ...page.frames[0], units }] }));
  assert.deepEqual(keys(store), ["scaling", "row", "z", "a", "prediction", "loss", "slope", "delta", "gradient", "update", "after"]);
  const text = (idea) => workedLines(store.steps, store.step, store.ideas[idea], 0).map((line) => line.map((part) => part.value ?? part).join(""));
  assert.deepEqual(text(0), ["{forward:x[0]}: (12 − 8) / 2 = 2"]);
  assert.deepEqual(text(4), ["prediction = 1 × 2 + 1 = 3", "target = 7"]);
  assert.deepEqual(tableOf(store.steps, store.step, store.ideas[0]).rows.map(({ cells }) => cells.map(({ value }) => value)), [[12, 8, 2, 2]]);
  store.setParameter({ layer: 1, i: 0, j: 0 }, 1);
  assert.deepEqual(text(4), ["prediction = 2 × 2 + 1 = 5", "target = 7"]);
});

test("scaled values that are bounded say so, and classes have no prediction in units", () => {
  const page = onePage();
  const units = { x: [12], center: [8], scale: [1], limit: 3, y: null, target_center: null, target_scale: null };
  const store = new Store(onePage({ frames: [{ ...page.frames[0], units }] }));
  assert.deepEqual(keys(store).slice(0, 5), ["scaling", "row", "z", "a", "loss"]);
  assert.match(store.ideas[0].formula, /√\(1 \+ \(t \/ 3\)²\)/);
});

test("after the last idea comes the next recorded step, and before the first the one before", () => {
  const store = new Store(onePage());
  while (store.frame === 0) assert.ok(store.move(1));
  assert.equal(store.idea, 0);
  assert.ok(store.move(-1));
  assert.deepEqual([store.frame, store.idea], [0, 8]);
  store.set({ frame: 1 });
  assert.equal(store.move(1), false);
});

test("a changed weight gives the step worked by hand, and reset the recorded one", () => {
  const store = new Store(onePage());
  store.setParameter({ layer: 1, i: 0, j: 0 }, 1); // a = 2, E = 1/2, gradient = -2
  assert.equal(store.step.loss, 0.5);
  assert.deepEqual(store.step.layers[0].grad_W, [[-2]]);
  assert.deepEqual(store.step.layers[0].new_W, [[1.2]]);
  store.setLearningRate(0.5);
  assert.deepEqual(store.step.layers[0].new_W, [[2]]);
  store.reset();
  assert.equal(store.step, store.steps.frames[0]);
});

test("another recorded step takes back changed weights, but not the learning rate", () => {
  const store = new Store(onePage());
  store.setParameter({ layer: 1, i: 0, j: 0 }, 1);
  store.setLearningRate(0.5);
  store.set({ frame: 1 });
  assert.equal(store.learningRate, 0.5);
  assert.deepEqual(store.step.layers[0].W, [[0.5]]);
});

test("null stands for what is not finite, and is shown as such", () => {
  const steps = onePage();
  const [frame] = steps.data.frames;
  const broken = onePage({ frames: [{ ...frame, loss: null, layers: [{ ...frame.layers[0], W: [[null]] }] }] });
  assert.ok(Number.isNaN(broken.frames[0].loss));
  assert.ok(Number.isNaN(broken.subject(0).network.layers[0].W[0]));
});

test("a page of another format is refused", () => {
  assert.throws(() => onePage({ format: "fastbp.page/9" }), /format fastbp.page\/9/);
});

test("where no weight of the first layer has a gradient, one that has is looked at", () => {
  const layer = {
    z: [0], a: [0.5], derivative: [0.25], dE_da: [2], delta: [0.5], W: [[0.5]], b: [0], grad_W: [[0]], grad_b: [0.5],
    new_W: [[0.5]], new_b: [-0.05], state: {}, new_state: {},
  };
  const frame = { x: [0], y: [0], weight: 1, n_steps: 0, loss: 0.7, new_loss: 0.67, layers: [layer], whole: null };
  const store = new Store(onePage({ activation: ["logistic"], loss_name: "log_loss", frames: [frame] }));
  assert.deepEqual(store.chosen, { layer: 1, i: null, j: 0 });
});
