// What the real kubectl can delete, and what goes with it: the three policies of garbage collection, finalizers, preconditions,
// collections, and namespaces, which are emptied first. The server runs with its controllers, as users run it.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Kubectl, kubectlAt, noKubectl } from "./kubectl.ts";
import { until } from "./program.ts";
import { startServer, type TestServer } from "./server.ts";

const absent = noKubectl();
if (absent) console.log(`skipped: ${absent}`);

const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

interface Meta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: object;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly object[];
}

const configMap = (metadata: Meta) => ({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: "b" } });

describe.skipIf(absent !== undefined)("kubectl delete", () => {
  let server: TestServer;
  let kubectl: Kubectl;

  beforeAll(async () => {
    server = await startServer();
    kubectl = kubectlAt(() => server.url, join(server.folder, "kubectl"));
  });
  afterAll(() => server?.close());

  const out = (...words: readonly string[]) => kubectl.out(...words);
  const refusal = (...words: readonly string[]) => kubectl.refusal(...words);
  const create = (...all: readonly Meta[]) => out("create", "-f", kubectl.file("made", ...all.map(configMap)));
  const names = async (label: string) =>
    (await out("get", "cm", "-l", label, "-o", "jsonpath={.items[*].metadata.name}")).split(" ").filter(Boolean);

  /** One that owns another; both carry the label `family=<name>`. */
  async function family(name: string): Promise<void> {
    const labels = { family: name };
    await create({ name: `${name}-owner`, labels });
    const uid = await out("get", "cm", `${name}-owner`, "-o", "jsonpath={.metadata.uid}");
    const owner = { apiVersion: "v1", kind: "ConfigMap", name: `${name}-owner`, uid, blockOwnerDeletion: true };
    await create({ name: `${name}-child`, labels, ownerReferences: [owner] });
  }
  const hold = (name: string) =>
    out("patch", "cm", name, "--type=merge", "-p", '{"metadata":{"finalizers":["test/hold"]}}');
  const release = (name: string) =>
    out("patch", "cm", name, "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers"}]');

  test("background: the owner goes at once, what it owned after it", async () => {
    await family("background");
    await hold("background-child");
    await out("delete", "cm", "background-owner", "--cascade=background", "--timeout=30s");
    expect(await names("family=background")).toEqual(["background-child"]);
    await release("background-child");
    await until("the child is gone", async () => (await names("family=background")).length === 0);
  });

  test("foreground: the owner waits until what it owned is gone", async () => {
    await family("foreground");
    await hold("foreground-child");
    await out("delete", "cm", "foreground-owner", "--cascade=foreground", "--wait=false");
    const marked = ["get", "cm", "foreground-child", "-o", "jsonpath={.metadata.deletionTimestamp}"];
    await until("the child is being deleted", async () => (await out(...marked)) !== "");
    expect(await names("family=foreground")).toEqual(["foreground-child", "foreground-owner"]);
    expect(await out("get", "cm", "foreground-owner", "-o", "jsonpath={.metadata.finalizers}")).toBe(
      '["foregroundDeletion"]',
    );
    await release("foreground-child");
    await out("wait", "cm/foreground-owner", "--for=delete", "--timeout=30s");
    expect(await names("family=foreground")).toEqual([]);
  });

  test("orphan: what the owner owned stays, and knows it no more", async () => {
    await family("orphan");
    await out("delete", "cm", "orphan-owner", "--cascade=orphan", "--timeout=30s");
    expect(await names("family=orphan")).toEqual(["orphan-child"]);
    expect(await out("get", "cm", "orphan-child", "-o", "jsonpath={.metadata.ownerReferences}")).toBe("");
  });

  test("for trial, without waiting, by label, with a grace period, and all of a kind", async () => {
    const labels = { batch: "yes" };
    await create({ name: "one", labels }, { name: "two", labels }, { name: "three" });
    expect(await out("delete", "cm", "one", "--dry-run=server")).toBe('configmap "one" deleted (server dry run)\n');
    expect(await names("batch")).toEqual(["one", "two"]);
    expect(await out("delete", "cm", "-l", "batch=yes", "--wait=false")).toBe(
      'configmap "one" deleted\nconfigmap "two" deleted\n',
    );
    expect(await out("get", "cm", "three", "-o", "name")).toBe("configmap/three\n");
    await create({ name: "four" });
    expect(await out("delete", "cm", "four", "--grace-period=0")).toBe('configmap "four" deleted\n');
    await create({ name: "five" });
    expect(await kubectl("delete", "cm", "five", "--grace-period=0", "--force")).toMatchObject({ code: 0 });
    expect(await out("delete", "cm", "--all")).toContain('configmap "three" deleted\n');
    expect(await out("get", "cm", "-o", "name")).toBe("");
    expect(await refusal("delete", "cm", "three")).toBe('Error from server (NotFound): configmaps "three" not found\n');
    expect(await out("delete", "cm", "three", "--ignore-not-found")).toBe("");
  });

  test("a collection at once, by label", async () => {
    const labels = { gather: "yes" };
    await create({ name: "in-1", labels }, { name: "in-2", labels, finalizers: ["test/hold"] }, { name: "out-1" });
    await out("delete", "--raw", `${CONFIG_MAPS}?labelSelector=gather%3Dyes`);
    expect(await out("get", "cm", "-o", "name")).toBe("configmap/in-2\nconfigmap/out-1\n");
    await release("in-2");
    expect(await out("get", "cm", "-o", "name")).toBe("configmap/out-1\n");
    await out("delete", "cm", "--all");
  });

  test("a finalizer holds the object, which takes no new one", async () => {
    await create({ name: "held", finalizers: ["test/hold"] });
    const timedOut = await kubectl("delete", "cm", "held", "--timeout=1s");
    // Before its error kubectl may remark on how short its own watch was.
    expect(timedOut.code).toBe(1);
    expect(timedOut.stderr).toMatch(/error: timed out waiting for the condition on configmaps\/held\n$/);
    expect(await out("get", "cm", "held", "-o", "jsonpath={.metadata.deletionTimestamp}")).not.toBe("");
    const another = '{"metadata":{"finalizers":["test/hold","test/more"]}}';
    expect(await refusal("patch", "cm", "held", "--type=merge", "-p", another)).toContain(
      "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted",
    );
    await release("held");
    expect(await refusal("get", "cm", "held")).toContain('configmaps "held" not found');
  });

  test("a precondition that fails saves the object", async () => {
    await create({ name: "kept", labels: { kept: "yes" } });
    for (const preconditions of [{ uid: "00000000-0000-0000-0000-000000000000" }, { resourceVersion: "1" }]) {
      const { status, body } = await server.send("DELETE", `${CONFIG_MAPS}/kept`, { preconditions });
      expect([status, body]).toEqual([409, expect.objectContaining({ reason: "Conflict" })]);
    }
    const resourceVersion = await out("get", "cm", "kept", "-o", "jsonpath={.metadata.resourceVersion}");
    const { status } = await server.send("DELETE", `${CONFIG_MAPS}/kept`, { preconditions: { resourceVersion } });
    expect([status, await names("kept=yes")]).toEqual([200, []]);
  });

  test("a namespace is emptied first, takes nothing in meanwhile, and goes", async () => {
    expect(await out("create", "namespace", "team")).toBe("namespace/team created\n");
    await create({ name: "stays", namespace: "team", finalizers: ["test/hold"] }, { name: "goes", namespace: "team" });
    expect(await out("delete", "ns", "team", "--wait=false")).toBe('namespace "team" deleted\n');
    expect(await out("get", "ns", "team", "--no-headers")).toMatch(/^team +Terminating /);
    expect(await refusal("create", "cm", "late", "-n", "team")).toContain(
      'configmaps "late" is forbidden: unable to create new content in namespace team because it is being terminated',
    );
    await until(
      "the rest is gone",
      async () => (await out("get", "cm", "-n", "team", "-o", "name")) === "configmap/stays\n",
    );
    await out("patch", "cm", "stays", "-n", "team", "--type=merge", "-p", '{"metadata":{"finalizers":null}}');
    await out("wait", "ns/team", "--for=delete", "--timeout=30s");
    expect(await refusal("create", "cm", "late", "-n", "team")).toContain('namespaces "team" not found');
    // One of the same name is another one: nothing of the former is in it.
    await out("create", "namespace", "team");
    expect(await out("get", "all,cm,secrets,events", "-n", "team", "-o", "name")).toBe("");
    expect(await refusal("delete", "ns", "default")).toContain("Forbidden");
  });

  test("an instance takes its machine with it, and a run the instances that it made", async () => {
    const flywheel = (kind: string, name: string, spec: object) => {
      return { apiVersion: "fly.lightfast.ai/v1", kind, metadata: { name }, spec };
    };
    const steps = [{ name: "sleeps", instance: "box", run: "sleep 600" }];
    await out("apply", "-f", kubectl.file("workflow", flywheel("Workflow", "long", { instances: { box: {} }, steps })));
    await out("create", "-f", kubectl.file("run", flywheel("WorkflowRun", "run", { workflowRef: { name: "long" } })));
    const owned = "jsonpath={.items[?(@.metadata.ownerReferences[0].name=='run')].metadata.name}";
    const box = await until("the run has its instance", () =>
      out("get", "instances", "-o", owned).then((it) => it || false),
    );
    await out("wait", `instance/${box}`, "--for=condition=Ready", "--timeout=60s");
    const id = await out("get", "instance", box, "-o", "jsonpath={.status.machine.id}");
    const machine = () => server.fly<{ state?: string }>("GET", `/v1/apps/lightfast-worker-instances/machines/${id}`);
    expect((await machine()).body.state).toBe("started");
    expect(await out("delete", "workflowrun", "run", "--cascade=foreground", "--timeout=60s")).toBe(
      'workflowrun.fly.lightfast.ai "run" deleted\n',
    );
    expect(await refusal("get", "instance", box)).toContain("not found");
    const { status, body } = await machine();
    expect([404, "destroyed"]).toContain(status === 200 ? body.state : status);
  });
});
