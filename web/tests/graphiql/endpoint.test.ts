import { expect, test } from "vitest";
import { endpointBeside } from "../../src/graphiql/endpoint";

test("a page over HTTP uses ws", () => {
  expect(endpointBeside("http://host:8000/graphql?query=q#top")).toEqual({
    http: "http://host:8000/graphql",
    socket: "ws://host:8000/graphql",
  });
});

test("a page over HTTPS uses wss", () => {
  expect(endpointBeside("https://host/graphql").socket).toBe("wss://host/graphql");
});

test("a path prefix is kept", () => {
  expect(endpointBeside("https://host/kvs/graphql").http).toBe("https://host/kvs/graphql");
});
