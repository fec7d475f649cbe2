// The Kubernetes-style endpoints: errors first, then what a client may rely on.
import { Registry } from "prom-client";
import { beforeEach, describe, expect, test } from "vitest";
import { createApi } from "../../../api/app.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { type Body, INSTANCES, instance, type TestApi, testApi } from "../test-api.ts";

const MERGE = { "content-type": "application/merge-patch+json" };
let api: TestApi;
beforeEach(async () => {
  api = await testApi();
});

describe("what is refused", () => {
  test.each([
    {
      reason: "a name that is taken",
      request: ["POST", INSTANCES, instance("box")],
      code: 409,
      status: {
        reason: "AlreadyExists",
        message: 'instances.fly.lightfast.ai "box" already exists',
        details: { name: "box", group: "fly.lightfast.ai", kind: "instances" },
      },
    },
    {
      reason: "an object that is not there",
      request: ["GET", `${INSTANCES}/nobody`],
      code: 404,
      status: {
        reason: "NotFound",
        message: 'instances.fly.lightfast.ai "nobody" not found',
        details: { name: "nobody", group: "fly.lightfast.ai", kind: "instances" },
      },
    },
    {
      reason: "an unknown field, with the nearest known one",
      request: ["POST", INSTANCES, instance("b", { imagee: "x" })],
      code: 400,
      status: {
        reason: "BadRequest",
        message:
          'Instance in version "v1" cannot be handled as a Instance: strict decoding error: unknown field "spec.imagee", did you mean "image"?',
      },
    },
    {
      reason: "a value of the wrong type, as a cause",
      request: ["POST", INSTANCES, instance("b", { memoryMb: "much" })],
      code: 422,
      status: {
        reason: "Invalid",
        details: {
          name: "b",
          group: "fly.lightfast.ai",
          kind: "Instance",
          causes: [
            {
              reason: "FieldValueTypeInvalid",
              field: "spec.memoryMb",
              message: 'Invalid value: "much": must be of type number',
            },
          ],
        },
      },
    },
    {
      reason: "a namespace that contradicts the URL",
      request: ["POST", INSTANCES, instance("b", {}, { namespace: "other" })],
      code: 400,
      status: {
        reason: "BadRequest",
        message: "the namespace of the provided object does not match the namespace sent on the request",
      },
    },
    {
      reason: "a namespace that does not exist",
      request: ["POST", INSTANCES.replace("default", "void"), instance("b")],
      code: 404,
      status: {
        reason: "NotFound",
        message: 'namespaces "void" not found',
        details: { name: "void", kind: "namespaces" },
      },
    },
    {
      reason: "a revision on a new object",
      request: ["POST", INSTANCES, instance("b", {}, { resourceVersion: "1" })],
      code: 400,
      status: { reason: "BadRequest" },
    },
    {
      reason: "another kind than the URL's",
      request: ["POST", INSTANCES, { ...instance("b"), kind: "Workflow" }],
      code: 400,
      status: { reason: "BadRequest" },
    },
    {
      reason: "broken JSON",
      request: ["POST", INSTANCES, '{"apiVersion":'],
      code: 400,
      status: { reason: "BadRequest" },
    },
    { reason: "no body", request: ["POST", INSTANCES], code: 400, status: { reason: "BadRequest" } },
    {
      reason: "a replacement without the revision it was made from",
      request: ["PUT", `${INSTANCES}/box`, instance("box")],
      code: 422,
      status: { reason: "Invalid" },
    },
    {
      reason: "a replacement of a state that is over",
      request: ["PUT", `${INSTANCES}/box`, instance("box", {}, { resourceVersion: "1" })],
      code: 409,
      status: {
        reason: "Conflict",
        message:
          'Operation cannot be fulfilled on instances.fly.lightfast.ai "box": the object has been modified; please apply your changes to the latest version and try again',
      },
    },
    {
      reason: "a replacement under another name",
      request: ["PUT", `${INSTANCES}/box`, instance("other", {}, { resourceVersion: "1" })],
      code: 400,
      status: { reason: "BadRequest" },
    },
    {
      reason: "a strategic merge patch",
      request: ["PATCH", `${INSTANCES}/box`, {}, { "content-type": "application/strategic-merge-patch+json" }],
      code: 415,
      status: { reason: "UnsupportedMediaType" },
    },
    {
      reason: "plain JSON as a patch",
      request: ["PATCH", `${INSTANCES}/box`, {}, { "content-type": "application/json" }],
      code: 415,
      status: { reason: "UnsupportedMediaType" },
    },
    {
      reason: "a patch of the wrong uid",
      request: ["PATCH", `${INSTANCES}/box`, { metadata: { uid: "00000000-0000-4000-8000-000000000000" } }, MERGE],
      code: 409,
      status: { reason: "Conflict" },
    },
    {
      reason: "a patch that renames",
      request: ["PATCH", `${INSTANCES}/box`, { metadata: { name: "other" } }, MERGE],
      code: 422,
      status: { reason: "Invalid" },
    },
    {
      reason: "a deletion of another object of that name",
      request: ["DELETE", `${INSTANCES}/box`, { preconditions: { uid: "00000000-0000-4000-8000-000000000000" } }],
      code: 409,
      status: { reason: "Conflict" },
    },
    {
      reason: "a selector that cannot be read",
      request: ["GET", `${INSTANCES}?labelSelector=a%20in%20(`],
      code: 400,
      status: { reason: "BadRequest" },
    },
    {
      reason: "a revision that is no number",
      request: ["GET", `${INSTANCES}?resourceVersion=x`],
      code: 400,
      status: { reason: "BadRequest" },
    },
    {
      reason: "a revision from the future",
      request: ["GET", `${INSTANCES}?resourceVersion=99999`],
      code: 504,
      status: { reason: "Timeout" },
    },
    {
      reason: "an unknown dry run",
      request: ["POST", `${INSTANCES}?dryRun=Some`, instance("b")],
      code: 422,
      status: { reason: "Invalid" },
    },
    {
      reason: "a protobuf answer",
      request: ["GET", INSTANCES, undefined, { accept: "application/vnd.kubernetes.protobuf" }],
      code: 406,
      status: { reason: "NotAcceptable" },
    },
    {
      reason: "an unknown resource",
      request: ["GET", INSTANCES.replace("instances", "nothings")],
      code: 404,
      status: { reason: "NotFound" },
    },
    {
      reason: "a method that the path does not have",
      request: ["POST", `${INSTANCES}/box`, {}],
      code: 405,
      status: { reason: "MethodNotAllowed" },
    },
    {
      reason: "deleting the default namespace",
      request: ["DELETE", "/api/v1/namespaces/default"],
      code: 403,
      status: { reason: "Forbidden" },
    },
  ] as const)("$reason: $code", async ({ request, code, status }) => {
    await api.send("POST", INSTANCES, instance("box"));
    const [method, path, body, headers] = request;
    const answer = await api.send(method, path, body, headers);
    expect(answer.status).toBe(code);
    expect(answer.body).toMatchObject({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      code,
      ...status,
    });
  });

  test("the namespace of everything that names none is not deleted", async () => {
    const refused = await api.send("DELETE", "/api/v1/namespaces/default");
    expect([refused.status, refused.body.message]).toEqual([
      403,
      'namespaces "default" is forbidden: this namespace may not be deleted',
    ]);
  });

  test("a policy that there is not is named with those that there are", async () => {
    await api.send("POST", INSTANCES, instance("box"));
    const refused = await api.send("DELETE", `${INSTANCES}/box?propagationPolicy=Later`);
    expect([refused.status, refused.body.message]).toEqual([
      422,
      expect.stringContaining('Unsupported value: "Later": supported values: "Background", "Foreground", "Orphan"'),
    ]);
  });

  test.each([
    ["Foreground", { propagationPolicy: "Foreground" }, "foregroundDeletion"],
    ["Orphan", { propagationPolicy: "Orphan" }, "orphan"],
    ["Orphan, as it was said before", { orphanDependents: true }, "orphan"],
  ])("%s holds the object until the collector has been there", async (_, options, finalizer) => {
    await api.send("POST", INSTANCES, instance("box"));
    const { status, body } = await api.send("DELETE", `${INSTANCES}/box`, options);
    expect(status).toBe(200);
    expect(body.metadata).toMatchObject({ finalizers: [finalizer], deletionTimestamp: expect.any(String) });
    expect((await api.send("DELETE", `${INSTANCES}/box`)).body.metadata).toMatchObject({ finalizers: [finalizer] });
  });
});

describe("a list at a revision", () => {
  test("shows what was, exactly; or no less than that", async () => {
    await api.send("POST", INSTANCES, instance("then"));
    const { body } = await api.send("GET", INSTANCES);
    const at = body.metadata.resourceVersion;
    await api.send("POST", INSTANCES, instance("since"));
    await api.send("DELETE", `${INSTANCES}/then`);
    const exact = await api.send("GET", `${INSTANCES}?resourceVersion=${at}&resourceVersionMatch=Exact`);
    expect(exact.body.items.map(({ metadata }) => metadata.name)).toEqual(["then"]);
    expect(exact.body.metadata.resourceVersion).toBe(at);
    const newer = await api.send("GET", `${INSTANCES}?resourceVersion=${at}&resourceVersionMatch=NotOlderThan`);
    expect(newer.body.items.map(({ metadata }) => metadata.name)).toEqual(["since"]);
  });

  test.each([
    ["a match that there is not", "resourceVersion=1&resourceVersionMatch=Nearly", 422],
    ["a match without a revision", "resourceVersionMatch=Exact", 422],
    ["exactly any", "resourceVersion=0&resourceVersionMatch=Exact", 422],
    ["a revision to come", "resourceVersion=999&resourceVersionMatch=Exact", 504],
  ])("%s is refused", async (_, query, status) => {
    expect((await api.send("GET", `${INSTANCES}?${query}`)).status).toBe(status);
  });
});

describe("create", () => {
  test("answers the object with what the server assigned and filled in", async () => {
    const { status, body } = await api.send(
      "POST",
      INSTANCES,
      instance("box", {}, { labels: { team: "a" }, uid: "mine" }),
    );
    expect(status).toBe(201);
    expect(body).toMatchObject({
      apiVersion: "fly.lightfast.ai/v1",
      kind: "Instance",
      metadata: {
        name: "box",
        namespace: "default",
        generation: 1,
        labels: { team: "a" },
        creationTimestamp: "2026-01-01T00:00:00Z",
      },
      spec: { image: "ubuntu:22.04", region: "iad", size: "shared-cpu-1x", operatingMode: "Running" },
    });
    expect(body.metadata.uid).not.toBe("mine");
    expect(Number(body.metadata.resourceVersion)).toBeGreaterThan(0);
  });

  test("makes a name from generateName", async () => {
    const body = { ...instance("x"), metadata: { generateName: "gen-" } };
    const names = [await api.send("POST", INSTANCES, body), await api.send("POST", INSTANCES, body)].map(
      (each) => each.body.metadata.name,
    );
    for (const name of names) expect(name).toMatch(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(new Set(names).size).toBe(2);
  });

  test("takes YAML, where `on` stays text", async () => {
    const yaml =
      "apiVersion: fly.lightfast.ai/v1\nkind: Instance\nmetadata:\n  name: box\n  labels: { power: on }\nspec: {}\n";
    const { status, body } = await api.send("POST", INSTANCES, yaml, { "content-type": "application/yaml" });
    expect([status, body.metadata?.labels]).toEqual([201, { power: "on" }]);
  });

  test("a dry run answers what would be, and stores nothing", async () => {
    expect((await api.send("POST", `${INSTANCES}?dryRun=All`, instance("box"))).status).toBe(201);
    expect((await api.send("GET", `${INSTANCES}/box`)).status).toBe(404);
  });

  test("with fieldValidation=Warn an unknown field is taken out, and said in a header", async () => {
    const { status, headers, body } = await api.send(
      "POST",
      `${INSTANCES}?fieldValidation=Warn`,
      instance("box", { imagee: "x" }),
    );
    expect(status).toBe(201);
    expect(headers.get("warning")).toBe(String.raw`299 - "unknown field \"spec.imagee\", did you mean \"image\"?"`);
    expect(body.spec.imagee).toBeUndefined();
  });
});

describe("read", () => {
  beforeEach(async () => {
    for (const [name, team] of [
      ["a", "x"],
      ["b", "y"],
      ["c", "x"],
    ] as const) {
      await api.send("POST", INSTANCES, instance(name, {}, { labels: { team } }));
    }
  });
  const names = (body: Body) => body.items.map((item) => item.metadata.name);

  test("a list carries the revision that it is true at", async () => {
    const { body } = await api.send("GET", INSTANCES);
    expect(body).toMatchObject({ kind: "InstanceList", apiVersion: "fly.lightfast.ai/v1" });
    expect(names(body)).toEqual(["a", "b", "c"]);
    expect(Number(body.metadata.resourceVersion)).toBe(await api.store.revision());
  });

  test("selectors and all namespaces", async () => {
    expect(names((await api.send("GET", `${INSTANCES}?labelSelector=team%3Dx`)).body)).toEqual(["a", "c"]);
    expect(names((await api.send("GET", `${INSTANCES}?fieldSelector=metadata.name%3Db`)).body)).toEqual(["b"]);
    expect(names((await api.send("GET", "/apis/fly.lightfast.ai/v1/instances")).body)).toEqual(["a", "b", "c"]);
  });

  test("pages hang together by their continue token", async () => {
    const first = (await api.send("GET", `${INSTANCES}?limit=2`)).body;
    expect([names(first), first.metadata.remainingItemCount]).toEqual([["a", "b"], 1]);
    const second = (
      await api.send("GET", `${INSTANCES}?limit=2&continue=${encodeURIComponent(first.metadata.continue)}`)
    ).body;
    expect([names(second), second.metadata.continue]).toEqual([["c"], undefined]);
  });

  test("metadata alone, when that is asked for", async () => {
    const accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    const { body } = await api.send("GET", `${INSTANCES}/a`, undefined, { accept });
    expect(body).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "a" } });
    expect(body.spec).toBeUndefined();
  });
});

describe("change", () => {
  test("a merge patch moves the generation, an empty one moves nothing", async () => {
    const { body: before } = await api.send("POST", INSTANCES, instance("box"));
    const { body: after } = await api.send("PATCH", `${INSTANCES}/box`, { spec: { memoryMb: 512 } }, MERGE);
    expect([after.spec.memoryMb, after.metadata.generation]).toEqual([512, 2]);
    const { body: same } = await api.send("PATCH", `${INSTANCES}/box`, { spec: { memoryMb: 512 } }, MERGE);
    expect(same).toEqual(after);
    expect(after.metadata.resourceVersion).not.toBe(before.metadata.resourceVersion);
  });

  test("a JSON patch applies all of its operations or none", async () => {
    const headers = { "content-type": "application/json-patch+json" };
    await api.send("POST", INSTANCES, instance("box"));
    const good = [
      { op: "test", path: "/spec/size", value: "shared-cpu-1x" },
      { op: "replace", path: "/spec/size", value: "shared-cpu-2x" },
      { op: "add", path: "/metadata/labels", value: { team: "a" } },
    ];
    const { body } = await api.send("PATCH", `${INSTANCES}/box`, good, headers);
    expect([body.spec.size, body.metadata.labels]).toEqual(["shared-cpu-2x", { team: "a" }]);
    const bad = [
      { op: "remove", path: "/metadata/labels" },
      { op: "test", path: "/spec/size", value: "other" },
    ];
    expect((await api.send("PATCH", `${INSTANCES}/box`, bad, headers)).status).toBe(422);
    expect((await api.send("GET", `${INSTANCES}/box`)).body.metadata.labels).toEqual({ team: "a" });
  });

  test("a replacement keeps what was filled in at create", async () => {
    const { body } = await api.send("POST", INSTANCES, instance("box", { region: "ord" }));
    const next = instance("box", { ttl: "1h" }, { resourceVersion: body.metadata.resourceVersion });
    const replaced = await api.send("PUT", `${INSTANCES}/box`, next);
    expect(replaced.body.spec).toMatchObject({ region: "ord", image: "ubuntu:22.04", ttl: "1h" });
  });

  test("the main endpoint leaves status alone, the status endpoint all but status", async () => {
    await api.send("POST", INSTANCES, instance("box"));
    const patch = { spec: { ttl: "1h" }, status: { message: "hello" } };
    const main = (await api.send("PATCH", `${INSTANCES}/box`, patch, MERGE)).body;
    expect([main.spec.ttl, main.status]).toEqual(["1h", undefined]);
    const status = (await api.send("PATCH", `${INSTANCES}/box/status`, { ...patch, spec: { ttl: "2h" } }, MERGE)).body;
    expect([status.spec.ttl, status.status, status.metadata.generation]).toEqual(["1h", { message: "hello" }, 2]);
    const wrong = await api.send("PATCH", `${INSTANCES}/box/status`, { status: { mesage: "x" } }, MERGE);
    expect(wrong.body.message).toContain('unknown field "status.mesage", did you mean "message"?');
  });
});

describe("delete", () => {
  test("an object without finalizers is gone at once", async () => {
    const { body } = await api.send("POST", INSTANCES, instance("box"));
    const answer = await api.send("DELETE", `${INSTANCES}/box`, { propagationPolicy: "Background" });
    expect(answer.body).toMatchObject({
      kind: "Status",
      status: "Success",
      details: { name: "box", kind: "instances", uid: body.metadata.uid },
    });
    expect((await api.send("GET", `${INSTANCES}/box`)).status).toBe(404);
  });

  test("one with finalizers is marked, takes no new finalizer, and goes with the last one", async () => {
    await api.send("POST", INSTANCES, instance("box", {}, { finalizers: ["example.com/f"] }));
    const marked = await api.send("DELETE", `${INSTANCES}/box`);
    expect(marked.body).toMatchObject({
      kind: "Instance",
      metadata: { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["example.com/f"] },
    });
    const more = { metadata: { finalizers: ["example.com/f", "example.com/g"] } };
    const refused = await api.send("PATCH", `${INSTANCES}/box`, more, MERGE);
    expect([refused.status, refused.body.details.causes[0]?.reason]).toEqual([422, "FieldValueForbidden"]);
    await api.send("PATCH", `${INSTANCES}/box`, { metadata: { finalizers: null } }, MERGE);
    expect((await api.send("GET", `${INSTANCES}/box`)).status).toBe(404);
  });

  test("a collection goes by selector", async () => {
    await api.send("POST", INSTANCES, instance("a", {}, { labels: { team: "x" } }));
    await api.send("POST", INSTANCES, instance("b"));
    const gone = await api.send("DELETE", `${INSTANCES}?labelSelector=team%3Dx`);
    expect(gone.body.items).toHaveLength(1);
    expect((await api.send("GET", INSTANCES)).body.items).toHaveLength(1);
  });

  test("a collection goes whole, however many pages it has, and whatever of it has gone meanwhile", async () => {
    for (const name of ["a", "b", "c", "d", "e"]) await api.send("POST", INSTANCES, instance(name));
    const { store, admission } = api;
    const list: typeof store.list = async (kind, options = {}) => {
      const page = await store.list(kind, { ...options, limit: 2 });
      if (page.continue === undefined) await admission.delete(instanceKind, { namespace: "default", name: "b" });
      return page;
    };
    const paged = createApi({ ...api, metrics: new Registry(), store: { ...store, list } });
    const gone = await paged.request(INSTANCES, { method: "DELETE" });
    expect(await gone.json()).toMatchObject({ kind: "InstanceList", items: { length: 5 } });
    expect((await api.send("GET", INSTANCES)).body.items).toEqual([]);
  });

  test("a dry run deletes nothing", async () => {
    await api.send("POST", INSTANCES, instance("box"));
    await api.send("DELETE", `${INSTANCES}/box`, { dryRun: ["All"] });
    expect((await api.send("GET", `${INSTANCES}/box`)).status).toBe(200);
  });
});
