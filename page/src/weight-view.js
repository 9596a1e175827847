// One weight: its chain rule with its numbers, before -> after, and three lists to choose it from.

import { chainRule } from "./chain-rule.js";
import { card, element, formula, quantity } from "./dom.js";
import { parameterOf } from "./steps.js";
import { updateLines } from "./update-rule.js";
import { Quantities } from "./worked.js";

export function weightView(store) {
  const { steps } = store;
  const change = element("p", { class: "change" });
  const lines = element("div", { class: "worked" });
  const rule = element("div", { class: "worked update", "data-phase": "update" });
  const from = element("p", { class: "quiet" });
  const pickers = pickersOf(store);
  const node = card("weight", "One weight, by the chain rule", pickers.node, from, change, lines,
    element("h3", { "data-phase": "update" }, "and its update"), rule);
  const draw = () => {
    const at = store.weight;
    const q = new Quantities(steps, store.step);
    from.textContent = describe(steps, at);
    change.replaceChildren(...changeOf(q, at));
    const [symbol, ...rest] = chainRule(steps, store.step, at);
    lines.replaceChildren(...[[...symbol, " ", ...rest[0]], ...rest.slice(1)].map((line) => element("p", {}, formula(line))));
    rule.replaceChildren(...updateLines(q, at).map((line) => element("p", {}, formula(line))));
    pickers.draw(at);
  };
  draw();
  store.onChange((changed) => {
    if (["frame", "edits", "chosen", "hovered"].some((name) => changed.has(name))) draw();
  });
  return node;
}

function changeOf(q, at) {
  const before = parameterOf(q.frame, at);
  const after = parameterOf(q.frame, at, "new_");
  const way = after > before ? "up" : after < before ? "down" : "unchanged";
  return [formula(`{weight:${q.steps.parameterSymbol(at)}} = `), quantity(q.parameter(at, "", "weight")), " → ",
    quantity(q.parameter(at, "new_", "update")), element("span", { class: "quiet" }, ` ${way}`)];
}

function describe(steps, { layer, i, j }) {
  const to = layer === steps.nLayers ? steps.unitName(layer, j) : `${steps.unitName(layer, j)} of layer ${layer}`;
  return i === null ? `The bias of ${to}` : `From ${steps.unitName(layer - 1, i)} to ${to}`;
}

/** Layer, from, to: every weight and bias that is drawn, for the keyboard and for screen readers. */
function pickersOf(store) {
  const { steps } = store;
  const choose = () => {
    const l = Number(layer.value);
    const i = source.value === "bias" ? null : Number(source.value);
    const fits = i === null || i < steps.shown[l - 1].length;
    store.set({ chosen: { layer: l, i: fits ? i : 0, j: Math.min(Number(unit.value), steps.shown[l].length - 1) }, hovered: null });
  };
  const layer = element("select", { change: choose }, steps.sizes.slice(1).map((_, l) => element("option", { value: l + 1 }, `layer ${l + 1}`)));
  const source = element("select", { change: choose });
  const unit = element("select", { change: choose });
  const label = (text, control) => element("label", {}, element("span", {}, text), control);
  let filled = null;
  const fill = (l) => {
    if (filled === l) return;
    filled = l;
    const options = steps.shown[l - 1].map((_, i) => element("option", { value: i }, steps.unitName(l - 1, i)));
    source.replaceChildren(...options, element("option", { value: "bias" }, "its bias"));
    unit.replaceChildren(...steps.shown[l].map((_, j) => element("option", { value: j }, steps.unitName(l, j))));
  };
  return {
    node: element("div", { class: "pickers" }, label("Weights of", layer), label("from", source), label("to", unit)),
    draw: (at) => {
      fill(at.layer);
      layer.value = at.layer;
      source.value = at.i === null ? "bias" : at.i;
      unit.value = at.j;
    },
  };
}
