// What is unlike other steps in the step shown: a refused one, or one of a batch.

import { count } from "./number.js";

const REFUSED =
  "This step is refused: it leads to numbers that are not finite, or to a loss beyond all bounds. The weights after it are those before.";

/** Returns sentences about the update of the step shown. */
export function remarksOnStep({ step, isEdited }) {
  const { n_rows: nRows, refused } = step;
  const remarks = [];
  if (refused && !isEdited) remarks.push(REFUSED);
  if (nRows > 1) {
    remarks.push(`Training moved along the mean of ${count(nRows)} rows here; this is what the first of them alone would do.`);
  }
  return remarks;
}
