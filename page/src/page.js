// The page: its parts put together around one store.

import { arranged } from "./arrangement.js";
import { changesView } from "./changes-view.js";
import { curveView } from "./curve-view.js";
import { dataView } from "./data-view.js";
import { element } from "./dom.js";
import { ideaView } from "./idea-view.js";
import { lossOf } from "./losses.js";
import { networkView } from "./network-view.js";
import { count, number } from "./number.js";
import { parameterView } from "./parameter-view.js";
import { playerView } from "./player.js";
import { remarksOnStep } from "./remarks.js";
import { ruleOf } from "./solvers.js";
import { Steps } from "./steps.js";
import { Store } from "./store.js";
import { weightView } from "./weight-view.js";

/**
 * Shows the data of a page in a node, and returns the store, which says what is shown.
 * `keys` is where keys are listened for: the document, where the page is alone.
 */
export function mount(node, data, keys = node) {
  const steps = new Steps(data);
  const store = new Store(steps);
  const isPlane = steps.sizes[0] === 2 && steps.canCompute;
  const cards = [
    { column: 0, node: element("div", { class: "card" }, networkView(store), playerView(store, keys)) },
    { column: 1, node: ideaView(store) },
    data.curve && { column: 0, node: curveView(store) },
    { column: 1, node: weightView(store) },
    { column: 0, node: changesView(store) },
    { column: 1, node: parameterView(store) },
    isPlane && { column: 0, node: dataView(store) },
  ];
  const page = element("div", { class: "fastbp" }, heading(store), arranged(cards.filter(Boolean)), footer());
  node.replaceChildren(page);
  return store;
}

function heading(store) {
  const { steps } = store;
  const { data } = steps;
  const { solver } = data;
  const edited = element("p", { class: "edited", hidden: true, role: "status" }, "Computed here with your numbers, not the recorded ones.");
  const rate = element("span", { class: "rate" });
  const ofStep = element("div", { class: "remarks" });
  const draw = () => {
    edited.hidden = !store.isEdited;
    ofStep.replaceChildren(...remarksOnStep(store).map((says) => element("p", { class: "remark", role: "note" }, says)));
    rate.textContent = number(store.recordedRate);
  };
  draw();
  store.onChange((changed) => (changed.has("edits") || changed.has("frame")) && draw());
  const title = data.kind === "step" ? "One step of backpropagation" : "Training, step by step";
  const parts = [
    `${steps.sizes.join("-")} units`,
    data.activation.join(", "),
    lossName(data),
    `${count(steps.nParameters)} parameters`,
    data.dtype,
    `${solverName(solver)}, learning rate `,
  ];
  const notes = notesOf(data).map((note) => element("p", { class: "note" }, note));
  return element("header", {}, element("h1", {}, title), element("p", { class: "quiet" }, parts.join(" · "), rate), ...notes, ofStep, edited);
}

/** What a reader must know of the numbers, in sentences. */
function notesOf(data) {
  const notes = data.note ? [data.note] : [];
  if (data.diverged_in) notes.push(`Training diverged in epoch ${count(data.diverged_in)}: the loss grew beyond all bounds, or a weight was no longer finite. The end shown has the weights that were kept from before that.`);
  if (data.dropout_off) notes.push("Training uses dropout. The steps shown here are those of the whole network, with dropout off.");
  return notes;
}

function lossName({ loss_name, loss_parameter, activation }) {
  const { name, own } = lossOf(loss_name, activation.at(-1));
  return own ? `${name}, ${own} = ${number(loss_parameter)}` : name;
}

function solverName(solver) {
  const name = ruleOf(solver).name(solver, number);
  return solver.alpha ? `${name}, ${ruleOf(solver).decouples ? "decay" : "L2"} ${number(solver.alpha)}` : name;
}

function footer() {
  const key = (role, name, says) => element("li", {}, element("span", { class: `swatch role-${role}` }), element("b", {}, name), ` ${says}`);
  return element("footer", {},
    element("ul", { class: "legend" },
      key("positive", "blue", "positive"), key("negative", "red", "negative"),
      key("forward", "forward", "z, a, what goes in"), key("loss", "loss", "E and the target"),
      key("backward", "backward", "slopes, δ, gradients"), key("update", "update", "η and new weights")),
    element("p", { class: "quiet" }, "Keys: → and ← one idea on or back, space plays, Home rewinds. All numbers are printed in five digits; point at one for all of them."));
}
