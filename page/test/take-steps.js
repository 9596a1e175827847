// Reads pages' data from standard input, a JSON a line, and answers each with the step as it is computed here.
// tests/page/test_page_steps.py compares the answers with fastbp's own numbers.

import { createInterface } from "node:readline";
import { Steps } from "../src/steps.js";

const unchanged = { learningRate: null, parameters: new Map() };
const plain = (_, value) => (typeof value === "number" && !Number.isFinite(value) ? null : value);

for await (const line of createInterface({ input: process.stdin })) {
  const { page, changes } = JSON.parse(line);
  const parameters = new Map((changes?.parameters ?? []).map((one, k) => [k, one]));
  const edits = { ...unchanged, learningRate: changes?.learning_rate ?? null, parameters };
  console.log(JSON.stringify(new Steps(page).changed(0, edits), plain));
}
