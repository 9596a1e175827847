// The loss along one weight, on networks that can be worked by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { AlongParameter } from "../src/along-parameter.js";
import { onePage } from "./pages.js";

test("the loss of one linear unit is a parabola with its minimum where the error is 0", () => {
  const steps = onePage(); // a = 2 w + b, y = 3, w = 0.5, b = 0: E = 1/2 (2 w - 3)^2
  const along = new AlongParameter(steps, steps.subject(0), { layer: 1, i: 0, j: 0 });
  assert.equal(along.loss, 2);
  assert.equal(along.slope, -4);
  assert.equal(along.lossAt(1.5), 0);
  assert.ok(Math.abs(along.minimum() - 1.5) < 1e-6);
});

test("rates too small, right and too large do what they are called", () => {
  const steps = onePage();
  const along = new AlongParameter(steps, steps.subject(0), { layer: 1, i: 0, j: 0 });
  const { small, right, large } = along.rates(along.minimum());
  const end = (rate) => along.lossAt(along.walk(rate, 4).at(-1));
  assert.ok(Math.abs(right - 0.6 * 0.25) < 1e-6); // one step of 1/4 lands in the minimum
  assert.ok(end(right) < 0.01 * along.loss);
  assert.ok(end(small) > 0.5 * along.loss && end(small) < along.loss);
  assert.ok(end(large) > along.loss);
});

test("looking along a parameter leaves it as it was", () => {
  const steps = onePage();
  const subject = steps.subject(0);
  const along = new AlongParameter(steps, subject, { layer: 1, i: null, j: 0 });
  along.rates(along.minimum());
  assert.deepEqual([...subject.network.layers[0].b], [0]);
  assert.deepEqual([...subject.network.layers[0].W], [0.5]);
});
