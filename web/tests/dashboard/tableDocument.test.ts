import { parse, print } from "graphql";
import { expect, test } from "vitest";
import {
  CHANGES,
  HISTORY,
  KEY,
  LOOK_UP,
  STATUS,
  UPDATES,
} from "../../src/dashboard/model/operations";
import { TEXT } from "../../src/dashboard/model/shape";
import { tableDocument } from "../../src/dashboard/model/tableDocument";
import { orders, places } from "./schema";

const ENTRY = "... on Entry";

test.each([UPDATES, CHANGES, STATUS, LOOK_UP].map(String))(
  "the only table of a service is asked by %s as it is",
  (document) => {
    expect(tableDocument(document, null, TEXT)).toBe(document);
  },
);

test.each([HISTORY, KEY].map(String))("an entry is asked by its type in %s", (document) => {
  expect(tableDocument(document, null, TEXT).replace(ENTRY, "... on AnyEntry")).toBe(document);
});

test.each([
  [UPDATES, "updates", "orderItemsUpdates"],
  [CHANGES, "updates", "orderItemsUpdates"],
  [LOOK_UP, "value", "orderItemsValue"],
])(
  "a named table is asked by its own root field, and nothing else differs: %s",
  (document, field, own) => {
    const asked = print(parse(tableDocument(document.toString(), "orderItems", TEXT)));
    expect(asked).toContain(`{\n  ${field}: ${own}(`);
    expect(asked.replace(`${field}: ${own}(`, `${field}(`)).toBe(print(parse(document.toString())));
  },
);

test("the status is of the service, whatever the table", () => {
  expect(tableDocument(STATUS.toString(), "orderItems", places())).toBe(STATUS.toString());
});

test("typed data is asked of entries and revisions, and of nothing else", () => {
  const { data } = orders();
  const shape = { data, keys: null, hasJsonKeys: false };
  const text = data?.text ?? "";
  expect(text).toMatch(/^data \{ id_ /);
  const count = (document: string) => document.split(text).length - 1;
  expect(tableDocument(UPDATES.toString(), null, shape)).toContain(
    `value(encoding: BASE64) ${text}`,
  );
  expect(count(tableDocument(CHANGES.toString(), "orders", shape))).toBe(1);
  const history = tableDocument(HISTORY.toString(), "orders", shape);
  expect(count(history)).toBe(1);
  expect(history).toContain(`value(encoding: BASE64) ... on OrdersRevision { ${text} }`);
  expect(() => parse(history)).not.toThrow();
});

test("typed keys are asked as such, without what only text has", () => {
  const asked = tableDocument(UPDATES.toString(), "places", places());
  expect(() => parse(asked)).not.toThrow();
  expect(asked).toContain("$keys: [PlacesKeyInput!],");
  expect(asked).toContain(`key(encoding: BASE64) ${places().keys?.text ?? "none"}`);
  expect(asked).not.toMatch(/prefix|keyEncoding/);
  const lookUp = tableDocument(LOOK_UP.toString(), "places", places());
  expect(lookUp).toContain("$key: PlacesKeyInput!");
  expect(lookUp).toContain("placesValue(key: $key)");
  expect(tableDocument(KEY.toString(), "places", places())).toContain("... on PlacesEntry {");
});
