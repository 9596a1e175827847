// The network drawn: a line a weight, a circle a unit, and on both the numbers of the current idea.

import { max } from "d3-array";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { drawing, element, onWidth } from "./dom.js";
import { number, short } from "./number.js";
import { parameterOf } from "./steps.js";
import { parametersOf, Quantities } from "./worked.js";

const [THINNEST, WIDEST] = [0.6, 7]; // pixels, of lines from 0 to the largest of a layer
const MANY = 40; // lines, of which those that flow are drawn faintly
const MOST_LETTERS = 15; // of a name
const MOST_NUMBERS = 12; // beside lines; with more lines only the chosen one has its number

export function networkView(store) {
  const { steps } = store;
  const frame = element("div", { class: "drawing" });
  const caption = element("p", { class: "caption" });
  const help = element("p", { id: "fastbp-help", class: "quiet" }, HELP);
  const node = element("figure", { class: "network", "aria-label": "The network" }, frame, element("figcaption", {}, caption), help);
  let layout = null;
  const width = onWidth(frame, () => rebuild());
  const rebuild = () => {
    layout = layoutOf(steps, width());
    frame.replaceChildren(build(store, layout));
    draw();
  };
  const draw = () => {
    if (!layout) return;
    drawLinks(store, layout);
    drawUnits(store, layout);
    caption.textContent = captionOf(store);
  };
  store.onChange((changed) => {
    if (["frame", "idea", "edits", "chosen", "hovered"].some((name) => changed.has(name))) draw();
  });
  return node;
}

const HELP =
  "Point at a line, or focus the drawing and use the arrow keys: up and down go through the weights of a layer, left and " +
  "right to the next layer, Enter keeps the weight.";

/** Returns where everything stands in a drawing of so many pixels. */
function layoutOf(steps, width) {
  const narrow = width < 520;
  const radius = narrow ? 19 : 24;
  const most = max(steps.shown, (units) => units.length);
  const gap = most <= 4 ? (narrow ? 76 : 112) : narrow ? 58 : 56;
  const side = narrow ? 4 : 122; // for names, which stand above the units where there is no room
  const needed = 2 * side + steps.nLayers * (narrow ? 64 : 110);
  const full = Math.max(width, needed);
  const x = scaleLinear([0, steps.nLayers], [side + radius, full - side - radius]);
  const top = narrow ? 16 : 8;
  const height = top + Math.max(most, 2) * gap + 46;
  const middle = top + (Math.max(most, 2) * gap) / 2;
  const places = steps.shown.map((units, l) => units.map((_, k) => [x(l), middle + (k - (units.length - 1) / 2) * gap]));
  return { width: full, height, radius, narrow, places, side, x };
}

function build(store, layout) {
  const { steps } = store;
  const svg = drawing(layout.width, layout.height, {
    role: "group",
    "aria-label": `Network of ${steps.sizes.join("-")} units`,
    "aria-describedby": "fastbp-help",
  });
  const root = select(svg);
  layout.links = root.append("g");
  layout.labels = root.append("g").attr("aria-hidden", "true");
  layout.units = root.append("g");
  layout.captions = root.append("g").attr("class", "layer-names").attr("aria-hidden", "true");
  const all = Array.from({ length: steps.nLayers }, (_, l) => parametersOf(steps, l + 1)).flat();
  layout.weights = all.filter(({ i }) => i !== null);
  addLinks(store, layout, svg);
  addUnits(store, layout, all);
  addNames(store, layout);
  return svg;
}

function addLinks(store, layout, svg) {
  const links = layout.links
    .selectAll("g")
    .data(layout.weights)
    .join("g")
    .attr("class", "link")
    .attr("role", "button")
    .on("pointerenter", (_, at) => store.set({ hovered: at }))
    .on("pointerleave", () => store.set({ hovered: null }))
    .on("focus", (_, at) => store.set({ chosen: at, hovered: null }))
    .on("click", (_, at) => store.set({ chosen: at, hovered: null }));
  links.append("path").attr("class", "halo").attr("d", (at) => line(layout, at));
  links.append("path").attr("class", "target").attr("d", (at) => line(layout, at));
  links.append("path").attr("class", "weight").attr("d", (at) => line(layout, at));
  links.append("path").attr("class", "flow").attr("d", (at) => line(layout, at));
  svg.addEventListener("keydown", (event) => moveFocus(store, layout, event));
}

/** A gentle curve between two units. */
function line({ places, radius }, { layer, i, j }) {
  const [x0, y0] = places[layer - 1][i];
  const [x1, y1] = places[layer][j];
  const [from, to] = [x0 + radius, x1 - radius];
  const bend = (to - from) * 0.35;
  return `M${from},${y0}C${from + bend},${y0} ${to - bend},${y1} ${to},${y1}`;
}

/** Arrow keys: one weight is in the order of tabs, the others are reached from it. */
function moveFocus(store, layout, event) {
  const steps = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: "back", ArrowRight: "on", Home: "first", End: "last", Enter: 0, " ": 0 };
  if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  const by = steps[event.key];
  const ofLayer = (layer) => layout.weights.filter((at) => at.layer === layer);
  const now = layout.weights.find((at) => same(at, store.chosen)) ?? layout.weights[0];
  const here = ofLayer(now.layer);
  let next = now;
  if (typeof by === "number") next = here[(here.indexOf(now) + by + here.length) % here.length];
  else if (by === "first" || by === "last") next = here.at(by === "first" ? 0 : -1);
  else next = ofLayer(now.layer + (by === "on" ? 1 : -1))[0] ?? now;
  store.set({ chosen: next, hovered: null });
  layout.links.selectAll(".link").filter((at) => at === next).node().focus();
}

export function same(a, b) {
  return a.layer === b.layer && a.i === b.i && a.j === b.j;
}

function addUnits(store, layout, all) {
  const { steps } = store;
  const units = steps.shown.flatMap((shown, layer) => shown.map((_, place) => ({ layer, place })));
  const groups = layout.units
    .selectAll("g")
    .data(units)
    .join("g")
    .attr("class", "unit")
    .attr("transform", ({ layer, place }) => `translate(${layout.places[layer][place]})`)
    .on("pointerenter", (_, { layer, place }) => layer > 0 && store.set({ hovered: { layer, i: null, j: place } }))
    .on("pointerleave", () => store.set({ hovered: null }))
    .on("click", (_, { layer, place }) => layer > 0 && store.set({ chosen: { layer, i: null, j: place }, hovered: null }));
  groups.append("circle").attr("r", layout.radius);
  groups.append("text").attr("class", "value").attr("dy", "0.35em");
}

/** Names beside inputs and outputs, and above each layer what it is. */
function addNames({ steps }, layout) {
  const { places, radius, narrow } = layout;
  for (const [layer, end, side] of [[0, "end", -1], [steps.nLayers, "start", 1]]) {
    layout.units
      .selectAll("g")
      .filter((unit) => unit.layer === layer)
      .append("text")
      .attr("class", "name")
      .attr("text-anchor", narrow ? (layer ? "end" : "start") : end)
      .attr("x", side * (narrow ? radius : radius + 8))
      .attr("y", narrow ? -radius - 5 : 0)
      .attr("dy", narrow ? 0 : "0.35em")
      .text(({ place }) => shortened(steps.unitName(layer, place), MOST_LETTERS))
      .append("title")
      .text(({ place }) => steps.unitName(layer, place));
  }
  const isEdge = (l) => narrow && (l === 0 || l === steps.nLayers);
  const columnX = (_, l) => places[l][0][0] + (isEdge(l) ? (l ? radius : -radius) : 0);
  layout.captions
    .selectAll("text")
    .data(steps.sizes)
    .join("text")
    .attr("x", columnX)
    .attr("y", layout.height - 30)
    .attr("text-anchor", (_, l) => (isEdge(l) ? (l ? "end" : "start") : "middle"))
    .text((n, l) => (steps.shown[l].length < n ? `${steps.shown[l].length} of ${n}` : l ? `layer ${l}` : "inputs"))
    .append("tspan")
    .attr("x", columnX)
    .attr("dy", "1.35em")
    .text((n, l) => (l ? steps.data.activation[l - 1] : steps.shown[0].length < n ? "inputs" : ""));
}

function shortened(text, room) {
  return text.length > room ? `${text.slice(0, room - 1)}…` : text;
}

/** What the lines of a layer show in an idea: their weights, gradients, changes, or new weights. */
function lineMeaning(idea, layer) {
  if (idea.key === "after") return "new";
  if (idea.key === "gradient" && idea.layer === layer) return "gradient";
  if (idea.key === "update" && idea.layer === layer) return "change";
  if (idea.key === "update" && idea.layer > layer) return "new";
  return "weight";
}

function lineValue(step, at, meaning) {
  if (meaning === "gradient") return parameterOf(step, at, "grad_");
  if (meaning === "new") return parameterOf(step, at, "new_");
  const before = parameterOf(step, at);
  return meaning === "change" ? parameterOf(step, at, "new_") - before : before;
}

const PREFIX = { weight: "", gradient: "grad_", new: "new_" };

function drawLinks(store, layout) {
  const { step, currentIdea: idea, weight: chosen, steps } = store;
  const values = new Map(layout.weights.map((at) => [at, lineValue(step, at, lineMeaning(idea, at.layer))]));
  const scales = steps.shown.map((_, l) => {
    const largest = max(layout.weights.filter((at) => at.layer === l), (at) => Math.abs(values.get(at)) || 0);
    return scaleLinear([0, largest || 1], [THINNEST, WIDEST]).clamp(true);
  });
  const flows = FLOWS[idea.key];
  layout.links
    .selectAll(".link")
    .classed("positive", (at) => values.get(at) >= 0)
    .classed("negative", (at) => values.get(at) < 0)
    .classed("chosen", (at) => same(at, chosen))
    .classed("flows", (at) => flows !== undefined && at.layer === idea.layer + (idea.key === "slope" ? 1 : 0))
    .classed("many", layout.weights.length > MANY)
    .attr("data-flow", flows ?? null)
    .attr("data-phase", idea.phase)
    .attr("tabindex", (at) => (same(at, store.chosen) || (store.chosen.i === null && at === layout.weights[0]) ? 0 : -1))
    .attr("aria-pressed", (at) => String(same(at, store.chosen)))
    .attr("aria-label", (at) => linkLabel(store, step, at))
    .select(".weight")
    .attr("stroke-width", (at) => scales[at.layer](Math.abs(values.get(at)) || 0))
    .style("opacity", (at) => 0.28 + (0.62 * scales[at.layer](Math.abs(values.get(at)) || 0)) / WIDEST);
  drawLinkNumbers(store, layout, values);
}

const FLOWS = { z: "on", slope: "back" };

function linkLabel({ steps }, step, at) {
  const from = steps.unitName(at.layer - 1, at.i);
  const to = at.layer === steps.nLayers ? steps.unitName(at.layer, at.j) : `${steps.unitName(at.layer, at.j)} of layer ${at.layer}`;
  const [before, gradient, after] = ["", "grad_", "new_"].map((prefix) => number(parameterOf(step, at, prefix)));
  return `Weight from ${from} to ${to}: ${before}, gradient ${gradient}, after the step ${after}`;
}

/** Numbers beside the lines: of small networks all, of larger ones that of the chosen weight. */
function drawLinkNumbers(store, layout, values) {
  const { steps, step, currentIdea: idea, weight: chosen } = store;
  const all = layout.weights.length <= MOST_NUMBERS && !layout.narrow;
  const q = new Quantities(steps, step);
  const shown = layout.weights.filter((at) => all || same(at, chosen));
  layout.labels
    .selectAll("text")
    .data(shown)
    .join("text")
    .attr("class", (at) => (same(at, chosen) ? "line-number chosen" : "line-number"))
    .attr("transform", (at) => `translate(${labelPlace(layout, at)})`)
    .attr("text-anchor", "middle")
    .attr("dy", "0.35em")
    .each(function write(at) {
      const meaning = lineMeaning(idea, at.layer);
      const prefix = PREFIX[meaning];
      writeShort(this, values.get(at), prefix === undefined ? null : q.parameter(at, prefix).of);
    });
}

/** A place on a line that its neighbours' numbers do not cover: in turns near its start and its end. */
function labelPlace({ places, radius, narrow }, { layer, i, j }) {
  const [x0, y0] = places[layer - 1][i];
  const [x1, y1] = places[layer][j];
  const near = 0.2 + 0.13 * (i % 2);
  const t = narrow || places[layer].length === 1 ? 0.45 : j % 2 ? 1 - near : near;
  const along = 3 * t * t - 2 * t * t * t; // of the curve's height, nearly
  return [x0 + radius + (x1 - x0 - 2 * radius) * t, y0 + (y1 - y0) * along];
}

function writeShort(node, value, of) {
  node.textContent = short(value);
  node.classList.toggle("long", node.textContent.length > 5);
  node.setAttribute("data-short", String(value));
  if (of) node.setAttribute("data-of", of);
  else node.removeAttribute("data-of");
}

/** What a unit shows in an idea: nothing yet, its sum, its activation, slope or delta. */
function unitMeaning(store, layer) {
  const { currentIdea: idea } = store;
  const order = store.ideas.indexOf(idea);
  const isPast = (key, of) => store.ideas.findIndex((one) => one.key === key && one.layer === of) <= order;
  if (layer === 0) return "x";
  if (idea.phase === "backward" || idea.phase === "update") {
    if (idea.key === "after") return "a";
    if (isPast("delta", layer)) return "delta";
    if (isPast("slope", layer)) return "dE_da";
    return "a";
  }
  if (isPast("a", layer)) return "a";
  return isPast("z", layer) ? "z" : null;
}

function drawUnits(store, layout) {
  const { step, steps, currentIdea: idea } = store;
  const q = new Quantities(steps, step);
  const quantityOf = ({ layer, place }) => {
    const meaning = unitMeaning(store, layer);
    if (meaning === null) return null;
    return meaning === "x" ? q.input(1, place) : q.of(layer, meaning, null, place);
  };
  const sizes = steps.shown.map((units, layer) => max(units, (_, place) => Math.abs(quantityOf({ layer, place })?.value)) || 1);
  layout.units
    .selectAll(".unit")
    .each(function write(unit) {
      const one = quantityOf(unit);
      const text = this.querySelector(".value");
      if (one) writeShort(text, one.value, one.of);
      else {
        text.textContent = "";
        text.removeAttribute("data-of");
        text.removeAttribute("data-short");
      }
      const share = one && Number.isFinite(one.value) ? Math.abs(one.value) / sizes[unit.layer] : 0;
      this.style.setProperty("--share", `${Math.round(8 + 47 * share)}%`);
      this.setAttribute("role", "img");
      this.setAttribute("aria-label", unitLabel(store, unit, one));
    })
    .classed("empty", (unit) => quantityOf(unit) === null)
    .classed("positive", (unit) => quantityOf(unit)?.value >= 0)
    .classed("negative", (unit) => quantityOf(unit)?.value < 0)
    .classed("current", ({ layer }) => idea.layer === layer || (idea.key === "after" && layer === steps.nLayers))
    .classed("chosen", ({ layer, place }) => same(store.weight, { layer, i: null, j: place }))
    .attr("data-phase", idea.phase);
}

const SAYS = { x: "input", z: "weighted sum z", a: "activation a", dE_da: "slope dE/da", delta: "delta" };

function unitLabel({ steps }, { layer, place }, one) {
  const name = layer === 0 || layer === steps.nLayers ? steps.unitName(layer, place) : `layer ${layer}, ${steps.unitName(layer, place)}`;
  if (!one) return `${name}: not computed yet`;
  const meaning = one.of.split(".").at(-2);
  return `${name}: ${SAYS[meaning]} ${number(one.value)}`;
}

function captionOf({ currentIdea: idea, steps }) {
  const lines = {
    gradient: `Lines of layer ${idea.layer}: gradients. Other lines: weights.`,
    update: `Lines of layer ${idea.layer}: the change of each weight.`,
    after: "Lines: the weights after the step.",
  }[idea.key];
  const units = { delta: "Units: δ.", slope: "Units: dE/da, and δ above.", z: "Units: z, and a below." }[idea.key];
  const inPart = steps.inPart
    ? `${steps.shown.flatMap((units, l) => (units.length < steps.sizes[l] ? [`${units.length} of ${steps.sizes[l]} ${l === 0 ? "inputs" : `units of layer ${l}`}`] : [])).join(", ")} shown: those that weigh most here.`
    : null;
  return [inPart, lines ?? "Lines: weights; width is size.", units, "Blue is positive, red negative."].filter(Boolean).join(" ");
}
