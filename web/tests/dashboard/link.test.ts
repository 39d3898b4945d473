import { expect, test } from "vitest";
import { base64OfText, idOf } from "../../src/dashboard/model/bytes";
import { SERIES_MAX } from "../../src/dashboard/model/limits";
import {
  EMPTY_LINK,
  formatLink,
  linkAmong,
  type LinkState,
  parseLink,
} from "../../src/dashboard/model/link";
import { randomOf } from "./support";

const id = (key: string) => idOf(base64OfText(key));

test("a new page has an empty link", () => {
  expect(formatLink(EMPTY_LINK)).toBe("");
  expect(parseLink("")).toEqual(EMPTY_LINK);
});

test("a link is readable and can be written by hand", () => {
  const link: LinkState = {
    table: "figures",
    prefix: "cpu/",
    sort: { by: "rate", descending: true },
    key: id("cpu/0"),
    pins: [id("memory"), id("a b&c")],
    charts: [
      [
        { id: id("cpu/0"), pointer: "/percent" },
        { id: id("cpu/1"), pointer: "/percent" },
      ],
      [{ id: id("temperature"), pointer: "" }],
    ],
    spanSeconds: 600,
    boardPercent: 45,
  };
  const search =
    "?table=figures&prefix=cpu/&sort=-rate&key=cpu/0&pin=memory&pin=a%20b%26c" +
    "&plot=cpu/0~~/percent&with=cpu/1~~/percent&plot=temperature~~&span=600&board=45";
  expect(formatLink(link)).toBe(search);
  expect(parseLink(search)).toEqual(link);
});

test("a link without a table is about the first, and keeps all else", () => {
  const link = parseLink("?prefix=a/&pin=b");
  expect(linkAmong(link, ["orders", "items"])).toEqual({ ...link, table: "orders" });
  expect(linkAmong(link, [null])).toBe(link);
});

test("a link to a table keeps it", () => {
  const link = parseLink("?table=items&pin=b");
  expect(linkAmong(link, ["orders", "items"])).toBe(link);
});

test.each([["orders"], [null]])(
  "nothing of a link to a table that is not there is about %s",
  (first) => {
    const link = parseLink("?table=removed&prefix=a/&key=b&pin=b&plot=b~~/c");
    expect(linkAmong(link, [first])).toEqual({ ...EMPTY_LINK, table: first });
  },
);

test("a key that is not text, or looks like an id, is written as its id", () => {
  const link = { ...EMPTY_LINK, key: "__79", pins: [id("id:x"), ""] };
  const search = formatLink({ ...link, pins: [id("id:x")] });
  expect(search).toBe("?key=id:__79&pin=id:aWQ6eA");
  expect(parseLink(search)).toEqual({ ...link, pins: [id("id:x")] });
});

test("a key with control characters, as of numbers, is written as its id", () => {
  const link = { ...EMPTY_LINK, key: "AAAAAAAAACo" };
  expect(formatLink(link)).toBe("?key=id:AAAAAAAAACo");
  expect(parseLink("?key=id:AAAAAAAAACo")).toEqual(link);
});

test("the empty key is written as its empty id", () => {
  const link = { ...EMPTY_LINK, key: "", pins: [""], charts: [[{ id: "", pointer: "/a" }]] };
  const search = formatLink(link);
  expect(search).toBe("?key=id:&pin=id:&plot=id:~~/a");
  expect(parseLink(search)).toEqual(link);
});

test("invalid parts are ignored", () => {
  const search = "?sort=-size&key=id:%21&pin=&plot=nothing&with=a~~/b&span=5&board=99&other=1";
  expect(parseLink(search)).toEqual({
    ...EMPTY_LINK,
    charts: [[{ id: id("a"), pointer: "/b" }]],
  });
});

test("pins and plots have no duplicates and are limited", () => {
  const plots = Array.from({ length: 100 }, (_, i) => `plot=k${String(i % 60)}~~/v`).join("&");
  const { pins, charts } = parseLink(`?pin=a&pin=b&pin=a&${plots}`);
  expect(pins).toEqual([id("a"), id("b")]);
  expect(charts).toHaveLength(SERIES_MAX);
});

test.each(Array.from({ length: 40 }, (_, seed) => [seed]))(
  "any state round-trips through its link, seed %i",
  (seed) => {
    const random = randomOf(seed);
    const letters = [
      "a",
      "/",
      "~",
      "~~",
      "&",
      "=",
      "%",
      "+",
      " ",
      "#",
      "ü",
      "😀",
      "id:",
      "\\",
      "?",
    ];
    const text = (length: number) =>
      Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join("");
    const pointer = () => (random() < 0.3 ? "" : `/${text(2).replaceAll("~", "~0")}`);
    const plot = (name: string) => ({ id: id(`${name}${text(3)}`), pointer: pointer() });
    const link: LinkState = {
      table: random() < 0.3 ? null : text(2),
      prefix: text(3),
      sort: { by: "changed", descending: random() < 0.5 },
      key: id(text(4)),
      pins: [id(`1${text(2)}`), id(`2${text(2)}`)],
      charts: [[plot("1"), plot("2")], [plot("3")]],
      spanSeconds: 1800,
      boardPercent: null,
    };
    expect(parseLink(formatLink(link))).toEqual(link);
  },
);
