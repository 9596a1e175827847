// The weight-update picture: the loss against one weight, its tangent and step, and three learning rates.

import { extent } from "d3-array";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { line } from "d3-shape";
import { AlongParameter } from "./along-parameter.js";
import { axes } from "./curve-view.js";
import { card, drawing, element, formula, onWidth } from "./dom.js";
import { number } from "./number.js";
import { parameterOf } from "./steps.js";

const MARGIN = { top: 26, right: 14, bottom: 38, left: 56 };
const SMALL = { top: 10, right: 10, bottom: 26, left: 44 };
const GAP = 12; // between the three
const POINTS = 72;
const STEPS = { small: 7, right: 7, large: 4 };
const TITLES = { small: "Too small", right: "Right", large: "Too large" };

export function parameterView(store) {
  const words = element("p", {});
  const main = element("div", { class: "drawing" });
  const three = element("div", { class: "three" });
  const note = element("p", { class: "quiet" });
  const toBias = element("button", { type: "button", click: () => store.set({ chosen: biasOfOutput(store), hovered: null }) }, "Look along the output's bias instead");
  const node = card("parameter", "Why minus: the loss along this weight", words, main,
    element("h3", {}, "The same weight with three learning rates"), three, note, toBias);
  if (!store.steps.canCompute) {
    node.replaceChildren(node.firstChild, element("p", {}, "Not computed for this page, which does not hold the whole network."));
    return node;
  }
  let pending = 0;
  const draw = () => {
    pending = 0;
    const width = main.clientWidth;
    if (!width) return;
    const along = new AlongParameter(store.steps, store.steps.subject(store.frame, store.edits), store.chosen);
    if (!Number.isFinite(along.loss) || !Number.isFinite(along.slope)) {
      words.textContent = "The loss or its slope is not finite here: there is nothing to draw.";
      for (const part of [main, three, note]) part.replaceChildren();
      return;
    }
    const minimum = along.slope === 0 ? null : along.minimum();
    const after = parameterOf(store.step, store.chosen, "new_");
    words.replaceChildren(...explain(store, along));
    const rates = minimum === null ? null : along.rates(minimum);
    const walks = rates === null ? {} : walksOf(along, rates);
    main.replaceChildren(mainPicture(store, along, minimum, after, width));
    three.replaceChildren(...Object.entries(walks).map(([name, places]) => small(along, name, rates[name], places, minimum, width)));
    note.textContent = noteOf(along, minimum, rates, store);
    toBias.hidden = minimum !== null || !hasMinimum(store, biasOfOutput(store));
  };
  const soon = () => {
    pending ||= requestAnimationFrame(draw);
  };
  onWidth(main, soon);
  store.onChange((changed) => {
    if (["frame", "chosen", "edits"].some((name) => changed.has(name))) soon();
  });
  return node;
}

function hasMinimum(store, at) {
  const along = new AlongParameter(store.steps, store.steps.subject(store.frame, store.edits), at);
  return along.slope !== 0 && along.minimum() !== null;
}

/** The bias of the output that is furthest off, along which most losses have a minimum. */
function biasOfOutput({ step, steps }) {
  const sizes = step.layers.at(-1).delta.map((delta) => Math.abs(delta) || 0);
  return { layer: steps.nLayers, i: null, j: sizes.indexOf(Math.max(...sizes)) };
}

function explain({ steps, chosen, learningRate }, { slope }) {
  const name = steps.parameterSymbol(chosen);
  const value = { value: slope, of: null, role: "backward" };
  if (slope === 0) return [formula(`The slope of the loss along {weight:${name}} is 0 for this row: whatever the learning rate, it stays.`)];
  const [sign, way] = slope > 0 ? ["positive", "down"] : ["negative", "up"];
  return [formula(`The slope at {weight:${name}} is `, value, `, ${sign}: to make the loss smaller, the weight has to go ${way}. `,
    "{update:W′} = {weight:W} − {update:η} × slope does that, with {update:η} = ", { value: learningRate, of: null, role: "update" }, ".")];
}

function walksOf(along, rates) {
  return Object.fromEntries(["small", "right", "large"].filter((name) => rates[name] !== null).map((name) => [name, along.walk(rates[name], STEPS[name])]));
}

function noteOf(along, minimum, rates, { steps }) {
  if (along.slope === 0) return "";
  const { solver } = steps.data;
  const ofSolver = solver.rule !== "plain" || solver.alpha > 0 ? " The arrow above is the solver's step; these three are plain ones." : "";
  if (minimum === null) return "Along this weight the loss of this one row has no minimum in view: it falls ever further, and no learning rate is too large.";
  const noLarge = rates.large === null ? " No learning rate is too large here: far away the loss is no larger." : "";
  return `Every other weight stays as it is. The right rate for this weight and row is about ${number(rates.right)}; for the network as a whole it is smaller, since all weights move together.${noLarge}${ofSolver}`;
}

/** A curve over a range of the weight, with its scales and axes. */
function base(along, [from, to], width, height, label, names, margin = MARGIN) {
  const places = Array.from({ length: POINTS + 1 }, (_, k) => from + ((to - from) * k) / POINTS);
  const points = places.map((w) => [w, along.lossAt(w)]).filter(([, loss]) => Number.isFinite(loss));
  const x = scaleLinear([from, to], [margin.left, width - margin.right]);
  const [least, most] = extent([...points.map(([, loss]) => loss), along.loss].filter(Number.isFinite));
  const y = scaleLinear([least, least + (most - least || 1) * 1.08], [height - margin.bottom, margin.top]);
  const svg = drawing(width, height, { role: "img", "aria-label": label });
  const root = select(svg);
  axes(root, x, y, width, height, margin, names, Math.max(3, Math.floor(width / 90)));
  root.append("path").attr("class", "curve-line loss-line").attr("d", line(([w]) => x(w), ([, loss]) => y(loss))(points));
  return { svg, root, x, y };
}

function mainPicture({ steps, chosen }, along, minimum, after, width) {
  const { start, loss, slope } = along;
  const end = Number.isFinite(after) ? after : start;
  const range = around([start, end, ...(minimum === null ? [start - 2, start + 2] : [minimum, 2 * minimum - start])], 0.15);
  const label = `Loss against ${steps.parameterSymbol(chosen)}: slope ${number(slope)} at ${number(start)}, after the step ${number(end)}`;
  const height = 260;
  const { svg, root, x, y } = base(along, range, width, height, label, [steps.parameterSymbol(chosen), "loss of this row"]);
  const reach = (range[1] - range[0]) * 0.22;
  const inside = Math.min(reach, start - range[0], range[1] - start);
  const ends = clipped(start, loss, slope, inside, y.domain());
  root.append("line").attr("class", "tangent").attr("x1", x(ends[0])).attr("y1", y(loss + slope * (ends[0] - start)))
    .attr("x2", x(ends[1])).attr("y2", y(loss + slope * (ends[1] - start)));
  const there = along.lossAt(end);
  const bottom = y(Math.min(loss, there)) > height - MARGIN.bottom - 14 ? height - MARGIN.bottom - 2 : height - MARGIN.bottom - 8;
  root.append("path").attr("class", "drop").attr("d", `M${x(start)},${y(loss)}V${bottom}M${x(end)},${y(clampTo(there, y.domain()))}V${bottom}`);
  root.append("path").attr("class", "step").attr("d", arrow(x(start), x(end), bottom));
  root.append("circle").attr("class", "mark before").attr("cx", x(start)).attr("cy", y(loss)).attr("r", 6);
  root.append("circle").attr("class", "mark after").attr("cx", x(end)).attr("cy", y(clampTo(there, y.domain()))).attr("r", 6);
  return svg;
}

function clampTo(value, [low, high]) {
  return Math.min(high, Math.max(low, Number.isFinite(value) ? value : high));
}

/** The ends of a tangent that stays within the picture. */
function clipped(start, loss, slope, reach, [low, high]) {
  const room = (limit) => (slope === 0 ? Infinity : Math.abs((limit - loss) / slope));
  const [down, up] = [Math.min(reach, room(low)), Math.min(reach, room(high))];
  return slope > 0 ? [start - down, start + up] : [start - up, start + down];
}

function arrow(from, to, y) {
  if (Math.abs(to - from) < 1) return "";
  const back = Math.sign(to - from) * Math.min(7, Math.abs(to - from));
  return `M${from},${y}H${to}M${to - back},${y - 4}L${to},${y}L${to - back},${y + 4}`;
}

function around(values, margin) {
  const [low, high] = extent(values.filter(Number.isFinite));
  const room = (high - low || 1) * margin;
  return [low - room, high + room];
}

function small(along, name, rate, places, minimum, width) {
  const own = width < 480 ? width : Math.floor((width - 2 * GAP) / 3);
  const far = Math.max(...places.slice(0, 2).map((w) => Math.abs(w - minimum)), Math.abs(along.start - minimum));
  const range = [minimum - 1.25 * far, minimum + 1.25 * far];
  const inside = places.filter((w) => w >= range[0] && w <= range[1]);
  const leaves = inside.length < places.length;
  const label = `${TITLES[name]}: learning rate ${number(rate)}: ${places.length - 1} steps end at loss ${number(along.lossAt(places.at(-1)))}`;
  const { svg, root, x, y } = base(along, range, own, 180, label, ["", ""], SMALL);
  const path = inside.map((w) => [x(w), y(clampTo(along.lossAt(w), y.domain()))]);
  root.append("path").attr("class", "walk").attr("d", line()(path));
  root.selectAll("circle").data(path).join("circle").attr("class", (_, k) => (k ? "mark after" : "mark before")).attr("r", (_, k) => (k ? 3.5 : 5))
    .attr("cx", ([cx]) => cx).attr("cy", ([, cy]) => cy);
  const says = { small: "creeps", right: "gets there", large: leaves ? "leaves the picture" : "jumps over" }[name];
  return element("figure", { "data-rate": name, style: `width: ${own}px` }, svg,
    element("figcaption", {}, element("b", {}, TITLES[name]), ` ${says}`, formula("{update:η} = ", { value: rate, of: null, role: "update" })));
}
