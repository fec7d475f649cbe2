// Probes, version and metrics.
import { expect, test } from "vitest";
import { INSTANCES, instance, testApi } from "./test-api.ts";

test("health says ok, which version, and since when", async () => {
  const api = await testApi();
  await api.clock.advance(61_000);
  const { status, body } = await api.send("GET", "/health");
  expect([status, body]).toEqual([200, { status: "ok", version: "0.1.0", uptimeSeconds: 61 }]);
  expect((await api.send("GET", "/livez")).body).toBe("ok");
});

test("readyz fails with the reason when the store or the controller does", async () => {
  expect((await (await testApi()).send("GET", "/readyz")).status).toBe(200);
  const waiting = await testApi({ ready: async () => ({ ok: false, message: "informers are syncing" }) });
  const answer = await waiting.send("GET", "/readyz");
  expect([answer.status, answer.body]).toEqual([503, "[-]controller failed: informers are syncing"]);
  const { store } = waiting;
  const full = await testApi({ store: { ...store, health: async () => ({ ok: false, message: "disk full" }) } });
  expect((await full.send("GET", "/readyz")).body).toBe("[-]store failed: disk full");
});

test("the version is in Kubernetes' shape, close to kubectl's own", async () => {
  const { body } = await (await testApi()).send("GET", "/version");
  expect(body).toMatchObject({ major: "1", minor: "32", gitVersion: "v1.32.0-flywheel.0.1.0" });
});

test("metrics count requests by pattern, so that names do not become series", async () => {
  const api = await testApi();
  await api.send("POST", INSTANCES, instance("a"));
  await api.send("GET", `${INSTANCES}/a`);
  await api.send("GET", `${INSTANCES}/b`);
  await api.send("GET", "/no/such/path/1");
  await api.send("GET", "/health", undefined, { host: "evil.example" });
  const { body } = await api.send("GET", "/metrics");
  const counts = [...String(body).matchAll(/^flywheel_http_request_duration_seconds_count\{(.*)\} (\d+)$/gm)].map(
    (match) => `${match[1]} ${match[2]}`,
  );
  const pattern = "/apis/fly.lightfast.ai/v1/namespaces/:namespace/instances";
  expect(counts).toEqual([
    `method="POST",route="${pattern}",code="201" 1`,
    `method="GET",route="${pattern}/:name",code="200" 1`,
    `method="GET",route="${pattern}/:name",code="404" 1`,
    `method="GET",route="unmatched",code="404" 1`,
    `method="GET",route="refused",code="403" 1`,
  ]);
});
