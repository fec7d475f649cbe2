// Tables: columns, cells, ages.
import { expect, test } from "vitest";
import { age } from "../../../api/kube/age.ts";
import { jsonPath } from "../../../api/kube/json-path.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { KINDS } from "../../../crds/kinds.ts";
import { INSTANCES, instance, testApi } from "../test-api.ts";

const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

test.each([
  [-5 * S, "0s"],
  [119 * S, "119s"],
  [2 * M, "2m"],
  [3 * M + 20 * S, "3m20s"],
  [10 * M + 20 * S, "10m"],
  [179 * M, "179m"],
  [3 * H + 5 * M, "3h5m"],
  [9 * H + 5 * M, "9h"],
  [47 * H, "47h"],
  [4 * D + 2 * H, "4d2h"],
  [8 * D, "8d"],
  [729 * D, "729d"],
  [730 * D, "2y"],
  [3 * 365 * D + 5 * D, "3y5d"],
  [9 * 365 * D, "9y"],
])("an age of %i ms is %s", (ms, text) => {
  expect(age(ms)).toBe(text);
});

test.each([
  ["a member", ".a.b", [1]],
  ["what is not there", ".a.x.y", []],
  ["an index", ".list[1].name", ["two"]],
  ["all of a list", ".list[*].name", ["one", "two"]],
  ["a filter", '.list[?(@.name=="two")].value', [2]],
  ["a quoted member", ".a['with.dot']", [3]],
])("JSONPath: %s", (_, path, expected) => {
  const object = {
    a: { b: 1, "with.dot": 3 },
    list: [
      { name: "one", value: 1 },
      { name: "two", value: 2 },
    ],
  };
  expect(jsonPath(path)(object)).toEqual(expected);
});

test("a path that cannot be read is an error when it is compiled", () => {
  expect(() => jsonPath(".a[(@.length-1)]")).toThrow("cannot read the JSONPath");
  for (const kind of KINDS) for (const column of kind.columns) jsonPath(column.jsonPath);
});

test("a list as a table has the columns of the kind and the age as text", async () => {
  const api = await testApi();
  await api.send("POST", INSTANCES, instance("box"));
  const condition = {
    type: "Ready",
    status: "True",
    reason: "Ready",
    message: "",
    observedGeneration: 1,
    lastTransitionTime: "",
  };
  await api.store.updateStatus(instanceKind, { namespace: "default", name: "box" }, () => ({
    conditions: [condition],
  }));
  await api.clock.advance(200_000);
  const { body } = await api.send("GET", INSTANCES, undefined, { accept: TABLE });
  const columns = (body.columnDefinitions as { name: string; priority: number }[]).map(
    ({ name, priority }) => `${name}:${priority}`,
  );
  expect(columns.slice(0, 3)).toEqual(["Name:0", "Ready:0", "Reason:0"]);
  expect(columns).toContain("Image:1");
  const [row] = body.rows as { cells: unknown[]; object: object }[];
  expect(row?.cells.slice(0, 3)).toEqual(["box", "True", "Ready"]);
  expect(row?.cells.at(-1)).toBe("3m20s");
  expect(row?.object).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "box" } });
});

test("includeObject says what comes with each row", async () => {
  const api = await testApi();
  await api.send("POST", INSTANCES, instance("box"));
  const rows = async (include: string) => {
    const { body } = await api.send("GET", `${INSTANCES}?includeObject=${include}`, undefined, { accept: TABLE });
    return (body.rows as { object?: { kind: string } }[]).map((row) => row.object?.kind);
  };
  expect([await rows("None"), await rows("Metadata"), await rows("Object")]).toEqual([
    [undefined],
    ["PartialObjectMetadata"],
    ["Instance"],
  ]);
});
