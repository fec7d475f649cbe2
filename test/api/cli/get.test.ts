import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { instanceKind } from "../../../crds/instance.ts";
import { instance, workflow } from "../test-api.ts";
import { outage, type TestCli, testCli } from "./test-cli.ts";

const STEPS = { instances: { box: {} }, steps: [{ name: "one", run: "true" }] };

async function withObjects(): Promise<TestCli> {
  const cli = await testCli();
  await cli.admission.create(instanceKind, instance("dev-box", {}, { namespace: "default", labels: { team: "a" } }));
  await cli.admission.create(instanceKind, instance("web", {}, { namespace: "default" }));
  await cli.send("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "other" } });
  await cli.admission.create(instanceKind, instance("far", {}, { namespace: "other" }));
  await cli.send("POST", "/apis/fly.lightfast.ai/v1/namespaces/default/workflows", workflow("build", STEPS));
  return cli;
}

const names = (out: string) =>
  out
    .trim()
    .split("\n")
    .map((line) => line.split(/\s+/)[0]);

describe("get", () => {
  test("prints the server's table in columns three spaces apart", async () => {
    const cli = await withObjects();
    await cli.clock.advance(90_000);
    const { code, out, err } = await cli.run("get instances");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toBe(
      [
        "NAME      READY    REASON   STATE    REGION   AGE",
        "dev-box   <none>   <none>   <none>   <none>   90s",
        "web       <none>   <none>   <none>   <none>   90s",
        "",
      ].join("\n"),
    );
  });

  test.each(["inst", "Instance", "instance", "instances.fly.lightfast.ai", "INSTANCES"])(
    "understands %s as a name of the kind",
    async (kind) => {
      const cli = await withObjects();
      expect(names((await cli.run(`get ${kind}`)).out)).toEqual(["NAME", "dev-box", "web"]);
    },
  );

  test("an unknown kind is answered with those that there are", async () => {
    const cli = await withObjects();
    const { code, err } = await cli.run("get pods");
    expect(code).toBe(1);
    expect(err).toContain('no kind "pods"; it has instances|inst, workflows|wf');
  });

  test("-o wide adds columns, --show-labels the labels, --no-headers drops the first line", async () => {
    const cli = await withObjects();
    const wide = (await cli.run("get inst dev-box -o wide --show-labels")).out.split("\n");
    expect(wide[0]).toMatch(/MACHINE\s+SIZE\s+IMAGE\s+PRIVATE IP\s+AGE\s+LABELS$/);
    expect(wide[1]).toMatch(/shared-cpu-1x\s+ubuntu:22.04\s+.*team=a$/);
    expect(names((await cli.run("get inst --no-headers")).out)).toEqual(["dev-box", "web"]);
  });

  test("-A shows the namespace of each", async () => {
    const cli = await withObjects();
    const lines = (await cli.run("get inst -A")).out.split("\n");
    expect(lines[0]).toMatch(/^NAMESPACE\s+NAME/);
    expect(lines.slice(1, 4).map((line) => line.split(/\s+/).slice(0, 2).join("/"))).toEqual([
      "default/dev-box",
      "default/web",
      "other/far",
    ]);
  });

  test("-n, -l and --field-selector narrow it down", async () => {
    const cli = await withObjects();
    expect(names((await cli.run("get inst -n other")).out)).toEqual(["NAME", "far"]);
    expect(names((await cli.run("get inst -l team=a")).out)).toEqual(["NAME", "dev-box"]);
    expect(names((await cli.run("get inst --field-selector metadata.name=web")).out)).toEqual(["NAME", "web"]);
  });

  test("several kinds are several tables, with the kind before each name", async () => {
    const cli = await withObjects();
    const { out } = await cli.run("get all");
    expect(names(out)).toEqual(["NAME", "instance/dev-box", "instance/web", "", "NAME", "workflow/build"]);
    expect((await cli.run("get inst,wf")).out).toBe(out);
    expect(names((await cli.run("get inst/web wf/build -o name")).out)).toEqual(["instance/web", "workflow/build"]);
  });

  test("objects come as JSON, YAML, names, or what a path leads to", async () => {
    const cli = await withObjects();
    expect(JSON.parse((await cli.run("get inst web -o json")).out)).toMatchObject({
      kind: "Instance",
      spec: { size: "shared-cpu-1x" },
    });
    expect(parse((await cli.run("get inst web -o yaml")).out).metadata.name).toBe("web");
    const list = JSON.parse((await cli.run("get inst -o json")).out);
    expect(list).toMatchObject({ kind: "List", items: [{ kind: "Instance", apiVersion: "fly.lightfast.ai/v1" }, {}] });
    expect((await cli.run("get inst -o name")).out).toBe("instance/dev-box\ninstance/web\n");
    expect((await cli.run("get inst web -o jsonpath={.spec.size}")).out).toBe("shared-cpu-1x");
    expect((await cli.run("get inst -o jsonpath={.items[*].metadata.name}")).out).toBe("dev-box web");
  });

  test("a name that is missing does not hide the others", async () => {
    const cli = await withObjects();
    const { code, out, err } = await cli.run("get inst web nothing dev-box");
    expect(names(out)).toEqual(["NAME", "web", "dev-box"]);
    expect(code).toBe(1);
    expect(err).toContain('"nothing" not found');
    expect(err).toContain("flywheel get instances -A");
    expect(await cli.run("get inst nothing --ignore-not-found")).toMatchObject({ code: 0, out: "" });
  });

  test("nothing there is said beside the output, not in it", async () => {
    const cli = await testCli();
    expect(await cli.run("get inst")).toEqual({ code: 0, out: "", err: "No resources found in default namespace.\n" });
    expect(JSON.parse((await cli.run("get inst -o json")).out).items).toEqual([]);
  });

  test.each([
    ["get inst web -A", /-n instead of -A/],
    ["get inst web -l a=b", /either names or -l/],
    ["get inst -o xml", /-o xml is not known/],
    ["get inst/web wf", /not KIND\/NAME/],
    ["get inst -o jsonpath={.items[}", /not understood at/],
    ["get inst --nonsense", /unknown option '--nonsense'/],
    ["gte inst", /Did you mean get/],
    ["get", /missing required argument/],
  ])("%s is typed wrong, which is exit code 2", async (line, says) => {
    const cli = await withObjects();
    const { code, err } = await cli.run(line);
    expect(code).toBe(2);
    expect(err).toMatch(says);
  });

  test("lists of any length come whole", async () => {
    const cli = await testCli();
    const all = Array.from({ length: 1203 }, (_, index) => `box-${String(index).padStart(4, "0")}`);
    await Promise.all(
      all.map((name) => cli.admission.create(instanceKind, instance(name, {}, { namespace: "default" }))),
    );
    expect((await cli.run("get inst -o name")).out.trim().split("\n")).toHaveLength(1203);
    expect(names((await cli.run("get inst")).out).slice(1)).toEqual(all);
    expect(cli.requests.filter((request) => request.includes("limit=500"))).toHaveLength(6);
  });
});

describe("get -w", () => {
  test("shows what is there, then each change in the same columns, until Ctrl-C", async () => {
    const cli = await withObjects();
    const watch = cli.start("get inst -w");
    await cli.clock.settle();
    await cli.admission.create(instanceKind, instance("late", {}, { namespace: "default" }));
    await cli.admission.delete(instanceKind, { namespace: "default", name: "web" });
    await cli.clock.settle();
    watch.interrupt();
    const { code, out } = await watch.ended;
    expect(code).toBe(130);
    expect(names(out)).toEqual(["NAME", "dev-box", "web", "late", "web"]);
  });

  test("a name shows that object alone", async () => {
    const cli = await withObjects();
    const watch = cli.start("get inst/web -w -o name");
    await cli.clock.settle();
    await cli.admission.create(instanceKind, instance("late", {}, { namespace: "default" }));
    await cli.store.updateStatus(instanceKind, { namespace: "default", name: "web" }, () => ({ message: "new" }));
    await cli.clock.settle();
    watch.interrupt();
    expect((await watch.ended).out).toBe("instance/web\ninstance/web\n");
  });

  test("goes on after the server was away", async () => {
    const cli = await withObjects();
    const watch = cli.start("get inst -w -o name -l team=a");
    await cli.clock.advance(3_600_000); // an hour without news is not an hour without a server
    cli.fault = outage;
    // Something must be read for the broken connection to be noticed.
    await cli.store.updateStatus(instanceKind, { namespace: "default", name: "dev-box" }, () => ({ message: "new" }));
    await cli.clock.advance(5000);
    cli.fault = undefined;
    await cli.clock.advance(1000);
    watch.interrupt();
    expect((await watch.ended).out).toBe("instance/dev-box\ninstance/dev-box\n");
  });

  test("gives up on a server that stays away", async () => {
    const cli = await withObjects();
    const watch = cli.start("get inst -w -o name");
    await cli.clock.settle();
    cli.fault = outage;
    await cli.store.updateStatus(instanceKind, { namespace: "default", name: "dev-box" }, () => ({ message: "new" }));
    await cli.clock.advance(120_000);
    const { code, err } = await watch.ended;
    expect(code).toBe(1);
    expect(err).toContain("connection refused");
  });
});
