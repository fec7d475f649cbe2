import SqliteDatabase, { type Database } from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { COMPACT_EVERY_WRITES } from "../../../controller/limits.ts";
import { databaseOn, type SqliteDatabase as Opened } from "../../../controller/store/sqlite.ts";
import { at, sized, widget, widgetKind } from "../../contract/widgets.ts";
import { type VirtualClock, virtualClock } from "../../virtual-clock.ts";

let db: Database;
let clock: VirtualClock;
let opened: Opened;

beforeEach(() => {
  db = new SqliteDatabase(":memory:");
  clock = virtualClock();
  const history = { maxAgeMs: 60_000, maxEvents: 100 };
  opened = databaseOn({ db, close: () => db.close() }, { clock, random: seededRandom(1), history });
});
afterEach(() => opened.close());

const create = (name: string) => opened.store.create(widgetKind, widget(name));
const update = (name: string, size: number) => opened.store.update(widgetKind, at(name), sized(size));
const kept = () => db.prepare("select revision from history order by revision").pluck().all();

test("what goes is what was replaced, and deletions; what stays is each object's state", async () => {
  await create("a"); // 1, replaced by 4
  await create("b"); // 2, deleted by 5
  await create("c"); // 3, still so
  await update("a", 2); // 4, replaced by 7, which is young
  await opened.store.delete(widgetKind, at("b")); // 5
  await create("d"); // 6
  await clock.advance(61_000);
  await update("a", 3); // 7
  expect(await opened.compact()).toBe(6);
  expect(kept()).toEqual([3, 4, 6, 7]);
});

test("nothing goes while it is young and little", async () => {
  await create("a");
  await update("a", 2);
  await clock.advance(59_000);
  expect(await opened.compact()).toBe(0);
  expect(kept()).toEqual([1, 2]);
});

test("writes compact by themselves, once enough have come together", async () => {
  await create("a");
  const { store } = opened;
  const since = (revision: number) =>
    store.watch(widgetKind, { since: revision }, new AbortController().signal)[Symbol.asyncIterator]().next();
  for (let size = 2; size < COMPACT_EVERY_WRITES; size += 1) await update("a", size);
  await clock.settle();
  expect(kept()).toHaveLength(COMPACT_EVERY_WRITES - 1);
  await update("a", 0);
  await clock.settle();
  expect(kept()).toHaveLength(101);
  await expect(since(COMPACT_EVERY_WRITES - 101)).rejects.toThrow("too old");
  expect((await since(COMPACT_EVERY_WRITES - 100)).value?.revision).toBe(COMPACT_EVERY_WRITES - 99);
});
