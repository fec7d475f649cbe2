import { expect, test } from "vitest";
import type { MachineConfig } from "../../../controller/machines/wire.ts";
import { machineConfig } from "../../../controller/reconcilers/instance-config.ts";
import { driftOf } from "../../../controller/reconcilers/instance-drift.ts";
import { aMachine, anInstance, CONTROLLER_ID, KEYS } from "../../instance-fixture.ts";

const instance = anInstance({
  env: { EDITOR: "vim" },
  command: ["sleep", "1"],
  services: [{ protocol: "tcp", internal_port: 8080, ports: [{ port: 443, handlers: ["tls"] }] }],
});
const desired = machineConfig(instance, CONTROLLER_ID, KEYS);

function drift(change: (config: MachineConfig) => void) {
  const config = structuredClone(desired);
  change(config);
  return driftOf(desired, aMachine(instance, { config }));
}

test.each<[string, (config: MachineConfig) => void, readonly string[]]>([
  ["the same configuration", () => undefined, []],
  ["keys that Fly adds", (config) => Object.assign(config, { dns: {}, standbys: [] }), []],
  ["guest keys that Fly adds", (config) => Object.assign(config.guest ?? {}, { kernel_args: [], gpus: 0 }), []],
  ["autostop given back as a boolean", (config) => Object.assign(config.services?.[0] ?? {}, { autostop: false }), []],
  [
    "restart policy with Fly's default retries",
    (config) => Object.assign(config.restart ?? {}, { max_retries: 10 }),
    [],
  ],
  ["another image", (config) => Object.assign(config, { image: "debian:12" }), ["image"]],
  ["more memory", (config) => Object.assign(config.guest ?? {}, { memory_mb: 512 }), ["guest"]],
  ["a changed variable", (config) => Object.assign(config, { env: { EDITOR: "ed" } }), ["env"]],
  ["a variable set from outside", (config) => Object.assign(config, { env: { EDITOR: "vim", DEBUG: "1" } }), ["env"]],
  ["another command", (config) => Object.assign(config.init ?? {}, { cmd: ["true"] }), ["command"]],
  ["a file taken away", (config) => config.files?.pop(), ["files"]],
  ["a service taken away", (config) => Object.assign(config, { services: [] }), ["services"]],
  ["another restart policy", (config) => Object.assign(config, { restart: { policy: "no" } }), ["restart"]],
  ["persistence changed", (config) => Object.assign(config, { rootfs: { persist: "always" } }), ["rootfs"]],
])("%s", (_reason, change, expected) => {
  expect(drift(change).restart).toEqual(expected);
});

test("owner metadata that was changed is repaired, foreign metadata is left alone", () => {
  const found = drift((config) =>
    Object.assign(config, { metadata: { ...config.metadata, "flywheel-name": "other", fly_process_group: "app" } }),
  );
  expect(found).toEqual({ restart: [], metadata: { "flywheel-name": "box" }, strangeKeys: false });
});

test("keys of another secret are no reason for a restart; another file beside them is", () => {
  const strange = (config: MachineConfig) => {
    for (const file of config.files ?? [])
      if (/host_ed25519|authorized/.test(file.guest_path)) file.raw_value = "b3RoZXI=";
  };
  expect(drift(strange)).toEqual({ restart: [], metadata: {}, strangeKeys: true });
  const more = (config: MachineConfig) => {
    strange(config);
    config.files?.shift();
  };
  expect(drift(more)).toMatchObject({ restart: ["files"], strangeKeys: true });
});

test("a host that does not answer shows no configuration, and that is no drift", () => {
  expect(driftOf(desired, aMachine(instance, { config: undefined, host_status: "unreachable" }))).toEqual({
    restart: [],
    metadata: {},
    strangeKeys: false,
  });
});
