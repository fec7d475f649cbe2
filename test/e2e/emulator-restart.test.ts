import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { bubblewrapProblem } from "../../controller/emulator/guests/bubblewrap.ts";
import { processTable } from "../../controller/emulator/guests/processes.ts";
import { client, SSH_FILES, STAYS, start, TOKEN, until } from "./emulated.ts";

const processesOf = processTable();
const ROOT = new URL("../..", import.meta.url).pathname;
const NOBODY = 65534;
/** The oldest processes of a machine in any sandbox: its keeper, and what that keeps. */
const LASTING = 2;
const sandboxes = (await bubblewrapProblem()) ? (["plain"] as const) : (["bubblewrap", "plain"] as const);

const folders: string[] = [];
const children: ChildProcess[] = [];

function stateDir(): string {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-state-"));
  folders.push(folder);
  return folder;
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

describe.each(sandboxes)("another emulator on the same state directory, in %s", (sandbox) => {
  test("finds machines as they were, running ones still running", async () => {
    const options = { sandbox, stateDir: stateDir() };
    const first = await start(options);
    let fly = client(first.url);
    const { id, ip } = await fly.started({ files: SSH_FILES, metadata: { owner: "me" } });
    const { id: gone } = await fly.started();
    const { id: stopped } = await fly.started();
    const { id: suspended } = await fly.started();
    await fly.call("DELETE", fly.machine(gone, "?force=true"));
    await fly.wait(gone, "destroyed");
    await fly.call("POST", fly.machine(stopped, "/stop"), {});
    await fly.wait(stopped, "stopped");
    await fly.call("POST", fly.machine(suspended, "/suspend"));
    await fly.wait(suspended, "suspended");
    await fly.sh(id, "setsid sh -c 'while :; do echo . >>ticks; sleep 0.02; done' >/dev/null 2>&1 &");
    const before = await fly.call("GET", fly.machine(id));
    const pids = (await processesOf(id)).map(({ pid }) => pid).slice(0, LASTING);
    await first.close({ keepMachines: true });

    const second = await start(options);
    fly = client(second.url);
    try {
      expect((await fly.call("GET", fly.machine(id))).body).toEqual(before.body);
      expect((await fly.call("GET", fly.machine(gone))).body.state).toBe("destroyed");
      expect((await fly.call("GET", fly.machine(stopped))).body.state).toBe("stopped");
      expect((await processesOf(id)).map(({ pid }) => pid).slice(0, LASTING)).toEqual(pids);
      expect(await fly.sh(id, "echo $FLY_PRIVATE_IP")).toBe(ip);
      const ticks = async () => Number(await fly.sh(id, "wc -l <ticks"));
      const counted = await ticks();
      await until("it ticks", async () => (await ticks()) > counted);
      await fly.call("POST", fly.machine(suspended, "/start"));
      await fly.wait(suspended, "started");
      expect(await fly.sh(suspended, "echo awake")).toBe("awake");
      await fly.call("POST", fly.machine(id, "/stop"), {});
      await fly.wait(id, "stopped");
      expect(await processesOf(id)).toEqual([]);
    } finally {
      await second.close();
    }
    expect(await processesOf(suspended)).toEqual([]);
  });

  test("learns how a main process ended meanwhile, and boots what was lost", async () => {
    const options = { sandbox, stateDir: stateDir() };
    const first = await start(options);
    let fly = client(first.url);
    const script = "until [ -e stop-now ]; do sleep 0.02; done; exit 6";
    const { id } = await fly.started({ init: { exec: ["/bin/sh", "-c", script] }, restart: { policy: "no" } });
    const { id: lost } = await fly.started();
    await fly.sh(id, "(sleep 0.3; touch stop-now) >/dev/null 2>&1 &");
    await first.close({ keepMachines: true });
    for (const { pid } of await processesOf(lost)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error; // went with another
      }
    }
    await until("it has ended", async () => (await processesOf(id)).length === 0);

    const second = await start(options);
    fly = client(second.url);
    try {
      await fly.wait(id, "stopped");
      expect(JSON.stringify((await fly.call("GET", fly.machine(id))).body.events)).toContain('"exit_code":6');
      await fly.wait(lost, "started");
      expect(JSON.stringify((await fly.call("GET", fly.machine(lost))).body.events)).toContain("host rebooted");
      expect(await fly.sh(lost, "echo back")).toBe("back");
    } finally {
      await second.close();
    }
  });
});

test("a state directory belongs to one emulator", async () => {
  const options = { stateDir: stateDir() };
  const first = await start(options);
  await expect(start(options)).rejects.toThrow(`is in use by the emulator with pid ${process.pid}`);
  await first.close();
  await (await start(options)).close();
});

describe("npm run emulator", () => {
  test("machines outlive its being killed, and the next one finds them", async () => {
    const folder = stateDir();
    const first = await emulatorProcess(folder);
    let fly = client(first.url);
    const { id } = await fly.started(STAYS);
    await fly.sh(id, "setsid sh -c 'while :; do echo . >>ticks; sleep 0.05; done' >/dev/null 2>&1 &");
    const pids = (await processesOf(id)).map(({ pid }) => pid).slice(0, LASTING);
    first.child.kill("SIGKILL");
    await new Promise((resolve) => first.child.once("exit", resolve));
    expect((await processesOf(id)).map(({ pid }) => pid).slice(0, LASTING)).toEqual(pids);

    const second = await emulatorProcess(folder);
    fly = client(second.url);
    expect((await fly.call("GET", fly.machine(id))).body.state).toBe("started");
    const ticks = async () => Number(await fly.sh(id, "wc -l <ticks"));
    const counted = await ticks();
    await until("it ticks", async () => (await ticks()) > counted);
    await fly.call("DELETE", fly.machine(id, "?force=true"));
    await fly.wait(id, "destroyed");
    expect(await processesOf(id)).toEqual([]);
    await ended(second.child);
  });

  test.each(["SIGTERM", "SIGKILL"] as const)("without a state directory %s leaves nothing", async (signal) => {
    const { child, url } = await emulatorProcess(undefined);
    const fly = client(url);
    const { id } = await fly.started(STAYS);
    await fly.sh(id, "setsid sleep 7171 >/dev/null 2>&1 &");
    const exit = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await exit;
    await until("nothing is left", async () => (await processesOf(id)).length === 0, signal === "SIGTERM" ? 1 : 5000);
  });

  const asNobody = process.getuid?.() === 0 && (statSync(ROOT).mode & 0o005) === 0o005;
  if (!asNobody) console.warn("as another user: not tested, this is not root or others may not read the project");
  test.runIf(asNobody)("works for a user without any right", async () => {
    const folder = stateDir();
    chownSync(folder, NOBODY, NOBODY);
    const { child, url } = await emulatorProcess(folder, NOBODY);
    const fly = client(url);
    const { id } = await fly.started({ ...STAYS, files: SSH_FILES });
    expect(await fly.sh(id, "whoami")).toBe(sandboxes.includes("bubblewrap" as never) ? "root" : "nobody");
    await fly.call("POST", fly.machine(id, "/stop"), {});
    await fly.wait(id, "stopped");
    expect(await processesOf(id)).toEqual([]);
    await ended(child);
  });
});

async function emulatorProcess(
  folder: string | undefined,
  uid?: number,
): Promise<{ child: ChildProcess; url: string }> {
  // Not through the program `tsx`, which is a process in between: the emulator itself is to be killed.
  const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const child = spawn(process.execPath, ["--import", loader, join(ROOT, "controller/emulator/main.ts")], {
    cwd: tmpdir(),
    env: {
      PATH: process.env.PATH,
      EMULATOR_PORT: "0",
      EMULATOR_TOKEN: TOKEN,
      LOG_LEVEL: "warn",
      ...(folder === undefined ? {} : { EMULATOR_STATE_DIR: folder }),
    },
    ...(uid === undefined ? {} : { uid, gid: uid }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  let said = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until("it says where it is", () => /FLY_FLAPS_BASE_URL=(\S+)\n/.test(said), 30_000);
  expect(said).not.toContain(TOKEN);
  return { child, url: /FLY_FLAPS_BASE_URL=(\S+)\n/.exec(said)?.[1] ?? "" };
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  expect(await exit).toBe(0);
}
