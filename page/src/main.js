// What runs: a page that stands alone starts itself, a notebook's widget is rendered by anywidget.

import { mount } from "./page.js";
import style from "./style.css";
import { mountTuning } from "./tuning-page.js";

const SYNCED = ["frame", "idea"]; // that Python may read and set

function start(node, data, keys) {
  try {
    return (data.format === "fastbp.tuning/1" ? mountTuning : mount)(node, data, keys);
  } catch (error) {
    const message = document.createElement("p");
    message.className = "failed";
    message.setAttribute("role", "alert");
    message.textContent = `This page cannot be shown: ${error.message}. The numbers themselves are in Python all the same.`;
    node.replaceChildren(message);
    console.error(error);
    return null;
  }
}

function styled(parent) {
  const sheet = document.createElement("style");
  sheet.textContent = style;
  parent.append(sheet);
}

/** Renders a widget in a shadow tree, so that neither style touches the other; returns what ends it. */
function render({ model, el }) {
  const shadow = el.attachShadow({ mode: "open" });
  styled(shadow);
  let node = null; // a new one for every page: it has the page's listeners for keys
  let store = null;
  const end = () => {
    store?.set({ playing: null });
    node?.remove();
    [node, store] = [null, null];
  };
  const show = () => {
    end();
    node = document.createElement("div");
    shadow.append(node);
    store = start(node, JSON.parse(model.get("page")), node);
    store?.onChange((changed) => {
      const moved = SYNCED.filter((name) => changed.has(name));
      for (const name of moved) model.set(name, store[name]);
      if (moved.length) model.save_changes();
    });
    follow();
  };
  const follow = () => {
    store?.goTo({ frame: model.get("frame"), idea: model.get("idea") });
  };
  show();
  const handlers = [["change:page", show], ...SYNCED.map((name) => [`change:${name}`, follow])];
  for (const [event, handler] of handlers) model.on(event, handler);
  return () => {
    for (const [event, handler] of handlers) model.off(event, handler);
    end();
  };
}

export default { render };

const holder = document.getElementById("fastbp-data");
if (holder) {
  styled(document.head);
  start(document.getElementById("fastbp-page"), JSON.parse(holder.textContent), document);
}
