// @kubernetes/client-node, unmodified, on a kubeconfig that the CLI wrote, against a server with a key and a certificate by its
// own authority, which is killed and started again under the informers.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  AuthenticationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  Watch,
} from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "./program.ts";
import { startServer, type TestServer } from "./server.ts";

const GROUP = { group: "fly.lightfast.ai", version: "v1", plural: "instances" };
const HOME = { ...GROUP, namespace: "default" };
const PATH = "/apis/fly.lightfast.ai/v1/namespaces/default/instances";
type Instance = KubernetesObject & { spec?: { size?: string; ttl?: string } };

const instance = (name: string, spec: object = {}): Instance => ({
  apiVersion: "fly.lightfast.ai/v1",
  kind: "Instance",
  metadata: { name, namespace: "default" },
  spec,
});

describe("client-node", () => {
  let server: TestServer;
  let config: KubeConfig;
  let objects: CustomObjectsApi;
  const file = () => join(server.folder, "kubeconfig");

  beforeAll(async () => {
    // Its own port, so that clients find it again after a restart.
    const port = String(20_000 + (process.pid % 20_000));
    server = await startServer({ TLS: "self-signed", API_KEY: "a-key-for-tests", CONTROLLERS: "none", PORT: port });
    const ca = join(server.dataDir, "tls/ca.pem");
    const written = await server.cli("kubeconfig", "--ca-file", ca, "--file", file());
    expect([written.code, written.err]).toEqual([0, ""]);
    config = new KubeConfig();
    config.loadFromFile(file());
    objects = config.makeApiClient(CustomObjectsApi);
  }, 60_000);
  afterAll(() => server?.close());

  const create = (name: string, spec: object = {}) =>
    objects.createNamespacedCustomObject({ ...HOME, body: instance(name, spec) });

  test("the kubeconfig embeds the authority, and kubectl uses it with its token", async () => {
    expect(readFileSync(file(), "utf8")).toContain("certificate-authority-data:");
    const env = { PATH: process.env.PATH, HOME: server.folder, KUBECONFIG: file() };
    const kubectl = (...args: readonly string[]) => promisify(execFile)("kubectl", args, { env });
    expect((await kubectl("auth", "whoami")).stdout).toMatch(/Username +admin/);
    expect((await kubectl("get", "namespaces", "-o", "name")).stdout).toBe("namespace/default\n");
    await expect(kubectl("--token=wrong", "get", "namespaces")).rejects.toThrow(
      /logged in|Unauthorized|provide credentials/,
    );
  });

  test("typed clients of core kinds: namespaces, config maps, who one is", async () => {
    const core = config.makeApiClient(CoreV1Api);
    await core.createNamespace({ body: { metadata: { name: "typed" } } });
    await core.createNamespacedConfigMap({ namespace: "typed", body: { metadata: { name: "c" }, data: { a: "1" } } });
    expect((await core.readNamespacedConfigMap({ namespace: "typed", name: "c" })).data).toEqual({ a: "1" });
    const { status } = await config.makeApiClient(AuthenticationV1Api).createSelfSubjectReview({ body: {} });
    expect(status?.userInfo?.username).toBe("admin");
  });

  test("create, read, merge patch, JSON patch, replace and delete", async () => {
    await create("crud", { size: "shared-cpu-1x" });
    const any = KubernetesObjectApi.makeApiClient(config);
    const merged: Instance = await any.patch(
      { ...instance("crud"), spec: { ttl: "1h" } } as Instance,
      undefined,
      undefined,
      "client-node",
      undefined,
      PatchStrategy.MergePatch,
    );
    expect(merged.spec?.ttl).toBe("1h");
    const patched = await objects.patchNamespacedCustomObject({
      ...HOME,
      name: "crud",
      body: [{ op: "replace", path: "/spec/ttl", value: "2h" }],
    });
    expect(patched.spec.ttl).toBe("2h");
    const stale = { ...patched, metadata: { ...patched.metadata, resourceVersion: merged.metadata?.resourceVersion } };
    await expect(objects.replaceNamespacedCustomObject({ ...HOME, name: "crud", body: stale })).rejects.toMatchObject({
      code: 409,
    });
    const replaced = await objects.replaceNamespacedCustomObject({ ...HOME, name: "crud", body: patched });
    expect(replaced.metadata.name).toBe("crud");
    await objects.deleteNamespacedCustomObject({ ...HOME, name: "crud" });
    await expect(objects.getNamespacedCustomObject({ ...HOME, name: "crud" })).rejects.toMatchObject({ code: 404 });
  });

  test("server-side apply: creates, refuses what another manager has, and forces", async () => {
    const any = KubernetesObjectApi.makeApiClient(config);
    const apply = (manager: string, ttl: string, force = false): Promise<Instance> =>
      any.patch(
        { ...instance("applied"), spec: { ttl } } as Instance,
        undefined,
        undefined,
        manager,
        force,
        PatchStrategy.ServerSideApply,
      );
    expect((await apply("alice", "1h")).metadata?.managedFields).toMatchObject([
      { manager: "alice", operation: "Apply", fieldsV1: { "f:spec": { "f:ttl": {} } } },
    ]);
    await expect(apply("bob", "2h")).rejects.toMatchObject({
      code: 409,
      body: expect.stringContaining("FieldManagerConflict"),
    });
    const forced = await apply("bob", "2h", true);
    expect(forced.spec?.ttl).toBe("2h");
    expect(forced.metadata?.managedFields?.map(({ manager }) => manager)).toEqual(["bob"]);
  });

  test("pages show one moment, whatever is written between them", async () => {
    for (const index of [0, 1, 2, 3, 4]) await create(`page-${index}`);
    const first = await objects.listNamespacedCustomObject({ ...HOME, limit: 2 });
    await objects.deleteNamespacedCustomObject({ ...HOME, name: "page-4" });
    await create("page-5");
    const names: string[] = first.items.map((each: Instance) => each.metadata?.name);
    for (let token = first.metadata._continue ?? first.metadata.continue; token; ) {
      const page = await objects.listNamespacedCustomObject({ ...HOME, limit: 2, _continue: token });
      expect(page.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      names.push(...page.items.map((each: Instance) => each.metadata?.name));
      token = page.metadata._continue ?? page.metadata.continue;
    }
    expect(names.filter((name) => name.startsWith("page-"))).toEqual([
      "page-0",
      "page-1",
      "page-2",
      "page-3",
      "page-4",
    ]);
  });

  test("a watch gives every change in order", async () => {
    const { metadata } = await objects.listNamespacedCustomObject({ ...HOME });
    const seen: string[] = [];
    const request = await new Watch(config).watch(
      PATH,
      { resourceVersion: metadata.resourceVersion },
      (type, object: Instance) => seen.push(`${type} ${object.metadata?.name} ${object.spec?.ttl ?? ""}`),
      () => undefined,
    );
    await create("watched");
    await objects.patchNamespacedCustomObject({
      ...HOME,
      name: "watched",
      body: [{ op: "add", path: "/spec/ttl", value: "1h" }],
    });
    await objects.deleteNamespacedCustomObject({ ...HOME, name: "watched" });
    await until("three events", () => seen.length === 3);
    expect(seen).toEqual(["ADDED watched ", "MODIFIED watched 1h", "DELETED watched 1h"]);
    request.abort();
  });

  test("an informer survives the server's restarts, and its cache ends as the list", async () => {
    const list = () => objects.listNamespacedCustomObject({ ...HOME }) as Promise<KubernetesListObject<Instance>>;
    const informer = makeInformer<Instance>(config, PATH, list);
    let stopped = false;
    // What its documentation asks of a caller: start it again after an error.
    informer.on("error", () => {
      if (!stopped) setTimeout(() => void informer.start().catch(() => undefined), 100);
    });
    await informer.start();
    for (const round of [0, 1, 2]) {
      await create(`informed-${round}`);
      await server.restart();
      if (round > 0) await objects.deleteNamespacedCustomObject({ ...HOME, name: `informed-${round - 1}` });
    }
    const names = async () =>
      (await list()).items.map(({ metadata }) => `${metadata?.name} ${metadata?.resourceVersion}`);
    const expected = (await names()).sort();
    expect(expected.some((name) => name.startsWith("informed-2"))).toBe(true);
    await until("the cache is the list", () => {
      const cached = informer.list().map(({ metadata }) => `${metadata?.name} ${metadata?.resourceVersion}`);
      return JSON.stringify(cached.sort()) === JSON.stringify(expected);
    });
    stopped = true;
    await informer.stop();
  });
});
