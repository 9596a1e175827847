// Numbers as they are printed: five significant digits, as in the derivations of the terminal.

const DIGITS = 5;

/** Returns a number in five digits, such as 0.33 or 1.5e-7; "not finite" for null and NaN. */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "not finite";
  if (value === 0) return "0"; // -0 as well
  const rounded = Number(value.toPrecision(DIGITS));
  const size = Math.abs(rounded);
  if (size >= 1e-4 && size < 10 ** DIGITS) return minus(String(rounded));
  const [digits, exponent] = rounded.toExponential().split("e");
  return minus(`${digits}e${exponent.replace("+", "")}`);
}

/** Returns a number in at most five characters but for its sign, for labels that have little room. */
export function short(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "?";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 0.00995 || size >= 999.5) return minus(value.toExponential(0).replace("+", ""));
  return minus(String(Number(value.toPrecision(size < 1 ? 2 : 3))));
}

/** Returns 1 234 567 with thin spaces between the thousands. */
export function count(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function minus(text) {
  return text.replaceAll("-", "\u2212");
}

/** Returns what a printed number says, to compare it with the number that it stands for. */
export function parsed(text) {
  return Number(text.replaceAll("\u2212", "-"));
}
