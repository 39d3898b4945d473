import { expect, test } from "vitest";
import { parseDeepLink, withoutDeepLink } from "../../src/graphiql/deepLink";

test("an address without a query is not a deep link", () => {
  expect(parseDeepLink("")).toBeNull();
  expect(parseDeepLink("?query=%20&variables={}")).toBeNull();
});

test("a query alone has no variables and no operation name", () => {
  const link = parseDeepLink("?query=%7B%20status%20%7B%20topic%20%7D%20%7D");
  expect(link).toEqual({ query: "{ status { topic } }", variables: "", operationName: null });
});

test("variables are indented", () => {
  const link = parseDeepLink(`?query=q&variables=${encodeURIComponent('{"key":"a"}')}`);
  expect(link?.variables).toBe('{\n  "key": "a"\n}');
});

test("variables that are not JSON are unchanged", () => {
  expect(parseDeepLink("?query=q&variables={key")?.variables).toBe("{key");
});

test("the operation name is read", () => {
  expect(parseDeepLink("?query=q&operationName=Watch")?.operationName).toBe("Watch");
});

test("only the parameters of the link are removed from the address", () => {
  const href = "http://host/graphql?query=q&variables=v&operationName=o&keep=1#top";
  expect(withoutDeepLink(href)).toBe("http://host/graphql?keep=1#top");
});
