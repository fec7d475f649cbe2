import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { openBackup } from "../../../controller/store/restore.ts";
import { openSqlite, type SqliteDatabase as Store } from "../../../controller/store/sqlite.ts";
import { at, sized, widget, widgetKind } from "../../contract/widgets.ts";
import { virtualClock } from "../../virtual-clock.ts";

let folder: string;
let file: string;
let saved: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-backup-"));
  file = join(folder, "data", "flywheel.db");
  saved = join(folder, "saved");
});
afterEach(() => rmSync(folder, { recursive: true }));

const clock = virtualClock();
const signal = new AbortController().signal;
const EXTRAS = {
  version: "0.1.0",
  app: "workers",
  elsewhere: [],
  files: [{ name: "host-key-master", content: "secret" }],
};
const open = (path = file, seed = 1) => openSqlite({ file: path, clock, random: seededRandom(seed) });

async function save({ backup }: Store) {
  const { content, ...rest } = await backup(EXTRAS, signal);
  writeFileSync(saved, await buffer(content));
  return rest;
}

async function putBack(options: { to?: string; replace?: boolean } = {}) {
  const { to = join(folder, "other", "flywheel.db"), replace = false } = options;
  const restoring = await openBackup(saved, to, { replace, nowMs: clock.now() }, signal);
  const aside = restoring.install();
  restoring.close();
  return { to, aside, ...restoring };
}

test("a backup holds every write that was answered before it, though writes go on all the while", async () => {
  const first = await open();
  const answered: string[] = [];
  let during = 0;
  for (; answered.length < 200; ) {
    const { metadata } = await first.store.create(widgetKind, widget(`w-${answered.length}`));
    answered.push(metadata.name);
  }
  await first.logs.append("s", 0, Buffer.from("text"));
  const taking = save(first);
  let taken = false;
  taking.finally(() => {
    taken = true;
  });
  while (!taken) await first.store.create(widgetKind, widget(`during-${during++}`));
  const { manifest, bytes } = await taking;
  expect(during).toBeGreaterThan(10);
  expect(manifest).toMatchObject({ format: 1, app: "workers", controllerId: first.store.controllerId });
  expect(manifest.revision).toBeGreaterThanOrEqual(200);
  expect(statSync(saved).size).toBe(bytes);
  await first.close();

  const { to, files } = await putBack();
  expect(files).toEqual(EXTRAS.files);
  const second = await open(to, 2);
  const { items } = await second.store.list(widgetKind);
  expect(items.length).toBe(manifest.objects["widgets.test.example"]);
  expect(items.map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(answered));
  expect(Buffer.from(await second.logs.read("s", 0, 10)).toString()).toBe("text");
  expect(second.store.controllerId).toBe(first.store.controllerId);
  await second.close();
});

test("taking one leaves no file behind, and the server's own goes on being checkpointed", async () => {
  const first = await open();
  await first.store.create(widgetKind, widget("a"));
  await save(first);
  expect(readdirSync(join(folder, "data")).filter((name) => name.includes("backup"))).toEqual([]);
  await first.close();
  expect(readdirSync(join(folder, "data"))).toEqual(["flywheel.db"]);
});

test("one at a time; one that is given up leaves nothing and another can be taken", async () => {
  const first = await open();
  const giveUp = new AbortController();
  const given = first.backup(EXTRAS, giveUp.signal);
  await expect(first.backup(EXTRAS, signal)).rejects.toThrow("another backup is being taken");
  giveUp.abort(new Error("gone"));
  await expect(given).rejects.toThrow("gone");
  await save(first);
  expect(existsSync(`${file}.backup`)).toBe(false);
  await first.close();
});

test("revisions go on above all that can have been given out since; who remembers one lists again", async () => {
  const first = await open();
  await first.store.create(widgetKind, widget("a"));
  await first.store.update(widgetKind, at("a"), sized(2));
  await save(first);
  const lost = await first.store.update(widgetKind, at("a"), sized(3));
  await first.close();

  const restored = async () => {
    const { to, revision } = await putBack({ replace: true });
    const database = await open(to, 2);
    expect(await database.store.revision()).toBe(revision);
    const watch = (since: number) => database.store.watch(widgetKind, { since }, signal)[Symbol.asyncIterator]();
    for (const since of [1, 2, Number(lost.metadata.resourceVersion), revision - 1])
      await expect(watch(since).next()).rejects.toThrow("too old resource version");
    const seen = watch(revision).next();
    const stale = { resourceVersion: lost.metadata.resourceVersion };
    await expect(database.store.update(widgetKind, at("a"), sized(4), stale)).rejects.toThrow("has been modified");
    const next = await database.store.update(widgetKind, at("a"), sized(4));
    expect(Number(next.metadata.resourceVersion)).toBe(revision + 1);
    expect((await seen).value).toMatchObject({ type: "MODIFIED", revision: revision + 1 });
    expect(await database.compact()).toBeGreaterThanOrEqual(revision);
    await database.close();
    return revision + 1;
  };
  const given = await restored();
  await clock.advance(1); // and again, from the same backup, a moment later
  expect(await restored()).toBeGreaterThan(given);
});

test("the same backup put back twice remembers each time", async () => {
  const first = await open();
  await first.store.create(widgetKind, widget("a"));
  const { manifest } = await save(first);
  await first.close();
  const { to } = await putBack();
  const second = await open(to, 2);
  const once = { takenAtMs: Date.parse(manifest.takenAt), restoredAtMs: clock.now() };
  expect(second.store.restorations).toEqual([once]);
  await save(second);
  await second.close();
  const third = await open((await putBack({ replace: true })).to, 3);
  expect(third.store.restorations).toEqual([once, { takenAtMs: clock.now(), restoredAtMs: clock.now() }]);
  await third.close();
});

test("what is there is put aside only when that is asked for, and never while somebody has it", async () => {
  const first = await open();
  await first.store.create(widgetKind, widget("a"));
  await save(first);
  await first.store.create(widgetKind, widget("b"));
  await expect(putBack({ to: file })).rejects.toThrow("exists: use --force");
  await expect(putBack({ to: file, replace: true })).rejects.toThrow(`is in use by process ${process.pid}`);
  await first.close();

  const { aside } = await putBack({ to: file, replace: true });
  const names = ["flywheel.db", aside];
  expect(readdirSync(join(folder, "data")).sort()).toEqual(names);
  for (const name of names) expect(statSync(join(folder, "data", name ?? "")).mode & 0o077).toBe(0);
  const former = await open(join(folder, "data", aside ?? ""), 2);
  expect(await former.store.get(widgetKind, at("b"))).toBeDefined();
  await former.close();
  const restored = await open(file, 3);
  expect(await restored.store.get(widgetKind, at("b"))).toBeUndefined();
  await restored.close();
});

test("a database that is broken can be replaced", async () => {
  const first = await open();
  await first.store.create(widgetKind, widget("a"));
  await save(first);
  await first.close();
  writeFileSync(file, "no database any more ".repeat(1000));
  await putBack({ to: file, replace: true });
  const restored = await open(file, 2);
  expect(await restored.store.get(widgetKind, at("a"))).toBeDefined();
  await restored.close();
});

const DAMAGE: readonly { reason: string; damage(path: string): void; says: RegExp }[] = [
  { reason: "no database", damage: (path) => writeFileSync(path, "something else"), says: /not a whole backup/ },
  { reason: "cut off", damage: (path) => truncateSync(path, statSync(path).size / 2), says: /damaged|not a whole/ },
  { reason: "one letter changed inside an object", damage: (path) => changeByte(path, "find-me"), says: /damaged/ },
  { reason: "one letter changed inside a key", damage: (path) => changeByte(path, "secret"), says: /damaged/ },
  { reason: "a page of zeros", damage: (path) => zeroPage(path), says: /damaged|not a whole/ },
  {
    reason: "a row taken out",
    damage: (path) => edit(path, "delete from objects"),
    says: /does not hold what it says/,
  },
  {
    reason: "newer than this program",
    damage: (path) => edit(path, `update backup_manifest set json = json_set(json, '$.schema', 99)`),
    says: /newer than this program/,
  },
];

test.each(DAMAGE)("a backup that is $reason is refused, and nothing is touched", async ({ damage, says }) => {
  const first = await open();
  await first.store.create(widgetKind, widget("a", { labels: { note: "find-me" } }));
  for (let index = 0; index < 50; index += 1) await first.store.create(widgetKind, widget(`w-${index}`));
  await save(first);
  await first.close();
  damage(saved);
  const before = readFileSync(file);
  await expect(putBack({ to: file, replace: true })).rejects.toThrow(says);
  expect(readFileSync(file).equals(before)).toBe(true);
  expect(readdirSync(join(folder, "data"))).toEqual(["flywheel.db"]);
});

/** Everywhere: SQLite leaves remnants of a row where it once was. */
function changeByte(path: string, text: string): void {
  const bytes = readFileSync(path);
  expect(bytes.indexOf(text)).toBeGreaterThan(0);
  for (let place = bytes.indexOf(text); place >= 0; place = bytes.indexOf(text)) bytes.write("X", place);
  writeFileSync(path, bytes);
}

function zeroPage(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0, 8192, 16_384);
  writeFileSync(path, bytes);
}

function edit(path: string, sql: string): void {
  const db = new SqliteDatabase(path);
  db.exec(sql);
  db.close();
}
