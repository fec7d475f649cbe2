// What clients are told, word for word: the Status of every reason, and the table of every kind. A change of one shows in the
// file beside this one, and is then meant.
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { KINDS } from "../../../crds/kinds.ts";
import { apiVersionOf } from "../../../crds/resource.ts";
import { INSTANCES, instance, type TestApi, testApi } from "../test-api.ts";

const FOLDER = join(import.meta.dirname, "golden");
const MERGE = { "content-type": "application/merge-patch+json" };
const APPLY = { "content-type": "application/apply-patch+yaml" };
const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
  await api.send("POST", INSTANCES, instance("box"));
});

/** What differs from run to run. */
function plain(body: unknown): string {
  const text = JSON.stringify(body, null, 2);
  return `${text.replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f-]{22}/g, "UID").replace(/("resourceVersion": )"\\d+"/g, '$1"RV"')}\n`;
}

type Request = readonly [method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>];

const ssa = (spec: object) => ({ ...instance("ssa", spec) });
const REFUSALS: Readonly<Record<string, Request>> = {
  "400 body": ["POST", INSTANCES, "{"],
  "400 selector": ["GET", `${INSTANCES}?labelSelector=a%20in%20(`],
  "400 namespace": ["POST", INSTANCES, instance("x", {}, { namespace: "other" })],
  "400 unknown field": ["POST", INSTANCES, instance("x", { imagee: "y" })],
  "404 object": ["GET", `${INSTANCES}/nobody`],
  "404 path": ["GET", "/apis/fly.lightfast.ai/v1/namespaces/default/nothings"],
  "405": ["PUT", INSTANCES, instance("x")],
  "406": ["GET", INSTANCES, undefined, { accept: "text/html" }],
  "409 already exists": ["POST", INSTANCES, instance("box")],
  "409 conflict": ["PUT", `${INSTANCES}/box`, instance("box", {}, { resourceVersion: "1" })],
  "409 precondition": ["DELETE", `${INSTANCES}/box`, { preconditions: { uid: "other" } }],
  "415": ["POST", INSTANCES, "x", { "content-type": "text/plain" }],
  "415 strategic": ["PATCH", `${INSTANCES}/box`, {}, { "content-type": "application/strategic-merge-patch+json" }],
  "422 one cause": ["POST", INSTANCES, instance("x", { memoryMb: 300 })],
  "422 several causes": ["POST", INSTANCES, instance("X_", { region: "nowhere", ttl: "-1s" })],
  "422 update without a revision": ["PUT", `${INSTANCES}/box`, instance("box")],
  "422 apply without a manager": ["PATCH", `${INSTANCES}/ssa`, ssa({}), APPLY],
  "422 match": ["GET", `${INSTANCES}?resourceVersionMatch=Exact`],
  "504 revision to come": ["GET", `${INSTANCES}?resourceVersion=999999`],
};

test.each(Object.entries(REFUSALS))("%s", async (name, [method, path, body, headers]) => {
  const answer = await api.send(method, path, body, headers);
  expect(answer.status).toBe(Number(name.slice(0, 3)));
  expect(answer.body).toMatchObject({ kind: "Status", apiVersion: "v1", status: "Failure", code: answer.status });
  await expect(plain(answer.body)).toMatchFileSnapshot(join(FOLDER, `${name.replaceAll(" ", "-")}.json`));
});

test("401, with a key that is not shown", async () => {
  const keyed = await testApi({ apiKey: "a-key-for-tests" });
  const { status, body } = await keyed.send("GET", INSTANCES);
  expect(status).toBe(401);
  await expect(plain(body)).toMatchFileSnapshot(join(FOLDER, "401.json"));
});

test("409 conflict of two who apply", async () => {
  await api.send("PATCH", `${INSTANCES}/ssa?fieldManager=alice`, ssa({ ttl: "1h" }), APPLY);
  const { status, body } = await api.send("PATCH", `${INSTANCES}/ssa?fieldManager=bob`, ssa({ ttl: "2h" }), APPLY);
  expect(status).toBe(409);
  await expect(plain(body)).toMatchFileSnapshot(join(FOLDER, "409-apply.json"));
});

test("413, a body beyond the bound", async () => {
  const { status, body } = await api.send("POST", INSTANCES, instance("x", { image: "y".repeat(4_000_000) }));
  expect(status).toBe(413);
  await expect(plain(body)).toMatchFileSnapshot(join(FOLDER, "413.json"));
});

test("422 a finalizer that comes during deletion", async () => {
  await api.send("POST", INSTANCES, instance("held", {}, { finalizers: ["example.com/a"] }));
  await api.send("DELETE", `${INSTANCES}/held`);
  const more = { metadata: { finalizers: ["example.com/a", "example.com/b"] } };
  const { status, body } = await api.send("PATCH", `${INSTANCES}/held`, more, MERGE);
  expect(status).toBe(422);
  await expect(plain(body)).toMatchFileSnapshot(join(FOLDER, "422-finalizer.json"));
});

test.each(KINDS.map((kind) => [kind.kind, kind] as const))("the columns of %s", async (_, kind) => {
  const root = kind.group === "" ? "/api/v1" : `/apis/${apiVersionOf(kind)}`;
  const { body } = await api.send("GET", `${root}/${kind.plural}`, undefined, TABLE);
  expect(body.kind).toBe("Table");
  await expect(plain(body.columnDefinitions)).toMatchFileSnapshot(join(FOLDER, `table-${kind.plural}.json`));
});
