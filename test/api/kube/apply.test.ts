// Server-side apply and who manages which field, over the Kubernetes-style endpoints: the shapes are those of Kubernetes.
import { beforeEach, describe, expect, test } from "vitest";
import { instanceKind } from "../../../crds/instance.ts";
import { type Answer, type Body, INSTANCES, instance, type TestApi, testApi } from "../test-api.ts";

const APPLY = { "content-type": "application/apply-patch+yaml" };
const MERGE = { "content-type": "application/merge-patch+json" };
const JSON_PATCH = { "content-type": "application/json-patch+json" };
const BOX = `${INSTANCES}/box`;
const API_VERSION = "fly.lightfast.ai/v1";

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
});

const apply = (manager: string, spec: object, query = "", metadata: object = {}) =>
  api.send("PATCH", `${BOX}?fieldManager=${manager}${query}`, instance("box", spec, metadata), APPLY);

function managed({ body }: { readonly body: Body }) {
  const { managedFields } = body.metadata as { readonly managedFields?: readonly Record<string, unknown>[] };
  return managedFields ?? [];
}

/** Managers with what they have, without times. */
function owners(answer: { readonly body: Body }) {
  return managed(answer).map(({ manager, operation, fieldsV1 }) => [manager, operation, fieldsV1]);
}

function done(answer: Answer) {
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer;
}

describe("what is refused", () => {
  const body = instance("box", { region: "iad" });
  test.each([
    {
      reason: "without a manager",
      request: ["PATCH", BOX, body, APPLY] as const,
      code: 422,
      status: {
        reason: "Invalid",
        message: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        details: {
          group: "meta.k8s.io",
          kind: "PatchOptions",
          causes: [
            {
              reason: "FieldValueRequired",
              message: "Required value: is required for apply patch",
              field: "fieldManager",
            },
          ],
        },
      },
    },
    {
      reason: "a manager's name that cannot be printed",
      request: ["PATCH", `${BOX}?fieldManager=a%07`, body, APPLY] as const,
      code: 422,
      status: { details: { causes: [{ reason: "FieldValueInvalid", field: "fieldManager" }] } },
    },
    {
      reason: "force without apply",
      request: ["PATCH", `${BOX}?force=true`, { spec: { region: "iad" } }, MERGE] as const,
      code: 422,
      status: { message: expect.stringContaining("force: Forbidden: may not be specified for non-apply patch") },
    },
    {
      reason: "managedFields in what is applied",
      request: ["PATCH", `${BOX}?fieldManager=a`, instance("box", {}, { managedFields: [] }), APPLY] as const,
      code: 400,
      status: { reason: "BadRequest", message: expect.stringContaining("metadata.managedFields must be nil") },
    },
    {
      reason: "another name than the URL's",
      request: ["PATCH", `${BOX}?fieldManager=a`, instance("other"), APPLY] as const,
      code: 400,
      status: { reason: "BadRequest" },
    },
    {
      reason: "another namespace than the URL's",
      request: ["PATCH", `${BOX}?fieldManager=a`, instance("box", {}, { namespace: "other" }), APPLY] as const,
      code: 400,
      status: { reason: "BadRequest" },
    },
    {
      reason: "no kind, though one is stored",
      request: ["PATCH", `${BOX}?fieldManager=a`, { metadata: { name: "box" } }, APPLY] as const,
      code: 400,
      status: { reason: "BadRequest" },
    },
    {
      reason: "an unknown field",
      request: ["PATCH", `${BOX}?fieldManager=a`, instance("box", { imagee: "x" }), APPLY] as const,
      code: 400,
      status: { message: expect.stringContaining('unknown field "spec.imagee"') },
    },
    {
      reason: "a field that stands twice",
      request: ["PATCH", `${BOX}?fieldManager=a`, '{"kind":"Instance","kind":"Instance"}', APPLY] as const,
      code: 400,
      status: { message: expect.stringContaining('duplicate field "kind"') },
    },
    {
      reason: "a revision that is over",
      request: ["PATCH", `${BOX}?fieldManager=a`, instance("box", {}, { resourceVersion: "1" }), APPLY] as const,
      code: 409,
      status: { reason: "Conflict", message: expect.stringContaining("the object has been modified") },
    },
    {
      reason: "a revision of an object that is not there",
      request: [
        "PATCH",
        `${INSTANCES}/new?fieldManager=a`,
        instance("new", {}, { resourceVersion: "1" }),
        APPLY,
      ] as const,
      code: 409,
      status: { reason: "Conflict" },
    },
    {
      reason: "the status of an object that is not there",
      request: [
        "PATCH",
        `${INSTANCES}/new/status?fieldManager=a`,
        { ...instance("new"), status: { message: "hello" } },
        APPLY,
      ] as const,
      code: 404,
      status: { reason: "NotFound" },
    },
  ])("$reason", async ({ request: [method, path, sent, headers], code, status }) => {
    await api.send("POST", INSTANCES, instance("box"));
    const answer = await api.send(method, path, sent, headers);
    expect([answer.status, answer.body]).toMatchObject([code, { kind: "Status", code, ...status }]);
  });

  test("a list whose items cannot be told apart, with its path", async () => {
    const steps = [
      { name: "a", run: "x" },
      { name: "a", run: "y" },
    ];
    const workflow = { apiVersion: API_VERSION, kind: "Workflow", metadata: { name: "w" }, spec: { steps } };
    const path = `${INSTANCES.replace("instances", "workflows")}/w?fieldManager=a`;
    const answer = await api.send("PATCH", path, workflow, APPLY);
    expect(answer).toMatchObject({
      status: 422,
      body: {
        reason: "Invalid",
        details: {
          kind: "Workflow",
          name: "w",
          causes: [{ field: "spec.steps", message: 'duplicate entries for key [name="a"]' }],
        },
      },
    });
  });
});

describe("apply", () => {
  test("creates what is not there: 201, and its manager has what it named, defaults not", async () => {
    const created = await apply("alice", { region: "iad", env: { A: "1" } });
    expect(created.status).toBe(201);
    expect(created.body.spec).toMatchObject({ image: "ubuntu:22.04" });
    expect(managed(created)).toEqual([
      {
        manager: "alice",
        operation: "Apply",
        apiVersion: API_VERSION,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        fieldsType: "FieldsV1",
        fieldsV1: { "f:spec": { "f:env": { "f:A": {} }, "f:region": {} } },
      },
    ]);
    expect(owners(await api.send("GET", BOX))).toEqual(owners(created));
  });

  test("the same again answers 200 and moves neither revision nor time", async () => {
    const created = await apply("alice", { region: "iad" });
    await api.clock.advance(60_000);
    const again = await apply("alice", { region: "iad" });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(created.body);
  });

  test("a conflict names the manager and the field; force takes the field over", async () => {
    await apply("alice", { region: "iad", size: "shared-cpu-1x" });
    const refused = await apply("bob", { size: "shared-cpu-2x" });
    expect([refused.status, refused.body]).toEqual([
      409,
      {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        message: 'Apply failed with 1 conflict: conflict with "alice": .spec.size',
        reason: "Conflict",
        details: {
          causes: [{ reason: "FieldManagerConflict", message: 'conflict with "alice"', field: ".spec.size" }],
        },
        code: 409,
      },
    ]);
    const forced = done(await apply("bob", { size: "shared-cpu-2x" }, "&force=true"));
    expect(forced.body.metadata.generation).toBe(2);
    expect(owners(forced)).toEqual([
      ["alice", "Apply", { "f:spec": { "f:region": {} } }],
      ["bob", "Apply", { "f:spec": { "f:size": {} } }],
    ]);
  });

  test("what its only manager no longer names is removed, what another has stays", async () => {
    await apply("alice", { env: { A: "1", B: "2" } }, "", { labels: { team: "a", tier: "x" } });
    await apply("bob", { env: { B: "2" } });
    const { body } = done(await apply("alice", {}, "", { labels: { team: "a" } }));
    expect(body.spec.env).toEqual({ B: "2" });
    expect(body.metadata.labels).toEqual({ team: "a" });
  });

  test("steps of a workflow merge by name", async () => {
    const path = `${INSTANCES.replace("instances", "workflows")}/w`;
    const steps = (manager: string, ...names: readonly string[]) =>
      api.send(
        "PATCH",
        `${path}?fieldManager=${manager}`,
        {
          apiVersion: API_VERSION,
          kind: "Workflow",
          metadata: { name: "w" },
          spec: { instances: { main: {} }, steps: names.map((name) => ({ name, run: "true" })) },
        },
        APPLY,
      );
    await steps("alice", "a", "b");
    await steps("bob", "c");
    const { body } = done(await steps("alice", "b"));
    expect(body.spec.steps).toMatchObject([{ name: "b" }, { name: "c" }]);
  });

  test("a dry run answers all of it and keeps nothing", async () => {
    const created = await apply("alice", { region: "iad" }, "&dryRun=All");
    expect([created.status, owners(created)]).toEqual([201, [["alice", "Apply", { "f:spec": { "f:region": {} } }]]]);
    expect((await api.send("GET", BOX)).status).toBe(404);
    const { body } = await apply("alice", { size: "shared-cpu-1x" });
    await apply("alice", { size: "shared-cpu-2x" }, "&dryRun=All");
    expect((await api.send("GET", BOX)).body).toEqual(body);
  });

  test("the body may be YAML", async () => {
    const yaml = `apiVersion: ${API_VERSION}\nkind: Instance\nmetadata:\n  name: box\nspec:\n  region: ord # near\n`;
    const answer = await api.send("PATCH", `${BOX}?fieldManager=a`, yaml, APPLY);
    expect([answer.status, answer.body.spec.region]).toEqual([201, "ord"]);
  });

  test("an unknown field is let through with a warning where the client asks for it", async () => {
    const answer = await apply("alice", { imagee: "x" }, "&fieldValidation=Warn");
    expect([answer.status, answer.headers.get("warning")]).toEqual([201, expect.stringContaining("spec.imagee")]);
  });

  test("with the revision that is stored it is done", async () => {
    const { body } = await apply("alice", { env: { A: "1" } });
    const { uid, resourceVersion } = body.metadata;
    done(await apply("alice", { env: { A: "2" } }, "", { uid, resourceVersion }));
  });

  test("what nobody manages was there before the first apply, and is not changed without force", async () => {
    await api.admission.create(instanceKind, instance("box", { size: "shared-cpu-1x" }, { namespace: "default" }));
    const refused = await apply("alice", { size: "shared-cpu-2x" });
    expect([refused.status, refused.body.message]).toEqual([
      409,
      expect.stringContaining('conflict with "before-first-apply" using fly.lightfast.ai/v1 at '),
    ]);
  });

  test("the status has managers of its own", async () => {
    await apply("alice", { region: "iad" });
    const status = { ...instance("box"), status: { message: "hello" } };
    const applied = done(await api.send("PATCH", `${BOX}/status?fieldManager=probe`, status, APPLY));
    expect(applied.body.status).toEqual({ message: "hello" });
    expect(managed(applied)).toMatchObject([
      { manager: "alice", fieldsV1: { "f:spec": { "f:region": {} } } },
      { manager: "probe", operation: "Apply", subresource: "status", fieldsV1: { "f:status": { "f:message": {} } } },
    ]);
    expect(done(await apply("alice", { region: "iad" })).body).toEqual(applied.body);
  });

  test("many at once with one name are one creation, and all are merged", async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => apply(`m${index}`, { env: { [`K${index}`]: "1" } })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(7);
    const { body } = await api.send("GET", BOX);
    expect(Object.keys(body.spec.env as object)).toHaveLength(8);
  });
});

describe("other writes", () => {
  test("a create is its client's, by the first word of its User-Agent", async () => {
    const answer = await api.send("POST", INSTANCES, instance("box", {}, { labels: { team: "a" } }), {
      "user-agent": "kubectl/v1.32.0 (linux/amd64)",
    });
    expect(managed(answer)).toMatchObject([
      {
        manager: "kubectl",
        operation: "Update",
        fieldsV1: { "f:metadata": { "f:labels": { ".": {}, "f:team": {} } }, "f:spec": { ".": {} } },
      },
    ]);
  });

  test("the simple endpoints keep it too", async () => {
    await api.send("POST", "/api/instances", { name: "box" }, { "user-agent": "curl/8.5" });
    expect(owners(await api.send("GET", BOX)).map(([manager]) => manager)).toEqual(["curl"]);
  });

  test("a patch takes the fields that it changes, and no others", async () => {
    await apply("alice", { region: "iad", size: "shared-cpu-1x" });
    const patched = await api.send("PATCH", `${BOX}?fieldManager=carol`, { spec: { size: "shared-cpu-2x" } }, MERGE);
    expect(owners(patched)).toEqual([
      ["alice", "Apply", { "f:spec": { "f:region": {} } }],
      ["carol", "Update", { "f:spec": { "f:size": {} } }],
    ]);
    const refused = await apply("alice", { region: "iad", size: "shared-cpu-1x" });
    expect(refused.body.message).toMatch(
      /^Apply failed with 1 conflict: conflict with "carol" using fly.lightfast.ai\/v1 at .*Z: \.spec\.size$/,
    );
  });

  test("without a change neither the revision nor a time moves", async () => {
    const { body } = await api.send("POST", `${INSTANCES}?fieldManager=a`, instance("box"));
    await api.clock.advance(60_000);
    const patched = await api.send("PATCH", `${BOX}?fieldManager=b`, { spec: body.spec }, MERGE);
    expect(patched.body).toEqual(body);
    const replaced = await api.send("PUT", `${BOX}?fieldManager=b`, body);
    expect(replaced.body).toEqual(body);
  });

  test("the status subresource is recorded as such, and does not move the generation", async () => {
    await api.send("POST", `${INSTANCES}?fieldManager=a`, instance("box"));
    const path = `${BOX}/status?fieldManager=probe`;
    const patched = done(await api.send("PATCH", path, { status: { message: "hello" } }, MERGE));
    expect(patched.body.metadata.generation).toBe(1);
    expect(managed(patched)[1]).toMatchObject({ manager: "probe", subresource: "status" });
    const removed = done(await api.send("PATCH", path, { status: null }, MERGE));
    expect(owners(removed).map(([manager]) => manager)).toEqual(["a"]);
  });

  test("at most ten writers are kept apart", async () => {
    await api.send("POST", `${INSTANCES}?fieldManager=m0`, instance("box"));
    for (let index = 1; index <= 12; index++) {
      await api.clock.advance(1000);
      const env = { [`K${index}`]: "1" };
      await api.send("PATCH", `${BOX}?fieldManager=m${index}`, { spec: { env } }, MERGE);
    }
    const kept = owners(await api.send("GET", BOX)).map(([manager]) => manager);
    expect(kept).toHaveLength(10);
    expect(kept).toContain("ancient-changes");
    expect(kept).not.toContain("m1");
  });

  test("controllers leave it as it is", async () => {
    const created = await api.send("POST", INSTANCES, instance("box"));
    const key = { namespace: "default", name: "box" };
    await api.admission.update(instanceKind, key, (current) => ({
      ...current,
      metadata: { ...current.metadata, finalizers: ["fly.lightfast.ai/machine"] },
    }));
    await api.store.updateStatus(instanceKind, key, () => ({ message: "hello" }));
    expect(managed(await api.send("GET", BOX))).toEqual(managed(created));
  });
});

describe("handing fields over", () => {
  const patch = (value: unknown, resourceVersion: string) =>
    api.send(
      "PATCH",
      `${BOX}?fieldManager=kubectl`,
      [
        { op: "replace", path: "/metadata/managedFields", value },
        { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
      ],
      JSON_PATCH,
    );

  test("as kubectl does when it goes over to server-side apply", async () => {
    const created = await api.send("POST", `${INSTANCES}?fieldManager=kubectl-client-side-apply`, instance("box"));
    const [entry] = managed(created);
    const moved = [{ ...entry, manager: "kubectl", operation: "Apply" }];
    const stale = await patch(moved, "1");
    expect(stale.status).toBe(409);
    const patched = done(await patch(moved, created.body.metadata.resourceVersion));
    expect(managed(patched)).toEqual(moved);
    expect(patched.body.metadata.generation).toBe(1);
  });

  test("one empty entry clears it", async () => {
    const { body } = await api.send("POST", INSTANCES, instance("box"));
    const cleared = done(await patch([{}], body.metadata.resourceVersion));
    expect(cleared.body.metadata).not.toHaveProperty("managedFields");
  });

  test("what is no record of managers is refused", async () => {
    const { body } = await api.send("POST", INSTANCES, instance("box"));
    const refused = await patch([{ manager: "x", operation: "Steal" }], body.metadata.resourceVersion);
    expect(refused).toMatchObject({
      status: 422,
      body: { details: { causes: [{ field: "metadata.managedFields" }] } },
    });
  });
});
