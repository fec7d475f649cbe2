// What every store must do, whatever is behind it. A factory answers a fresh, empty one.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seededRandom } from "../../controller/kernel/random.ts";
import {
  AlreadyExistsError,
  BadRequestError,
  ExpiredError,
  FieldForbiddenError,
  NotFoundError,
  StaleWriteError,
  TooLargeError,
} from "../../controller/store/errors.ts";
import type { Database, Store, WatchEvent, WatchOptions } from "../../controller/store/store.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { virtualClock } from "../virtual-clock.ts";
import { at, held, labelled, planet, planetKind, sized, type Widget, widget, widgetKind } from "./widgets.ts";

/** A store under test, with what only its maker can do to it. */
export interface StoreUnderTest extends Database {
  /** Forgets all history that may go; the maker has set bounds of one hour and 200 writes. */
  compact(): Promise<number>;
}

export type StoreFactory = (clock: VirtualClock) => Promise<StoreUnderTest>;

export function storeContract(makeStore: StoreFactory): void {
  let clock: VirtualClock;
  let database: StoreUnderTest;
  let store: Store;

  beforeEach(async () => {
    clock = virtualClock();
    database = await makeStore(clock);
    store = database.store;
  });
  afterEach(() => database.close());

  const create = (...args: Parameters<typeof widget>) => store.create(widgetKind, widget(...args));
  const update = (name: string, change: (current: Widget) => Widget) => store.update(widgetKind, at(name), change);
  const remove = (name: string) => store.delete(widgetKind, at(name));

  /** The first `count` events of a watch, as `TYPE name@revision`. */
  async function events(options: WatchOptions, count: number): Promise<readonly string[]> {
    const seen: string[] = [];
    if (count === 0) return seen;
    for await (const event of store.watch(widgetKind, options, new AbortController().signal)) {
      if (seen.push(told(event)) === count) break;
    }
    return seen;
  }

  describe("create", () => {
    test("assigns uid, time, generation and revision, whatever the draft brings along", async () => {
      const draft = { ...widget("a")(), status: { phase: "New" } };
      const metadata = { ...draft.metadata, uid: "mine", generation: 7, resourceVersion: "9", labels: {} };
      const made = await store.create(widgetKind, () => ({ ...draft, metadata }));
      expect(made).toEqual({
        apiVersion: "test.example/v1",
        kind: "Widget",
        metadata: {
          name: "a",
          namespace: "default",
          uid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/),
          resourceVersion: "1",
          generation: 1,
          creationTimestamp: "2026-01-01T00:00:00Z",
        },
        spec: { size: 1 },
        status: { phase: "New" },
      });
      expect(await store.get(widgetKind, at("a"))).toEqual(made);
      expect(await store.getByUid(widgetKind, made.metadata.uid)).toEqual(made);
    });

    test("a taken name is refused; the same name elsewhere is not taken", async () => {
      await create("a");
      await expect(create("a")).rejects.toThrow(AlreadyExistsError);
      await create("a", { namespace: "other" });
      await store.create(planetKind, planet("a"));
      expect(await store.revision()).toBe(3);
    });

    test("generateName gives names of their own", async () => {
      const made = await Promise.all(Array.from({ length: 5 }, () => create("", { generateName: "run-" })));
      for (const { metadata } of made) expect(metadata.name).toMatch(/^run-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
      expect(new Set(made.map(({ metadata }) => metadata.name)).size).toBe(5);
      await expect(create("")).rejects.toThrow(BadRequestError);
    });

    test("an object that is too large is refused", async () => {
      await expect(create("a", { annotations: { text: "x".repeat(1024 * 1024) } })).rejects.toThrow(TooLargeError);
      expect(await store.revision()).toBe(0);
    });

    test("a draft sees the writes before it", async () => {
      const first = create("a", {}, 5);
      const second = store.create(widgetKind, (view) => widget("b", {}, view.get(widgetKind, at("a"))?.spec.size)());
      expect((await second).spec.size).toBe(5);
      await first;
    });
  });

  describe("update", () => {
    test("moves generation when the spec changes, and only then", async () => {
      await create("a");
      const resized = await update("a", sized(2));
      expect(resized.metadata).toMatchObject({ generation: 2, resourceVersion: "2" });
      const relabelled = await update("a", labelled({ team: "x" }));
      expect(relabelled.metadata).toMatchObject({ generation: 2, resourceVersion: "3", labels: { team: "x" } });
    });

    test("a result equal to what is stored writes nothing", async () => {
      const made = await create("a", { labels: { x: "1" } });
      const same = await update("a", ({ metadata, ...rest }) => ({
        ...rest,
        metadata: { ...metadata, finalizers: [] },
      }));
      expect(same).toEqual(made);
      expect(await store.revision()).toBe(1);
    });

    test("what is handed out is frozen, so that a change in place is an error and spoils it for nobody", async () => {
      await create("a");
      const inPlace = update("a", (current) => ({ ...current, spec: Object.assign(current.spec, { size: 3 }) }));
      await expect(inPlace).rejects.toThrow(TypeError);
      const found = await store.get(widgetKind, at("a"));
      expect(() => Object.assign(found?.metadata ?? {}, { name: "b" })).toThrow(TypeError);
      expect((await store.list(widgetKind)).items).toMatchObject([{ metadata: { name: "a" }, spec: { size: 1 } }]);
    });

    test("status is its own: update ignores it, updateStatus ignores all else", async () => {
      await create("a");
      const status = await store.updateStatus(widgetKind, at("a"), () => ({ phase: "Up" }));
      expect(status).toMatchObject({ metadata: { generation: 1, resourceVersion: "2" }, status: { phase: "Up" } });
      const next = await update("a", (current) => ({ ...current, spec: { size: 2 }, status: { phase: "Down" } }));
      expect(next).toMatchObject({ spec: { size: 2 }, status: { phase: "Up" } });
      await store.updateStatus(widgetKind, at("a"), (current) => current.status);
      expect(await store.revision()).toBe(3);
      expect(await store.updateStatus(widgetKind, at("a"), () => undefined)).not.toHaveProperty("status");
    });

    test.each([
      { reason: "another object", wanted: { uid: "other" } },
      { reason: "another state", wanted: { resourceVersion: "999" } },
    ])("a precondition on $reason is a conflict", async ({ wanted }) => {
      await create("a");
      await expect(store.update(widgetKind, at("a"), sized(2), wanted)).rejects.toThrow(StaleWriteError);
      await expect(store.updateStatus(widgetKind, at("a"), () => ({}), wanted)).rejects.toThrow(StaleWriteError);
      await expect(store.delete(widgetKind, at("a"), wanted)).rejects.toThrow(StaleWriteError);
      expect(await store.revision()).toBe(1);
    });

    test("a result with the resourceVersion of an older state is a conflict", async () => {
      const old = await create("a");
      await update("a", sized(2));
      await expect(update("a", () => ({ ...old, spec: { size: 3 } }))).rejects.toThrow(StaleWriteError);
    });

    test("an object is not renamed, moved or turned into another kind", async () => {
      await create("a");
      const renamed = update("a", (current) => ({ ...current, metadata: { ...current.metadata, name: "b" } }));
      await expect(renamed).rejects.toThrow(BadRequestError);
      const moved = update("a", (current) => ({ ...current, metadata: { ...current.metadata, namespace: "b" } }));
      await expect(moved).rejects.toThrow(BadRequestError);
      const turned = update("a", (current) => ({ ...current, apiVersion: "test.example/v2" }));
      await expect(turned).rejects.toThrow(BadRequestError);
    });

    test("what is not there is not found", async () => {
      await expect(update("a", sized(2))).rejects.toThrow(NotFoundError);
      await expect(remove("a")).rejects.toThrow(NotFoundError);
      expect(await store.get(widgetKind, at("a"))).toBeUndefined();
    });
  });

  describe("delete", () => {
    test("removes at once what nothing holds, at a revision of its own", async () => {
      const { metadata } = await create("a");
      const last = await remove("a");
      expect(last.metadata).toEqual({ ...metadata, resourceVersion: "2" });
      expect(await store.get(widgetKind, at("a"))).toBeUndefined();
      expect(await store.getByUid(widgetKind, metadata.uid)).toBeUndefined();
      expect((await create("a")).metadata.uid).not.toBe(metadata.uid);
    });

    test("marks what finalizers hold; the last one to go removes it", async () => {
      await create("a", { finalizers: ["x", "y"] });
      await clock.advance(5000);
      const marked = await remove("a");
      expect(marked.metadata).toMatchObject({
        deletionTimestamp: "2026-01-01T00:00:05Z",
        deletionGracePeriodSeconds: 0,
        generation: 2,
      });
      expect(await remove("a")).toEqual(marked);
      expect(await store.revision()).toBe(2);
      expect((await update("a", held("y"))).metadata.finalizers).toEqual(["y"]);
      expect((await update("a", held())).metadata.deletionTimestamp).toBeDefined();
      expect(await store.get(widgetKind, at("a"))).toBeUndefined();
      expect(await events({ since: 0 }, 4)).toEqual(["ADDED a@1", "MODIFIED a@2", "MODIFIED a@3", "DELETED a@4"]);
    });

    test("may bring a finalizer and a status of its own, once", async () => {
      await create("a");
      const marked = await store.delete(widgetKind, at("a"), { hold: "x", status: { seen: 9 } });
      expect(marked).toMatchObject({ metadata: { finalizers: ["x"], resourceVersion: "2" }, status: { seen: 9 } });
      expect(await store.delete(widgetKind, at("a"), { hold: "y", status: { seen: 10 } })).toEqual(marked);
    });

    test("nothing new may hold what is being deleted; the rest may still change", async () => {
      await create("a", { finalizers: ["x"] });
      await remove("a");
      await expect(update("a", held("x", "y"))).rejects.toThrow(FieldForbiddenError);
      expect((await update("a", sized(2))).spec.size).toBe(2);
      const revived = await update("a", ({ metadata: { deletionTimestamp: _, ...metadata }, ...rest }) => ({
        ...rest,
        metadata,
      }));
      expect(revived.metadata.deletionTimestamp).toBeDefined();
    });
  });

  test("a dry run answers what would be stored, and stores nothing", async () => {
    const dryRun = { dryRun: true };
    expect((await store.create(widgetKind, widget("a"), dryRun)).metadata).toMatchObject({ generation: 1 });
    expect(await store.revision()).toBe(0);
    await create("a");
    await expect(store.create(widgetKind, widget("a"), dryRun)).rejects.toThrow(AlreadyExistsError);
    const next = await store.update(widgetKind, at("a"), sized(2), dryRun);
    expect(next).toMatchObject({ spec: { size: 2 }, metadata: { generation: 2, resourceVersion: "1" } });
    await store.delete(widgetKind, at("a"), dryRun);
    expect(await store.get(widgetKind, at("a"))).toMatchObject({ spec: { size: 1 } });
    expect(await store.revision()).toBe(1);
  });

  describe("many at once", () => {
    test("revisions are gapless, and a refused write neither fails its neighbours nor takes one", async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 300 }, (_, index) => create(`w${index % 200}`, {}, index)),
      );
      const made = outcomes.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
      expect(made.map(({ metadata }) => Number(metadata.resourceVersion))).toEqual(
        Array.from({ length: 200 }, (_, index) => index + 1),
      );
      const refused = outcomes.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
      expect(refused).toHaveLength(100);
      for (const error of refused) expect(error).toBeInstanceOf(AlreadyExistsError);
    });

    test("of writers that read the same state one wins", async () => {
      const { metadata } = await create("a");
      const outcomes = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) =>
          store.update(widgetKind, at("a"), sized(index + 10), { resourceVersion: metadata.resourceVersion }),
        ),
      );
      expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", ...Array(9).fill("rejected")]);
      expect(await store.revision()).toBe(2);
    });

    test("a function that throws leaves no trace", async () => {
      await create("a");
      const broken = update("a", () => {
        throw new Error("no");
      });
      const [, made] = await Promise.all([expect(broken).rejects.toThrow("no"), create("b")]);
      expect(made.metadata.resourceVersion).toBe("2");
    });
  });

  describe("list", () => {
    const names = async (options: Parameters<Store["list"]>[1]) =>
      (await store.list(widgetKind, options)).items.map(({ metadata }) => metadata.name);

    test("is sorted by namespace and name, and holds one kind", async () => {
      for (const name of ["b", "c", "a"]) await create(name);
      await create("a", { namespace: "another" });
      await store.create(planetKind, planet("p"));
      const { items, revision } = await store.list(widgetKind);
      expect(items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
        "another/a",
        "default/a",
        "default/b",
        "default/c",
      ]);
      expect(revision).toBe(5);
      expect(await names({ namespace: "default" })).toEqual(["a", "b", "c"]);
      expect((await store.list(planetKind)).items).toHaveLength(1);
    });

    test("selects by labels, fields and owner", async () => {
      const owner = { apiVersion: "v1", kind: "X", name: "x", uid: "owner-1" };
      await create("a", { labels: { team: "x" } }, 1);
      await create("b", { labels: { team: "y" }, ownerReferences: [owner] }, 2);
      await create("c", {}, 2);
      expect(await names({ labelSelector: "team in (x, y)" })).toEqual(["a", "b"]);
      expect(await names({ labelSelector: "team!=x" })).toEqual(["b", "c"]);
      expect(await names({ fieldSelector: "spec.size=2" })).toEqual(["b", "c"]);
      expect(await names({ fieldSelector: "spec.size=2", labelSelector: "!team" })).toEqual(["c"]);
      expect(await names({ fieldSelector: "metadata.name=b,metadata.namespace=default" })).toEqual(["b"]);
      expect(await names({ fieldSelector: "metadata.name=b", namespace: "other" })).toEqual([]);
      expect(await names({ owner: "owner-1" })).toEqual(["b"]);
      await update("b", ({ metadata: { ownerReferences: _, ...metadata }, ...rest }) => ({ ...rest, metadata }));
      expect(await names({ owner: "owner-1" })).toEqual([]);
      await update("c", ({ metadata, ...rest }) => ({ ...rest, metadata: { ...metadata, ownerReferences: [owner] } }));
      expect(await names({ owner: "owner-1" })).toEqual(["c"]);
      await remove("c");
      await create("c");
      expect(await names({ owner: "owner-1" })).toEqual([]);
      await expect(store.list(widgetKind, { labelSelector: "a in" })).rejects.toThrow(BadRequestError);
    });

    test("a namespace and a field selector for another one select nothing", async () => {
      await create("a");
      expect(await names({ namespace: "default", fieldSelector: "metadata.namespace=other" })).toEqual([]);
    });

    test("pages are of one moment, whatever is written between them", async () => {
      for (const name of ["a", "b", "c", "d", "e", "f"]) await create(name);
      const first = await store.list(widgetKind, { limit: 2 });
      expect(first).toMatchObject({ revision: 6, remaining: 4 });

      await update("c", sized(9)); // changed, changed again, deleted, deleted and made again, made, before and after
      await update("c", sized(10));
      await remove("d");
      await remove("e");
      await create("e", {}, 9);
      await create("aa");
      await create("g");

      const second = await store.list(widgetKind, { limit: 3, continue: first.continue });
      const third = await store.list(widgetKind, { limit: 3, continue: second.continue });
      expect(second).toMatchObject({ revision: 6, remaining: 1 });
      expect(third.continue).toBeUndefined();
      const all = [...first.items, ...second.items, ...third.items];
      expect(all.map(({ metadata, spec }) => `${metadata.name}${spec.size}`)).toEqual([
        "a1",
        "b1",
        "c1",
        "d1",
        "e1",
        "f1",
      ]);
    });

    test("pages of any size give the list of their moment", async () => {
      const random = seededRandom(3);
      const below = (limit: number) => Math.floor(random.next() * limit);
      const scribble = () =>
        Promise.allSettled(
          Array.from({ length: 8 }, () => {
            const name = `w${below(12)}`;
            return [() => create(name), () => update(name, sized(below(9))), () => remove(name)][below(3)]?.();
          }),
        );
      for (let round = 0; round < 20; round += 1) {
        await scribble();
        const { items, revision } = await store.list(widgetKind);
        const paged: Widget[] = [];
        let page = await store.list(widgetKind, { limit: 1 + below(3) });
        while (page.items.length > 0) {
          expect(page.revision).toBe(revision);
          paged.push(...page.items);
          expect(page.remaining ?? 0).toBe(items.length - paged.length);
          if (page.continue === undefined) break;
          await scribble();
          page = await store.list(widgetKind, { limit: 1 + below(3), continue: page.continue });
        }
        expect(paged).toEqual(items);
      }
    });

    test("with a selector a page says that more follow only when they do, and not how many", async () => {
      for (const name of ["a", "b", "c"]) await create(name, name === "b" ? {} : { labels: { x: "1" } });
      const first = await store.list(widgetKind, { limit: 1, labelSelector: "x" });
      expect(first.remaining).toBeUndefined();
      const second = await store.list(widgetKind, { limit: 1, labelSelector: "x", continue: first.continue });
      expect(second.items.map(({ metadata }) => metadata.name)).toEqual(["c"]);
      expect(second.continue).toBeUndefined();
    });

    test("a token that is not ours is a bad request, one that is too old has expired", async () => {
      await expect(store.list(widgetKind, { continue: "abc" })).rejects.toThrow(BadRequestError);
      await expect(store.list(widgetKind, { limit: -1 })).rejects.toThrow(BadRequestError);
      for (const name of ["a", "b"]) await create(name);
      const page = await store.list(widgetKind, { limit: 1 });
      await update("a", sized(2));
      await clock.advance(2 * 60 * 60_000);
      await update("a", sized(3));
      await database.compact();
      await expect(store.list(widgetKind, { continue: page.continue })).rejects.toThrow(ExpiredError);
    });
  });

  describe("watch", () => {
    test("replays what was written since, then follows, each event once and in order", async () => {
      await create("a");
      await create("b");
      const seen = events({ since: 1 }, 4);
      await update("b", sized(2));
      await clock.settle();
      await store.create(planetKind, planet("not-of-this-kind"));
      await create("elsewhere", { namespace: "other" });
      await remove("a");
      expect(await seen).toEqual(["ADDED b@2", "MODIFIED b@3", "ADDED elsewhere@5", "DELETED a@6"]);
      expect(await events({ since: 1, namespace: "other" }, 1)).toEqual(["ADDED elsewhere@5"]);
    });

    test("an event carries the object at its revision, and the JSON of it", async () => {
      await create("a");
      await update("a", sized(2));
      await remove("a");
      const sizes: unknown[] = [];
      for await (const event of store.watch(widgetKind, { since: 0 }, new AbortController().signal)) {
        expect(JSON.parse(event.json)).toEqual(event.object);
        expect(event.object.metadata.resourceVersion).toBe(String(event.revision));
        if (sizes.push(event.object.spec.size) === 3) break;
      }
      expect(sizes).toEqual([1, 2, 2]);
    });

    /** The same writes, watched live and replayed. */
    async function bothWays(options: Omit<WatchOptions, "since">, writes: () => Promise<unknown>, count: number) {
      const live = events({ ...options, since: 0 }, count);
      await clock.settle();
      await writes();
      const replayed = await events({ ...options, since: 0 }, count);
      expect(await live).toEqual(replayed);
      return replayed;
    }

    test("what enters a selection is added, what leaves it is deleted", async () => {
      const writes = async () => {
        await create("a");
        await update("a", labelled({ on: "1" }));
        await update("a", sized(2));
        await update("a", labelled({}));
        await update("a", sized(3));
        await create("b", { labels: { on: "1" } });
        await remove("a");
        await remove("b");
      };
      expect(await bothWays({ labelSelector: "on=1" }, writes, 5)).toEqual([
        "ADDED a@2",
        "MODIFIED a@3",
        "DELETED a@4",
        "ADDED b@6",
        "DELETED b@8",
      ]);
    });

    test("field selectors have transitions too, and the departed state is the last one selected", async () => {
      await create("a");
      await store.updateStatus(widgetKind, at("a"), () => ({ phase: "Up" }));
      await store.updateStatus(widgetKind, at("a"), () => ({ phase: "Down" }));
      const options = { since: 0, fieldSelector: "metadata.name=a,status.phase=Up" };
      const states: unknown[] = [];
      for await (const event of store.watch(widgetKind, options, new AbortController().signal)) {
        expect(JSON.parse(event.json)).toEqual(event.object);
        const { metadata, status } = event.object;
        if (states.push([event.type, metadata.resourceVersion, status?.phase]) === 2) break;
      }
      expect(states).toEqual([
        ["ADDED", "2", "Up"],
        ["DELETED", "3", "Up"],
      ]);
    });

    test("ends with its signal, before it began as well as while it waits", async () => {
      const stop = new AbortController();
      const ended = (async () => {
        for await (const _ of store.watch(widgetKind, { since: 0 }, stop.signal))
          throw new Error("nothing was written");
      })();
      await clock.settle();
      stop.abort();
      await ended;
      await create("a");
      for await (const _ of store.watch(widgetKind, { since: 0 }, stop.signal)) throw new Error("it was aborted");
    });

    test("a selector that cannot be read is refused at once", () => {
      const watch = () => store.watch(widgetKind, { since: 0, labelSelector: "=" }, new AbortController().signal);
      expect(watch).toThrow(BadRequestError);
    });

    test("from a compacted revision, or one that is still to come, it has expired", async () => {
      await create("a");
      await clock.advance(2 * 60 * 60_000);
      await update("a", sized(2));
      await update("a", sized(3));
      expect(await database.compact()).toBe(1);
      await expect(events({ since: 0 }, 1)).rejects.toThrow(ExpiredError);
      expect(await events({ since: 1 }, 2)).toEqual(["MODIFIED a@2", "MODIFIED a@3"]);
      await expect(events({ since: 4 }, 1)).rejects.toThrow(ExpiredError);
      expect(await store.get(widgetKind, at("a"))).toMatchObject({ spec: { size: 3 } });
    });

    test("a reader that is too slow is cut off", async () => {
      await create("a");
      const watch = store.watch(widgetKind, { since: 1 }, new AbortController().signal)[Symbol.asyncIterator]();
      const first = watch.next();
      await clock.settle();
      for (let round = 0; round < 11; round += 1) {
        await Promise.all(Array.from({ length: 1000 }, (_, index) => update("a", sized(round * 1000 + index + 2))));
      }
      expect((await first).value?.revision).toBe(2);
      await expect(watch.next()).rejects.toThrow(ExpiredError);
    });
  });

  test("compaction by number keeps every object and the newest writes", async () => {
    for (let index = 0; index < 50; index += 1) await create(`keep-${index}`);
    for (let index = 2; index < 300; index += 1) await update("keep-0", sized(index));
    for (let index = 1; index < 40; index += 1) await remove(`keep-${index}`);
    const revision = await store.revision();
    expect(await database.compact()).toBe(revision - 200);
    expect((await store.list(widgetKind)).items.map(({ spec }) => spec.size)).toEqual([299, ...Array(10).fill(1)]);
    expect(await events({ since: revision - 200 }, 200)).toHaveLength(200);
    await expect(events({ since: revision - 201 }, 1)).rejects.toThrow(ExpiredError);
    await create("next");
    expect(await store.revision()).toBe(revision + 1);
  });

  test("a list kept up to date by a watch is the list", async () => {
    const random = seededRandom(7);
    const below = (limit: number) => Math.floor(random.next() * limit);
    const selection = { labelSelector: "on" };
    const known = new Map<string, Widget>();
    let seen = 0;
    const stop = new AbortController();
    const following = (async () => {
      for await (const event of store.watch(widgetKind, { since: 0, ...selection }, stop.signal)) {
        expect(event.revision).toBeGreaterThan(seen);
        seen = event.revision;
        expect(known.has(event.object.metadata.name)).toBe(event.type !== "ADDED");
        if (event.type === "DELETED") known.delete(event.object.metadata.name);
        else known.set(event.object.metadata.name, event.object);
      }
    })();
    for (let round = 0; round < 30; round += 1) {
      const writes = Array.from({ length: 6 }, () => {
        const name = `w${below(8)}`;
        const labels: Record<string, string> = below(2) ? { on: "" } : {};
        const write = [
          () => create(name, { labels, finalizers: below(2) ? ["x"] : [] }),
          () => update(name, labelled(labels)),
          () => update(name, sized(below(3))),
          () => update(name, held()),
          () => remove(name),
        ][below(5)];
        return write?.();
      });
      await Promise.allSettled(writes);
      await clock.settle();
      expect([...known.values()].sort(byName)).toEqual((await store.list(widgetKind, selection)).items);
    }
    stop.abort();
    await following;
    expect(seen).toBeGreaterThan(30);
  });

  test("the store is healthy, and refuses writes once it is closed", async () => {
    expect(await store.health()).toEqual({ ok: true });
    const last = create("a");
    const closing = database.close();
    expect((await last).metadata.name).toBe("a");
    await closing;
    await expect(create("b")).rejects.toThrow("closed");
    database = await makeStore(clock);
  });
}

function told({ type, object, revision }: WatchEvent<Widget>): string {
  return `${type} ${object.metadata.name}@${revision}`;
}

function byName(a: Widget, b: Widget): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
