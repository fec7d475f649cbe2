// The whole data directory is lost, and a backup is not: the same machines, with what is on them, and no other.
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { type EmulatedMachine, startEmulator } from "./emulator.ts";
import { until } from "./program.ts";
import { startServer } from "./server.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (let each = open.pop(); each; each = open.pop()) await each.close();
});
function opened<T extends { close(): Promise<void> }>(each: T): T {
  open.push(each);
  return each;
}

const API = "fly.lightfast.ai/v1";
const instance = (name: string, spec: object = {}) => ({ apiVersion: API, kind: "Instance", metadata: { name }, spec });

test("backed up under load, lost and restored: every instance Ready on its own machine, and none of them touched", async () => {
  const emulator = opened(await startEmulator());
  const server = opened(await startServer(emulator.environment));
  await server.apply(instance("a"), instance("b", { env: { COLOR: "blue" } }));
  const ready = () => server.cli("wait", "instances", "--all", "--for=condition=Ready", "--timeout=90s");
  expect(await ready()).toMatchObject({ code: 0 });
  expect(await server.cli("exec", "a", "--", "sh", "-c", "echo kept >/root/kept")).toMatchObject({ code: 0 });
  /** The emulator limits this client's calls too. */
  const machines = () =>
    until("the machines are listed", async () => {
      const listed: unknown = await emulator.machines("?include_deleted=true");
      return Array.isArray(listed) && (listed as readonly EmulatedMachine[]).map(({ id, state }) => ({ id, state }));
    });
  const before = await machines();

  // Writes go on while the backup is taken; each that was answered before it began must be in it.
  const acknowledged: string[] = [];
  let loading = true;
  const workflow = { instances: { box: {} }, steps: [{ name: "x", run: "true" }] };
  const load = Array.from({ length: 4 }, async (_, worker) => {
    for (let count = 0; loading; count += 1) {
      const name = `w-${worker}-${count}`;
      const { status } = await server.send("POST", "/api/workflows", { name, ...workflow });
      expect(status).toBe(201);
      acknowledged.push(name);
    }
  });
  await until("some writes are answered", () => acknowledged.length >= 100);
  const answered = [...acknowledged];
  const file = join(server.folder, "saved");
  const backup = await server.cli("backup", file);
  loading = false;
  await Promise.all(load);
  expect(backup).toMatchObject({ code: 0, err: "" });
  expect(acknowledged.length).toBeGreaterThan(answered.length);
  expect(statSync(file).mode & 0o777).toBe(0o600);

  // Not while a server has it; not over a database by itself.
  const restore = (...args: readonly string[]) => server.cli("restore", file, "--data-dir", server.dataDir, ...args);
  expect(await restore("--force")).toMatchObject({ code: 1, err: expect.stringContaining("is in use by process") });
  await server.kill("SIGKILL");
  expect(await restore()).toMatchObject({ code: 1, err: expect.stringContaining("exists: use --force") });
  rmSync(server.dataDir, { recursive: true });
  expect(await restore()).toMatchObject({ code: 0, err: "" });

  await server.restart();
  expect(await ready()).toMatchObject({ code: 0 });
  const { body } = await server.get<{ items: readonly { name: string }[] }>("/api/workflows");
  const restored = new Set(body.items.map(({ name }) => name));
  expect(answered.filter((name) => !restored.has(name))).toEqual([]);
  expect(await server.cli("exec", "a", "--", "cat", "/root/kept")).toMatchObject({ code: 0, out: "kept\n" });
  expect(await server.cli("get", "instances", "-o", "wide")).toMatchObject({
    out: expect.not.stringContaining("Exec"),
  });
  const reachable = await server.cli(
    "get",
    "instance",
    "a",
    "-o",
    'jsonpath={.status.conditions[?(@.type=="Reachable")].reason}',
  );
  expect(reachable.out).toBe("SSH"); // its keys came back too
  expect(await machines()).toEqual(before);
});
