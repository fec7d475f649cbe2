// The real kubectl against the API on a loopback port: what it prints, and how it exits. No controller runs: the tests write
// status themselves.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Listening, listen } from "../../api/listen.ts";
import { systemClock } from "../../controller/kernel/clock.ts";
import { instanceKind } from "../../crds/instance.ts";
import { type TestApi, testApi } from "../api/test-api.ts";
import { type Kubectl, kubectlAt, noKubectl } from "./kubectl.ts";

const absent = noKubectl();
if (absent) console.log(`skipped: ${absent}`);

describe.skipIf(absent !== undefined)("kubectl", () => {
  let home: string;
  let api: TestApi;
  let server: Listening;
  let kubectl: Kubectl;

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/flywheel-kubectl-`);
    api = await testApi({ clock: systemClock });
    server = await listen(api.api, { host: "127.0.0.1", port: 0, clock: systemClock });
    kubectl = kubectlAt(() => server.url, home);
  });
  afterAll(async () => {
    await server?.close(1000);
    rmSync(home, { recursive: true, force: true });
  });

  function manifest(name: string, spec: object, labels?: object): string {
    const metadata = { name, namespace: "default", labels };
    return kubectl.file(name, { apiVersion: "fly.lightfast.ai/v1", kind: "Instance", metadata, spec });
  }

  const apply = (file: string) => kubectl("apply", "-f", file);

  test("apply creates, leaves alone what is the same, and configures what differs", async () => {
    const created = await apply(manifest("box", { size: "shared-cpu-1x" }));
    expect(created).toMatchObject({ code: 0, stdout: "instance.fly.lightfast.ai/box created\n" });
    const same = await apply(manifest("box", { size: "shared-cpu-1x" }));
    expect(same.stdout).toBe("instance.fly.lightfast.ai/box unchanged\n");
    const changed = await apply(manifest("box", { size: "shared-cpu-2x" }));
    expect(changed.stdout).toBe("instance.fly.lightfast.ai/box configured\n");
    const again = await apply(manifest("box", { size: "shared-cpu-2x" }));
    expect(again.stdout).toBe("instance.fly.lightfast.ai/box unchanged\n");
  });

  test("explain and api-resources tell what there is", async () => {
    const idle = await kubectl("explain", "instance.spec.idle");
    expect(idle.stdout).toMatch(/FIELD: idle <Object>[\s\S]*What to do with a machine that nothing uses/);
    expect(idle.stdout).toMatch(/action\t<string>\n {2}enum: Suspend, Stop, Delete/);
    expect(idle.stdout).toMatch(/after\t<string> -required-/);
    expect((await kubectl("explain", "workflow", "--recursive")).stdout).toMatch(/retry\t<Object>/);
    expect((await kubectl("explain", "namespace")).stdout).toContain("A scope of names.");
    const resources = await kubectl("api-resources", "--no-headers");
    expect(resources.stdout).toMatch(/^instances +inst +fly.lightfast.ai\/v1 +true +Instance$/m);
    expect((await kubectl("api-resources", "--categories=all", "-o", "name")).stdout.split("\n")).toContain(
      "workflows.fly.lightfast.ai",
    );
  });

  test("its own verbs for built-in kinds work, which speak protobuf", async () => {
    expect((await kubectl("create", "namespace", "team")).stdout).toBe("namespace/team created\n");
    const literal = ["--from-literal=a=1", "--from-literal=b=two words"];
    const created = await kubectl("create", "configmap", "settings", "-n", "team", ...literal);
    expect(created.stdout).toBe("configmap/settings created\n");
    const value = await kubectl("get", "cm", "settings", "-n", "team", "-o", "jsonpath={.data.b}");
    expect(value.stdout).toBe("two words");
    expect((await kubectl("get", "cm", "-n", "team")).stdout).toMatch(/^NAME +DATA +AGE\nsettings +2 +\d+s\n$/);
    const secret = await kubectl("create", "secret", "generic", "git", "-n", "team", "--from-literal=token=hush hush");
    expect(secret.stdout).toBe("secret/git created\n");
    const table = await kubectl("get", "secrets", "-n", "team", "-o", "wide");
    expect(table.stdout).toMatch(/^NAME +TYPE +DATA +AGE\ngit +Opaque +1 +\d+s\n$/);
    expect((await kubectl("describe", "secret", "git", "-n", "team")).stdout).toMatch(/token: +9 bytes/);
    const token = await kubectl(
      "get",
      "secret",
      "git",
      "-n",
      "team",
      "-o",
      "go-template={{.data.token | base64decode}}",
    );
    expect(token.stdout).toBe("hush hush");
    expect((await kubectl("auth", "can-i", "delete", "instances")).stdout).toBe("yes\n");
    expect((await kubectl("auth", "can-i", "--list")).stdout).toMatch(/\*\.\* +\[\] +\[\] +\[\*\]/);
    expect((await kubectl("auth", "whoami")).stdout).toMatch(/Username +system:anonymous/);
  });

  test("a field that there is not is refused by the server, with the nearest one named", async () => {
    const { code, stderr } = await apply(manifest("typo", { imagee: "x" }));
    expect(code).toBe(1);
    expect(stderr).toContain('strict decoding error: unknown field "spec.imagee", did you mean "image"?');
    expect((await kubectl("get", "instance", "typo")).code).toBe(1);
  });

  test("a value that does not fit is shown with the field, the value and the remedy", async () => {
    const { code, stderr } = await apply(manifest("slip", { memoryMb: 300 }));
    expect(code).toBe(1);
    expect(stderr).toContain("spec.memoryMb: Invalid value: 300: must be a multiple of 256 MiB");
  });

  test("get prints the columns of the kind, more of them with -o wide", async () => {
    await apply(manifest("table", {}));
    const narrow = await kubectl("get", "instances", "table");
    expect(narrow.stdout).toMatch(/^NAME +READY +REASON .*REGION +AGE\ntable +\d+s\n$/);
    const wide = await kubectl("get", "inst", "table", "-o", "wide");
    expect(wide.stdout).toMatch(/SIZE +IMAGE/);
    expect(wide.stdout).toMatch(/shared-cpu-1x +ubuntu:22.04/);
    const name = await kubectl("get", "instance/table", "-o", "name");
    expect(name.stdout).toBe("instance.fly.lightfast.ai/table\n");
    const yaml = await kubectl("get", "instance", "table", "-o", "jsonpath={.spec.size}");
    expect(yaml.stdout).toBe("shared-cpu-1x");
  });

  test("get of all, with a selector, and of what is not there", async () => {
    await apply(manifest("labelled", {}, { team: "a" }));
    const selected = await kubectl("get", "instances", "-A", "-l", "team=a", "-o", "name");
    expect(selected.stdout).toBe("instance.fly.lightfast.ai/labelled\n");
    const all = await kubectl("get", "all", "-l", "team=a", "-o", "name");
    expect(all.stdout).toBe("instance.fly.lightfast.ai/labelled\n");
    const missing = await kubectl("get", "instance", "nobody");
    expect(missing).toMatchObject({
      code: 1,
      stderr: 'Error from server (NotFound): instances.fly.lightfast.ai "nobody" not found\n',
    });
    expect((await kubectl("get", "namespaces")).stdout).toMatch(/^NAME +STATUS +AGE\ndefault +Active +\d+s\n/);
  });

  test("wait returns when the condition is written", async () => {
    await apply(manifest("waits", {}));
    const waiting = kubectl("wait", "--for=condition=Ready", "instance/waits", "--timeout=30s");
    const early = await Promise.race([waiting, systemClock.sleep(700).then(() => "still waiting")]);
    expect(early).toBe("still waiting");
    await ready("waits");
    expect(await waiting).toMatchObject({ code: 0, stdout: "instance.fly.lightfast.ai/waits condition met\n" });
  });

  test("wait also works by a streaming list, as newer clients do it", async () => {
    await apply(manifest("streams", {}));
    const wait = ["wait", "--for=condition=Ready", "instance/streams", "--timeout=30s", "-v=6"];
    const waiting = kubectl.with({ env: { KUBE_FEATURE_WatchListClient: "true" } }, ...wait);
    await systemClock.sleep(700);
    await ready("streams");
    const { code, stdout, stderr } = await waiting;
    expect([code, stdout]).toEqual([0, "instance.fly.lightfast.ai/streams condition met\n"]);
    expect(stderr).toMatch(/sendInitialEvents=true\S* 200 OK/);
  });

  test("get -w shows a change as it happens", async () => {
    await apply(manifest("watched", {}));
    const watch = kubectl.start("get", "instance", "watched", "-w");
    await watch.said(/watched +\d+s/);
    // kubectl leaves out the first event of its watch, taking it for what it has just shown: one change may fall into it.
    for (let change = 1; !/watched +True +Ready/.test(watch.text.out); change += 1) {
      await ready("watched");
      await touch("watched", change);
      await systemClock.sleep(200);
    }
    await watch.stop("SIGINT");
  });

  test("delete waits until the object is gone", async () => {
    await apply(manifest("doomed", {}));
    const deleted = await kubectl("delete", "instance", "doomed");
    expect(deleted).toMatchObject({ code: 0, stdout: 'instance.fly.lightfast.ai "doomed" deleted\n' });
    expect((await kubectl("get", "instance", "doomed")).code).toBe(1);
  });

  test("patch, label, scale of output, diff", async () => {
    await apply(manifest("patched", {}));
    const patched = await kubectl("patch", "instance", "patched", "--type=merge", "-p", '{"spec":{"ttl":"1h"}}');
    expect(patched.stdout).toBe("instance.fly.lightfast.ai/patched patched\n");
    const json = await kubectl(
      "patch",
      "instance",
      "patched",
      "--type=json",
      "-p",
      '[{"op":"remove","path":"/spec/ttl"}]',
    );
    expect(json.stdout).toBe("instance.fly.lightfast.ai/patched patched\n");
    expect((await kubectl("label", "instance", "patched", "team=b")).stdout).toBe(
      "instance.fly.lightfast.ai/patched labeled\n",
    );
    expect((await kubectl("patch", "instance", "patched", "-p", "{}")).code).toBe(1);
    expect((await kubectl("diff", "-f", manifest("patched", {}))).code).toBe(0);
    const differs = await kubectl("diff", "-f", manifest("patched", { ttl: "2h" }));
    expect([differs.code, differs.stdout.includes("+  ttl: 2h")]).toEqual([1, true]);
  });

  async function touch(name: string, change: number): Promise<void> {
    await api.store.update(instanceKind, { namespace: "default", name }, (current) => ({
      ...current,
      metadata: { ...current.metadata, annotations: { touched: String(change) } },
    }));
  }

  async function ready(name: string): Promise<void> {
    await api.store.updateStatus(instanceKind, { namespace: "default", name }, (current) => ({
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "Ready",
          message: "",
          observedGeneration: current.metadata.generation,
          lastTransitionTime: "2026-01-01T00:00:00Z",
        },
      ],
    }));
  }
});
