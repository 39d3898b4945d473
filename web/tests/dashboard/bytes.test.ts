import { expect, test } from "vitest";
import * as bytes from "../../src/dashboard/model/bytes";
import { randomOf } from "./support";

test("an id is base64url without padding, as in the service", () => {
  expect(bytes.idOf("//79/A==")).toBe("__79_A");
  expect(bytes.base64OfId("__79_A")).toBe("//79/A==");
});

test("any bytes round-trip", () => {
  const random = randomOf(1);
  for (let length = 0; length < 40; length++) {
    const raw = Uint8Array.from({ length }, () => random() * 256);
    const base64 = bytes.base64OfBytes(raw);
    expect(bytes.bytesOf(base64)).toEqual(raw);
    expect(bytes.base64OfId(bytes.idOf(base64))).toBe(base64);
    expect(bytes.byteLength(base64)).toBe(length);
    expect(bytes.isId(bytes.idOf(base64))).toBe(length > 0);
  }
});

test("only UTF-8 bytes are text", () => {
  expect(bytes.textOf(bytes.base64OfText("ü😀\ufeff"))).toBe("ü😀\ufeff");
  expect(bytes.textOf("/w==")).toBeNull();
});

test("bytes of a key that are not UTF-8 are shown as in the service", () => {
  const raw = Uint8Array.of(0x61, 0xff, 0xc3, 0xbc, 0xc3, 0xf0, 0x9f, 0x98, 0x80, 0xe2);
  expect(bytes.keyOf(bytes.base64OfBytes(raw))).toBe("a\\xffü\\xc3😀\\xe2");
});

test("many hexadecimal bytes are truncated", () => {
  expect(bytes.hexOf("AQL/", 8)).toBe("01 02 ff");
  expect(bytes.hexOf("AQL/AQL/", 4)).toBe("01 02 ff 01 …");
});

test("text that the service would not produce is not an id", () => {
  for (const text of ["", "!", "a", "__79_A=", "__79_B"]) expect(bytes.isId(text)).toBe(false);
});

test("a key of which something would be invisible has a label that shows it", () => {
  expect(bytes.labelOf("oven")).toBe("oven");
  expect(bytes.labelOf("an oven")).toBe("an oven");
  expect(bytes.labelOf("")).toBe("(empty key)");
  expect(bytes.labelOf(" \t")).toBe('" \\t"');
  expect(bytes.labelOf("oven ")).toBe('"oven "');
  expect(bytes.labelOf("\u200d")).toBe('"\u200d"');
  expect(bytes.labelOf("\u3164")).toBe('"\u3164"');
  expect(bytes.labelOf("\0")).toBe("\\x00");
  expect(bytes.labelOf("\u200b")).toBe("\\u200b");
  expect(bytes.labelOf("rtl\u202egnp")).toBe("rtl\\u202egnp");
});
