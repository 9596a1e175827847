// Rows of two features in the plane, with what the network answers everywhere between them.

import { extent, max, range } from "d3-array";
import { contours } from "d3-contour";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { symbol, symbolsFill } from "d3-shape";
import { axes } from "./curve-view.js";
import { card, drawing, element, onWidth } from "./dom.js";
import { number } from "./number.js";
import { forward } from "./step.js";

const MARGIN = { top: 24, right: 14, bottom: 40, left: 52 };
const GRID = 56; // places along each axis at which the surface is computed
const LEVELS = 16;

export function dataView(store) {
  const { steps } = store;
  const picture = element("div", { class: "drawing" });
  const legend = element("p", { class: "quiet" });
  const outputs = steps.shown.at(-1).map((_, j) => element("option", { value: j }, steps.unitName(steps.nLayers, j)));
  const output = element("select", { change: () => draw() }, outputs);
  const choice = outputs.length > 1 ? element("label", { class: "pickers" }, element("span", {}, "Output"), output) : null;
  const node = card("data", "The rows, and what the network answers between them", ...[choice, picture, legend].filter(Boolean));
  const rows = pointsOf(steps);
  const draw = () => {
    const width = Math.min(picture.clientWidth, 560);
    if (!width) return;
    const shown = build(store, rows, Number(output.value || 0), width);
    picture.replaceChildren(shown.svg);
    legend.textContent = shown.legend;
  };
  let pending = 0;
  const soon = () => {
    pending ||= requestAnimationFrame(() => {
      pending = 0;
      draw();
    });
  };
  onWidth(picture, soon);
  store.onChange((changed) => {
    if (changed.has("frame") || changed.has("edits")) soon();
  });
  return node;
}

/** All rows of the page, or the one row of a step. */
function pointsOf({ data, frames }) {
  return data.points ?? { X: frames.map(({ x }) => x), y: frames.map(({ y }) => y) };
}

function build(store, { X, y }, j, width) {
  const { steps } = store;
  const height = Math.round(width * 0.82);
  const current = steps.frames[store.frame];
  const [xs, ys] = [0, 1].map((axis) => widened(extent([...X.map((row) => row[axis]), current.x[axis]].filter(Number.isFinite))));
  const x = scaleLinear(xs, [MARGIN.left, width - MARGIN.right]);
  const scaleY = scaleLinear(ys, [height - MARGIN.bottom, MARGIN.top]);
  const surface = surfaceOf(store, j, xs, ys);
  const isShare = ["logistic", "softmax"].includes(steps.data.activation.at(-1));
  const middle = isShare ? 0.5 : 0;
  const reach = isShare ? 0.5 : max(surface, (value) => Math.abs(value)) || 1;
  const name = steps.unitName(steps.nLayers, j);
  const called = steps.data.names.outputs[j] === String(steps.shown.at(-1)[j]) ? name : `“${name}”`;
  const names = [0, 1].map((axis) => steps.unitName(0, axis));
  const svg = drawing(width, height, { role: "img", "aria-label": `${X.length} rows by ${names.join(" and ")}, coloured by ${name}` });
  const root = select(svg);
  drawSurface(root, surface, { middle, reach }, x, scaleY);
  drawRows(root, X, y.map((targets) => targets[j]), middle, x, scaleY);
  root.append("circle").attr("class", "row-ring").attr("r", 10).attr("cx", x(current.x[0])).attr("cy", scaleY(current.x[1]));
  axes(root, x, scaleY, width, height, MARGIN, names, 5);
  const sides = isShare ? [`above ½`, "below ½"] : ["positive", "negative"];
  return {
    svg,
    legend: `Ground: ${called} as the network answers it, blue where ${sides[0]}, red where ${sides[1]}, from ${number(Math.min(...surface))} to ${number(Math.max(...surface))}. Marks: the rows' targets in the same colours, circles blue and triangles red. The ring is the row of this step.`,
  };
}

function widened([low, high]) {
  const room = (high - low || 2) * 0.08 + (high === low ? 1 : 0);
  return [low - room, high + room];
}

function surfaceOf({ steps, frame, edits }, j, xs, ys) {
  const { network } = steps.subject(frame, edits);
  const index = steps.shown.at(-1)[j];
  const at = ([low, high], k) => low + ((high - low) * k) / (GRID - 1);
  return range(GRID * GRID).map((k) => {
    const row = [at(xs, k % GRID), at(ys, GRID - 1 - Math.floor(k / GRID))];
    return forward(network, Float64Array.from(row)).at(-1).a[index];
  });
}

function drawSurface(root, surface, { middle, reach }, x, y) {
  const bands = range(-LEVELS, LEVELS).map((k) => k / LEVELS);
  const finite = surface.map((value) => (Number.isFinite(value) ? value : middle));
  const areas = contours().size([GRID, GRID]).thresholds(bands.map((share) => middle + share * reach))(finite);
  const place = ([column, row]) => [
    x.range()[0] + ((column - 0.5) / (GRID - 1)) * (x.range()[1] - x.range()[0]),
    y.range()[1] + ((row - 0.5) / (GRID - 1)) * (y.range()[0] - y.range()[1]),
  ];
  const d = ({ coordinates }) => coordinates.flatMap((polygon) => polygon.map((ring) => `M${ring.map((p) => place(p).map((v) => v.toFixed(1))).join("L")}Z`)).join("");
  const [left, right] = x.range();
  const [bottom, top] = y.range();
  root.append("clipPath").attr("id", "fastbp-plane").append("rect").attr("x", left).attr("y", top).attr("width", right - left).attr("height", bottom - top);
  root.append("g").attr("class", "surface").attr("clip-path", "url(#fastbp-plane)").selectAll("path").data(areas).join("path")
    .attr("d", d)
    .attr("class", (_, k) => (bands[k] >= 0 ? "positive" : "negative"))
    .style("--share", (_, k) => `${Math.round(10 + 62 * Math.abs(bands[k] + 0.5 / LEVELS))}%`);
  root.append("g").attr("class", "boundary").attr("clip-path", "url(#fastbp-plane)").append("path").attr("d", d(areas[LEVELS]));
}

function drawRows(root, X, targets, middle, x, y) {
  const [circle, triangle] = [symbolsFill[0], symbolsFill[5]].map((type) => symbol(type, 54)());
  root.append("g").selectAll("path").data(X).join("path")
    .attr("class", (_, k) => `row ${targets[k] > middle ? "positive" : "negative"}`)
    .attr("d", (_, k) => (targets[k] > middle ? circle : triangle))
    .attr("transform", ([a, b]) => `translate(${x(a)},${y(b)})`);
}
