// The current idea: what happens, its formula, its numbers for one unit, and those of the layer.

import { element, formula, quantity } from "./dom.js";
import { PHASES } from "./ideas.js";
import { remarksOnStep } from "./remarks.js";
import { tableOf, workedLines } from "./worked.js";

export function ideaView(store) {
  const spoken = element("div", { "aria-live": "polite", "aria-atomic": "true", class: "spoken" });
  const numbers = element("div", { class: "numbers" });
  const node = element("section", { class: "card idea", "aria-label": "The current idea" }, spoken, numbers);
  const draw = (changed) => {
    const idea = store.currentIdea;
    node.dataset.phase = idea.phase;
    if (changed.has("idea") || changed.has("frame")) spoken.replaceChildren(...words(store, idea));
    numbers.replaceChildren(...worked(store, idea), ...table(store, idea));
  };
  draw(new Set(["idea"]));
  store.onChange((changed) => {
    if (["idea", "frame", "edits", "chosen"].some((name) => changed.has(name))) draw(changed);
  });
  return node;
}

function words(store, idea) {
  const phase = PHASES.find(({ name }) => name === idea.phase);
  return [
    element("p", { class: "phase" }, `${phase.title} · ${store.idea + 1} of ${store.ideas.length}`),
    element("h2", {}, idea.title),
    element("p", {}, idea.says),
    element("p", { class: "rule" }, formula(idea.formula)),
    ...(idea.phase === "update" ? remarksOnStep(store) : []).map((says) => element("p", { class: "remark" }, says)),
  ];
}

/** The unit that is worked out: the one that the chosen weight belongs to, or the layer's first. */
function unitOf(store, idea) {
  const { chosen, steps } = store;
  if (idea.layer === null || idea.layer === 0) return 0;
  if (chosen.layer === idea.layer) return chosen.j;
  if (chosen.layer === idea.layer + 1 && chosen.i !== null) return chosen.i;
  const sizes = store.step.layers[idea.layer - 1].delta.map((delta) => Math.abs(delta) || 0);
  return Math.min(sizes.indexOf(Math.max(...sizes)), steps.shown[idea.layer].length - 1);
}

function worked(store, idea) {
  const lines = workedLines(store.steps, store.step, idea, unitOf(store, idea));
  if (!lines.length) return [];
  return [element("div", { class: "worked", "data-at": idea.key }, lines.map((line) => element("p", {}, formula(line))))];
}

function table(store, idea) {
  const content = tableOf(store.steps, store.step, idea);
  if (!content) return [];
  const unit = unitOf(store, idea);
  const head = element("tr", {}, content.head.map((title) => element("th", { scope: "col" }, title)));
  const rows = content.rows.map((row) => {
    const current = row.unit === unit && content.rows.length > 1;
    const cells = row.cells.map((cell) => element("td", {}, quantity(cell)));
    return element("tr", { class: current ? "current" : null }, element("th", { scope: "row" }, row.title), cells);
  });
  const caption = content.more ? element("caption", {}, content.more) : null;
  return [
    element("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": "Numbers of this idea" },
      element("table", {}, caption, element("thead", {}, head), element("tbody", {}, rows))),
  ];
}
