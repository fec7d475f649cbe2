// Discovery advertises what is served: every resource that it names answers a list.
import { expect, test } from "vitest";
import { testApi } from "../test-api.ts";

test("every advertised resource can be listed, and every verb is a method that exists", async () => {
  const api = await testApi();
  expect((await api.send("GET", "/api")).body).toMatchObject({ kind: "APIVersions", versions: ["v1"] });
  const groups = (await api.send("GET", "/apis")).body.groups as { name: string }[];
  expect(groups.map((group) => group.name)).toEqual(["fly.lightfast.ai"]);
  expect((await api.send("GET", "/apis/fly.lightfast.ai")).body).toMatchObject({
    kind: "APIGroup",
    preferredVersion: { groupVersion: "fly.lightfast.ai/v1" },
  });
  for (const root of ["/api/v1", "/apis/fly.lightfast.ai/v1"]) {
    const { body } = await api.send("GET", root);
    const resources = body.resources as { name: string; verbs: string[] }[];
    expect(resources.length).toBeGreaterThan(0);
    for (const { name, verbs } of resources) {
      expect(verbs.length).toBeGreaterThan(0);
      if (!name.includes("/")) expect([name, (await api.send("GET", `${root}/${name}`)).status]).toEqual([name, 200]);
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
