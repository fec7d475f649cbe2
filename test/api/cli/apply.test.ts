import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { instanceKind } from "../../../crds/instance.ts";
import { INSTANCES, instance } from "../test-api.ts";
import { testCli } from "./test-cli.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-apply-"));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

const yaml = (...objects: object[]) => objects.map((object) => stringify(object)).join("---\n");
const box = (spec: object = {}, metadata: object = {}) => yaml(instance("dev-box", spec, metadata));
const APPLY = "apply -f -";

describe("apply", () => {
  test("creates, then changes nothing, then configures", async () => {
    const cli = await testCli();
    expect(await cli.run(APPLY, { stdin: box() })).toEqual({ code: 0, out: "instance/dev-box created\n", err: "" });
    expect((await cli.run(APPLY, { stdin: box() })).out).toBe("instance/dev-box unchanged\n");
    expect((await cli.run(APPLY, { stdin: box({ env: { A: "1" } }) })).out).toBe("instance/dev-box configured\n");
    const { body } = await cli.send("GET", `${INSTANCES}/dev-box`);
    expect(body.spec.env).toEqual({ A: "1" });
  });

  test("sends no write for what is as it should be", async () => {
    const cli = await testCli();
    await cli.run(APPLY, { stdin: box() });
    cli.requests.length = 0;
    await cli.run(APPLY, { stdin: box() });
    expect(cli.requests.filter((request) => !request.startsWith("GET "))).toEqual([]);
  });

  test("removes what left the manifest and keeps what others added", async () => {
    const cli = await testCli();
    await cli.run(APPLY, { stdin: box({ env: { A: "1" }, ttl: "8h" }, { labels: { team: "a" } }) });
    await cli.send("PATCH", `${INSTANCES}/dev-box`, { spec: { env: { B: "2" } } });
    await cli.run(APPLY, { stdin: box({ env: {} }) });
    const { body } = await cli.send("GET", `${INSTANCES}/dev-box`);
    expect(body.spec.env).toEqual({ B: "2" });
    expect(body.spec).not.toHaveProperty("ttl");
    expect(body.metadata.labels ?? {}).toEqual({});
  });

  test("defaults inside of lists do not make every apply a change", async () => {
    const cli = await testCli();
    const stdin = yaml({
      apiVersion: "fly.lightfast.ai/v1",
      kind: "Workflow",
      metadata: { name: "build" },
      spec: { instances: { box: {} }, steps: [{ name: "one", run: "true" }] },
    });
    expect((await cli.run(APPLY, { stdin })).out).toBe("workflow/build created\n");
    expect((await cli.run(APPLY, { stdin })).out).toBe("workflow/build unchanged\n");
  });

  test("a dry run stores nothing and says what would happen", async () => {
    const cli = await testCli();
    const dry = [...APPLY.split(" "), "--dry-run"];
    expect((await cli.run(dry, { stdin: box() })).out).toBe("instance/dev-box created (server dry run)\n");
    expect((await cli.send("GET", `${INSTANCES}/dev-box`)).status).toBe(404);
    await cli.run(APPLY, { stdin: box() });
    expect((await cli.run(dry, { stdin: box() })).out).toContain("unchanged");
    expect((await cli.run(dry, { stdin: box({ ttl: "8h" }) })).out).toContain("configured");
  });

  test("one bad document does not keep the others from being applied", async () => {
    const cli = await testCli();
    const stdin = yaml(instance("one"), instance("two", { sise: "shared-cpu-1x" }), instance("three"));
    const { code, out, err } = await cli.run(APPLY, { stdin });
    expect(code).toBe(1);
    expect(out).toBe("instance/one created\ninstance/three created\n");
    expect(err).toMatch(/^error: stdin:\d+: /);
    expect(err).toContain("spec.sise");
    expect(err).toContain("size");
  });

  test("takes files, directories in order, and several -f", async () => {
    const cli = await testCli();
    const folder = folderWith({
      "b.yaml": yaml(instance("b")),
      "a.json": JSON.stringify(instance("a")),
      "notes.txt": "not a manifest",
    });
    const other = folderWith({ "list.yaml": yaml({ apiVersion: "v1", kind: "List", items: [instance("c")] }) });
    const { out } = await cli.run(["apply", "-f", folder, "-f", join(other, "list.yaml")]);
    expect(out).toBe("instance/a created\ninstance/b created\ninstance/c created\n");
  });

  test("prints objects instead when asked", async () => {
    const cli = await testCli();
    expect((await cli.run([...APPLY.split(" "), "-o", "name"], { stdin: box() })).out).toBe("instance/dev-box\n");
  });

  test("a manifest that carries an old revision is refused", async () => {
    const cli = await testCli();
    await cli.run(APPLY, { stdin: box() });
    const { body } = await cli.send("GET", `${INSTANCES}/dev-box`);
    const stdin = box({ ttl: "8h" }, { resourceVersion: body.metadata.resourceVersion });
    await cli.store.updateStatus(instanceKind, { namespace: "default", name: "dev-box" }, () => ({
      message: "moved on",
    }));
    const { code, err } = await cli.run(APPLY, { stdin });
    expect(code).toBe(1);
    expect(err).toContain("the object has been modified");
  });

  const refused: readonly { reason: string; stdin: string; args?: string; says: RegExp }[] = [
    { reason: "a syntax error has a place", stdin: "a: [1\nb: 2", says: /^error: stdin:\d+:\d+: / },
    { reason: "no kind", stdin: "apiVersion: v1\nmetadata: {name: x}", says: /kind is missing/ },
    { reason: "no name", stdin: "apiVersion: v1\nkind: Namespace\nmetadata: {}", says: /metadata.name is missing/ },
    {
      reason: "an unquoted number as name",
      stdin: "apiVersion: v1\nkind: Namespace\nmetadata: {name: 7}",
      says: /7, which is not text/,
    },
    {
      reason: "a kind that is not there",
      stdin: "apiVersion: v1\nkind: Pod\nmetadata: {name: x}",
      says: /no kind "Pod" in "v1"; it has/,
    },
    {
      reason: "a name that the server would make up",
      stdin: yaml({ ...instance(""), metadata: { generateName: "x-" } }),
      says: /flywheel create -f/,
    },
    { reason: "two namespaces", stdin: box({}, { namespace: "a" }), args: "-n b", says: /"a", but -n says "b"/ },
    { reason: "a namespace that is not there", stdin: box(), args: "-n nowhere", says: /"nowhere"/ },
    { reason: "nothing at all", stdin: "---\n", says: /no manifest found in -/ },
  ];
  test.each(refused)("refuses: $reason", async ({ stdin, args, says }) => {
    const cli = await testCli();
    const outcome = await cli.run([...APPLY.split(" "), ...(args?.split(" ") ?? [])], { stdin });
    expect(outcome.code).toBe(1);
    expect(outcome.err).toMatch(says);
    expect(outcome.out).toBe("");
  });

  test("a file that is not there is named", async () => {
    const cli = await testCli();
    const { code, err } = await cli.run("apply -f /nowhere/box.yaml");
    expect({ code, err }).toEqual({ code: 1, err: 'error: there is no file or directory "/nowhere/box.yaml"\n' });
  });
});

describe("create", () => {
  test("lets the server complete a name, and refuses what exists", async () => {
    const cli = await testCli();
    const stdin = yaml({ ...instance(""), metadata: { generateName: "box-" } });
    expect((await cli.run("create -f -", { stdin })).out).toMatch(/^instance\/box-\w+ created\n$/);
    await cli.run("create -f -", { stdin: box() });
    const again = await cli.run("create -f -", { stdin: box() });
    expect(again.code).toBe(1);
    expect(again.err).toContain("already exists");
  });
});

describe("diff", () => {
  test("is silent when nothing differs, and 1 with the lines when something does", async () => {
    const cli = await testCli();
    await cli.run(APPLY, { stdin: box({ ttl: "8h" }) });
    expect(await cli.run("diff -f -", { stdin: box({ ttl: "8h" }) })).toEqual({ code: 0, out: "", err: "" });
    const { code, out } = await cli.run("diff -f -", { stdin: box({ ttl: "9h" }) });
    expect(code).toBe(1);
    expect(out.split("\n").filter((line) => /^[-+] /.test(line))).toEqual(["-  ttl: 8h", "+  ttl: 9h"]);
    expect((await cli.send("GET", `${INSTANCES}/dev-box`)).body.spec.ttl).toBe("8h");
  });

  test("shows a new object whole", async () => {
    const cli = await testCli();
    const { code, out } = await cli.run("diff -f -", { stdin: box() });
    expect(code).toBe(1);
    expect(out).toContain("--- /dev/null");
    expect(out).toContain("+  name: dev-box");
  });

  test("an error is 2, for 1 would say that something differs", async () => {
    const cli = await testCli();
    expect((await cli.run("diff -f -", { stdin: "kind: x" })).code).toBe(2);
  });
});
