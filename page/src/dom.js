// Elements, and formulas as text with a little markup. All text goes through text nodes.

import { number } from "./number.js";

const SVG = "http://www.w3.org/2000/svg";

/** Returns an element; attributes that are functions are listeners, null ones are left out. */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Returns an SVG root of a size in CSS pixels. */
export function drawing(width, height, attributes = {}) {
  const node = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, ...attributes })) {
    node.setAttribute(key, value);
  }
  return node;
}

/** Returns a small picture of one path on a field of 20 by 20. */
export function icon(path) {
  const node = drawing(20, 20, { class: "picture", "aria-hidden": "true" });
  node.append(document.createElementNS(SVG, "path"));
  node.firstChild.setAttribute("d", path);
  return node;
}

/**
 * Returns a formula as a node. In the text {role:x} has the colour of a role (forward, loss, backward,
 * update, weight), ^2^ is raised and _j lowered. Beside texts there may be quantities of the step:
 * { value, of, role }, where `of` says which number of the trace it is; and words of the user's, which
 * are taken as they are: { words, role }.
 */
export function formula(...parts) {
  const node = element("span", { class: "formula" });
  for (const part of parts.flat()) {
    if (typeof part === "string") node.append(...marked(part));
    else if ("words" in part) node.append(element("span", { class: `role-${part.role}` }, part.words));
    else node.append(quantity(part));
  }
  return node;
}

/** Returns a number in print, which carries the number itself and where it comes from. */
export function quantity({ value, of, role }) {
  const text = number(value);
  return element(
    "data",
    { value: String(value), class: role ? `role-${role}` : null, "data-of": of, title: Number.isFinite(value) ? String(value) : null },
    text,
  );
}

function marked(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(/\{(\w+):([^}]*)\}|\^([^^]+)\^|_(\w+)/g)) {
    nodes.push(document.createTextNode(text.slice(from, match.index)));
    const [whole, role, inner, raised, lowered] = match;
    if (role) nodes.push(element("span", { class: `role-${role}` }, ...marked(inner)));
    else nodes.push(element(raised ? "sup" : "sub", {}, raised ?? lowered));
    from = match.index + whole.length;
  }
  nodes.push(document.createTextNode(text.slice(from)));
  return nodes;
}

/** Returns a list of sections' heading and body: a card of the page. */
export function card(id, title, ...children) {
  return element("section", { class: `card ${id}`, "aria-labelledby": `fastbp-${id}` }, element("h2", { id: `fastbp-${id}` }, title), ...children);
}

/** Calls a function with an element's width in pixels, now and whenever it changes. */
export function onWidth(node, draw) {
  let last = 0;
  const observer = new ResizeObserver(() => {
    const width = Math.floor(node.clientWidth);
    if (width > 0 && width !== last) draw((last = width));
  });
  observer.observe(node);
  return () => last;
}
