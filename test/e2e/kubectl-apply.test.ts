// kubectl apply --server-side, unmodified: who manages which field, who is refused, what removal removes, and how one comes
// over from client-side apply. No controller interferes.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Kubectl, kubectlAt, noKubectl } from "./kubectl.ts";
import { startServer, type TestServer } from "./server.ts";

const absent = noKubectl();
if (absent) console.log(`skipped: ${absent}`);

const API_VERSION = "fly.lightfast.ai/v1";
const NAMED = "instance.fly.lightfast.ai";

describe.skipIf(absent !== undefined)("kubectl apply --server-side", () => {
  let server: TestServer;
  let kubectl: Kubectl;

  beforeAll(async () => {
    server = await startServer({ CONTROLLERS: "none" });
    kubectl = kubectlAt(() => server.url, join(server.folder, "kubectl"));
  });
  afterAll(() => server?.close());

  function instance(name: string, spec: object, labels?: object): string {
    const metadata = { name, ...(labels ? { labels } : {}) };
    return kubectl.file(name, { apiVersion: API_VERSION, kind: "Instance", metadata, spec });
  }

  const apply = (file: string, ...flags: readonly string[]) =>
    kubectl.out("apply", "--server-side", "-f", file, ...flags);
  const field = (name: string, path: string) => kubectl.out("get", "instance", name, "-o", `jsonpath={${path}}`);

  interface Entry {
    readonly manager: string;
    readonly operation: string;
    readonly fieldsV1: object;
  }
  async function managers(name: string): Promise<readonly string[]> {
    const text = await kubectl.out("get", "instance", name, "-o", "json", "--show-managed-fields");
    const { metadata }: { metadata: { managedFields?: readonly Entry[] } } = JSON.parse(text);
    return (metadata.managedFields ?? []).map(({ manager, operation }) => `${manager}/${operation}`);
  }

  test("creates, configures, and leaves alone what is the same", async () => {
    const applied = `${NAMED}/box serverside-applied\n`;
    expect(await apply(instance("box", { ttl: "1h" }))).toBe(applied);
    expect(await apply(instance("box", { ttl: "2h" }))).toBe(applied);
    const before = await field("box", ".metadata.resourceVersion");
    expect(await apply(instance("box", { ttl: "2h" }))).toBe(applied);
    expect(await field("box", ".metadata.resourceVersion")).toBe(before);
    expect(await field("box", ".spec.ttl")).toBe("2h");
    expect(await managers("box")).toEqual(["kubectl/Apply"]);
    expect(await kubectl.out("get", "instance", "box", "-o", "yaml")).not.toContain("managedFields");
  });

  test("a dry run on the server keeps nothing", async () => {
    const file = instance("trial", { ttl: "1h" });
    expect(await apply(file, "--dry-run=server")).toBe(`${NAMED}/trial serverside-applied (server dry run)\n`);
    expect(await kubectl.refusal("get", "instance", "trial")).toContain("NotFound");
  });

  test("another manager is refused what the first one has, until it forces", async () => {
    await apply(instance("shared", { ttl: "1h", env: { A: "1" } }), "--field-manager=alice");
    const other = instance("shared", { ttl: "2h" });
    const refusal = await kubectl.refusal("apply", "--server-side", "-f", other, "--field-manager=bob");
    expect(refusal).toContain('error: Apply failed with 1 conflict: conflict with "alice": .spec.ttl\n');
    expect(refusal).toContain("--force-conflicts");
    expect(await field("shared", ".spec.ttl")).toBe("1h");
    await apply(other, "--field-manager=bob", "--force-conflicts");
    expect(await field("shared", ".spec")).toContain('"env":{"A":"1"}');
    expect(await field("shared", ".spec.ttl")).toBe("2h");
    expect(await managers("shared")).toEqual(["alice/Apply", "bob/Apply"]);
    const back = instance("shared", { ttl: "1h", env: { A: "1" } });
    const returned = await kubectl.refusal("apply", "--server-side", "-f", back, "--field-manager=alice");
    expect(returned).toContain('conflict with "bob": .spec.ttl');
  });

  test("what kubectl edit or patch took is told with the time", async () => {
    await apply(instance("edited", { ttl: "1h" }));
    await kubectl.out("patch", "instance", "edited", "--type=merge", "-p", '{"spec":{"ttl":"3h"}}');
    const refusal = await kubectl.refusal("apply", "--server-side", "-f", instance("edited", { ttl: "1h" }));
    expect(refusal).toMatch(/conflict with "kubectl-patch" using fly\.lightfast\.ai\/v1 at \S+Z?: \.spec\.ttl/);
  });

  test("what is no longer named is removed: a variable, a label, a step", async () => {
    await apply(instance("less", { env: { A: "1", B: "2" } }, { team: "a", tier: "x" }));
    await kubectl.out("label", "instance", "less", "kept=yes");
    await apply(instance("less", { env: { A: "1" } }, { team: "a" }));
    expect(JSON.parse(await field("less", ".spec.env"))).toEqual({ A: "1" });
    expect(JSON.parse(await field("less", ".metadata.labels"))).toEqual({ team: "a", kept: "yes" });

    const workflow = (...names: readonly string[]) =>
      kubectl.file("flow", {
        apiVersion: API_VERSION,
        kind: "Workflow",
        metadata: { name: "flow" },
        spec: { instances: { main: {} }, steps: names.map((name) => ({ name, run: "true" })) },
      });
    await apply(workflow("a", "b", "c"));
    await apply(workflow("a", "c"));
    expect(await kubectl.out("get", "workflow", "flow", "-o", "jsonpath={.spec.steps[*].name}")).toBe("a c");
  });

  test("coming over from client-side apply takes its fields along", async () => {
    expect(await kubectl.out("apply", "-f", instance("old", { ttl: "1h", env: { A: "1", B: "2" } }))).toBe(
      `${NAMED}/old created\n`,
    );
    expect(await managers("old")).toEqual(["kubectl-client-side-apply/Update"]);
    const generation = await field("old", ".metadata.generation");
    await apply(instance("old", { ttl: "1h", env: { A: "1", B: "2" } }));
    expect(await managers("old")).not.toContain("kubectl-client-side-apply/Update");
    expect(await field("old", ".metadata.generation")).toBe(generation);
    await apply(instance("old", { ttl: "1h", env: { A: "1" } }));
    expect(JSON.parse(await field("old", ".spec.env"))).toEqual({ A: "1" });
  });

  test("diff --server-side: exit 0 without a difference, 1 with one, and nothing is written", async () => {
    await apply(instance("differs", { ttl: "1h" }));
    const diff = (file: string) => kubectl("diff", "--server-side", "-f", file);
    expect(await diff(instance("differs", { ttl: "1h" }))).toEqual({ code: 0, stdout: "", stderr: "" });
    const found = await diff(instance("differs", { ttl: "2h" }));
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(/^-\s+ttl: 1h$/m);
    expect(found.stdout).toMatch(/^\+\s+ttl: 2h$/m);
    expect(await field("differs", ".spec.ttl")).toBe("1h");
  });

  test("our own command leaves the record out unless it is asked for", async () => {
    await apply(instance("ours", { ttl: "1h" }), "--field-manager=alice");
    expect((await server.cli("get", "instance", "ours", "-o", "yaml")).out).not.toContain("managedFields");
    const shown = await server.cli("get", "instance", "ours", "-o", "yaml", "--show-managed-fields");
    expect(shown.out).toMatch(/managedFields:\n {4}- manager: alice\n/);
  });
});
