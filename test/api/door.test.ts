// Who may come in, and what every answer carries.
import { describe, expect, test } from "vitest";
import { guard } from "../../api/request-guard.ts";
import { MAX_BODY_BYTES } from "../../controller/limits.ts";
import { INSTANCES, instance, testApi } from "./test-api.ts";

describe("the guard against other people's web pages", () => {
  const request = {
    method: "POST",
    host: "127.0.0.1:3000",
    origin: undefined,
    fetchSite: undefined,
    contentType: "application/json",
  };
  test.each([
    { reason: "a request of kubectl or curl", change: {}, refused: undefined },
    { reason: "localhost, another port", change: { host: "localhost:80" }, refused: undefined },
    { reason: "IPv6 loopback", change: { host: "[::1]:3000" }, refused: undefined },
    { reason: "any address of 127/8", change: { host: "127.9.9.9" }, refused: undefined },
    {
      reason: "our own page",
      change: { origin: "http://127.0.0.1:3000", fetchSite: "same-origin" },
      refused: undefined,
    },
    { reason: "an address typed by the user", change: { method: "GET", fetchSite: "none" }, refused: undefined },
    { reason: "no body and no type", change: { contentType: undefined }, refused: undefined },
    { reason: "YAML", change: { contentType: "application/yaml; charset=utf-8" }, refused: undefined },
    {
      reason: "a merge patch",
      change: { method: "PATCH", contentType: "Application/Merge-Patch+JSON" },
      refused: undefined,
    },
    { reason: "a foreign name that resolves to us", change: { host: "evil.example:3000" }, refused: "Forbidden" },
    { reason: "a name that only begins like ours", change: { host: "localhost.evil.example" }, refused: "Forbidden" },
    {
      reason: "an address that only begins like ours",
      change: { host: "127.0.0.1.evil.example" },
      refused: "Forbidden",
    },
    { reason: "no host at all", change: { host: undefined }, refused: "Forbidden" },
    { reason: "a foreign origin", change: { origin: "https://evil.example" }, refused: "Forbidden" },
    { reason: "another port is another origin", change: { origin: "http://127.0.0.1:8080" }, refused: "Forbidden" },
    { reason: "an opaque origin", change: { origin: "null" }, refused: "Forbidden" },
    {
      reason: "a cross-site request without Origin",
      change: { method: "GET", fetchSite: "cross-site" },
      refused: "Forbidden",
    },
    { reason: "a form", change: { contentType: "application/x-www-form-urlencoded" }, refused: "UnsupportedMediaType" },
    {
      reason: "a form with files",
      change: { contentType: "multipart/form-data; boundary=x" },
      refused: "UnsupportedMediaType",
    },
    {
      reason: "plain text, which needs no preflight",
      change: { contentType: "text/plain;charset=UTF-8" },
      refused: "UnsupportedMediaType",
    },
  ])("$reason: $refused", ({ change, refused }) => {
    expect(guard({ ...request, ...change }, true)?.reason).toBe(refused);
  });

  test("beyond loopback any host name is ours, a foreign origin still is not", () => {
    expect(guard({ ...request, host: "fly.example" }, false)).toBeUndefined();
    expect(guard({ ...request, host: "fly.example", origin: "https://evil.example" }, false)?.reason).toBe("Forbidden");
  });

  test("stands before every route, and no answer allows other origins", async () => {
    const api = await testApi();
    for (const path of [INSTANCES, "/api/instances", "/health", "/metrics", "/nowhere"]) {
      const refused = await api.send("GET", path, undefined, { host: "evil.example" });
      expect([path, refused.status]).toEqual([path, 403]);
    }
    const preflight = await api.send("OPTIONS", INSTANCES, undefined, { origin: "http://localhost" });
    expect([...preflight.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });
});

describe("the key", () => {
  const apiKey = "a-long-enough-key";
  test.each([
    { reason: "no key", path: INSTANCES, headers: {}, status: 401 },
    { reason: "a wrong key", path: INSTANCES, headers: { authorization: "Bearer wrong" }, status: 401 },
    {
      reason: "a key that begins right",
      path: INSTANCES,
      headers: { authorization: `Bearer ${apiKey}x` },
      status: 401,
    },
    { reason: "another scheme", path: INSTANCES, headers: { authorization: `Basic ${apiKey}` }, status: 401 },
    { reason: "the key", path: INSTANCES, headers: { authorization: `Bearer ${apiKey}` }, status: 200 },
    { reason: "metrics need it", path: "/metrics", headers: {}, status: 401 },
    { reason: "discovery needs it", path: "/apis", headers: {}, status: 401 },
    { reason: "so does what is not there", path: "/nowhere", headers: {}, status: 401 },
    { reason: "health does not", path: "/health", headers: {}, status: 200 },
    { reason: "nor do healthz", path: "/healthz", headers: {}, status: 200 },
    { reason: "livez", path: "/livez", headers: {}, status: 200 },
    { reason: "readyz", path: "/readyz", headers: {}, status: 200 },
    { reason: "and version", path: "/version", headers: {}, status: 200 },
  ])("$reason: $status", async ({ path, headers, status }) => {
    const api = await testApi({ apiKey });
    const answer = await api.send("GET", path, undefined, headers);
    expect(answer.status).toBe(status);
    if (status === 401) {
      expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="flywheel"');
      expect(answer.body).toMatchObject({ kind: "Status", reason: "Unauthorized", code: 401 });
    }
  });

  test("is refused in the shape of the endpoint", async () => {
    const api = await testApi({ apiKey });
    expect((await api.send("GET", "/api/instances")).body).toEqual({
      error: { code: "unauthorized", message: "Unauthorized", details: [] },
    });
  });
});

describe("request ids", () => {
  test.each([
    { reason: "a sane one is kept", given: "build-17.a:b", kept: true },
    { reason: "one with spaces is replaced", given: "a b", kept: false },
    { reason: "one that is too long is replaced", given: "x".repeat(65), kept: false },
    { reason: "one is made when there is none", given: undefined, kept: false },
  ])("$reason", async ({ given, kept }) => {
    const api = await testApi();
    const headers = given === undefined ? {} : { "x-request-id": given };
    for (const path of ["/health", "/nowhere", `${INSTANCES}/nobody`]) {
      const id = (await api.send("GET", path, undefined, headers)).headers.get("x-request-id");
      if (kept) expect(id).toBe(given);
      else expect(id).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

describe("the size of a body", () => {
  const tooLarge = JSON.stringify(instance("box", { command: ["x".repeat(MAX_BODY_BYTES)] }));

  test("is bounded by what the client declares", async () => {
    const api = await testApi();
    const answer = await api.send("POST", INSTANCES, tooLarge, { "content-length": String(tooLarge.length) });
    expect([answer.status, answer.body.reason]).toEqual([413, "RequestEntityTooLarge"]);
    const rest = await api.send("POST", "/api/instances", tooLarge, { "content-length": String(tooLarge.length) });
    expect([rest.status, rest.body.error.code]).toEqual([413, "too_large"]);
  });

  test("and by what it sends when it declares nothing", async () => {
    const api = await testApi();
    expect((await api.send("POST", INSTANCES, tooLarge)).status).toBe(413);
  });
});

describe("when something breaks that nobody foresaw", () => {
  test("the client learns nothing but the request id, and the log has the rest", async () => {
    const logged: unknown[] = [];
    const base = await testApi();
    const store = { ...base.store, get: () => Promise.reject(new Error("secret detail")) };
    const log = { ...base.log, error: (fields: object) => logged.push(fields) };
    const api = await testApi({ store, log });
    const answer = await api.send("GET", `${INSTANCES}/box`, undefined, { "x-request-id": "r1" });
    expect([answer.status, JSON.stringify(answer.body).includes("secret")]).toEqual([500, false]);
    expect(logged).toMatchObject([{ requestId: "r1", error: { message: "secret detail" } }]);
  });

  test("a store that cannot write is a 503 that says when to come back", async () => {
    const base = await testApi();
    const { UnavailableError } = await import("../../controller/store/errors.ts");
    const store = { ...base.store, get: () => Promise.reject(new UnavailableError("the disk is full")) };
    const api = await testApi({ store });
    const answer = await api.send("GET", "/api/instances/box");
    expect([answer.status, answer.headers.get("retry-after"), answer.body.error.code]).toEqual([
      503,
      "1",
      "unavailable",
    ]);
  });
});
