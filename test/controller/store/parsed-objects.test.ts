import { expect, test } from "vitest";
import { parsedObjects } from "../../../controller/store/parsed-objects.ts";

/** A history in which revision n holds an object of that name, and every look at its text is counted. */
function history(head: () => number, maxChars?: number) {
  const read: number[] = [];
  const bodies = new Map([1, 2, 3, 4].map((revision) => [revision, body(revision)]));
  const bodyOf = (revision: number) => {
    read.push(revision);
    return bodies.get(revision);
  };
  return { read, bodies, objects: parsedObjects(bodyOf, head, maxChars) };
}

function body(revision: number): string {
  return JSON.stringify({ kind: "Widget", metadata: { name: `w-${revision}`, labels: { a: "b" } } });
}

test("an object is parsed once for all who read it, and is the same for them", () => {
  const { read, objects } = history(() => 4);
  const first = objects.at(1);
  expect(objects.at(1)).toBe(first);
  expect(objects.of(1, body(1))).toBe(first);
  expect(read).toEqual([1]);
  expect(first?.metadata.name).toBe("w-1");
});

test("an object is frozen to its leaves", () => {
  const object = history(() => 4).objects.at(1);
  expect(() => Object.assign(object?.metadata.labels ?? {}, { a: "c" })).toThrow(TypeError);
});

test("a revision of a transaction under way is not held: it may come to hold another object", () => {
  let head = 1;
  const { bodies, objects } = history(() => head);
  expect(objects.at(2)?.metadata.name).toBe("w-2");
  bodies.set(2, body(9));
  expect(objects.at(2)?.metadata.name).toBe("w-9");
  head = 2;
  expect(objects.at(2)).toBe(objects.at(2));
});

test("what is held is bounded, and the least lately read goes first", () => {
  const { read, objects } = history(() => 4, 2 * body(1).length);
  for (const revision of [1, 2, 1, 3]) objects.at(revision);
  expect(read).toEqual([1, 2, 3]);
  objects.at(1);
  expect(read, "1 was read after 2").toEqual([1, 2, 3]);
  objects.at(2);
  expect(read).toEqual([1, 2, 3, 2]);
});

test("a revision that is compacted holds nothing", () => {
  expect(history(() => 9).objects.at(8)).toBeUndefined();
});
