// The loss while it trained, with a slider that goes through the recorded steps.

import { extent, bisectCenter } from "d3-array";
import { axisBottom, axisLeft } from "d3-axis";
import { scaleLinear, scaleLog } from "d3-scale";
import { pointer, select } from "d3-selection";
import { line } from "d3-shape";
import { card, drawing, element, onWidth, quantity } from "./dom.js";
import { count, number } from "./number.js";
import { toggle } from "./player.js";

const MARGIN = { top: 24, right: 16, bottom: 40, left: 58 };
const HEIGHT = 210;
const LOG_FROM = 50; // times as large as the smallest, the largest loss is

export function curveView(store) {
  const picture = element("div", { class: "drawing" });
  const slider = element("input", {
    type: "range", min: 0, max: store.steps.length - 1, step: 1, value: 0, "aria-label": "Recorded step",
    input: () => store.set({ frame: Number(slider.value), playing: null }),
  });
  const play = element("button", { type: "button", click: () => toggle(store, "training") }, "Play training");
  const where = element("p", { class: "where", id: "fastbp-where" });
  const node = card("curve", "The loss, while it trained", picture, element("div", { class: "scrub" }, play, slider), where,
    element("p", { class: "quiet" }, notes(store)));
  let place = () => {};
  const width = onWidth(picture, () => {
    place = build(store, picture, width());
    place();
  });
  const draw = () => {
    const { epoch, step } = store.steps.frames[store.frame];
    slider.value = store.frame;
    slider.setAttribute("aria-valuetext", `step ${step}, epoch ${number(epoch)}, loss ${number(lossAt(store))}`);
    play.textContent = store.playing === "training" ? "Pause training" : "Play training";
    where.replaceChildren(...whereOf(store));
    place();
  };
  draw();
  store.onChange((changed) => {
    if (changed.has("frame") || changed.has("playing")) draw();
  });
  return node;
}

function lossAt({ steps, frame }) {
  return steps.frames[frame].probe_loss;
}

function whereOf(store) {
  const { step, epoch, snapshot, row, n_rows: nRows } = store.steps.frames[store.frame];
  const ofEnd = !nRows;
  const end = store.steps.data.diverged_in ? "Training had diverged and was stopped; these are the weights kept from before. The" : "Training has ended here; the";
  const next = ofEnd ? `${end} step shown would be one more.` : `Next: row ${row}${nRows > 1 ? `, the first of a batch of ${count(nRows)}` : ""}.`;
  return [`After step ${count(step)}, epoch `, element("span", {}, number(epoch)), ": loss ",
    quantity({ value: lossAt(store), of: `curve.losses.${snapshot}`, role: "loss" }), `. ${next}`];
}

function notes({ steps }) {
  const { curve, n_snapshots, n_steps } = steps.data;
  const drawn = curve.losses.length < n_snapshots ? `${count(curve.losses.length)} of ${count(n_snapshots)}` : count(n_snapshots);
  const kept = steps.length < n_snapshots ? ` Of ${count(n_snapshots)} snapshots, ${count(steps.length)} fit into this page with all their numbers.` : "";
  return `Mean loss of ${count(curve.n_probe)} rows, at ${drawn} places in ${count(n_steps)} steps of training.${kept} Drag along the curve, or use the slider.`;
}

/** Draws the curve, and returns a function that puts the mark where the page is. */
function build(store, picture, width) {
  const { curve, n_steps } = store.steps.data;
  const points = curve.epochs.map((epoch, k) => [epoch, curve.losses[k] ?? NaN]);
  if (store.steps.data.diverged_in) points.splice(-1, 0, [points.at(-1)[0], NaN]); // nothing leads from there to what was kept
  const { svg, place } = curvePicture(width, {
    points,
    names: ["epoch", "loss"],
    label: `Loss against epochs, from ${number(curve.losses[0])} to ${number(curve.losses.at(-1))} in ${n_steps} steps`,
    stops: store.steps.frames.map(({ epoch }) => epoch),
    go: (frame) => store.set({ frame, playing: null }),
  });
  picture.replaceChildren(svg);
  return () => place(store.steps.frames[store.frame].epoch, lossAt(store));
}

/**
 * Draws a curve to drag along: `points` are [x, y], `stops` the places that one may go to, by number.
 * Returns the drawing, and a function that puts the mark somewhere.
 */
export function curvePicture(width, { points, names: [nameX, nameY], label, stops, go }) {
  const seen = points.filter(([, value]) => Number.isFinite(value));
  const x = scaleLinear(extent(points, ([at]) => at), [MARGIN.left, width - MARGIN.right]);
  const [least, most] = extent(seen, ([, value]) => value);
  const isLog = least > 0 && most / least > LOG_FROM;
  const [low, high] = isLog ? [least, most] : [Math.min(0, least ?? 0), most || 1];
  const y = (isLog ? scaleLog : scaleLinear)([low, high], [HEIGHT - MARGIN.bottom, MARGIN.top]).nice();
  const svg = drawing(width, HEIGHT, { role: "img", "aria-label": label, class: "scrubs" });
  const root = select(svg);
  axes(root, x, y, width, HEIGHT, MARGIN, [nameX, isLog ? `${nameY}, logarithmic` : nameY]);
  root.append("path").attr("class", "curve-line").attr("d", line(([at]) => x(at), ([, value]) => y(value)).defined(([, value]) => Number.isFinite(value) && (!isLog || value > 0))(points));
  const rule = root.append("line").attr("class", "mark-line").attr("y1", MARGIN.top).attr("y2", HEIGHT - MARGIN.bottom);
  const dot = root.append("circle").attr("class", "mark").attr("r", 6);
  const goTo = (event) => go(bisectCenter(stops, x.invert(pointer(event, svg)[0])));
  root.on("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    goTo(event);
  });
  root.on("pointermove", (event) => event.buttons && goTo(event));
  const place = (at, value) => {
    rule.attr("x1", x(at)).attr("x2", x(at));
    dot.attr("cx", x(at)).attr("cy", Number.isFinite(value) && (!isLog || value > 0) ? y(value) : HEIGHT - MARGIN.bottom);
  };
  return { svg, place };
}

/** Draws both axes of a picture, with their names. */
export function axes(root, x, y, width, height, margin, [nameX, nameY], ticks = Math.max(3, Math.floor(width / 110))) {
  root.append("g").attr("class", "axis").attr("transform", `translate(0,${height - margin.bottom})`).call(axisBottom(x).ticks(ticks).tickSizeOuter(0));
  root.append("g").attr("class", "axis").attr("transform", `translate(${margin.left},0)`).call(axisLeft(y).tickValues(ticksOf(y)).tickFormat(number).tickSizeOuter(0));
  root.append("text").attr("class", "axis-name").attr("x", width - margin.right).attr("y", height - 4).attr("text-anchor", "end").text(nameX);
  root.append("text").attr("class", "axis-name").attr("x", 4).attr("y", margin.top - 10).text(nameY);
}

/** Some places for numbers along an axis; of a logarithmic one powers of ten, if there are two. */
function ticksOf(scale) {
  const ticks = scale.ticks(4);
  if (ticks.length <= 6) return ticks;
  const powers = ticks.filter((tick) => Number.isInteger(Number(Math.log10(tick).toFixed(9))));
  const few = powers.length > 1 ? powers : ticks;
  return few.filter((_, k) => k % Math.ceil(few.length / 6) === 0);
}
