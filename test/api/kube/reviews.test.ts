import { expect, test } from "vitest";
import { testApi } from "../test-api.ts";

const AUTHORIZATION = "/apis/authorization.k8s.io/v1";
const access = (spec: object) => ({ apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec });

test("whoever may ask may do everything", async () => {
  const api = await testApi();
  const spec = { resourceAttributes: { verb: "delete", resource: "instances", group: "fly.lightfast.ai" } };
  const { status, body } = await api.send("POST", `${AUTHORIZATION}/selfsubjectaccessreviews`, access(spec));
  expect([status, body]).toEqual([
    201,
    {
      ...access(spec),
      metadata: { creationTimestamp: null },
      status: { allowed: true, reason: "whoever may call this server may do everything" },
    },
  ]);
});

test("a question about nothing, and the body of another kind, are refused", async () => {
  const api = await testApi();
  const path = `${AUTHORIZATION}/selfsubjectaccessreviews`;
  expect((await api.send("POST", path, access({}))).status).toBe(400);
  expect((await api.send("POST", path, { ...access({}), kind: "Other" })).status).toBe(400);
  expect((await api.send("GET", path)).status).toBe(405);
});

test("who one is depends on whether there is a key", async () => {
  const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  const anybody = await (await testApi()).send("POST", path, review);
  expect(anybody.body.status).toEqual({
    userInfo: { username: "system:anonymous", groups: ["system:unauthenticated"] },
  });
  const keyed = await testApi({ apiKey: "k" });
  expect((await keyed.send("POST", path, review)).status).toBe(401);
  const admin = await keyed.send("POST", path, review, { authorization: "Bearer k" });
  expect(admin.body.status).toMatchObject({ userInfo: { username: "admin" } });
});
