import SqliteDatabase, { type Database } from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../../controller/kernel/log.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { GROUP_COMMIT_MAX } from "../../../controller/limits.ts";
import { UnavailableError } from "../../../controller/store/errors.ts";
import { type GroupCommit, groupCommit } from "../../../controller/store/group-commit.ts";
import { databaseOn } from "../../../controller/store/sqlite.ts";
import { at, widget, widgetKind } from "../../contract/widgets.ts";
import { virtualClock } from "../../virtual-clock.ts";

let db: Database;
let commits: GroupCommit;
let flushes: (() => void)[];
let committed: number;

beforeEach(() => {
  db = new SqliteDatabase(":memory:");
  db.exec("create table t (x integer primary key); create table child (x references t deferrable initially deferred)");
  flushes = [];
  committed = 0;
  commits = groupCommit({
    db,
    log: silentLog,
    schedule: (flush) => flushes.push(flush),
    begun: () => {},
    committed: () => {
      committed += 1;
    },
  });
});
afterEach(() => db.close());

const insert = (x: number) => () => db.prepare("insert into t values (?)").run(x).changes;
const rows = () => db.prepare("select x from t order by x").pluck().all();
const flush = () => {
  for (const each of flushes.splice(0)) each();
};

test("writes of one turn share a commit, and none is answered before it", async () => {
  let answered = 0;
  const writes = Array.from({ length: 32 }, (_, x) => commits.submit(insert(x)).then(() => (answered += 1)));
  await Promise.resolve();
  expect([flushes.length, answered, rows()]).toEqual([1, 0, []]);
  flush();
  await Promise.all(writes);
  expect([committed, rows().length]).toEqual([1, 32]);
});

test("a batch is bounded; what is over goes into the next", async () => {
  const writes = Array.from({ length: GROUP_COMMIT_MAX + 1 }, (_, x) => commits.submit(insert(x)));
  flush();
  expect([committed, rows().length]).toEqual([1, GROUP_COMMIT_MAX]);
  flush();
  await Promise.all(writes);
  expect([committed, rows().length]).toEqual([2, GROUP_COMMIT_MAX + 1]);
});

test("a write that throws is undone alone, even when it had written", async () => {
  const refused = commits.submit(() => {
    insert(1)();
    throw new Error("refused");
  });
  const kept = commits.submit(insert(2));
  flush();
  await expect(refused).rejects.toThrow("refused");
  expect(await kept).toBe(1);
  expect(rows()).toEqual([2]);
});

test("a commit that fails fails every write of it, and the next ones go on", async () => {
  db.pragma("foreign_keys = on");
  const writes = [commits.submit(insert(1)), commits.submit(() => db.prepare("insert into child values (9)").run())];
  flush();
  for (const write of writes) await expect(write).rejects.toThrow(UnavailableError);
  expect(commits.failure()).toContain("FOREIGN KEY");
  expect([committed, rows(), db.inTransaction]).toEqual([0, [], false]);
  const next = commits.submit(insert(2));
  flush();
  await next;
  expect([commits.failure(), rows()]).toEqual([undefined, [2]]);
});

test("close waits for the writes under way", async () => {
  const write = commits.submit(insert(1));
  const closing = commits.close();
  await expect(commits.submit(insert(2))).rejects.toThrow(UnavailableError);
  flush();
  await closing;
  expect(await write).toBe(1);
});

test("a full disk refuses writes, keeps what was answered, and the store goes on when there is room", async () => {
  const file = new SqliteDatabase(":memory:");
  const { store, logs, close } = databaseOn(
    { db: file, close: () => file.close() },
    {
      clock: virtualClock(),
      random: seededRandom(1),
    },
  );
  const seen: number[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    for await (const { revision } of store.watch(widgetKind, { since: 0 }, stop.signal)) seen.push(revision);
  })();
  const create = (name: string) =>
    store.create(widgetKind, widget(name, { annotations: { text: "x".repeat(20_000) } }));

  await create("before");
  file.pragma(`max_page_count = ${Number(file.pragma("page_count", { simple: true })) + 3}`);
  const small = store.create(widgetKind, widget("small"));
  const outcomes = await Promise.allSettled([small, create("a"), create("b"), logs.append("s", 0, new Uint8Array(1))]);
  for (const outcome of outcomes)
    expect(outcome).toMatchObject({ status: "rejected", reason: { name: "UnavailableError" } });
  expect(await store.health()).toEqual({ ok: true }); // its probe is small enough
  await expect(create("c")).rejects.toThrow(UnavailableError);
  file.pragma(`max_page_count = ${Number(file.pragma("page_count", { simple: true }))}`);
  expect(await store.get(widgetKind, at("before"))).toBeDefined();
  expect((await store.list(widgetKind)).items).toHaveLength(1);

  file.pragma("max_page_count = 100000");
  expect((await create("after")).metadata.resourceVersion).toBe("2");
  stop.abort();
  await watching;
  expect(seen).toEqual([1, 2]);
  await close();
});

test("health tells that writes fail, and notices by itself when they work again", async () => {
  const file = new SqliteDatabase(":memory:");
  const { store, close } = databaseOn(
    { db: file, close: () => file.close() },
    {
      clock: virtualClock(),
      random: seededRandom(1),
    },
  );
  file.pragma("query_only = on");
  await expect(store.create(widgetKind, widget("a"))).rejects.toThrow(UnavailableError);
  expect(await store.health()).toEqual({ ok: false, message: expect.stringContaining("readonly") });
  file.pragma("query_only = off");
  expect(await store.health()).toEqual({ ok: true });
  await close();
});
