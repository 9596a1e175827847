// Sliders for the learning rate and the chosen weight: the step is computed again with them, here.

import { card, element, formula, quantity } from "./dom.js";
import { count, number } from "./number.js";
import { parameterOf } from "./steps.js";

const DECADES = 3; // to both sides of the learning rate

export function changesView(store) {
  const { steps } = store;
  if (!steps.canCompute) return card("changes", "Try other numbers", element("p", {}, tooLarge(steps)));
  const rate = slider("Learning rate", (position) => store.setLearningRate(rateAt(store, position)));
  const weight = slider("Weight", (position) => store.setParameter(store.chosen, position));
  rate.input.min = -DECADES;
  rate.input.max = DECADES;
  rate.input.step = 0.01;
  const reset = element("button", { type: "button", click: () => store.reset() }, "Back to the recorded numbers");
  const outcome = element("p", { class: "outcome", role: "status" });
  const node = card("changes", "Try other numbers",
    element("p", { class: "quiet" }, "All of the page follows: the step is computed again as you move these."), rate.node, weight.node, outcome, reset);
  const draw = (changed) => {
    rate.input.value = Math.log10(store.learningRate / store.recordedRate);
    rate.show(formula("{update:η} = ", { value: store.learningRate, of: store.edits.learningRate === null ? "solver.learning_rate" : null, role: "update" }));
    if (changed.has("chosen") || changed.has("frame")) range(weight.input, parameterOf(steps.frames[store.frame], store.chosen));
    const value = parameterOf(store.step, store.chosen);
    weight.input.value = value;
    weight.label.textContent = `Weight ${steps.parameterSymbol(store.chosen)}`;
    weight.input.setAttribute("aria-label", weight.label.textContent);
    weight.show(number(value));
    outcome.replaceChildren(...outcomeOf(store));
    reset.disabled = !store.isEdited;
  };
  draw(new Set(["chosen"]));
  store.onChange((changed) => {
    if (["chosen", "frame", "edits"].some((name) => changed.has(name))) draw(changed);
  });
  return node;
}

function tooLarge(steps) {
  return (
    `This network has ${count(steps.nParameters)} parameters. The page holds the units that are drawn, not all of them at ` +
    "every step, so it cannot compute steps itself. The page of a single step, trace.to_html, can if the network has fewer than some 100\u202f000."
  );
}

function rateAt({ recordedRate }, position) {
  return position === 0 ? null : recordedRate * 10 ** position;
}

/** A weight may go to both sides by twice its size, and by 2 at least. */
function range(input, value) {
  const reach = Math.max(2, 2 * Math.abs(value));
  input.min = value - reach;
  input.max = value + reach;
  input.step = reach / 200;
}

function slider(name, move) {
  const input = element("input", { type: "range", "aria-label": name, input: () => move(Number(input.value)) });
  const label = element("span", {}, name);
  const value = element("output", {});
  return {
    input,
    label,
    node: element("label", { class: "slider" }, label, value, input),
    show: (content) => {
      value.replaceChildren(content);
      input.setAttribute("aria-valuetext", value.textContent);
    },
  };
}

function outcomeOf({ step, isEdited }) {
  const way = step.new_loss > step.loss ? "It rises: too large a step." : step.new_loss < step.loss ? "It falls." : "It stays.";
  const of = (name) => (isEdited ? null : name);
  return ["Loss of this row: ", quantity({ value: step.loss, of: of("loss"), role: "loss" }), " → ", quantity({ value: step.new_loss, of: of("new_loss"), role: "loss" }), `. ${way}`];
}
