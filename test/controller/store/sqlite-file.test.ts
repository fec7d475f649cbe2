import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../controller/kernel/log.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { RefusedDatabaseError } from "../../../controller/store/errors.ts";
import { migrate } from "../../../controller/store/migrate.ts";
import { MIGRATIONS, type Migration } from "../../../controller/store/migrations.ts";
import { query } from "../../../controller/store/schema.ts";
import { openSqlite } from "../../../controller/store/sqlite.ts";
import { at, sized, widget, widgetKind } from "../../contract/widgets.ts";
import { virtualClock } from "../../virtual-clock.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flywheel-file-"));
  file = join(folder, "data", "flywheel.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

const clock = virtualClock();
const open = (seed = 1) => openSqlite({ file, clock, random: seededRandom(seed) });

test("what was written is there when the file is opened again, and revisions go on", async () => {
  const first = await open();
  await first.store.create(widgetKind, widget("a"));
  await first.store.update(widgetKind, at("a"), sized(2));
  await first.logs.append("s", 0, Buffer.from("text"));
  await first.close();

  const second = await open(2);
  expect(second.store.controllerId).toBe(first.store.controllerId);
  expect(await second.store.revision()).toBe(2);
  expect(await second.store.get(widgetKind, at("a"))).toMatchObject({ spec: { size: 2 } });
  expect(Buffer.from(await second.logs.read("s", 0, 10)).toString()).toBe("text");
  const seen: number[] = [];
  for await (const { revision } of second.store.watch(widgetKind, { since: 0 }, new AbortController().signal)) {
    if (seen.push(revision) === 2) break;
  }
  expect(seen).toEqual([1, 2]);
  const made = await second.store.create(widgetKind, widget("b"));
  expect(made.metadata.resourceVersion).toBe("3");
  await second.close();
});

test("what was compacted stays so when the file is opened again", async () => {
  const history = { maxAgeMs: 1e9, maxEvents: 1 };
  const first = await openSqlite({ file, clock, random: seededRandom(1), history });
  for (const name of ["a", "b", "c"]) await first.store.create(widgetKind, widget(name));
  expect(await first.compact()).toBe(2);
  await first.close();
  const second = await open();
  const watch = second.store.watch(widgetKind, { since: 1 }, new AbortController().signal);
  await expect(watch[Symbol.asyncIterator]().next()).rejects.toThrow("too old resource version: 1");
  await second.close();
});

test("a revision is never given twice, even when all that is left of it could be compacted", async () => {
  const time = virtualClock();
  const first = await openSqlite({ file, clock: time, random: seededRandom(1) });
  await first.store.create(widgetKind, widget("a"));
  await first.store.delete(widgetKind, at("a"));
  await time.advance(24 * 60 * 60_000);
  expect(await first.compact()).toBe(1);
  await first.close();
  const second = await open();
  expect((await second.store.create(widgetKind, widget("b"))).metadata.resourceVersion).toBe("3");
  await second.close();
});

test("a second opener is refused and told who has the file; a close lets go of it", async () => {
  const first = await open();
  const second = open();
  await expect(second).rejects.toThrow(RefusedDatabaseError);
  await expect(second).rejects.toThrow(`flywheel.db is in use by process ${process.pid} on `);
  await first.store.create(widgetKind, widget("still-writable"));
  await first.close();
  await (await open()).close();
  expect(readdirSync(join(folder, "data"))).toEqual(["flywheel.db"]);
});

test("a database opens although nothing can be noted about who has it", async () => {
  mkdirSync(dirname(file), { recursive: true });
  symlinkSync(join(folder, "missing", "note"), `${file}.owner`);
  const database = await open();
  await database.store.create(widgetKind, widget("a"));
  await expect(open(2)).rejects.toThrow("flywheel.db is in use by another process");
  await database.close();
});

test("a process that is gone is not named as the one that has the file", async () => {
  await (await open()).close();
  const other = new SqliteDatabase(file);
  other.exec("begin exclusive");
  const { pid } = spawnSync(process.execPath, ["--version"]);
  writeFileSync(`${file}.owner`, `process ${pid} on ${hostname()}`);
  await expect(open(2)).rejects.toThrow("flywheel.db is in use by another process:");
  other.close();
  await (await open(3)).close();
});

test("only the owner may read the file and its journal", async () => {
  const database = await open();
  for (const name of readdirSync(join(folder, "data"))) {
    if (name.endsWith(".owner")) continue;
    expect([name, statSync(join(folder, "data", name)).mode & 0o077]).toEqual([name, 0]);
  }
  await database.close();
});

test("what is no database, or another program's, is refused and left alone", async () => {
  file = join(folder, "text");
  writeFileSync(file, "not a database, but longer than the header of one ".repeat(30));
  await expect(open()).rejects.toThrow("cannot be opened as a database");

  file = join(folder, "other.db");
  const other = new SqliteDatabase(file);
  other.exec("create table theirs (x)");
  other.close();
  await expect(open()).rejects.toThrow("database of another program");
  const again = new SqliteDatabase(file);
  expect(again.prepare("select name from sqlite_schema").all()).toEqual([{ name: "theirs" }]);
  again.close();
});

const SECOND: Migration = [query.schema.alterTable("meta").addColumn("note", "text")];
const BROKEN: Migration = [
  query.schema.alterTable("meta").addColumn("other", "text"),
  query.schema.alterTable("nothing").addColumn("note", "text"),
];

test("before a migration a copy is kept, and a database that is newer is refused", async () => {
  const database = await open();
  await database.store.create(widgetKind, widget("a"));
  await database.close();

  const db = new SqliteDatabase(file);
  migrate(db, [...MIGRATIONS, SECOND], silentLog);
  expect(db.prepare("select note from meta").all()).toContainEqual({ note: null });
  db.close();

  await expect(open()).rejects.toThrow("has schema version 2, this program knows up to 1");
  const copy = `${file}.before-2`;
  expect(statSync(copy).mode & 0o077).toBe(0);
  file = copy;
  const restored = await open();
  expect(await restored.store.get(widgetKind, at("a"))).toBeDefined();
  await restored.close();
});

test("a migration that fails changes nothing, and can be tried again", async () => {
  await (await open()).close();
  const db = new SqliteDatabase(file);
  expect(() => migrate(db, [...MIGRATIONS, SECOND, BROKEN], silentLog)).toThrow("no such table");
  expect(db.pragma("user_version", { simple: true })).toBe(MIGRATIONS.length);
  migrate(db, [...MIGRATIONS, SECOND], silentLog);
  expect(db.prepare("select note from meta").all()).toHaveLength(1);
  db.close();
  expect(existsSync(`${file}.before-2.partial`)).toBe(false);
});

test("a new file needs no copy", async () => {
  await (await open()).close();
  expect(readdirSync(join(folder, "data"))).toEqual(["flywheel.db"]);
});
