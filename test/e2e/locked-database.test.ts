// One process owns the database. Whoever else holds it keeps a server from starting, with one line that says so, and has it
// afterwards with nothing lost; while a server runs nobody else gets at its file.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ROOT, startServer, type TestServer } from "./server.ts";

let server: TestServer;
let other: ChildProcess | undefined;
beforeEach(async () => {
  server = await startServer();
});
afterEach(async () => {
  other?.kill("SIGKILL");
  await server.close();
});

/** Another program opens the database and runs a statement; answers what came of it, and keeps the file open. */
async function otherProgram(statement: string): Promise<string> {
  const sqlite = pathToFileURL(join(ROOT, "node_modules/better-sqlite3/lib/index.js")).href;
  const script = `import Sqlite from ${JSON.stringify(sqlite)};
    const db = new Sqlite(process.argv[1], { timeout: 0 });
    try { db.exec(process.argv[2]); console.log("done"); } catch (error) { console.log(error.code); }
    setInterval(() => db.open, 1000);`;
  const file = join(server.dataDir, "flywheel.db");
  other = spawn(process.execPath, ["--input-type=module", "-e", script, file, statement], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface({ input: other.stdout ?? process.stdin }), "line");
  return String(line);
}

async function otherEnds(): Promise<void> {
  const exited = other && once(other, "exit");
  other?.kill("SIGKILL");
  await exited;
}

const names = async () => {
  const { body } = await server.get<{ items: readonly { name: string }[] }>("/api/instances");
  return body.items.map(({ name }) => name);
};
const create = async (name: string) => (await server.send("POST", "/api/instances", { name })).status;

describe.each(["begin immediate", "begin exclusive"])("a program that holds the database (%s)", (statement) => {
  test("keeps a server from starting, which names no process that is gone, and from losing anything", async () => {
    expect(await create("before")).toBe(201);
    await server.kill("SIGKILL");
    expect(await otherProgram(statement)).toBe("done");
    await expect(server.restart()).rejects.toThrow("ended before");
    const { code, err } = await server.process.ended;
    const line = /^flywheel: \S+flywheel\.db is in use by another process: one process owns a database; [^\n]*\n$/;
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(line) });
    await otherEnds();
    await server.restart();
    expect(await names()).toEqual(["before"]);
    expect(await create("after")).toBe(201);
  });
});

test("while a server runs nobody else writes or reads its database, and it does not notice", async () => {
  expect(await create("one")).toBe(201);
  for (const statement of ["begin exclusive", "begin immediate", "delete from history", "select * from objects"]) {
    expect([statement, await otherProgram(statement)]).toEqual([statement, "SQLITE_BUSY"]);
    expect((await server.get("/readyz")).status).toBe(200);
    await otherEnds();
  }
  expect(await create("two")).toBe(201);
  await server.kill("SIGKILL");
  await server.restart();
  expect(await names()).toEqual(["one", "two"]);
});
