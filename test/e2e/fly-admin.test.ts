// An independent client of the Machines API, as its authors publish it, against the emulator.
import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Emulator } from "../../controller/emulator/emulator.ts";
import { STAYS, start, TOKEN } from "./emulated.ts";

type Call = (payload: unknown) => Promise<Record<string, never> & Record<string, unknown>>;
interface FlyAdmin {
  readonly App: Readonly<Record<"listApps" | "getApp" | "createApp" | "deleteApp", Call>>;
  readonly Machine: Readonly<Record<MachineCall, Call>>;
  readonly Volume: Readonly<Record<"listVolumes" | "createVolume" | "deleteVolume", Call>>;
  readonly Regions: { getRegions(): Promise<unknown> };
}
type MachineCall =
  | `${"create" | "get" | "list" | "update" | "start" | "stop" | "restart" | "delete" | "wait" | "signal" | "cordon" | "uncordon"}Machine`
  | "listMachines"
  | "listEvents"
  | "listVersions"
  | "listProcesses"
  | "getLease"
  | "acquireLease";

// Its entry point takes no address; the class behind it does. The parts used here are typed above.
const { default: Client }: { default: new (token: string, to: { apiUrl: string; graphqlUrl: string }) => FlyAdmin } =
  createRequire(import.meta.url)("fly-admin/dist/client");

let emulator: Emulator;
let fly: FlyAdmin;

beforeAll(async () => {
  emulator = await start();
  expect(emulator.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
  fly = new Client(TOKEN, { apiUrl: emulator.url, graphqlUrl: emulator.url });
});
afterAll(() => emulator.close());

test("an app, and a machine's whole life", async () => {
  await fly.App.createApp({ name: "independent", org_slug: "personal" });
  expect(await fly.App.listApps("personal")).toMatchObject({ total_apps: 1, apps: [{ name: "independent" }] });
  expect(await fly.App.getApp("independent")).toMatchObject({ organization: { slug: "personal" } });

  const app_name = "independent";
  const created = await fly.Machine.createMachine({
    app_name,
    name: "box",
    region: "ams",
    config: {
      ...STAYS,
      env: { A: "1" },
      metadata: { owner: "test" },
      guest: { cpu_kind: "shared", cpus: 1, memory_mb: 512 },
    },
  });
  expect(created).toMatchObject({ name: "box", state: "created", region: "ams" });
  const one = { app_name, machine_id: String(created.id) };

  expect(await fly.Machine.waitMachine({ ...one, state: "started", timeout: "30s" })).toMatchObject({ ok: true });
  expect(await fly.Machine.getMachine(one)).toMatchObject({
    state: "started",
    config: { env: { A: "1" }, metadata: { owner: "test" }, guest: { memory_mb: 512 } },
  });
  expect(await fly.Machine.listMachines(app_name)).toMatchObject([{ id: one.machine_id, image_ref: { tag: "22.04" } }]);
  expect(await fly.Machine.listMachines({ app_name, region: "iad" })).toEqual([]);
  expect(await fly.Machine.listProcesses(one)).toContainEqual(
    expect.objectContaining({ command: expect.stringContaining("sh") }),
  );

  await fly.Machine.stopMachine(one);
  await fly.Machine.waitMachine({ ...one, state: "stopped", timeout: "30s", instance_id: created.instance_id });
  expect(await fly.Machine.startMachine(one)).toMatchObject({ previous_state: "stopped" });
  await fly.Machine.waitMachine({ ...one, state: "started" });
  await fly.Machine.restartMachine(one);
  await fly.Machine.waitMachine({ ...one, state: "started" });
  await fly.Machine.cordonMachine(one);
  await fly.Machine.uncordonMachine(one);

  const updated = await fly.Machine.updateMachine({ ...one, config: { ...STAYS, env: { A: "2" } } });
  expect(updated.instance_id).not.toBe(created.instance_id);
  await fly.Machine.waitMachine({ ...one, state: "started" });
  expect(await fly.Machine.listVersions(one)).toHaveLength(2);
  expect(await fly.Machine.listEvents(one)).toContainEqual(expect.objectContaining({ type: "update", source: "user" }));

  await expect(fly.Machine.deleteMachine(one)).rejects.toThrow(/^412: .*not currently stopped/);
  await fly.Machine.deleteMachine({ ...one, force: true });
  await fly.Machine.waitMachine({ ...one, state: "destroyed" });
  expect(await fly.Machine.listMachines(app_name)).toEqual([]);
  await fly.App.deleteApp(app_name);
  await expect(fly.App.getApp(app_name)).rejects.toThrow(/^404: .*Could not find App/);
});

test("leases and signals", async () => {
  const app_name = "leased";
  await fly.App.createApp({ name: app_name, org_slug: "personal" });
  const { id } = await fly.Machine.createMachine({ app_name, config: STAYS });
  const one = { app_name, machine_id: String(id) };
  await fly.Machine.waitMachine({ ...one, state: "started" });
  await expect(fly.Machine.getLease(one)).rejects.toThrow(/^404: .*lease not found/);
  const lease = await fly.Machine.acquireLease({ ...one, ttl: 30, description: "mine" });
  expect(lease).toMatchObject({ status: "success", data: { description: "mine", nonce: expect.any(String) } });
  expect(await fly.Machine.getLease(one)).toMatchObject({ status: "success" });
  await expect(fly.Machine.stopMachine(one)).rejects.toThrow(/^409: .*lease currently held by/);
  await fly.Machine.signalMachine({ ...one, signal: "SIGTERM" });
  await fly.Machine.waitMachine({ ...one, state: "stopped" });
});

test("volumes and a wrong token", async () => {
  const app_name = "volumes";
  await fly.App.createApp({ name: app_name, org_slug: "personal" });
  const volume = await fly.Volume.createVolume({ app_name, name: "data", region: "ams" });
  expect(await fly.Volume.listVolumes(app_name)).toMatchObject([{ id: volume.id, size_gb: 3 }]);
  await fly.Volume.deleteVolume({ app_name, volume_id: volume.id });
  expect(await fly.Volume.listVolumes(app_name)).toEqual([]);
  const stranger = new Client("wrong", { apiUrl: emulator.url, graphqlUrl: emulator.url });
  await expect(stranger.App.listApps("personal")).rejects.toThrow(/^401: .*token validation error/);
});

test("a dropped answer is a broken connection", async () => {
  emulator.cloud.faults.gateway = { reply: "drop", times: 1 };
  await expect(fly.App.listApps("personal")).rejects.toThrow(/hang up|reset|closed|failed/i);
  expect(await fly.App.listApps("personal")).toHaveProperty("apps");
});
