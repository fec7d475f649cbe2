// A kind that nobody has heard of: its description is all that the API needs to serve it in full.
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createAdmission } from "../../../controller/admission/create-admission.ts";
import { ensureDefaultNamespace } from "../../../controller/admission/namespace-rules.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { openSqlite } from "../../../controller/store/sqlite.ts";
import { customResourceDefinition } from "../../../crds/definition.ts";
import { KINDS } from "../../../crds/kinds.ts";
import { AGE_COLUMN, type KindDef } from "../../../crds/resource.ts";
import { virtualClock } from "../../virtual-clock.ts";
import { DEFAULTS, lines, type TestApi, testApi } from "../test-api.ts";

const kettle: KindDef = {
  group: "kitchen.example",
  version: "v1beta1",
  kind: "Kettle",
  plural: "kettles",
  singular: "kettle",
  shortNames: ["ket"],
  categories: ["all"],
  scope: "Namespaced",
  description: "Boils water.",
  fields: {
    spec: z.strictObject({ degrees: z.int().max(100).default(95).describe("How hot.") }),
    status: z.strictObject({ boils: z.boolean() }),
  },
  columns: [{ name: "Degrees", type: "integer", jsonPath: ".spec.degrees" }, AGE_COLUMN],
  immutable: [],
};
const ROOT = "/apis/kitchen.example/v1beta1";
const HOME = `${ROOT}/namespaces/default/kettles`;
const one = (name: string, spec: object = {}) => ({
  apiVersion: "kitchen.example/v1beta1",
  kind: "Kettle",
  metadata: { name },
  spec,
});

describe("a new kind", () => {
  let api: TestApi;
  beforeAll(async () => {
    const kinds = [...KINDS, kettle];
    const clock = virtualClock();
    const random = seededRandom(1);
    const { store } = await openSqlite({ file: ":memory:", clock, random });
    const admission = createAdmission({ store, kinds, defaults: DEFAULTS, random });
    await ensureDefaultNamespace(admission);
    api = await testApi({ store, admission, kinds, clock });
  });

  test("is found: discovery in both forms, OpenAPI, and a CRD", async () => {
    const { body } = await api.send("GET", ROOT);
    expect(body.resources).toMatchObject([{ name: "kettles", shortNames: ["ket"] }, { name: "kettles/status" }]);
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    const groups = (await api.send("GET", "/apis", undefined, { accept })).body.items as unknown as object[];
    expect(groups).toContainEqual(expect.objectContaining({ metadata: { name: "kitchen.example" } }));
    const { components } = (await api.send("GET", `/openapi/v3${ROOT}`)).body as unknown as { components: object };
    expect(components).toMatchObject({
      schemas: {
        "example.kitchen.v1beta1.Kettle": { properties: { spec: { properties: { degrees: { default: 95 } } } } },
      },
    });
    expect(customResourceDefinition(kettle).metadata).toEqual({ name: "kettles.kitchen.example" });
  });

  test("is made, filled in, checked, shown as a table, patched, watched and deleted", async () => {
    const watching = lines(await api.api.request(`${HOME}?watch=true`));
    const made = await api.send("POST", HOME, one("k"));
    expect([made.status, made.body.spec]).toEqual([201, { degrees: 95 }]);
    const hot = await api.send("POST", HOME, one("hot", { degrees: 120 }));
    expect([hot.status, hot.body.message]).toEqual([422, expect.stringContaining("spec.degrees: Invalid value: 120")]);
    const unknown = await api.send("POST", HOME, one("typo", { degreess: 1 }));
    expect([unknown.status, unknown.body.message]).toEqual([400, expect.stringContaining('did you mean "degrees"')]);
    const accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
    const table = (await api.send("GET", HOME, undefined, { accept })).body as unknown as {
      rows: { cells: unknown[] }[];
    };
    expect(table.rows.map(({ cells }) => cells.slice(0, 2))).toEqual([["k", 95]]);
    const merge = { "content-type": "application/merge-patch+json" };
    expect((await api.send("PATCH", `${HOME}/k`, { spec: { degrees: 80 } }, merge)).body.metadata.generation).toBe(2);
    expect((await api.send("PATCH", `${HOME}/k/status`, { status: { boils: true } }, merge)).body.status).toEqual({
      boils: true,
    });
    expect((await api.send("DELETE", `${HOME}/k`)).status).toBe(200);
    const types: unknown[] = [];
    for (let each = 0; each < 4; each += 1) types.push(((await watching.next()) as { type: string }).type);
    expect(types).toEqual(["ADDED", "MODIFIED", "MODIFIED", "DELETED"]);
    await watching.cancel();
  });
});
