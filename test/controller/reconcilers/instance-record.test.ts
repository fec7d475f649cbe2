// Whatever a spec says, its machine remembers it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RECORD_MAX_BYTES } from "../../../controller/limits.ts";
import type { Machine } from "../../../controller/machines/wire.ts";
import { machineConfig } from "../../../controller/reconcilers/instance-config.ts";
import { instanceOf } from "../../../controller/reconcilers/instance-record.ts";
import { instanceSpec } from "../../../crds/instance.ts";
import { MACHINE_SIZES } from "../../../crds/machine-size.ts";
import { aMachine, anInstance, CONTROLLER_ID, KEYS } from "../../instance-fixture.ts";

const remembered = (machine: Machine) => instanceOf(JSON.parse(JSON.stringify(machine)));

const FIELDS = {
  image: fc.constantFrom("ubuntu:22.04", "debian:12"),
  region: fc.constantFrom("iad", "ord"),
  fallbackRegions: fc.array(fc.constantFrom("ewr", "lhr"), { maxLength: 3 }),
  size: fc.constantFrom(...MACHINE_SIZES.keys()),
  memoryMb: fc.constantFrom(256, 512, 2048, 4096),
  env: fc.dictionary(fc.stringMatching(/^[A-Z]{1,5}$/), fc.string(), { maxKeys: 4 }),
  command: fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 }),
  files: fc.array(fc.record({ guest_path: fc.constantFrom("/a", "/b"), raw_value: fc.constant("YQ==") }), {
    maxLength: 2,
  }),
  services: fc.array(
    fc.record({
      protocol: fc.constantFrom("tcp", "udp"),
      internal_port: fc.constant(80),
      autostop: fc.constantFrom("off", "stop", "suspend"),
    }),
    { maxLength: 2 },
  ),
  restart: fc.constantFrom(
    { policy: "no" },
    { policy: "always" },
    { policy: "always", max_retries: 3 },
    { policy: "on-failure" },
  ),
  rootfs: fc.constantFrom({ persist: "Always" }, { persist: "Restart" }, { persist: "Never" }),
  operatingMode: fc.constantFrom("Running", "Suspended", "Stopped"),
  idle: fc.constantFrom({ after: "30m", action: "Suspend" }, { after: "1h", action: "Delete" }),
  ttl: fc.constantFrom("8h", "24h"),
  deletionPolicy: fc.constantFrom("Delete", "Orphan"),
  ssh: fc.constantFrom({ port: 22 }, { port: 2222 }),
};
const specs = fc.record(FIELDS, { requiredKeys: ["image", "region", "size"] });

test("every field of the schema is tried", () => {
  expect(Object.keys(FIELDS).sort()).toEqual(Object.keys(instanceSpec.shape).sort());
});

describe("a machine", () => {
  test("remembers every spec exactly, and its configuration made from that is the same", () => {
    fc.assert(
      fc.property(specs, (spec) => {
        const instance = anInstance(spec);
        const machine = aMachine(instance, { region: "lhr" }); // a fallback: where it is, is not what was asked for
        const again = remembered(machine);
        expect(again?.whole).toBe(true);
        const parsed = instanceSpec.parse(again?.spec);
        expect(JSON.parse(JSON.stringify(parsed))).toEqual(JSON.parse(JSON.stringify(instance.spec)));
        expect(machineConfig({ ...instance, spec: parsed }, CONTROLLER_ID, KEYS)).toEqual(machine.config);
      }),
    );
  });

  test("remembers labels, and what had made its instance", () => {
    const owner = { apiVersion: "v1", kind: "WorkflowRun", name: "r", uid: "u", controller: true };
    const instance = anInstance({}, undefined, { labels: { team: "a" }, ownerReferences: [owner] });
    expect(remembered(aMachine(instance))).toMatchObject({ labels: { team: "a" }, owner: "workflowrun/r" });
  });

  test("leaves labels out where they are too many, and the record where the spec is", () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`label-${index}`, "x".repeat(60)]));
    const machine = aMachine(anInstance({ ttl: "8h" }, undefined, { labels: many }));
    expect(Buffer.byteLength(machine.config?.metadata?.["flywheel-record"] ?? "")).toBeLessThanOrEqual(
      RECORD_MAX_BYTES,
    );
    expect(remembered(machine)).toMatchObject({ whole: true, spec: { ttl: "8h" } });
    expect(remembered(machine)?.labels).toBeUndefined();
  });

  test("without a record tells what its configuration tells", () => {
    const machine = aMachine(anInstance({ ttl: "8h", size: "performance-2x", memoryMb: 8192, env: { A: "b" } }));
    const { "flywheel-record": _none, ...metadata } = machine.config?.metadata ?? {};
    const bare = { ...machine, config: { ...machine.config, metadata } };
    expect(remembered(bare)).toMatchObject({
      whole: false,
      spec: { image: "ubuntu:22.04", region: "iad", size: "performance-2x", memoryMb: 8192, env: { A: "b" } },
    });
    expect(remembered(bare)?.spec).not.toHaveProperty("ttl");
    for (const text of ["", "no JSON", "[]", '{"spec":1}'])
      expect(
        remembered({ ...bare, config: { ...bare.config, metadata: { ...metadata, "flywheel-record": text } } })?.whole,
      ).toBe(false);
  });

  test("whose host does not answer tells nothing", () => {
    expect(remembered(aMachine(anInstance(), { config: undefined, host_status: "unreachable" }))).toBeUndefined();
  });
});
