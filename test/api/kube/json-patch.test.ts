// RFC 6902, by the cases of its appendix that a manifest meets.
import { describe, expect, test } from "vitest";
import { jsonPatch } from "../../../api/kube/json-patch.ts";

describe("an operation", () => {
  test.each([
    ["adds a member", { a: 1 }, [{ op: "add", path: "/b", value: 2 }], { a: 1, b: 2 }],
    ["replaces by adding", { a: 1 }, [{ op: "add", path: "/a", value: 2 }], { a: 2 }],
    ["inserts into a list", { l: [1, 3] }, [{ op: "add", path: "/l/1", value: 2 }], { l: [1, 2, 3] }],
    ["appends to a list", { l: [1] }, [{ op: "add", path: "/l/-", value: 2 }], { l: [1, 2] }],
    ["removes from a list", { l: [1, 2] }, [{ op: "remove", path: "/l/0" }], { l: [2] }],
    ["replaces in a list", { l: [1, 2] }, [{ op: "replace", path: "/l/0", value: 9 }], { l: [9, 2] }],
    ["reaches into a list", { l: [{ a: 1 }] }, [{ op: "replace", path: "/l/0/a", value: 2 }], { l: [{ a: 2 }] }],
    ["moves", { a: 1, b: {} }, [{ op: "move", from: "/a", path: "/b/c" }], { b: { c: 1 } }],
    ["copies", { a: { x: 1 } }, [{ op: "copy", from: "/a", path: "/b" }], { a: { x: 1 }, b: { x: 1 } }],
    [
      "reads ~1 and ~0",
      { "a/b": 1, "c~d": 1 },
      [
        { op: "remove", path: "/a~1b" },
        { op: "remove", path: "/c~0d" },
      ],
      {},
    ],
    [
      "tests without regard to the order of keys",
      { a: { x: 1, y: 2 } },
      [{ op: "test", path: "/a", value: { y: 2, x: 1 } }],
      { a: { x: 1, y: 2 } },
    ],
    ["adds null", {}, [{ op: "add", path: "/a", value: null }], { a: null }],
  ])("%s", (_, document, patch, expected) => {
    const before = structuredClone(document);
    expect(jsonPatch(document, patch)).toEqual(expected);
    expect(document).toEqual(before);
  });
});

describe("what is refused", () => {
  test.each([
    ["a patch that is no list", {}, { op: "add" }, "must be an array"],
    ["an unknown operation", {}, [{ op: "append", path: "/a" }], 'unknown operation "append"'],
    ["a path that is no pointer", {}, [{ op: "add", path: "a", value: 1 }], "JSON pointer"],
    ["an operation without its value", {}, [{ op: "add", path: "/a" }], "lacks its value"],
    ["removing nothing", {}, [{ op: "remove", path: "/a" }], "there is nothing at /a"],
    ["a parent that is not there", {}, [{ op: "add", path: "/a/b", value: 1 }], "there is nothing at /a"],
    ["an index beyond the list", { l: [1] }, [{ op: "add", path: "/l/5", value: 1 }], "no index"],
    ["an index with a leading zero", { l: [1, 2] }, [{ op: "add", path: "/l/01", value: 1 }], "no index"],
    ["a member of a text", { a: "x" }, [{ op: "add", path: "/a/b", value: 1 }], "cannot be set there"],
    ["a prototype", {}, [{ op: "add", path: "/__proto__", value: { x: 1 } }], "cannot be set there"],
    ["what an object inherits", {}, [{ op: "copy", from: "/constructor", path: "/a" }], "there is nothing at"],
  ])("%s", (_, document, patch, says) => {
    expect(() => jsonPatch(document, patch)).toThrow(says);
  });
});
