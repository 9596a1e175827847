import assert from "node:assert/strict";
import { test } from "node:test";
import { count, number, parsed, short } from "../src/number.js";

test("numbers are printed in five significant digits", () => {
  for (const [value, text] of [
    [0, "0"], [-0, "0"], [1, "1"], [-0.123456, "−0.12346"], [12345.6, "12346"], [99999.9, "1e5"], [123456, "1.2346e5"],
    [0.0001, "0.0001"], [0.000012345678, "1.2346e−5"], [-1e-300, "−1e−300"], [1e21, "1e21"], [0.1 + 0.2, "0.3"],
    [NaN, "not finite"], [Infinity, "not finite"], [null, "not finite"], [undefined, "not finite"],
  ]) assert.equal(number(value), text);
});

test("what is printed says the number again, to five digits", () => {
  for (const value of [1 / 3, -2e-9, 31415.9, 7e300]) assert.equal(parsed(number(value)), Number(value.toPrecision(5)));
});

test("labels have at most five characters but for the sign", () => {
  for (const [value, text] of [
    [0.5, "0.5"], [-0.123, "−0.12"], [0.0421, "0.042"], [3.14159, "3.14"], [-998.7, "−999"], [999.6, "1e3"], [0.00994, "1e−2"],
    [0, "0"], [NaN, "?"],
  ]) assert.equal(short(value), text);
  for (let e = -300; e <= 300; e++) assert.ok(short(-7.3 * 10 ** e).length <= 7);
});

test("thousands are set apart", () => {
  assert.equal(count(101770), "101\u202f770");
  assert.equal(count(999), "999");
});
