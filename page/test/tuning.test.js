import assert from "node:assert/strict";
import { test } from "node:test";
import { Tuning } from "../src/tuning.js";

const shower = () =>
  new Tuning({
    format: "fastbp.tuning/1",
    knobs: ["main valve", "handle"],
    stages: ["house", "shower"],
    target: { shower: 3 },
    sensitivities: { house: { "main valve": [null, 2, 2.5] }, shower: { house: [null, 0.25, 0.5], handle: [null, null, 0.5] } },
    evaluation: [1, 2, 5],
    purpose: ["start", "probe", "move"],
    error: [2, 1.5, 0],
    columns: { "main valve": [4, 5, 6], handle: [4, 4, 5], house: [8, 10, 12], shower: [1, 1.5, 3] },
  });

test("every way from a knob to the target is found, target first", () => {
  assert.deepEqual(shower().chains(), [
    [["shower", "house"], ["house", "main valve"]],
    [["shower", "handle"]],
  ]);
});

test("nodes stand to the right of what feeds them", () => {
  assert.deepEqual(shower().depths(), { house: 1, shower: 2, "main valve": 0, handle: 1 });
});

test("what changed since the look before is known where that is held", () => {
  const tuning = shower();
  assert.equal(tuning.followsOnTheLast, false);
  tuning.move(1);
  assert.equal(tuning.followsOnTheLast, true);
  assert.deepEqual(tuning.changed(["main valve", "handle"]), ["main valve"]);
  tuning.move(1);
  assert.equal(tuning.followsOnTheLast, false);
  assert.equal(tuning.move(1), false);
});

test("a sensitivity is the one known after the look shown, and none before it was measured", () => {
  const tuning = shower();
  assert.deepEqual(tuning.sensitivity("house", "main valve"), { value: NaN, of: "sensitivities.house.main valve.0", role: "backward" });
  tuning.move(1);
  assert.equal(tuning.sensitivity("house", "main valve").value, 2);
  assert.equal(tuning.sensitivity("shower", "handle").value, NaN);
  tuning.move(1);
  assert.equal(tuning.sensitivity("house", "main valve").value, 2.5);
});
