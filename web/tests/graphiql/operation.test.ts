import { expect, test } from "vitest";
import { operationOf } from "../../src/graphiql/operation";

const TWO = "query One { a } subscription Two { b }";

test.each([
  ["the one with the given name", TWO, "Two", "Two"],
  ["the only one if no name is given", "query Only { a }", null, "Only"],
  ["the only one if another name is given", "query Only { a }", "Gone", "Only"],
  ["none of several if another name is given", TWO, "Gone", undefined],
  ["none of a document that cannot be parsed", "query {", "One", undefined],
])("the operation to run is %s", (_means, query, asked, expected) => {
  expect(operationOf(query, asked)?.name?.value).toBe(expected);
});

test("fragments are not operations", () => {
  expect(operationOf("{ ...F } fragment F on Query { a }", undefined)?.operation).toBe("query");
});
