// Every verb of the real kubectl that reads or writes objects, against the server as users run it. No controller interferes:
// status is written by kubectl itself. What deletion does is in kubectl-deletion.test.ts.
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Kubectl, kubectlAt, noKubectl } from "./kubectl.ts";
import { startServer, type TestServer } from "./server.ts";

const absent = noKubectl();
if (absent) console.log(`skipped: ${absent}`);

const PATH = "/apis/fly.lightfast.ai/v1/namespaces/default/instances";
const NAMED = "instance.fly.lightfast.ai";

const instance = (metadata: object, spec: object = {}) => ({
  apiVersion: "fly.lightfast.ai/v1",
  kind: "Instance",
  metadata,
  spec,
});

describe.skipIf(absent !== undefined)("kubectl", () => {
  let server: TestServer;
  let kubectl: Kubectl;

  beforeAll(async () => {
    server = await startServer({ CONTROLLERS: "none" });
    kubectl = kubectlAt(() => server.url, join(server.folder, "kubectl"));
  });
  afterAll(() => server?.close());

  const out = (...words: readonly string[]) => kubectl.out(...words);
  const refusal = (...words: readonly string[]) => kubectl.refusal(...words);
  const create = (name: string, spec: object = {}, metadata: object = {}) =>
    out("create", "-f", kubectl.file(name, instance({ name, ...metadata }, spec)));
  const field = (name: string, path: string) => out("get", "instance", name, "-o", `jsonpath={${path}}`);

  test("create: for trial, for good, never twice, and under a name that the server makes", async () => {
    const file = kubectl.file("made", instance({ name: "made" }, { ttl: "1h" }));
    expect(await out("create", "-f", file, "--dry-run=server")).toBe(`${NAMED}/made created (server dry run)\n`);
    expect(await refusal("get", "instance", "made")).toContain('instances.fly.lightfast.ai "made" not found');
    expect(await out("create", "-f", file)).toBe(`${NAMED}/made created\n`);
    expect(await refusal("create", "-f", file)).toMatch(
      /^Error from server \(AlreadyExists\): .*instances.fly.lightfast.ai "made" already exists\n$/,
    );
    const generated = kubectl.file("generated", instance({ generateName: "some-" }));
    const names = [
      await out("create", "-f", generated, "-o", "name"),
      await out("create", "-f", generated, "-o", "name"),
    ];
    for (const name of names) expect(name).toMatch(/^instance\.fly\.lightfast\.ai\/some-[a-z0-9]{5}\n$/);
    expect(names[0]).not.toBe(names[1]);
  });

  test("--validate chooses what becomes of a field that there is not", async () => {
    const file = (name: string) => kubectl.file(name, instance({ name }, { tttl: "1h" }));
    expect(await refusal("create", "-f", file("strict"))).toContain('unknown field "spec.tttl", did you mean "ttl"?');
    const warned = await kubectl("create", "-f", file("warned"), "--validate=warn");
    expect(warned).toMatchObject({ code: 0, stdout: `${NAMED}/warned created\n` });
    expect(warned.stderr).toBe('Warning: unknown field "spec.tttl", did you mean "ttl"?\n');
    expect(await out("create", "-f", file("ignored"), "--validate=ignore")).toBe(`${NAMED}/ignored created\n`);
    expect(await field("warned", ".spec.tttl")).toBe("");
  });

  test("apply: for trial, and with what is no longer in the manifests pruned", async () => {
    const labels = { app: "shop" };
    const [web, db] = ["web", "db"].map((name) => instance({ name, labels }));
    const both = kubectl.file("both", web ?? {}, db ?? {});
    const prune = ["--prune", "-l", "app=shop", "--prune-allowlist=fly.lightfast.ai/v1/Instance"];
    expect(await out("apply", "-f", both, "--dry-run=server")).toBe(
      `${NAMED}/web created (server dry run)\n${NAMED}/db created (server dry run)\n`,
    );
    expect(await out("apply", "-f", both, ...prune)).toBe(`${NAMED}/web created\n${NAMED}/db created\n`);
    const one = kubectl.file("one", web ?? {});
    expect(await out("apply", "-f", one, ...prune)).toBe(`${NAMED}/web unchanged\n${NAMED}/db pruned\n`);
    expect(await out("get", "instances", "-l", "app=shop", "-o", "name")).toBe(`${NAMED}/web\n`);
  });

  test("replace: whole objects, none that has changed since it was read, and by force one made anew", async () => {
    await create("swapped", { ttl: "1h" });
    const revision = await field("swapped", ".metadata.resourceVersion");
    const uid = await field("swapped", ".metadata.uid");
    const file = kubectl.file("swapped", instance({ name: "swapped" }, { ttl: "2h" }));
    expect(await out("replace", "-f", file)).toBe(`${NAMED}/swapped replaced\n`);
    const stale = instance({ name: "swapped", resourceVersion: revision }, { ttl: "3h" });
    expect(await refusal("replace", "-f", kubectl.file("stale", stale))).toMatch(
      /^Error from server \(Conflict\): .*Operation cannot be fulfilled on instances.fly.lightfast.ai "swapped": the object has been modified/,
    );
    expect(await field("swapped", ".spec.ttl")).toBe("2h");
    expect(await out("replace", "--force", "-f", file)).toBe(
      `instance.fly.lightfast.ai "swapped" deleted\n${NAMED}/swapped replaced\n`,
    );
    expect(await field("swapped", ".metadata.uid")).not.toBe(uid);
  });

  test("edit saves what the editor leaves, and shows what is wrong with it", async () => {
    await create("edited", { ttl: "1h" });
    const seen = join(server.folder, "seen");
    const edit = (from: string, to: string) => {
      const editor = join(server.folder, "editor");
      // As a person would: what comes back with the error above it, is left alone.
      writeFileSync(
        editor,
        `#!/bin/sh\ncp "$1" '${seen}'\ngrep -q '^# .*Invalid' "$1" || sed -i 's/${from}/${to}/' "$1"\n`,
      );
      chmodSync(editor, 0o755);
      return kubectl.with({ env: { KUBE_EDITOR: editor } }, "edit", "instance", "edited");
    };
    expect(await edit("ttl: 1h", "ttl: 2h")).toMatchObject({ code: 0, stdout: `${NAMED}/edited edited\n` });
    expect(await field("edited", ".spec.ttl")).toBe("2h");
    expect(await edit("nothing", "else")).toMatchObject({ code: 0, stderr: "Edit cancelled, no changes made.\n" });
    const wrong = await edit("ttl: 2h", "ttl: soon");
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/^error: instances.fly.lightfast.ai "edited" is invalid\n/);
    expect(readFileSync(seen, "utf8")).toMatch(
      /^# instances.* "edited" was not valid:\n# \* spec.ttl: Invalid value: "soon"/m,
    );
    expect(await field("edited", ".spec.ttl")).toBe("2h");
  });

  test("patch: merge and JSON, the status apart from the rest, and no strategic merge", async () => {
    await create("patched", { ttl: "1h" });
    const patch = (...words: readonly string[]) => ["patch", "instance", "patched", ...words];
    const merge = patch("--type=merge", "-p", '{"spec":{"ttl":null,"region":"ord"},"status":{"observedGeneration":7}}');
    expect(await out(...merge)).toBe(`${NAMED}/patched patched\n`);
    expect(await out(...merge)).toBe(`${NAMED}/patched patched (no change)\n`);
    const shown = "{.spec.ttl} {.spec.region} {.status.observedGeneration} {.metadata.generation}";
    expect(await out("get", "instance", "patched", "-o", `jsonpath=${shown}`)).toBe(" ord  2");
    const test = '{"op":"test","path":"/spec/region","value":"nowhere"}';
    expect(await refusal(...patch("--type=json", "-p", `[${test}]`))).toMatch(/spec\/region|test/);
    await out(...patch("--type=json", "-p", '[{"op":"add","path":"/spec/ttl","value":"3h"}]'));
    await out(
      ...patch("--subresource=status", "--type=merge", "-p", '{"status":{"observedGeneration":3},"spec":{"ttl":"9h"}}'),
    );
    expect(await out("get", "instance", "patched", "-o", `jsonpath=${shown}`)).toBe("3h ord 3 3");
    expect(await refusal(...patch("-p", '{"spec":{"ttl":"2h"}}'))).toContain(
      "application/strategic-merge-patch+json is not supported by fly.lightfast.ai/v1, Kind=Instance",
    );
  });

  test("label and annotate: set, overwrite when told to, remove", async () => {
    await create("marked");
    for (const [verb, done, kind] of [
      ["label", "labeled", "labels"],
      ["annotate", "annotated", "annotations"],
    ] as const) {
      expect(await out(verb, "instance", "marked", "team=a")).toBe(`${NAMED}/marked ${done}\n`);
      expect(await refusal(verb, "instance", "marked", "team=b")).toContain("--overwrite is false");
      await out(verb, "instance", "marked", "team=b", "--overwrite");
      expect(await field("marked", `.metadata.${kind}.team`)).toBe("b");
      await out(verb, "instance", "marked", "team-");
      expect(await field("marked", `.metadata.${kind}`)).toBe("");
    }
    expect(await field("marked", ".metadata.generation")).toBe("1");
    expect(await refusal("label", "instance", "marked", "team=a b")).toContain("invalid label value");
  });

  test("get: every form of output", async () => {
    await create("shown", { size: "shared-cpu-2x" }, { labels: { look: "at-me" } });
    expect(await out("get", "instance", "shown", "-o", "yaml")).toMatch(
      /^apiVersion: .*\nkind: Instance\n[\s\S]* size: shared-cpu-2x\n/,
    );
    expect(JSON.parse(await out("get", "instance", "shown", "-o", "json"))).toMatchObject({
      apiVersion: "fly.lightfast.ai/v1",
      spec: { size: "shared-cpu-2x" },
    });
    expect(await out("get", "instance/shown", "-o", "name")).toBe(`${NAMED}/shown\n`);
    expect(await out("get", "inst", "shown", "-o", "wide")).toMatch(/^NAME .* SIZE +IMAGE.*\nshown .* shared-cpu-2x /);
    const columns = "custom-columns=N:.metadata.name,S:.spec.size";
    expect(await out("get", "instances", "-l", "look=at-me", "-o", columns)).toBe("N       S\nshown   shared-cpu-2x\n");
    const template = 'go-template={{range .items}}{{.metadata.name}}{{"\\n"}}{{end}}';
    expect(await out("get", "instances", "-l", "look in (at-me)", "-o", template)).toBe("shown\n");
    expect(await out("get", "instances", "-l", "look", "--show-labels")).toMatch(/ LABELS\nshown .* look=at-me\n$/);
    expect(await out("get", "instances", "-l", "look", "-L", "look", "--no-headers")).toMatch(/^shown .* at-me\n$/);
    expect(JSON.parse(await out("get", "--raw", `${PATH}/shown`))).toMatchObject({ metadata: { name: "shown" } });
    expect(await out("get", "instances", "--field-selector=metadata.name=shown", "-A")).toMatch(
      /^NAMESPACE +NAME .*\ndefault +shown .*\n$/,
    );
    const watched = kubectl.start("get", "instance", "shown", "-o", "json", "--watch");
    await watched.said(/"name": "shown"/);
    await out("annotate", "instance", "shown", "seen=yes");
    await watched.said(/"seen": "yes"/);
    await watched.stop("SIGINT");
  });

  test("get: many objects page by page, sorted, of several kinds, and of all of a category", async () => {
    const many = Array.from({ length: 25 }, (_, index) =>
      instance({ name: `many-${String(index).padStart(2, "0")}`, labels: { many: "yes", turn: String(99 - index) } }),
    );
    await out("create", "-f", kubectl.file("many", ...many));
    const paged = await kubectl("get", "instances", "-l", "many", "--chunk-size=10", "-v=6", "-o", "name");
    expect(paged.stdout.trim().split("\n")).toEqual(
      many.map((_, index) => `${NAMED}/many-${String(index).padStart(2, "0")}`),
    );
    expect(paged.stderr.match(/limit=10\S* 200 OK/g)).toHaveLength(3);
    const sorted = await out("get", "instances", "-l", "many", "--sort-by=.metadata.labels.turn", "--no-headers");
    expect(sorted.split("\n")[0]).toMatch(/^many-24 /);
    const kinds = await out("get", "instances,namespaces", "-l", "!many", "-o", "name");
    expect(kinds).toContain("namespace/default\n");
    expect(await out("get", "all", "-l", "many", "-o", "name")).toMatch(/^instance.fly.lightfast.ai\/many-00\n/);
    expect(await refusal("get", "nothings")).toBe(`error: the server doesn't have a resource type "nothings"\n`);
    expect(await refusal("get", "--raw", `${PATH}s`)).toBe(
      "Error from server (NotFound): the server could not find the requested resource\n",
    );
  });

  test("describe and events tell what happened to an object", async () => {
    await create("storied");
    const uid = await field("storied", ".metadata.uid");
    const event = (name: string, message: string) => ({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace: "default" },
      involvedObject: {
        apiVersion: "fly.lightfast.ai/v1",
        kind: "Instance",
        namespace: "default",
        name: "storied",
        uid,
      },
      reason: "Told",
      message,
      type: "Normal",
      count: 1,
      firstTimestamp: new Date().toISOString(),
      lastTimestamp: new Date().toISOString(),
      source: { component: "test" },
    });
    await out("create", "-f", kubectl.file("event", event("storied.1", "once upon a time")));
    expect(await out("describe", "instance", "storied")).toMatch(
      /^Name: +storied\n[\s\S]*\nEvents:\n[\s\S]* Normal +Told +\S+ +test +once upon a time\n$/,
    );
    expect(await out("events", "--for", "instance/storied")).toMatch(
      /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n\S+ +Normal +Told +Instance\/storied +once upon a time\n$/,
    );
    expect(await out("get", "events", "--field-selector=involvedObject.name=storied,reason=Told", "-o", "name")).toBe(
      "event/storied.1\n",
    );
    const watched = kubectl.start("events", "--for", "instance/storied", "-w");
    await watched.said(/once upon a time/);
    await out("create", "-f", kubectl.file("event", event("storied.2", "there was more")));
    await watched.said(/there was more/);
    await watched.stop("SIGINT");
    expect(await out("describe", "ns", "default")).toMatch(/Status: +Active/);
  });

  test("diff: 0 for no difference, 1 for one, more for an error", async () => {
    const file = (ttl: unknown) => kubectl.file("compared", instance({ name: "compared" }, { ttl }));
    expect(await kubectl("diff", "-f", file("1h"))).toMatchObject({ code: 1, stderr: "" });
    await out("apply", "-f", file("1h"));
    expect(await kubectl("diff", "-f", file("1h"))).toEqual({ code: 0, stdout: "", stderr: "" });
    const differs = await kubectl("diff", "-f", file("2h"));
    expect([differs.code, /^-\s+ttl: 1h\n\+\s+ttl: 2h$/m.test(differs.stdout)]).toEqual([1, true]);
    const wrong = await kubectl("diff", "-f", file("soon"));
    expect(wrong.code).toBeGreaterThan(1);
    expect(await field("compared", ".spec.ttl")).toBe("1h");
  });

  test("wait: for a condition of the present generation, for a value, for what is to come", async () => {
    await create("awaited", { ttl: "1h" });
    const awaited = (...words: readonly string[]) => ["wait", "instance/awaited", ...words];
    const condition = (observedGeneration: number) => {
      const lastTransitionTime = "2026-01-01T00:00:00Z";
      const ready = {
        type: "Ready",
        status: "True",
        reason: "Told",
        message: "",
        observedGeneration,
        lastTransitionTime,
      };
      const status = JSON.stringify({ status: { conditions: [ready] } });
      return out("patch", "instance", "awaited", "--subresource=status", "--type=merge", "-p", status);
    };
    await out("patch", "instance", "awaited", "--type=merge", "-p", '{"spec":{"ttl":"2h"}}');
    await condition(1);
    const stale = await kubectl(...awaited("--for=condition=Ready", "--timeout=2s"));
    expect(stale.code).toBe(1);
    expect(stale.stderr).toMatch(/error: timed out waiting for the condition on instances\/awaited\n$/);
    await condition(2);
    expect(await out(...awaited("--for=condition=Ready", "--timeout=30s"))).toBe(`${NAMED}/awaited condition met\n`);
    const path = kubectl(...awaited("--for=jsonpath={.spec.ttl}=3h", "--timeout=30s"));
    await out("patch", "instance", "awaited", "--type=merge", "-p", '{"spec":{"ttl":"3h"}}');
    expect(await path).toMatchObject({ code: 0, stdout: `${NAMED}/awaited condition met\n` });

    const coming = kubectl("wait", "instance/coming", "--for=create", "--timeout=30s");
    await create("coming");
    expect(await coming).toMatchObject({ code: 0, stdout: `${NAMED}/coming condition met\n` });
    const going = kubectl("wait", "instance/coming", "--for=delete", "--timeout=30s");
    await out("delete", "instance", "coming");
    expect(await going).toMatchObject({ code: 0 });
  });

  test("what it asks about the server and itself", async () => {
    expect(await out("auth", "can-i", "create", "instances")).toBe("yes\n");
    expect(await out("auth", "can-i", "*", "*")).toBe("yes\n");
    expect(await out("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")).toBe("system:anonymous");
    expect(await out("version")).toMatch(/^Server Version: v1\.32\.\d+-flywheel/m);
    expect((await out("api-versions")).split("\n")).toEqual(expect.arrayContaining(["fly.lightfast.ai/v1", "v1"]));
    expect(await out("get", "--raw", "/readyz")).toBe("ok");
    expect(await out("explain", "instances", "--api-version=fly.lightfast.ai/v1")).toContain("VERSION:    v1\n");
  });

  test("what there is none of is refused in words", async () => {
    await create("odd");
    for (const [words, message] of [
      [["rollout", "status", "instance/odd"], /no kind "Instance" is registered/],
      [["scale", "instance", "odd", "--replicas=2"], /could not find the requested resource/],
      [["logs", "instance/odd"], /no kind "Instance" is registered/],
      [["exec", "odd", "--", "ls"], /doesn't have a resource type "pods"/],
      [["cluster-info"], /doesn't have a resource type "services"/],
    ] as const) {
      const { code, stderr } = await kubectl(...words);
      expect([code, stderr], words.join(" ")).toEqual([1, expect.stringMatching(message)]);
    }
  });
});
