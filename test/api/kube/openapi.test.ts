// The OpenAPI documents: every reference leads somewhere, every route is described, and what kubectl looks for is there.
import { beforeAll, describe, expect, test } from "vitest";
import { KINDS } from "../../../crds/kinds.ts";
import { apiVersionOf } from "../../../crds/resource.ts";
import { type TestApi, testApi } from "../test-api.ts";

type Node = Readonly<Record<string, unknown>>;
const METHODS = ["get", "put", "post", "patch", "delete"];

function references(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => (key === "$ref" ? [String(child)] : references(child)));
}

function at(document: unknown, pointer: string): unknown {
  return pointer
    .slice(2)
    .split("/")
    .reduce<unknown>((value, key) => (value as Node | undefined)?.[key], document);
}

describe("the OpenAPI documents", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await testApi();
  });
  const get = async (path: string, headers?: Readonly<Record<string, string>>) =>
    api.send("GET", path, undefined, headers);

  test("the index names a document for each group version, by its hash", async () => {
    const { paths } = (await get("/openapi/v3")).body as unknown as {
      paths: Record<string, { serverRelativeURL: string }>;
    };
    expect(Object.keys(paths).sort()).toEqual(["api/v1", "apis/coordination.k8s.io/v1", "apis/fly.lightfast.ai/v1"]);
    for (const { serverRelativeURL } of Object.values(paths)) {
      const { status, headers, body } = await get(serverRelativeURL);
      expect([status, headers.get("cache-control")]).toEqual([200, "public, max-age=31536000, immutable"]);
      expect(body.openapi).toBe("3.0.0");
      const again = await get(serverRelativeURL, { "if-none-match": headers.get("etag") ?? "" });
      expect(again.status).toBe(304);
    }
    expect((await get("/openapi/v3/api/v1?hash=OLD")).headers.get("cache-control")).toBe("no-cache, private");
  });

  for (const path of ["/openapi/v3/api/v1", "/openapi/v3/apis/fly.lightfast.ai/v1", "/openapi.json", "/openapi/v2"]) {
    test(`every reference of ${path} leads somewhere`, async () => {
      const { body } = await get(path);
      const found = references(body);
      expect(found.length).toBeGreaterThan(10);
      expect(found.filter((reference) => at(body, reference) === undefined)).toEqual([]);
    });
  }

  test("every operation that is described is routed, and the other way round", async () => {
    const { body } = await get("/openapi.json");
    const described = Object.entries(body.paths as Record<string, Node>).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routed = api.api.routes
      .filter(({ path, method }) => /^\/apis?\/(v1|fly\.lightfast\.ai\/v1)\//.test(path) && method !== "ALL")
      .map(({ path, method }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    expect(described.filter((each) => /^\w+ \/apis?\/(v1|fly)/.test(each)).sort()).toEqual([...new Set(routed)].sort());
  });

  test("kubectl finds the kind of every PATCH, and that the server validates fields", async () => {
    for (const kind of KINDS) {
      const root = kind.group === "" ? "api/v1" : `apis/${apiVersionOf(kind)}`;
      const { paths } = (await get(`/openapi/v3/${root}`)).body as unknown as {
        paths: Record<string, { patch?: Node }>;
      };
      const patches = Object.values(paths).flatMap(({ patch }) => (patch ? [patch] : []));
      const own = patches.filter((patch) => (patch["x-kubernetes-group-version-kind"] as Node).kind === kind.kind);
      expect(own.length).toBeGreaterThan(0);
      for (const { parameters } of own) {
        const names = (parameters as { name: string }[]).map(({ name }) => name);
        expect(names).toEqual(expect.arrayContaining(["fieldValidation", "dryRun", "fieldManager", "force"]));
      }
    }
  });
});
