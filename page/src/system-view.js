// A tuned system drawn: knobs as gauges, stages as circles, sensitivities as lines between them.

import { max } from "d3-array";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { arc } from "d3-shape";
import { drawing, element, onWidth } from "./dom.js";
import { number, short } from "./number.js";

const [THINNEST, WIDEST] = [1, 8];
const TURN = 0.75 * Math.PI; // of a gauge's hand, to both sides

export function systemView(tuning) {
  const frame = element("div", { class: "drawing" });
  const { data } = tuning;
  const inPart = data.stages.length < data.n_stages ? `${data.stages.length} of ${data.n_stages} stages shown. ` : "";
  const caption = `${inPart}Lines: sensitivities, as known after this look; width is size, blue is positive, red negative, dashed not measured yet. Gauges: knobs between their bounds. Circles: what is observed, and below it the target.`;
  const node = element("figure", { class: "network", "aria-label": "The system" }, frame, element("figcaption", {}, caption));
  const width = onWidth(frame, () => draw());
  const draw = () => {
    if (width()) frame.replaceChildren(build(tuning, width()));
  };
  tuning.onChange((changed) => changed.has("frame") && draw());
  return node;
}

function build(tuning, width) {
  const depth = tuning.depths();
  const columns = Math.max(...Object.values(depth)) + 1;
  const narrow = width < 520;
  const radius = narrow ? 24 : 32;
  const byColumn = Array.from({ length: columns }, (_, column) => tuning.names.filter((name) => depth[name] === column));
  const gap = narrow ? 104 : 128;
  const height = max(byColumn, (names) => names.length) * gap + 10;
  const full = Math.max(width, columns * (narrow ? 96 : 150));
  const x = scaleLinear([0, Math.max(1, columns - 1)], [radius + (narrow ? 18 : 60), full - radius - (narrow ? 18 : 60)]);
  const places = {};
  byColumn.forEach((names, column) => names.forEach((name, k) => {
    places[name] = [x(column), height / 2 + (k - (names.length - 1) / 2) * gap - 6];
  }));
  const svg = drawing(full, height, { role: "group", "aria-label": `${tuning.data.knobs.length} knobs and ${tuning.data.stages.length} stages` });
  const root = select(svg);
  drawLinks(root, tuning, places, radius);
  for (const name of tuning.names) {
    const group = root.append("g").attr("class", "node").attr("role", "img").attr("transform", `translate(${places[name]})`);
    (tuning.data.knobs.includes(name) ? drawKnob : drawStage)(group, tuning, name, radius);
    group.append("text").attr("class", "name").attr("text-anchor", "middle").attr("y", -radius - 8).text(name.length > 16 ? `${name.slice(0, 15)}…` : name);
  }
  return svg;
}

function drawLinks(root, tuning, places, radius) {
  const links = tuning.data.stages.flatMap((stage) => tuning.inputs(stage).map((source) => ({ stage, source, ...tuning.sensitivity(stage, source) })));
  const size = scaleLinear([0, max(links, ({ value }) => Math.abs(value) || 0) || 1], [THINNEST, WIDEST]);
  const groups = root.append("g").selectAll("g").data(links).join("g").attr("class", ({ value }) => `link ${Number.isNaN(value) ? "unknown" : value < 0 ? "negative" : "positive"}`);
  groups.append("path").attr("class", "weight").attr("stroke-width", ({ value }) => size(Math.abs(value) || 0)).attr("d", ({ stage, source }) => {
    const [[x0, y0], [x1, y1]] = [places[source], places[stage]];
    const bend = (x1 - x0) * 0.4;
    return `M${x0 + radius},${y0}C${x0 + bend},${y0} ${x1 - bend},${y1} ${x1 - radius},${y1}`;
  });
  groups.filter(({ value }) => !Number.isNaN(value)).append("text").attr("class", "line-number").attr("text-anchor", "middle").attr("dy", "0.35em")
    .attr("data-of", ({ of }) => of).attr("data-short", ({ value }) => String(value))
    .attr("transform", ({ stage, source }) => `translate(${(places[source][0] + places[stage][0]) / 2},${(places[source][1] + places[stage][1]) / 2})`)
    .text(({ value }) => short(value));
}

/** A gauge, whose hand stands where the knob is between its bounds. */
function drawKnob(group, tuning, name, radius) {
  const [low, high] = tuning.data.bounds[name];
  const one = tuning.observed(name);
  const angle = scaleLinear([low, high], [-TURN, TURN])(one.value);
  const ring = (to) => arc()({ innerRadius: radius - 5, outerRadius: radius, startAngle: -TURN, endAngle: to });
  group.append("path").attr("class", "gauge").attr("d", ring(TURN));
  group.append("path").attr("class", "gauge set").attr("d", ring(angle));
  write(group, one, 0);
  group.attr("aria-label", `knob ${name}: ${number(one.value)}, between ${number(low)} and ${number(high)}`);
}

function drawStage(group, tuning, name, radius) {
  const one = tuning.observed(name);
  group.attr("class", `node unit ${one.value < 0 ? "negative" : "positive"}`).style("--share", "24%");
  group.append("circle").attr("r", radius);
  write(group, one, 0);
  const target = tuning.data.target[name];
  if (target !== undefined) group.append("text").attr("class", "target").attr("text-anchor", "middle").attr("y", radius + 17).text(`target ${number(target)}`);
  group.attr("aria-label", `stage ${name}: ${number(one.value)}${target === undefined ? "" : `, target ${number(target)}`}`);
}

function write(group, one, y) {
  group.append("text").attr("class", "value").attr("text-anchor", "middle").attr("y", y).attr("dy", "0.35em")
    .attr("data-of", one.of).attr("data-short", String(one.value)).text(short(one.value));
}
