// Discovery advertises what is served: every resource that it names answers a list.
import { expect, test } from "vitest";
import { testApi } from "../test-api.ts";

test("every advertised resource can be listed, and every verb is a method that exists", async () => {
  const api = await testApi();
  expect((await api.send("GET", "/api")).body).toMatchObject({ kind: "APIVersions", versions: ["v1"] });
  const groups = (await api.send("GET", "/apis")).body.groups as { name: string }[];
  expect(groups.map((group) => group.name)).toEqual([
    "fly.lightfast.ai",
    "coordination.k8s.io",
    "authorization.k8s.io",
    "authentication.k8s.io",
  ]);
  expect((await api.send("GET", "/apis/fly.lightfast.ai")).body).toMatchObject({
    kind: "APIGroup",
    preferredVersion: { groupVersion: "fly.lightfast.ai/v1" },
  });
  const roots = groups.map(({ name }) => `/apis/${name}/v1`);
  for (const root of ["/api/v1", ...roots]) {
    const { body } = await api.send("GET", root);
    const resources = body.resources as { name: string; verbs: string[] }[];
    expect(resources.length).toBeGreaterThan(0);
    for (const { name, verbs } of resources) {
      expect(verbs.length).toBeGreaterThan(0);
      const { status } = await api.send("GET", `${root}/${name}`);
      if (!name.includes("/")) expect([name, status]).toEqual([name, verbs.includes("list") ? 200 : 405]);
    }
  }
});

test("a resource carries what kubectl resolves names by", async () => {
  const { body } = await (await testApi()).send("GET", "/apis/fly.lightfast.ai/v1");
  expect(body.resources).toContainEqual({
    name: "instances",
    singularName: "instance",
    namespaced: true,
    kind: "Instance",
    verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    shortNames: ["inst"],
    categories: ["all", "fly"],
  });
  expect(body.resources).toContainEqual({
    name: "instances/status",
    singularName: "",
    namespaced: true,
    kind: "Instance",
    verbs: ["get", "patch", "update"],
  });
});

const AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

test("the aggregated form comes under its own content type, and names the same resources", async () => {
  const api = await testApi();
  const accept = `${AGGREGATED},${AGGREGATED.replace("v=v2", "v=v2beta1")},application/json`;
  const names = ["fly.lightfast.ai", "coordination.k8s.io", "authorization.k8s.io", "authentication.k8s.io"];
  for (const [root, groupVersions] of [
    ["/api", ["/api/v1"]],
    ["/apis", names.map((name) => `/apis/${name}/v1`)],
  ] as const) {
    const { headers, body } = await api.send("GET", root, undefined, { accept });
    expect(headers.get("content-type")).toBe(AGGREGATED);
    expect(body).toMatchObject({ kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2" });
    const groups = body.items as unknown as {
      versions: { resources: { resource: string; subresources?: object[] }[] }[];
    }[];
    const aggregated = groups.flatMap(({ versions }) => versions.flatMap(({ resources }) => resources));
    const lists = await Promise.all(groupVersions.map((path) => api.send("GET", path)));
    const legacy = lists.flatMap((list) => list.body.resources as { name: string }[]);
    expect(aggregated.map(({ resource }) => resource)).toEqual(
      legacy.map(({ name }) => name).filter((name) => !name.includes("/")),
    );
    expect(aggregated.flatMap(({ subresources }) => subresources ?? []).length).toBe(
      legacy.filter(({ name }) => name.includes("/")).length,
    );
  }
});

test("clients that know only the older aggregated form get that, and those that prefer plain JSON get plain JSON", async () => {
  const api = await testApi();
  const older = AGGREGATED.replace("v=v2", "v=v2beta1");
  const answer = await api.send("GET", "/apis", undefined, { accept: `${older},application/json` });
  expect(answer.headers.get("content-type")).toBe(older);
  expect(answer.body.apiVersion).toBe("apidiscovery.k8s.io/v2beta1");
  const plain = await api.send("GET", "/apis", undefined, { accept: `application/json,${AGGREGATED}` });
  expect(plain.body.kind).toBe("APIGroupList");
});
