// The policy of when a name comes back, on a real store and virtual time.
import { afterEach, expect, test } from "vitest";
import { AssertionError, ConflictError, TerminalError, TransientError } from "../../../controller/kernel/errors.ts";
import { lifetime } from "../../../controller/kernel/lifetime.ts";
import { silentLog } from "../../../controller/kernel/log.ts";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { createController } from "../../../controller/runtime/controller.ts";
import type { ReconcileResult } from "../../../controller/runtime/reconciler.ts";
import { openSqlite } from "../../../controller/store/sqlite.ts";
import { type Namespace, namespaceKind } from "../../../crds/namespace.ts";
import { virtualClock } from "../../virtual-clock.ts";

const RESYNC_MS = 300_000;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function controlled(reconcile: (object: Namespace, pass: number) => Promise<ReconcileResult>) {
  const clock = virtualClock();
  const random = seededRandom(1);
  const { store, close } = await openSqlite({ file: ":memory:", clock, random });
  const life = lifetime();
  const passes: number[] = [];
  const forgotten: string[] = [];
  const fatal: Error[] = [];
  const controller = createController<Namespace>({
    store,
    clock,
    random,
    log: silentLog,
    workers: 2,
    resyncMs: RESYNC_MS,
    reconciler: {
      kind: namespaceKind,
      reconcile(object) {
        passes.push(clock.monotonic());
        return reconcile(object, passes.length);
      },
      forget: (uid) => void forgotten.push(uid),
    },
    fatal: (error) => void fatal.push(error),
  });
  const ended = controller.run(life.signal);
  closing.push(async () => {
    life.abort(new Error("end of the test"));
    await ended;
    await close();
  });
  const made = await store.create(namespaceKind, () => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "a" },
  }));
  await clock.settle();
  return { clock, store, passes, forgotten, fatal, made };
}

const FAR_MS = RESYNC_MS * 0.8;

test("what is settled is looked at again only at the next resync", async () => {
  const { clock, passes } = await controlled(async () => ({}));
  await clock.advance(FAR_MS);
  expect(passes).toHaveLength(1);
  await clock.advance(RESYNC_MS);
  expect(passes).toHaveLength(2);
});

test("what asks for it is looked at again just then", async () => {
  const { clock, passes } = await controlled(async (_, pass) => (pass === 1 ? { requeueAfterMs: 5000 } : {}));
  await clock.advance(4999);
  expect(passes).toHaveLength(1);
  await clock.advance(1);
  expect(passes).toHaveLength(2);
});

test.each([
  ["a conflict", () => new ConflictError("stale"), 1000],
  ["a failure", () => new Error("no"), 1000],
  ["trouble that names its end", () => new TransientError("later", { retryAfterMs: 7000 }), 7000],
])("%s brings the name back soon", async (_reason, error, withinMs) => {
  const { clock, passes } = await controlled(async (_, pass) => {
    if (pass === 1) throw error();
    return {};
  });
  await clock.advance(withinMs);
  expect(passes).toHaveLength(2);
});

test("a lasting error is tried ever more seldom", async () => {
  const { clock, passes } = await controlled(() => Promise.reject(new Error("no")));
  await clock.advance(60_000);
  expect(passes.length).toBeGreaterThan(5);
  expect(passes.length).toBeLessThan(12);
});

test("what only another spec can mend waits for it", async () => {
  const { clock, passes, store } = await controlled(() => Promise.reject(new TerminalError("Invalid", "no such size")));
  await clock.advance(FAR_MS);
  expect(passes).toHaveLength(1);
  await store.update(namespaceKind, { name: "a" }, (current) => ({
    ...current,
    metadata: { ...current.metadata, labels: { changed: "yes" } },
  }));
  await clock.settle();
  expect(passes).toHaveLength(2);
});

test("an assertion that fails is not retried away", async () => {
  const { fatal } = await controlled(() => Promise.reject(new AssertionError("impossible")));
  expect(fatal.map(({ message }) => message)).toEqual(["impossible"]);
});

test("what is deleted is forgotten", async () => {
  const { clock, store, forgotten, made } = await controlled(async () => ({}));
  await store.delete(namespaceKind, { name: "a" });
  await clock.settle();
  expect(forgotten).toEqual([made.metadata.uid]);
});
