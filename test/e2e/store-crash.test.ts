// A process that is killed in the middle of its writes has lost none that it was answered, and half of none.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../controller/kernel/clock.ts";
import { systemRandom } from "../../controller/kernel/random.ts";
import { openSqlite } from "../../controller/store/sqlite.ts";
import { at, type Widget, widgetKind } from "../contract/widgets.ts";

let folder: string;
let file: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-crash-"));
  file = join(folder, "flywheel.db");
});
afterEach(async () => {
  await kill();
  rmSync(folder, { recursive: true });
});

const open = () => openSqlite({ file, clock: systemClock, random: systemRandom });

async function kill(): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Starts the writer; answers what it was told of its writes, revision by name, once there are `count` of them. */
async function answeredWrites(count: number): Promise<Map<string, number>> {
  const script = new URL("store-writer.ts", import.meta.url).pathname;
  child = spawn(process.execPath, ["--import", "tsx", script, file], { stdio: ["ignore", "pipe", "inherit"] });
  const answered = new Map<string, number>();
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  const enough = new Promise<void>((resolve, reject) => {
    child?.on("exit", (code) => reject(new Error(`the writer ended by itself, ${code}`)));
    lines.on("line", (line) => {
      const [name = "", revision] = line.split(" ");
      answered.set(name, Number(revision));
      if (answered.size === count) resolve();
    });
  });
  await enough;
  child.removeAllListeners("exit");
  return answered;
}

test("a second process is refused and told who has the file; the lock dies with its holder", async () => {
  await answeredWrites(1);
  await expect(open()).rejects.toThrow(`is in use by process ${child?.pid} on`);
  await kill();
  await (await open()).close();
});

test("answered writes survive kill -9, and revisions have no gap", async () => {
  const answered = new Map<string, number>();
  for (const count of [100, 500]) {
    for (const [name, revision] of await answeredWrites(count)) answered.set(name, revision);
    await kill();

    const { store, close } = await open();
    for (const [name, revision] of answered) {
      const found = await store.get(widgetKind, at(name));
      expect(Number(found?.metadata.resourceVersion)).toBeGreaterThanOrEqual(revision);
    }

    // What history says, write by write, is what the list says.
    const { items, revision } = await store.list(widgetKind);
    const replayed = new Map<string, Widget>();
    let next = 1;
    for await (const event of store.watch(widgetKind, { since: 0 }, new AbortController().signal)) {
      expect(event.revision).toBe(next);
      next += 1;
      replayed.set(event.object.metadata.name, event.object);
      if (event.revision === revision) break;
    }
    expect(items.map(({ metadata }) => replayed.get(metadata.name))).toEqual(items);
    expect(replayed.size).toBe(items.length);
    await close();
  }
});
