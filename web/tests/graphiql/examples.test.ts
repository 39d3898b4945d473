import { parse } from "graphql";
import { expect, test } from "vitest";
import { EXAMPLES } from "../../src/graphiql/examples";

test.each(EXAMPLES)("example %# has one named operation", ({ query }) => {
  const { definitions } = parse(query ?? "");
  expect(definitions).toMatchObject([{ kind: "OperationDefinition", name: { kind: "Name" } }]);
});

test("values are shown as JSON", () => {
  const queries = EXAMPLES.map(({ query }) => query ?? "");
  expect(queries.filter((query) => /^ *json$/m.test(query))).toHaveLength(3);
  expect(queries.filter((query) => /^ *value$/m.test(query))).toEqual([]);
});
