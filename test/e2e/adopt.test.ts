// The database is lost, then the whole data directory: instances are made anew from their machines, which go on as they
// were. Real processes, so that what is on a machine's disk shows whether it was touched.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type EmulatedMachine, startEmulator } from "./emulator.ts";
import { until } from "./program.ts";
import { startServer, type TestServer } from "./server.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (let each = open.pop(); each; each = open.pop()) await each.close();
});
function opened<T extends { close(): Promise<void> }>(each: T): T {
  open.push(each);
  return each;
}

const SHAPES = {
  plain: {},
  told: { env: { COLOR: "blue" }, command: ["sleep", "infinity"], idle: { after: "8h", action: "Stop" } },
  sized: {
    size: "shared-cpu-2x",
    memoryMb: 1024,
    ttl: "24h",
    files: [{ guest_path: "/etc/note", raw_value: "bm90ZQ==" }],
  },
  kept: { rootfs: { persist: "Always" }, deletionPolicy: "Orphan" },
  stopped: { operatingMode: "Stopped" },
};
const RUNNING = Object.keys(SHAPES).filter((name) => name !== "stopped");

test("five instances of different shapes are adopted, and their machines never notice", async () => {
  const emulator = opened(await startEmulator());
  const server = opened(await startServer(emulator.environment));
  const instances = Object.entries(SHAPES).map(([name, spec]) => ({
    apiVersion: "fly.lightfast.ai/v1",
    kind: "Instance",
    metadata: { name, labels: { shape: name } },
    spec,
  }));
  expect(await server.apply(...instances)).toMatchObject({ code: 0 });
  await settled(server);
  for (const name of RUNNING)
    expect(await server.cli("exec", name, "--", "sh", "-c", `echo ${name} >/root/kept`)).toMatchObject({ code: 0 });
  const specs = async () => {
    const { out } = await server.cli("get", "instances", "-o", "json");
    const { items }: { items: readonly { metadata: { uid: string; labels: object }; spec: object }[] } =
      JSON.parse(out);
    return items.map(({ metadata: { uid, labels }, spec }) => ({ uid, labels, spec }));
  };
  /** The emulator limits this client's calls too. */
  const machines = () =>
    until("the machines are listed", async () => {
      const listed: unknown = await emulator.machines("?include_deleted=true");
      return Array.isArray(listed) && (listed as readonly (EmulatedMachine & { instance_id: string })[]).map(asSeen);
    });
  const [specsBefore, machinesBefore] = [await specs(), await machines()];

  /** What `adopt` says of machines of another controller, done as it says. */
  async function adopted(): Promise<string> {
    await server.restart();
    expect(await specs()).toEqual([]);
    const refused = await server.cli("adopt", "--all");
    expect(refused.code).toBe(1);
    const claim = /--controller [-0-9a-f]{36}/.exec(refused.out)?.[0] ?? "nothing";
    expect(await server.cli("adopt", "--all", "--dry-run", ...claim.split(" "))).toMatchObject({
      code: 0,
      out: expect.stringContaining("would adopt"),
    });
    expect(await specs()).toEqual([]);
    const done = await server.cli("adopt", "--all", ...claim.split(" "));
    expect(done).toMatchObject({ code: 0, err: "" });
    await settled(server);
    expect(await server.cli("adopt", "--all")).toMatchObject({ code: 0, out: expect.not.stringContaining("adopted") });
    expect(await specs()).toEqual(specsBefore);
    for (const name of RUNNING)
      expect(await server.cli("exec", name, "--", "cat", "/root/kept")).toMatchObject({ code: 0, out: `${name}\n` });
    return (await server.cli("get", "instance", "plain", "-o", REACHED_BY)).out;
  }

  await server.kill("SIGKILL");
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(server.dataDir, `flywheel.db${suffix}`), { force: true });
  expect(await adopted()).toBe("SSH");
  expect(await machines()).toEqual(machinesBefore);

  await server.kill("SIGKILL");
  rmSync(server.dataDir, { recursive: true });
  expect(await adopted()).toBe("Exec"); // the keys are lost with it; nothing is restarted to replace them
  const after = await machines();
  const touched = after.filter((each) => !machinesBefore.some((before) => before.instance_id === each.instance_id));
  expect(touched.map(({ state }) => state)).toEqual(["stopped"]); // this one has new keys: it cost nothing
  const named = (all: typeof after) => all.map(({ id, state, uid }) => ({ id, state, uid }));
  expect(named(after)).toEqual(named(machinesBefore));
});

/** Without the owner, which changes with the controller. */
function asSeen({
  id,
  state,
  instance_id,
  config: { metadata, ...config },
}: EmulatedMachine & { instance_id: string }) {
  return { id, state, instance_id, config, uid: metadata["flywheel-uid"] };
}

const REACHED_BY = 'jsonpath={.status.conditions[?(@.type=="Reachable")].reason}';

async function settled(server: TestServer): Promise<void> {
  const named = RUNNING.map((name) => `instance/${name}`);
  expect(await server.cli("wait", ...named, "--for=condition=Ready", "--timeout=90s")).toMatchObject({ code: 0 });
  const stopped = ["wait", "instance/stopped", "--for=jsonpath={.status.machine.state}=stopped", "--timeout=90s"];
  expect(await server.cli(...stopped)).toMatchObject({ code: 0 });
}
