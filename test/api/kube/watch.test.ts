// Watches as kubectl and client libraries use them.
import { beforeEach, describe, expect, test } from "vitest";
import { INSTANCES, instance, lines, type TestApi, testApi } from "../test-api.ts";

const MERGE = { "content-type": "application/merge-patch+json" };
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
let api: TestApi;
beforeEach(async () => {
  api = await testApi();
  await api.send("POST", INSTANCES, instance("a", {}, { labels: { team: "x" } }));
});

const watch = async (query: string, headers: Readonly<Record<string, string>> = {}) => {
  const response = await api.api.request(`${INSTANCES}?watch=true${query}`, { headers });
  expect([response.status, response.headers.get("transfer-encoding")]).toEqual([200, "chunked"]);
  return lines(response);
};
const event = (type: string, name: string) => ({ type, object: { metadata: { name } } });

test("without a revision: what exists, then what happens", async () => {
  const events = await watch("");
  expect(await events.next()).toMatchObject({
    ...event("ADDED", "a"),
    object: { kind: "Instance", apiVersion: "fly.lightfast.ai/v1" },
  });
  await api.send("POST", INSTANCES, instance("b"));
  expect(await events.next()).toMatchObject(event("ADDED", "b"));
  await api.send("PATCH", `${INSTANCES}/b`, { spec: { ttl: "1h" } }, MERGE);
  expect(await events.next()).toMatchObject({ type: "MODIFIED", object: { spec: { ttl: "1h" } } });
  await api.send("DELETE", `${INSTANCES}/b`);
  expect(await events.next()).toMatchObject(event("DELETED", "b"));
  await events.cancel();
});

test("from a revision: only what came after it", async () => {
  const { body } = await api.send("GET", INSTANCES);
  await api.send("POST", INSTANCES, instance("b"));
  const events = await watch(`&resourceVersion=${body.metadata.resourceVersion}`);
  expect(await events.next()).toMatchObject(event("ADDED", "b"));
  await events.cancel();
});

test("an object that leaves the selection is DELETED for this watcher", async () => {
  const events = await watch("&labelSelector=team%3Dx");
  expect(await events.next()).toMatchObject(event("ADDED", "a"));
  await api.send("PATCH", `${INSTANCES}/a`, { metadata: { labels: { team: "y" } } }, MERGE);
  expect(await events.next()).toMatchObject(event("DELETED", "a"));
  await events.cancel();
});

test("as a table, each event is a table of one row", async () => {
  const events = await watch("", { accept: TABLE });
  expect(await events.next()).toMatchObject({
    type: "ADDED",
    object: { kind: "Table", rows: [{ cells: expect.arrayContaining(["a"]) }] },
  });
  await events.cancel();
});

describe("a client that takes bookmarks", () => {
  const BOOKMARK = { type: "BOOKMARK", object: { kind: "Instance", apiVersion: "fly.lightfast.ai/v1" } };

  test("is told each minute how far a quiet watch has come, past writes that it does not see", async () => {
    const { body } = await api.send("GET", INSTANCES);
    const events = await watch(`&allowWatchBookmarks=true&resourceVersion=${body.metadata.resourceVersion}`);
    const first = events.next();
    await api.send("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "other" } });
    await api.clock.advance(60_000);
    const resourceVersion = String(await api.store.revision());
    expect(await first).toEqual({ ...BOOKMARK, object: { ...BOOKMARK.object, metadata: { resourceVersion } } });
    const second = events.next();
    await api.send("POST", INSTANCES, instance("b"));
    expect(await second).toMatchObject(event("ADDED", "b"));
    await events.cancel();
    await api.clock.settle();
    expect(api.clock.sleepers).toBe(0);
  });

  test("is told shortly before the watch ends", async () => {
    const events = await watch("&allowWatchBookmarks=true&timeoutSeconds=10");
    await events.next();
    const bookmark = events.next();
    await api.clock.advance(8000);
    expect(await bookmark).toMatchObject({ type: "BOOKMARK" });
    const end = events.next();
    await api.clock.advance(2000);
    expect(await end).toBeUndefined();
  });

  test("never before an event that it covers: a bookmark is the end of all that was written before it", async () => {
    const events = await watch("&allowWatchBookmarks=true&resourceVersion=1");
    let reached = 0;
    for (let round = 0; round < 10; round += 1) {
      const writes = [0, 1, 2].map((each) => api.send("POST", INSTANCES, instance(`n-${round}-${each}`)));
      await api.clock.advance(60_000);
      await Promise.all(writes);
    }
    for (let seen = 0; seen < 30; ) {
      const { type, object } = (await events.next()) as {
        type: string;
        object: { metadata: { resourceVersion: string } };
      };
      const revision = Number(object.metadata.resourceVersion);
      expect(revision).toBeGreaterThan(type === "BOOKMARK" ? reached - 1 : reached);
      reached = revision;
      if (type === "ADDED") seen += 1;
    }
    await events.cancel();
  });

  test("gets a streaming list: what exists, then a bookmark that says so", async () => {
    const events = await watch("&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
    expect(await events.next()).toMatchObject(event("ADDED", "a"));
    expect(await events.next()).toMatchObject({
      ...BOOKMARK,
      object: { metadata: { annotations: { "k8s.io/initial-events-end": "true" } } },
    });
    await api.send("POST", INSTANCES, instance("b"));
    expect(await events.next()).toMatchObject(event("ADDED", "b"));
    await events.cancel();
  });

  test("may decline what exists", async () => {
    const events = await watch("&sendInitialEvents=false&resourceVersionMatch=NotOlderThan");
    const first = events.next();
    await api.send("POST", INSTANCES, instance("b"));
    expect(await first).toMatchObject(event("ADDED", "b"));
    await events.cancel();
  });
});

describe("the end", () => {
  test("comes at timeoutSeconds", async () => {
    const events = await watch("&timeoutSeconds=5");
    await events.next();
    const end = events.next();
    await api.clock.advance(5000);
    expect(await end).toBeUndefined();
  });

  test("comes when the server closes", async () => {
    const closing = new AbortController();
    const response = await api.api.request(`${INSTANCES}?watch=true`, {}, { closing: closing.signal });
    const events = lines(response);
    await events.next();
    const end = events.next();
    closing.abort();
    expect(await end).toBeUndefined();
  });

  test("leaves nothing behind when the client hangs up", async () => {
    const open = async () => /flywheel_http_streams (\d+)/.exec(await api.metrics.metrics())?.[1];
    const events = await watch("&timeoutSeconds=500");
    await events.next();
    expect(await open()).toBe("1");
    await events.cancel();
    await api.clock.settle();
    expect([await open(), api.clock.sleepers]).toEqual(["0", 0]);
  });
});

describe("what is refused", () => {
  test("history that is gone is told in the stream with 410", async () => {
    const { store } = api;
    const { ExpiredError } = await import("../../../controller/store/errors.ts");
    const expired: typeof store.watch = async function* () {
      yield* [];
      throw new ExpiredError("too old resource version: 1 (9)");
    };
    api = await testApi({ store: { ...store, watch: expired } });
    const events = await watch("&resourceVersion=1");
    expect(await events.next()).toEqual({
      type: "ERROR",
      object: {
        kind: "Status",
        apiVersion: "v1",
        metadata: {},
        status: "Failure",
        message: "too old resource version: 1 (9)",
        reason: "Expired",
        code: 410,
      },
    });
    expect(await events.next()).toBeUndefined();
  });

  test.each([
    { reason: "a selector that cannot be read", query: "&labelSelector=a%20in%20(", status: 400 },
    { reason: "a streaming list that may be old", query: "&sendInitialEvents=true", status: 422 },
    { reason: "a match without a streaming list", query: "&resourceVersionMatch=NotOlderThan", status: 422 },
    { reason: "a revision from the future", query: "&resourceVersion=999", status: 504 },
  ])("$reason is an error before the stream: $status", async ({ query, status }) => {
    expect((await api.send("GET", `${INSTANCES}?watch=true${query}`)).status).toBe(status);
  });

  test("a selector that cannot be read, also with a revision", async () => {
    expect((await api.send("GET", `${INSTANCES}?watch=true&resourceVersion=1&labelSelector=a%20in%20(`)).status).toBe(
      400,
    );
  });
});
