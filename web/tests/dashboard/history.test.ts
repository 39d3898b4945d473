import { expect, test } from "vitest";
import {
  KeyHistory,
  pastVersionOf,
  type Version,
  versionOf,
} from "../../src/dashboard/model/history";
import { change } from "./support";

const version = (offset: number, partition = 0): Version => ({
  partition,
  offset,
  timestampMs: null,
  raw: "",
  headers: null,
});

test("earlier versions are inserted before later ones without duplicates", () => {
  const history = new KeyHistory(10);
  history.push(version(5));
  history.push(version(6));
  const added = history.seed([version(3), version(4), version(5)]);
  expect(added.map(({ offset }) => offset)).toEqual([3, 4]);
  expect(history.versions.map(({ offset }) => offset)).toEqual([3, 4, 5, 6]);
  expect(history.state).toBe("loaded");
});

test("the same offset in two partitions is two versions", () => {
  const history = new KeyHistory(10);
  history.push(version(1, 0));
  history.push(version(1, 1));
  expect(history.versions).toHaveLength(2);
});

test("the oldest versions are dropped", () => {
  const history = new KeyHistory(3);
  for (let offset = 0; offset < 9; offset++) history.push(version(offset));
  expect(history.versions.map(({ offset }) => offset)).toEqual([6, 7, 8]);
});

test("a deleted version has no value, unlike an empty one", () => {
  expect(versionOf(change("DELETE", "a", null)).raw).toBeNull();
  expect(versionOf(change("SET", "a", "")).raw).toBe("");
});

test("a past version is the same as the update that announced it", () => {
  for (const update of [
    change("SET", "a", "1", 3),
    change("SET", "a", "", 4),
    change("DELETE", "a", null, 5),
  ]) {
    const { kind, timestamp, entry } = update;
    const revision = {
      kind,
      partition: 0,
      offset: update.offset ?? 0,
      timestamp,
      value: entry?.value ?? null,
      headers: [{ key: "by", value: null }],
    };
    const { headers, ...version } = pastVersionOf(revision);
    expect(versionOf(update)).toEqual({ ...version, headers: null });
    expect(headers).toEqual(revision.headers);
  }
});
