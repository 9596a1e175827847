// Where the cards of a page stand: one below the other, or in two columns where there is room.

import { element, onWidth } from "./dom.js";

const ROOM = 900; // pixels, for two columns

/** Returns an element that holds cards, { node, column }, given in reading order. */
export function arranged(cards) {
  const columns = [0, 1].map(() => element("div", { class: "column" }));
  const node = element("div", { class: "cards" }, columns);
  const arrange = (isWide) => {
    node.classList.toggle("wide", isWide);
    columns.forEach((column, k) => {
      const own = cards.filter((one) => (isWide ? one.column : 0) === k);
      column.replaceChildren(...own.map((one) => one.node));
    });
  };
  arrange(false);
  onWidth(node, (width) => {
    const isWide = width >= ROOM;
    if (isWide !== node.classList.contains("wide")) arrange(isWide);
  });
  return node;
}
