// What is unlike other steps in the step shown: a refused one, one of a batch, the end of a training that diverged.

import { count } from "./number.js";

const REFUSED =
  "This step is refused: it leads to numbers that are not finite, or to a loss beyond all bounds. The weights after it are those before.";
const DIVERGED =
  "Training diverged: in its last epoch the loss grew beyond all bounds, or a weight was no longer finite. It stopped, and the last finite weights from before are kept.";

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

/** Returns sentences about the step shown and the training that it is of. */
export function remarks(store) {
  return [...remarksOnStep(store), ...(store.steps.data.diverged ? [DIVERGED] : [])];
}
