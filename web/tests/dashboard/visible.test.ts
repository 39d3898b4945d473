import { expect, test } from "vitest";
import { visible, visibleLines } from "../../src/dashboard/model/visible";

test.each([
  ["plain text", "plain text"],
  ["\x1b[31m\x07\x7f\x9b", "\\x1b[31m\\x07\\x7f\\x9b"],
  ["one\r\n\ttwo", "one\\r\\n\\ttwo"],
  ["\u2028\u2029\u202e\u2066\ufeff\u00ad", "\\u2028\\u2029\\u202e\\u2066\\ufeff\\xad"],
  ["\u{e0041}", "\\u{e0041}"],
  ["مفتاح, می\u200cخواهم, 👩\u200d🚀", "مفتاح, می\u200cخواهم, 👩\u200d🚀"],
])("%j is shown on one line with all of its characters", (text, shown) => {
  expect(visible(text)).toBe(shown);
});

test("text in lines keeps its lines and tabs only", () => {
  expect(visibleLines("one\r\n\ttwo\nthree\rfour\u202e\0")).toBe(
    "one\r\n\ttwo\nthree\\rfour\\u202e\\x00",
  );
});
