import { expect, test } from "vitest";
import * as bytes from "../../src/dashboard/model/bytes";
import { randomOf } from "./support";

test("ids are those of the service: base64url without padding", () => {
  expect(bytes.idOf("//79/A==")).toBe("__79_A");
  expect(bytes.base64OfId("__79_A")).toBe("//79/A==");
});

test("any bytes survive", () => {
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

test("text is text, and other bytes are not", () => {
  expect(bytes.textOf(bytes.base64OfText("ü😀\ufeff"))).toBe("ü😀\ufeff");
  expect(bytes.textOf("/w==")).toBeNull();
});

test("a key shows its bytes that are not UTF-8 as the service does", () => {
  const raw = Uint8Array.of(0x61, 0xff, 0xc3, 0xbc, 0xc3, 0xf0, 0x9f, 0x98, 0x80, 0xe2);
  expect(bytes.keyOf(bytes.base64OfBytes(raw))).toBe("a\\xffü\\xc3😀\\xe2");
});

test("bytes in hexadecimal are cut where there are many", () => {
  expect(bytes.hexOf("AQL/", 8)).toBe("01 02 ff");
  expect(bytes.hexOf("AQL/AQL/", 4)).toBe("01 02 ff 01 …");
});

test("what the service would not write is no id", () => {
  for (const text of ["", "!", "a", "__79_A=", "__79_B"]) expect(bytes.isId(text)).toBe(false);
});
