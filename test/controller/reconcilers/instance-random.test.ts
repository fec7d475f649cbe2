// The instance controller against a cloud that lies, loses and forgets, while people apply, edit and delete and the process
// dies: a few hundred operations from a seed. Then everything heals, and what is left must be exactly what was asked for.
import { expect, test } from "vitest";
import type { Clock } from "../../../controller/kernel/clock.ts";
import type { HttpRequest } from "../../../controller/kernel/http.ts";
import { type Random, seededRandom } from "../../../controller/kernel/random.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { type InstanceWorldOptions, instanceWorld, type TestWorld } from "../../instance-world.ts";

const OPERATIONS = 250;
const NAMES = ["a", "b", "c", "d", "e", "f"];
const MINUTE = 60_000;

/** Shares of the calls that go wrong, each in its own way. */
const REFUSED_BEFORE = 0.06;
const REPLY_LOST = 0.08;
const LIST_EMPTY = 0.1;
/** A create that is answered by silence and has its effect up to so long after. */
const CREATE_LATE = 0.15;
const LATE_MS = 20_000;

type Between = NonNullable<InstanceWorldOptions["between"]>;

/** Spoils calls while `on`; off at first, because nobody lets time pass while the world is made. */
function chaos(random: Random): { on: boolean; clock: Clock | undefined; readonly between: Between } {
  const state: ReturnType<typeof chaos> = {
    on: false,
    clock: undefined,
    async between(request: HttpRequest, send: Parameters<Between>[1]) {
      if (!state.on) return send();
      const toApp = new URL(request.url).pathname.endsWith("/machines");
      const isList = request.method === "GET" && toApp;
      if (random.next() < REFUSED_BEFORE) return { status: 503, headers: {}, body: '{"error":"unavailable"}' };
      if (isList && random.next() < LIST_EMPTY) return { status: 200, headers: {}, body: "[]" };
      if (request.method === "POST" && toApp && random.next() < CREATE_LATE) {
        void state.clock?.sleep(random.next() * LATE_MS).then(send);
        throw new Error("socket hang up");
      }
      const answer = await send();
      if (random.next() < REPLY_LOST) throw new Error("socket hang up");
      return answer;
    },
  };
  return state;
}

function chance(random: Random) {
  const below = (limit: number) => Math.floor(random.next() * limit);
  return { below, pick: <T>(items: readonly T[]): T => items[below(items.length)] as T }; // never asked of an empty list
}

/** What people, other programs and chance do; each is legal at any time, and some do nothing. */
function operations(world: TestWorld, random: Random): readonly (() => Promise<unknown>)[] {
  const { below, pick } = chance(random);
  const signal = new AbortController().signal;
  const edit = async (change: Record<string, unknown>) => {
    const name = pick(NAMES);
    if (await world.get(name)) await world.edit(name, change);
  };
  const apply = async () => {
    const name = pick(NAMES);
    const spec = {
      fallbackRegions: ["ord"],
      rootfs: { persist: pick(["Never", "Always"]) },
      deletionPolicy: pick(["Delete", "Delete", "Orphan"]),
      ...(below(5) === 0 && { ttl: "2m" }),
    };
    if (!(await world.get(name))) await world.apply(name, spec);
  };
  const behindOurBack = async (act: (id: string) => Promise<void>) => {
    const live = world.live();
    if (live.length > 0) act(pick(live).id).catch(() => undefined /* not in this state, or spoiled */);
  };
  return [
    apply,
    apply,
    apply,
    () => edit({ env: { ROUND: String(below(1000)) } }),
    () => edit({ operatingMode: pick(["Running", "Stopped", "Suspended"]) }),
    () => edit({ idle: pick([undefined, { after: "30s", action: pick(["Suspend", "Stop"]) }]) }),
    async () => {
      const name = pick(NAMES);
      if (await world.get(name)) await world.remove(name);
    },
    async () => {
      const instances = await Promise.all(NAMES.map((name) => world.get(name)));
      const doubtful = instances.find((each) => each?.status?.provisioning?.requestedAt && !each.status.machine);
      if (doubtful) await world.remove(doubtful.metadata.name);
    },
    () => world.restart(),
    () => behindOurBack((id) => world.machines.destroy("workers", id, signal)),
    () => behindOurBack((id) => world.machines.stop("workers", id, signal)),
    async () => {
      world.faults.fullRegions = pick([[], [], [], ["iad"], ["iad", "ord"]]);
    },
    async () => {
      world.faults.fullHosts = below(4) === 0;
    },
    async () => {
      world.faults.unreachable = below(3) === 0 && world.live().length > 0 ? [pick(world.live()).id] : [];
    },
  ];
}

/** Live machines by the uid that they carry; those on their way out or released do not count. */
function machinesByUid(world: TestWorld): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { id, state, config } of world.live()) {
    if (state === "destroying") continue;
    const uid = config?.metadata?.["flywheel-uid"];
    if (uid === undefined) continue; // released: its instance said Orphan
    found.set(uid, [...(found.get(uid) ?? []), id]);
  }
  return found;
}

test.each([2, 9, 11])("seed %i: nothing is lost, doubled or forgotten", { timeout: 20_000 }, async (seed) => {
  const random = seededRandom(seed);
  const spoiler = chaos(random);
  const world = await instanceWorld({
    between: spoiler.between,
    knobs: { getLagMs: 700, listLagMs: 1500 },
  });
  try {
    spoiler.clock = world.clock;
    spoiler.on = true;
    const all = operations(world, random);
    const { below, pick } = chance(random);
    for (let count = 0; count < OPERATIONS; count += 1) {
      await pick(all)();
      await world.clock.advance(pick([0, 10, 300, below(5000), below(20_000)]));
      for (const ids of machinesByUid(world).values()) expect(ids, `after operation ${count}`).toHaveLength(1);
    }

    spoiler.on = false;
    delete world.faults.fullRegions;
    delete world.faults.fullHosts;
    delete world.faults.unreachable;
    for (const name of NAMES) {
      const instance = await world.get(name);
      if (instance && instance.metadata.deletionTimestamp === undefined)
        await world.edit(name, { operatingMode: "Running", idle: undefined });
    }
    await world.clock.advance(25 * MINUTE);

    const { items } = await world.database.store.list(instanceKind, {});
    for (const each of items) {
      expect(
        each.status?.conditions?.find(({ type }) => type === "Ready"),
        each.metadata.name,
      ).toMatchObject({
        status: "True",
      });
      expect(each.metadata.deletionTimestamp).toBeUndefined();
    }
    const wanted = items.map(({ metadata, status }) => [metadata.uid, [status?.machine?.id]]);
    expect(Object.fromEntries(machinesByUid(world))).toEqual(Object.fromEntries(wanted));

    const revision = await world.database.store.revision();
    world.calls.length = 0;
    await world.clock.advance(10 * MINUTE);
    expect(await world.database.store.revision()).toBe(revision);
    expect(new Set(world.calls)).toEqual(new Set(["GET /machines"]));
  } finally {
    await world.close();
  }
});
