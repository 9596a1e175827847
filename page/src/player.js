// The controls: rewind, back, play, step; phases to jump to; what keys do.

import { element, icon } from "./dom.js";
import { PHASES } from "./ideas.js";

const PACES = { slow: 3600, normal: 2000, fast: 900 }; // milliseconds an idea
const [PLAY, PAUSE] = ["M6 4l10 6-10 6z", "M7 4v12M13 4v12"];
const TRAINING = 24; // times as fast, when training is played

export function playerView(store, keys) {
  const actions = {
    play: () => toggle(store, "ideas"),
    rewind: () => store.set({ idea: 0, frame: 0, playing: null }),
    back: () => stepBy(store, -1),
    on: () => stepBy(store, 1),
  };
  const buttons = transport(actions);
  listenToKeys(actions, keys);
  const phases = PHASES.map((phase) =>
    element("button", { type: "button", class: "jump", "data-phase": phase.name, title: phase.says, click: () => jump(store, phase.name) },
      phase.title, element("span", { class: "ticks", "aria-hidden": "true" }, store.ideas.filter((one) => one.phase === phase.name).map(() => element("i"))),
    ),
  );
  const node = element("div", { class: "player", role: "toolbar", "aria-label": "Play the step" },
    buttons.node, element("div", { class: "phases" }, phases));
  const draw = () => {
    const atStart = store.idea === 0 && store.frame === 0;
    const atEnd = store.idea === store.ideas.length - 1 && store.frame === store.steps.length - 1;
    buttons.draw({ playing: store.playing === "ideas", atStart, atEnd });
    for (const one of phases) {
      const isNow = one.dataset.phase === store.currentIdea.phase;
      if (isNow) one.setAttribute("aria-current", "step");
      else one.removeAttribute("aria-current");
      const first = store.ideas.findIndex(({ phase }) => phase === one.dataset.phase);
      [...one.querySelectorAll("i")].forEach((tick, k) => tick.classList.toggle("done", first + k <= store.idea));
    }
  };
  draw();
  store.onChange(draw);
  keepTime(store, (playing) => advance(store, playing), (playing) => (playing === "training" ? buttons.pace() / TRAINING : buttons.pace()));
  return node;
}

/** Buttons to play, rewind and step, and a pace; `draw` shows what can be done. */
export function transport(actions) {
  const button = (label, symbol, action) =>
    element("button", { type: "button", class: "icon", "aria-label": label, title: label, click: action }, icon(symbol));
  const play = button("Play", PLAY, actions.play);
  const rewind = button("Rewind", "M5 4v12M16 4L7 10l9 6z", actions.rewind);
  const back = button("Back", "M13 4L6 10l7 6", actions.back);
  const on = button("Step", "M7 4l7 6-7 6", actions.on);
  const pace = element("select", { "aria-label": "Pace" }, Object.keys(PACES).map((name) => element("option", { value: name, selected: name === "normal" }, name)));
  return {
    node: element("div", { class: "buttons" }, rewind, back, play, on, pace),
    pace: () => PACES[pace.value],
    draw: ({ playing, atStart, atEnd }) => {
      play.replaceChildren(icon(playing ? PAUSE : PLAY));
      play.title = playing ? "Pause" : "Play";
      play.setAttribute("aria-label", play.title);
      back.disabled = atStart;
      on.disabled = atEnd;
    },
  };
}

function stepBy(store, by) {
  store.set({ playing: null });
  store.move(by);
}

export function toggle(store, what) {
  if (store.playing === what) return store.set({ playing: null });
  const atEnd = store.frame === store.steps.length - 1 && (what === "training" || store.idea === store.ideas.length - 1);
  if (atEnd) store.set(what === "training" ? { frame: 0 } : { idea: 0 });
  store.set({ playing: what });
}

function jump(store, phase) {
  store.set({ idea: store.ideas.findIndex((one) => one.phase === phase), playing: null });
}

/** Goes an idea, or a recorded step, on. False at the end. */
function advance(store, playing) {
  if (playing !== "training") return store.move(1);
  if (store.frame + 1 >= store.steps.length) return false;
  store.set({ frame: store.frame + 1 });
  return true;
}

/** Calls `advance` again and again while something is played, until it says that there is no more. */
export function keepTime(store, advance, pace) {
  let timer = null;
  const wait = () => {
    timer = setTimeout(tick, Math.max(40, pace(store.playing)));
  };
  const tick = () => {
    if (!store.playing) return;
    if (advance(store.playing)) wait();
    else store.set({ playing: null });
  };
  store.onChange((changed) => {
    if (!changed.has("playing")) return;
    clearTimeout(timer);
    if (store.playing) wait();
  });
}

/** Arrow keys, space and Home, where no control wants them for itself: a button wants space alone. */
export function listenToKeys(actions, target) {
  target.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const within = event.composedPath()[0];
    if (within.closest?.("input, select, textarea, .scrolls, [role=button]")) return;
    if (within.closest?.("button") && event.key === " ") return;
    const action = { ArrowRight: actions.on, ArrowLeft: actions.back, " ": actions.play, Home: actions.rewind }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
