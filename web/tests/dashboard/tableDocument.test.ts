import { parse, print } from "graphql";
import { expect, test } from "vitest";
import { CHANGES, HISTORY, STATUS, UPDATES } from "../../src/dashboard/model/operations";
import { tableDocument } from "../../src/dashboard/model/tableDocument";

const ALL = [UPDATES, CHANGES, HISTORY, STATUS].map(String);

test.each(ALL)("the only table of a service is asked by %s as it is", (document) => {
  expect(tableDocument(document, null)).toBe(document);
});

test.each([
  [UPDATES, "updates", "orderItemsUpdates"],
  [CHANGES, "updates", "orderItemsUpdates"],
  [HISTORY, "value", "orderItemsValue"],
])(
  "a named table is asked by its own root field, and nothing else differs: %s",
  (document, field, own) => {
    const asked = print(parse(tableDocument(document.toString(), "orderItems")));
    expect(asked).toContain(`{\n  ${field}: ${own}(`);
    expect(asked.replace(`${field}: ${own}(`, `${field}(`)).toBe(print(parse(document.toString())));
  },
);

test("the status is of the service, whatever the table", () => {
  expect(tableDocument(STATUS.toString(), "orderItems")).toBe(STATUS.toString());
});

test("typed data is asked of entries and revisions, and of nothing else", () => {
  const data = "data { id_ }";
  expect(tableDocument(UPDATES.toString(), null, data)).toMatch(
    /entry \{\s+value\(encoding: BASE64\) data \{ id_ \}/,
  );
  const changes = tableDocument(CHANGES.toString(), "orders", data);
  expect(changes.match(/data \{ id_ \}/g)).toHaveLength(1);
  const history = tableDocument(HISTORY.toString(), "orders", data);
  expect(history.match(/data \{ id_ \}/g)).toHaveLength(1);
  expect(history).toMatch(
    /timestamp\s+value\(encoding: BASE64\) \.\.\. on OrdersRevision \{ data \{ id_ \} \}/,
  );
  expect(() => parse(history)).not.toThrow();
});
