import { expect, test } from "vitest";
import { operationOf } from "../../src/graphiql/operation";

const TWO = "query One { a } subscription Two { b }";

test.each([
  ["the one asked for", TWO, "Two", "Two"],
  ["the only one, where none is asked for", "query Only { a }", null, "Only"],
  ["the only one, where another is asked for", "query Only { a }", "Gone", "Only"],
  ["none of several, where none of them is asked for", TWO, "Gone", undefined],
  ["none of a document that cannot be parsed", "query {", "One", undefined],
])("running a document means %s", (_means, query, asked, expected) => {
  expect(operationOf(query, asked)?.name?.value).toBe(expected);
});

test("fragments are no operations", () => {
  expect(operationOf("{ ...F } fragment F on Query { a }", undefined)?.operation).toBe("query");
});
