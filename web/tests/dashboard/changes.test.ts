import { expect, test } from "vitest";
import { changesOf } from "../../src/dashboard/model/changes";
import { parseJson } from "../../src/dashboard/model/json";

function changes(before: string, after: string, piecesMax = 9): string {
  const [old, now] = [parseJson(before), parseJson(after)];
  if (old === undefined || now === undefined) throw new Error("not JSON");
  return changesOf(old, now, piecesMax)
    .map(({ text }) => text)
    .join(" ");
}

test("only what differs is a change, however deep", () => {
  expect(changes('{"a":1,"b":{"c":[1,2],"d":"x"}}', '{"a":1,"b":{"c":[1,3],"d":"x"}}')).toBe(
    "b.c.1 3",
  );
  expect(changes('{"a":1}', '{"a":1}')).toBe("");
  expect(changes('{"a":{}}', '{"a":{}}')).toBe("");
});

test("parts that were added, removed or of another type are changes", () => {
  expect(changes('{"a":1,"b":2}', '{"b":2,"c":{"d":1}}')).toBe("c {1} a removed");
  expect(changes('{"a":1}', '{"a":"1"}')).toBe("a 1");
  expect(changes('{"a":[]}', '{"a":{}}')).toBe("a {0}");
  expect(changes('{"a":null}', "{}")).toBe("a removed");
  expect(changes('{"a":{"b":1}}', '{"a":null}')).toBe("a null");
});

test("numbers differ by how they are written", () => {
  expect(changes('{"a":9007199254740993}', '{"a":9007199254740992}')).toBe("a 9007199254740992");
  expect(changes('{"a":1.50}', '{"a":1.50}')).toBe("");
});

test("names of prototypes are names like any other", () => {
  expect(changes('{"constructor":1}', '{"toString":2}')).toBe("toString 2 constructor removed");
});

test("many changes are cut", () => {
  expect(changes("[1,2,3]", "[4,5,6]", 2)).toBe("0 4 …");
});
