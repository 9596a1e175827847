// The controls: rewind, back, play, step; phases to jump to; what keys do.

import { element, icon } from "./dom.js";
import { PHASES } from "./ideas.js";

const PACES = { slow: 3600, normal: 2000, fast: 900 }; // milliseconds an idea
const [PLAY, PAUSE] = ["M6 4l10 6-10 6z", "M7 4v12M13 4v12"];
const TRAINING = 24; // times as fast, when training is played

export function playerView(store) {
  const button = (label, symbol, action) =>
    element("button", { type: "button", class: "icon", "aria-label": label, title: label, click: action }, icon(symbol));
  const play = button("Play", PLAY, () => toggle(store, "ideas"));
  const rewind = button("Rewind", "M5 4v12M16 4L7 10l9 6z", () => store.set({ idea: 0, frame: 0, playing: null }));
  const back = button("Back", "M13 4L6 10l7 6", () => stepBy(store, -1));
  const on = button("Step", "M7 4l7 6-7 6", () => stepBy(store, 1));
  const pace = element("select", { "aria-label": "Pace" }, Object.keys(PACES).map((name) => element("option", { value: name, selected: name === "normal" }, name)));
  const phases = PHASES.map((phase) =>
    element("button", { type: "button", class: "jump", "data-phase": phase.name, title: phase.says, click: () => jump(store, phase.name) },
      phase.title, element("span", { class: "ticks", "aria-hidden": "true" }, store.ideas.filter((one) => one.phase === phase.name).map(() => element("i"))),
    ),
  );
  const node = element("div", { class: "player", role: "toolbar", "aria-label": "Play the step" },
    element("div", { class: "buttons" }, rewind, back, play, on, pace),
    element("div", { class: "phases" }, phases));
  const draw = () => {
    const playing = store.playing === "ideas";
    play.replaceChildren(icon(playing ? PAUSE : PLAY));
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    play.title = playing ? "Pause" : "Play";
    back.disabled = store.idea === 0 && store.frame === 0;
    on.disabled = store.idea === store.ideas.length - 1 && store.frame === store.steps.length - 1;
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
  keepTime(store, () => PACES[pace.value]);
  return node;
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

/** Goes on while it plays, an idea or a recorded step at a time. */
function keepTime(store, pace) {
  let timer = null;
  const tick = () => {
    timer = null;
    if (!store.playing) return;
    if (store.playing === "training") {
      if (store.frame + 1 >= store.steps.length) return store.set({ playing: null });
      store.set({ frame: store.frame + 1 });
    } else if (!store.move(1)) return store.set({ playing: null });
    wait();
  };
  const wait = () => {
    timer = setTimeout(tick, store.playing === "training" ? Math.max(40, pace() / TRAINING) : pace());
  };
  store.onChange((changed) => {
    if (!changed.has("playing")) return;
    clearTimeout(timer);
    if (store.playing) wait();
  });
}

/** Arrow keys, space and Home, where no control wants them for itself. */
export function listenToKeys(store, target) {
  target.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const within = event.composedPath()[0];
    if (within.closest?.("input, select, button, textarea, .scrolls, [role=button]")) return;
    const action = {
      ArrowRight: () => stepBy(store, 1),
      ArrowLeft: () => stepBy(store, -1),
      " ": () => toggle(store, "ideas"),
      Home: () => store.set({ idea: 0, frame: 0, playing: null }),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
