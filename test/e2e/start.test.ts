// A server that cannot start says why in one line: the variable, its value, and what to do about it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Environment, runProgram } from "./program.ts";
import { ROOT, startServer, type TestServer } from "./server.ts";

let running: TestServer;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-e2e-start-"));
  running = await startServer();
});
afterAll(async () => {
  await running.close();
  rmSync(folder, { recursive: true, force: true });
});

const start = (environment: Environment) =>
  runProgram(process.execPath, [join(ROOT, "dist/main.js")], {
    cwd: folder,
    env: { PORT: "0", DATA_DIR: join(folder, "data"), LOG_LEVEL: "warn", ...environment },
  });

/** The last line: what came before is no reason. */
async function reasonOf(environment: Environment): Promise<string> {
  const { code, err } = await start(environment);
  expect(code).toBe(1);
  return err.trim().split("\n").at(-1) ?? "";
}

describe("what keeps a server from starting", () => {
  test("a port that is taken", async () => {
    const { port } = new URL(running.url);
    expect(await reasonOf({ PORT: port })).toMatch(new RegExp(`PORT=${port}: the port is in use: .*set another`));
    const emulator = new URL(running.emulatorUrl).port;
    expect(await reasonOf({ EMULATOR_PORT: emulator })).toContain(`EMULATOR_PORT=${emulator}: the port is in use`);
  });

  test("data that another server has", async () => {
    const reason = await reasonOf({ DATA_DIR: running.dataDir });
    expect(reason).toContain(`is in use by process ${running.process.child.pid}`);
  });

  test("a data directory that cannot be made", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(await reasonOf({ DATA_DIR: join(file, "data") })).toMatch(/DATA_DIR=\S+: cannot be made: ENOTDIR/);
    expect(await reasonOf({ DATA_DIR: "/proc/flywheel" })).toMatch(/DATA_DIR=\S+: cannot be made: \w+/);
  });

  test("a token that Fly does not accept, and a Fly that does not answer", async () => {
    const token = { FLY_API_TOKEN: "nonsense-of-the-tests" };
    const refused = await reasonOf({ ...token, FLY_FLAPS_BASE_URL: running.emulatorUrl });
    expect(refused).toMatch(/FLY_API_TOKEN is not accepted: make one with/);
    expect(refused).not.toContain(token.FLY_API_TOKEN);
    expect(await reasonOf({ ...token, FLY_FLAPS_BASE_URL: "http://127.0.0.1:1" })).toContain("no answer from Fly");
  });

  test("an address beyond this computer without a key", async () => {
    expect(await reasonOf({ HOST: "0.0.0.0" })).toMatch(/HOST=0\.0\.0\.0: refusing .* without API_KEY/);
  });
});

test("a Fly that throttles is waited for: a process that crashed may have used the budget up", async () => {
  const token = readFileSync(join(running.dataDir, "emulator", "token"), "utf8").trim();
  const faults = await fetch(`${running.emulatorUrl}/_emulator/faults`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ throttled: { actions: ["app-get"], times: 2 } }),
  });
  expect(faults.status).toBeLessThan(300);
  const second = await startServer({ FLY_API_TOKEN: token, FLY_FLAPS_BASE_URL: running.emulatorUrl });
  expect((await fetch(`${second.url}/health`)).status).toBe(200);
  await second.close();
});

test("a .env in the working directory is read, and the environment wins", async () => {
  writeFileSync(join(folder, ".env"), "OBSERVE_INTERVAL=never\n");
  expect(await reasonOf({})).toContain("OBSERVE_INTERVAL=never");
  expect(await reasonOf({ OBSERVE_INTERVAL: "always" })).toContain("OBSERVE_INTERVAL=always");
  rmSync(join(folder, ".env"));
});
