// The page of a tuned system: one look at it at a time, and what was learnt from each.

import { arranged } from "./arrangement.js";
import { curvePicture } from "./curve-view.js";
import { card, element, formula, onWidth, quantity } from "./dom.js";
import { count, number } from "./number.js";
import { keepTime, listenToKeys, transport } from "./player.js";
import { systemView } from "./system-view.js";
import { Tuning } from "./tuning.js";
import { inBrackets } from "./update-rule.js";

/** Shows how a system was tuned in a node, and returns what is shown. */
export function mountTuning(node, data, keys = node) {
  const tuning = new Tuning(data);
  const cards = arranged([
    { column: 0, node: element("div", { class: "card" }, systemView(tuning), player(tuning, keys)) },
    { column: 1, node: lookView(tuning) },
    { column: 0, node: errorView(tuning) },
    { column: 1, node: chainsView(tuning) },
  ]);
  const header = element("header", {}, element("h1", {}, "Tuning, one look at a time"), element("p", {}, data.message),
    element("p", { class: "quiet" }, `${data.n_knobs} knobs · ${data.n_stages} stages · ${count(data.n_evaluations)} evaluations`));
  node.replaceChildren(element("div", { class: "fastbp" }, header, cards, footer()));
  return tuning;
}

function player(tuning, keys) {
  const stepBy = (by) => {
    tuning.set({ playing: null });
    tuning.move(by);
  };
  const atEnd = () => tuning.frame === tuning.length - 1;
  const actions = {
    play: () => tuning.set(tuning.playing ? { playing: null } : { playing: "looks", frame: atEnd() ? 0 : tuning.frame }),
    rewind: () => tuning.set({ frame: 0, playing: null }),
    back: () => stepBy(-1),
    on: () => stepBy(1),
  };
  const buttons = transport(actions);
  const draw = () => buttons.draw({ playing: tuning.playing !== null, atStart: tuning.frame === 0, atEnd: atEnd() });
  draw();
  tuning.onChange(draw);
  listenToKeys(actions, keys);
  const many = Math.min(1, 60 / tuning.length); // of many looks, each is shorter
  keepTime(tuning, () => tuning.move(1), () => buttons.pace() * many);
  return element("div", { class: "player", role: "toolbar", "aria-label": "Play the tuning" }, buttons.node);
}

const PURPOSES = {
  start: { phase: "forward", title: "First settings", says: "Every stage is run with the settings to begin with, and observed." },
  repeat: { phase: "forward", title: "The same again", says: "What differs between two looks at the same settings is noise." },
  probe: { phase: "backward", title: "A knob is moved, to learn", says: "A change divided by a change is a sensitivity: nobody needs the formula of the pipes." },
  move: { phase: "update", title: "A move towards the target", says: "Every knob moves against the error, in proportion to how sensitive the error is to it. What the move changed gives the next sensitivities." },
};

function lookView(tuning) {
  const spoken = element("div", { "aria-live": "polite", "aria-atomic": "true", class: "spoken" });
  const numbers = element("div", {});
  const node = element("section", { class: "card idea", "aria-label": "The current look" }, spoken, numbers);
  const draw = () => {
    const { phase, title, says } = PURPOSES[tuning.purpose];
    node.dataset.phase = phase;
    const rule = tuning.purpose === "move" ? "{update:Δ knob} = − {update:η} × {loss:dE/dy} × {backward:dy/dknob}" : tuning.purpose === "probe" ? "{backward:dy/dx} = {forward:Δ y} / {forward:Δ x}" : "{loss:E}, from what is observed and the target";
    spoken.replaceChildren(element("p", { class: "phase" }, `Evaluation ${count(tuning.data.evaluation[tuning.frame])} of ${count(tuning.data.n_evaluations)}`),
      element("h2", {}, title), element("p", {}, says), element("p", { class: "rule" }, formula(rule)));
    numbers.replaceChildren(element("div", { class: "worked" }, changes(tuning).map((line) => element("p", {}, formula(line)))), table(tuning));
  };
  draw();
  tuning.onChange((changed) => changed.has("frame") && draw());
  return node;
}

/** A change divided by a change, for each stage of which one input changed since the last look. */
function changes(tuning) {
  if (!tuning.followsOnTheLast || tuning.purpose === "repeat") return [];
  return tuning.data.stages.flatMap((stage) => {
    const sources = tuning.changed(tuning.inputs(stage));
    if (sources.length !== 1) return [];
    const [source] = sources;
    const [y, before] = [tuning.observed(stage), tuning.observed(stage, tuning.frame - 1)];
    const [x, was] = [tuning.observed(source), tuning.observed(source, tuning.frame - 1)];
    const slope = (y.value - before.value) / (x.value - was.value);
    return [[slopeOf(stage, source), " ≈ (", y, " − ", ...inBrackets(before), ") / (", x, " − ", ...inBrackets(was), ") = ", { value: slope, of: null, role: "backward" }]];
  });
}

/** A sensitivity as it is written; names are the user's words. */
function slopeOf(stage, source) {
  return { words: `d ${stage} / d ${source}`, role: "backward" };
}

function table(tuning) {
  const { frame: at, data } = tuning;
  const cell = (one) => element("td", {}, quantity(one));
  const empty = () => element("td", {});
  const row = (title, ones) => element("tr", {}, element("th", { scope: "row" }, title), ones);
  const rows = tuning.names.map((name) => {
    const target = data.target[name];
    return row(name, [at ? cell(tuning.observed(name, at - 1)) : empty(), cell(tuning.observed(name)),
      target === undefined ? empty() : cell({ value: target, of: `target.${name}`, role: "loss" })]);
  });
  rows.push(row("error E", [at ? cell(tuning.error(at - 1)) : empty(), cell(tuning.error()), empty()]));
  const head = ["name", at ? `look ${data.evaluation[at - 1]}` : "before", `look ${data.evaluation[at]}`, "target"];
  return element("div", { class: "scrolls", tabindex: 0, role: "region", "aria-label": "Numbers of this look" },
    element("table", {}, element("thead", {}, element("tr", {}, head.map((title) => element("th", { scope: "col" }, title)))), element("tbody", {}, rows)));
}

function errorView(tuning) {
  const { data } = tuning;
  const picture = element("div", { class: "drawing" });
  const slider = element("input", { type: "range", min: 0, max: tuning.length - 1, step: 1, "aria-label": "Evaluation", input: () => tuning.set({ frame: Number(slider.value), playing: null }) });
  const kept = tuning.length < data.n_evaluations ? ` ${tuning.length} of ${count(data.n_evaluations)} evaluations fit into this page.` : "";
  let place = () => {};
  const width = onWidth(picture, () => {
    const points = data.evaluation.map((n, k) => [n, data.error[k] ?? NaN]);
    const label = `Error against evaluations, from ${number(points[0][1])} to ${number(points.at(-1)[1])}`;
    const made = curvePicture(width(), { points, names: ["evaluation", "error"], label, stops: data.evaluation, go: (at) => tuning.set({ frame: at, playing: null }) });
    picture.replaceChildren(made.svg);
    place = () => made.place(data.evaluation[tuning.frame], data.error[tuning.frame]);
    place();
  });
  const draw = () => {
    slider.value = tuning.frame;
    slider.setAttribute("aria-valuetext", `evaluation ${data.evaluation[tuning.frame]}, error ${number(data.error[tuning.frame])}`);
    place();
  };
  draw();
  tuning.onChange(draw);
  return card("curve", "The error, look by look", picture, element("div", { class: "scrub" }, slider), element("p", { class: "quiet" }, `Drag along the curve, or use the slider.${kept}`));
}

function chainsView(tuning) {
  const lines = element("div", { class: "worked" });
  const draw = () => {
    const known = tuning.chains().filter((way) => way.every(([stage, source]) => !Number.isNaN(tuning.sensitivity(stage, source).value)));
    const none = element("p", {}, "Nothing has been measured yet: a knob must be moved first.");
    lines.replaceChildren(...(known.length ? known.flatMap((way) => chained(tuning, way)).map((line) => element("p", {}, formula(line))) : [none]));
  };
  draw();
  tuning.onChange((changed) => changed.has("frame") && draw());
  return card("chains", "Sensitivities, chained backwards",
    element("p", { class: "quiet" }, "From each knob to the target, the sensitivities on the way, as known after this look, are multiplied: the chain rule, with measured factors."),
    lines);
}

/** The product of the sensitivities on a way from a knob to a target, in lines of a formula. */
function chained(tuning, way) {
  const [target, knob] = [way[0][0], way.at(-1)[1]];
  const factors = way.map(([stage, source]) => tuning.sensitivity(stage, source));
  const product = factors.reduce((value, one) => value * one.value, 1);
  const symbols = way.flatMap(([stage, source], k) => (k ? [" × ", slopeOf(stage, source)] : [slopeOf(stage, source)]));
  const left = slopeOf(target, knob);
  const value = { value: product, of: null, role: "backward" };
  if (way.length === 1) return [[left, " = ", ...factors]];
  return [[left, " = ", ...symbols], ["= ", ...factors.flatMap((one, k) => (k ? [" × ", ...inBrackets(one)] : [one])), " = ", value]];
}

function footer() {
  const key = (role, name) => element("li", {}, element("span", { class: `swatch role-${role}` }), name);
  return element("footer", {}, element("ul", { class: "legend" }, key("positive", "positive"), key("negative", "negative"), key("forward", "observed"), key("loss", "error and target"), key("backward", "sensitivities"), key("update", "knobs")),
    element("p", { class: "quiet" }, "Keys: → and ← one look on or back, space plays, Home rewinds. Numbers are printed in five digits; point at one for all of them."));
}
