// What each kind asks beyond its schema.
import { beforeEach, describe, expect, test } from "vitest";
import { findCycle } from "../../../controller/admission/workflow-rules.ts";
import { executionKind } from "../../../crds/execution.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { namespaceKind } from "../../../crds/namespace.ts";
import { workflowKind } from "../../../crds/workflow.ts";
import { workflowRunKind } from "../../../crds/workflow-run.ts";
import { type Admitted, admitted, causesAgainst, DEFAULT_KEY, manifest } from "./admitted.ts";

let door: Admitted;
beforeEach(async () => {
  door = await admitted();
});

describe("Instance", () => {
  test.each([
    {
      reason: "nothing said: all three, and memory only as the size has it",
      spec: {},
      filled: { region: "iad", image: "ubuntu:22.04", size: "shared-cpu-1x" },
    },
    {
      reason: "a default memory that says more than the size",
      defaults: { memoryMb: 512 },
      spec: {},
      filled: { size: "shared-cpu-1x", memoryMb: 512 },
    },
    {
      reason: "a default memory is not for a size that was named",
      defaults: { memoryMb: 512 },
      spec: { size: "shared-cpu-2x" },
      filled: { size: "shared-cpu-2x", memoryMb: undefined },
    },
    {
      reason: "a default memory that the default size cannot have",
      defaults: { size: "performance-1x" },
      spec: {},
      filled: { size: "performance-1x", memoryMb: undefined },
    },
    {
      reason: "what was said stays",
      spec: { region: "ord", image: "a:b", memoryMb: 1024 },
      filled: { region: "ord", image: "a:b", size: "shared-cpu-1x", memoryMb: 1024 },
    },
  ])("filled in at create: $reason", async ({ defaults, spec, filled }) => {
    const { admission } = await admitted(defaults);
    const { spec: stored } = await admission.create(instanceKind, manifest("Instance", spec));
    expect(stored).toMatchObject(filled);
    expect(stored.memoryMb).toBe("memoryMb" in filled ? filled.memoryMb : undefined);
  });

  const file = (guest_path: string) => ({ guest_path, raw_value: "" });
  const service = (changes: object) => [{ protocol: "tcp", internal_port: 80, ...changes }];
  test.each([
    { reason: "two files at one path", spec: { files: [file("/a"), file("/a")] }, field: "spec.files[1].guest_path" },
    {
      reason: "a file in place of our own",
      spec: { files: [file("/etc/ssh/flywheel_host_ed25519_key")] },
      field: "spec.files[0].guest_path",
    },
    {
      reason: "a port that is none",
      spec: { services: service({ ports: [{}] }) },
      field: "spec.services[0].ports[0].port",
    },
    {
      reason: "a range without an end",
      spec: { services: service({ ports: [{ start_port: 1 }] }) },
      field: "spec.services[0].ports[0].end_port",
    },
    {
      reason: "a range from behind",
      spec: { services: service({ ports: [{ start_port: 2, end_port: 1 }] }) },
      field: "spec.services[0].ports[0].start_port",
    },
    {
      reason: "a port that is also a range",
      spec: { services: service({ ports: [{ port: 1, start_port: 1, end_port: 2 }] }) },
      field: "spec.services[0].ports[0].port",
    },
    {
      reason: "a soft limit above the hard one",
      spec: { services: service({ concurrency: { type: "requests", soft_limit: 2, hard_limit: 1 } }) },
      field: "spec.services[0].concurrency.soft_limit",
    },
  ])("$reason is refused, in a workflow too", async ({ spec, field }) => {
    const named = await causesAgainst(door.admission.create(instanceKind, manifest("Instance", spec)));
    expect(named.map((cause) => cause.field)).toEqual([field]);
    const workflow = { instances: { box: spec }, steps: [{ name: "a", run: "true" }] };
    const below = await causesAgainst(door.admission.create(workflowKind, manifest("Workflow", workflow)));
    expect(below.map((cause) => cause.field)).toEqual([field.replace("spec.", "spec.instances.box.")]);
  });

  test("other defaults later touch nothing that exists", async () => {
    await door.admission.create(instanceKind, manifest("Instance", {}));
    const next = await door.admission.update(instanceKind, DEFAULT_KEY, () => manifest("Instance", { ttl: "1h" }));
    expect(next.spec).toMatchObject({ region: "iad", image: "ubuntu:22.04", size: "shared-cpu-1x", ttl: "1h" });
  });

  test.each([
    { spec: { size: "shared-cpu-1x", memoryMb: 300 }, says: "must be a multiple of 256 MiB" },
    {
      spec: { size: "shared-cpu-1x", memoryMb: 4096 },
      says: "must be between 256 and 2048 MiB for size shared-cpu-1x",
    },
    {
      spec: { size: "performance-2x", memoryMb: 2048 },
      says: "must be between 4096 and 16384 MiB for size performance-2x",
    },
    { spec: { memoryMb: 131_072 }, says: "must be between 256 and 2048 MiB" },
  ])("memory $spec.memoryMb: $says", async ({ spec, says }) => {
    const causes = await causesAgainst(door.admission.create(instanceKind, manifest("Instance", spec)));
    expect(causes).toMatchObject([
      { field: "spec.memoryMb", reason: "FieldValueInvalid", message: expect.stringContaining(says) },
    ]);
  });

  test("the region may change until a machine may exist, then the refusal says why", async () => {
    const move = (region: string) =>
      door.admission.update(instanceKind, DEFAULT_KEY, (current) => ({
        ...current,
        spec: { ...current.spec, region },
      }));
    await door.admission.create(instanceKind, manifest("Instance", {}));
    expect((await move("ord")).spec.region).toBe("ord");
    const refused = { incarnation: 1, machineName: "m", region: "ord", failures: 1 };
    await door.store.updateStatus(instanceKind, DEFAULT_KEY, () => ({ provisioning: refused }));
    expect((await move("ams")).spec.region).toBe("ams");
    const provisioning = { ...refused, requestedAt: "2026-01-01T00:00:00Z" };
    await door.store.updateStatus(instanceKind, DEFAULT_KEY, () => ({ provisioning }));
    expect(await causesAgainst(move("lhr"))).toEqual([
      {
        reason: "FieldValueInvalid",
        field: "spec.region",
        message:
          'Invalid value: "lhr": field is immutable: moving a machine to another region would lose its data; create another instance there',
      },
    ]);
  });
});

describe("Workflow", () => {
  const step = (name: string, more: object = {}) => ({ name, run: "true", ...more });
  const one = { instances: { box: {} }, steps: [step("a")] };
  test.each([
    {
      reason: "two steps of one name",
      spec: { ...one, steps: [step("a"), step("a")] },
      field: "spec.steps[1].name",
      says: "step names are unique",
    },
    {
      reason: "a dependency on nothing",
      spec: { ...one, steps: [step("a", { dependsOn: ["b"] })] },
      field: "spec.steps[0].dependsOn[0]",
      says: "no step has this name",
    },
    {
      reason: "a step that waits for itself",
      spec: { ...one, steps: [step("a", { dependsOn: ["a"] })] },
      field: "spec.steps",
      says: '"a → a"',
    },
    {
      reason: "a circle",
      spec: {
        ...one,
        steps: [
          step("z"),
          step("a", { dependsOn: ["z", "c"] }),
          step("b", { dependsOn: ["a"] }),
          step("c", { dependsOn: ["b"] }),
        ],
      },
      field: "spec.steps",
      says: '"a → c → b → a"',
    },
    {
      reason: "a step on an instance that is not there",
      spec: { ...one, steps: [step("a", { instance: "bx" })] },
      field: "spec.steps[0].instance",
      says: 'supported values: "box"',
    },
    {
      reason: "an instance named like what every object has",
      spec: { ...one, steps: [step("a", { instance: "constructor" })] },
      field: "spec.steps[0].instance",
      says: 'Unsupported value: "constructor"',
    },
    {
      reason: "a step that must choose",
      spec: { instances: { x: {}, y: {} }, steps: [step("a")] },
      field: "spec.steps[0].instance",
      says: "one of x, y",
    },
    {
      reason: "no instance for a step",
      spec: { steps: [step("a")] },
      field: "spec.steps[0].instance",
      says: "add an entry to spec.instances",
    },
    {
      reason: "a reference with a spec of its own",
      spec: { ...one, instances: { box: { ref: "dev", size: "shared-cpu-1x" } } },
      field: "spec.instances.box.size",
      says: "remove size or ref",
    },
    {
      reason: "memory that an owned machine cannot have",
      spec: { ...one, instances: { box: { size: "shared-cpu-1x", memoryMb: 4096 } } },
      field: "spec.instances.box.memoryMb",
      says: "must be between",
    },
    {
      reason: "two parameters of one name",
      spec: { ...one, parameters: [{ name: "p" }, { name: "p" }] },
      field: "spec.parameters[1].name",
      says: "parameter names are unique",
    },
    {
      reason: "a required parameter with a default",
      spec: { ...one, parameters: [{ name: "p", required: true, default: "x" }] },
      field: "spec.parameters[0].default",
      says: "remove one of the two",
    },
    {
      reason: "a trigger without a required value",
      spec: { ...one, parameters: [{ name: "p", required: true }], triggers: [{ type: "Apply" }] },
      field: "spec.triggers[0].parameters.p",
      says: "requires the parameter p",
    },
    {
      reason: "a trigger with an unknown value",
      spec: { ...one, triggers: [{ type: "Apply", parameters: { q: "x" } }] },
      field: "spec.triggers[0].parameters.q",
      says: "no parameter q; it has none",
    },
  ])("$reason is refused", async ({ spec, field, says }) => {
    const causes = await causesAgainst(door.admission.create(workflowKind, manifest("Workflow", spec)));
    expect(causes).toMatchObject([{ field, message: expect.stringContaining(says) }]);
  });

  test("a reference stays valid when it is read and written back with its defaults", async () => {
    const { admission } = door;
    await admission.create(workflowKind, manifest("Workflow", { ...one, instances: { box: { ref: "dev" } } }));
    const next = await admission.update(workflowKind, DEFAULT_KEY, (current) => ({
      ...current,
      spec: { ...current.spec, cleanup: "Never" },
    }));
    expect(next.spec.cleanup).toBe("Never");
  });

  test("a chain of ten thousand steps is no circle", () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `s${index}`);
    const chain = new Map(names.map((name, index) => [name, names.slice(index + 1, index + 2)]));
    expect(findCycle(chain)).toBeUndefined();
    chain.set("s9999", ["s5000"]);
    expect(findCycle(chain)).toHaveLength(5001);
  });
});

describe("WorkflowRun", () => {
  const run = (parameters: object, metadata: object = {}) =>
    manifest("WorkflowRun", { workflowRef: { name: "it" }, parameters }, metadata);
  beforeEach(async () => {
    const parameters = [{ name: "repoUrl", required: true, description: "what to clone" }, { name: "branch" }];
    const spec = { parameters, instances: { "twenty-characters-it": {} }, steps: [{ name: "a", run: "true" }] };
    await door.admission.create(workflowKind, manifest("Workflow", spec));
  });

  test.each([
    {
      reason: "a missing parameter",
      parameters: {},
      field: "spec.parameters.repoUrl",
      says: "the workflow requires the parameter repoUrl (what to clone)",
    },
    {
      reason: "an unknown one",
      parameters: { repoUrl: "r", brunch: "x" },
      field: "spec.parameters.brunch",
      says: "did you mean branch?",
    },
    {
      reason: "one that is far from any",
      parameters: { repoUrl: "r", zzz: "x" },
      field: "spec.parameters.zzz",
      says: "it has repoUrl, branch",
    },
  ])("$reason is refused", async ({ parameters, field, says }) => {
    const causes = await causesAgainst(door.admission.create(workflowRunKind, run(parameters)));
    expect(causes).toMatchObject([{ field, message: expect.stringContaining(says) }]);
  });

  test("a name that leaves no room for the names of its machines is refused", async () => {
    const create = (length: number) =>
      door.admission.create(workflowRunKind, run({ repoUrl: "r" }, { name: "r".repeat(length) }));
    expect(await causesAgainst(create(43))).toMatchObject([
      { field: "metadata.name", message: expect.stringContaining("no more than 42 characters") },
    ]);
    expect(await causesAgainst(create(42))).toEqual([]);
  });

  test("a run may come before its workflow", async () => {
    const early = manifest("WorkflowRun", { workflowRef: { name: "later" }, parameters: { any: "x" } });
    expect(await causesAgainst(door.admission.create(workflowRunKind, early))).toEqual([]);
  });

  test("a cancel is final, the rest of the spec is fixed", async () => {
    await door.admission.create(workflowRunKind, run({ repoUrl: "r" }));
    const change = (spec: object) =>
      door.admission.update(workflowRunKind, DEFAULT_KEY, (current) => ({
        ...current,
        spec: { ...current.spec, ...spec },
      }));
    await change({ cancel: true });
    expect(await causesAgainst(change({ cancel: false }))).toMatchObject([
      { reason: "FieldValueForbidden", field: "spec.cancel" },
    ]);
    expect(await causesAgainst(change({ parameters: { repoUrl: "s" } }))).toMatchObject([
      { field: "spec.parameters", message: expect.stringContaining("create another run") },
    ]);
    expect(await causesAgainst(change({ workflowRef: { name: "x" } }))).toMatchObject([{ field: "spec.workflowRef" }]);
  });
});

describe("Execution", () => {
  test("what it runs and where is fixed, a cancel is final", async () => {
    await door.admission.create(
      executionKind,
      manifest("Execution", { instance: "box", command: "id", timeoutMs: 1000 }),
    );
    const change = (spec: object) =>
      door.admission.update(executionKind, DEFAULT_KEY, (current) => ({
        ...current,
        spec: { ...current.spec, ...spec },
      }));
    expect(await causesAgainst(change({ command: "ls" }))).toMatchObject([{ field: "spec.command" }]);
    await change({ cancel: true });
    expect(await causesAgainst(change({ cancel: false }))).toMatchObject([{ field: "spec.cancel" }]);
  });

  test("its instance is a name", async () => {
    const write = door.admission.create(
      executionKind,
      manifest("Execution", { instance: "A/b", command: "id", timeoutMs: 1000 }),
    );
    expect(await causesAgainst(write)).toMatchObject([{ field: "spec.instance" }]);
  });
});

describe("Namespace", () => {
  const team = { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } };

  test("a new one is active, and takes objects until it is being deleted", async () => {
    const { admission, store } = door;
    const made = await admission.create(namespaceKind, team);
    expect(made.status).toEqual({ phase: "Active" });
    await admission.delete(namespaceKind, { name: "team" });
    const { metadata } = (await store.get(namespaceKind, { name: "team" })) ?? made;
    expect(metadata).toMatchObject({ finalizers: ["kubernetes"], deletionTimestamp: expect.any(String) });
    const late = admission.create(instanceKind, manifest("Instance", {}, { namespace: "team" }));
    await expect(late).rejects.toThrow("because it is being terminated");
  });

  test("an object needs one that exists", async () => {
    await expect(door.admission.create(instanceKind, manifest("Instance", {}, { namespace: "void" }))).rejects.toThrow(
      'namespaces "void" not found',
    );
  });
});
