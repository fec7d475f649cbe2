// A machine of ours that no instance asks for, as after a database was lost or restored.
import { afterEach, expect, test } from "vitest";
import { silentLog } from "../../../controller/kernel/log.ts";
import { ORPHAN_GRACE_MS } from "../../../controller/limits.ts";
import { createOrphanWatch } from "../../../controller/reconcilers/orphans.ts";
import { createEvents } from "../../../controller/runtime/events.ts";
import { instanceWorld, type TestWorld } from "../../instance-world.ts";

let world: TestWorld;
afterEach(() => world.close());

async function orphaned(policy: "Report" | "Delete") {
  world = await instanceWorld();
  const { machines, clock, database, admission } = world;
  const metadata = {
    "flywheel-controller": database.store.controllerId,
    "flywheel-uid": "gone",
    "flywheel-namespace": "default",
    "flywheel-name": "box",
  };
  const signal = new AbortController().signal;
  await machines.create(
    "workers",
    { name: "orphan", region: "iad", config: { image: "ubuntu", init: { exec: ["sleep", "inf"] }, metadata } },
    signal,
  );
  const events = createEvents({ admission, clock, log: silentLog });
  const counts: number[] = [];
  const watch = createOrphanWatch({
    store: database.store,
    machines,
    events,
    clock,
    log: silentLog,
    app: "workers",
    policy,
    found: (count) => void counts.push(count),
  });
  const sweep = async () => {
    await clock.advance(10_000);
    await watch(world.fleet, signal);
  };
  return { sweep, counts, clock };
}

test("is not called one while a create might still be under way", async () => {
  const { sweep, counts } = await orphaned("Delete");
  await sweep();
  expect(counts).toEqual([0]);
  expect(world.live()).toHaveLength(1);
});

test("is reported once and left alone", async () => {
  const { sweep, counts, clock } = await orphaned("Report");
  await sweep();
  await clock.advance(ORPHAN_GRACE_MS);
  await sweep();
  await sweep();
  expect(counts.at(-1)).toBe(1);
  expect(world.live()).toHaveLength(1);
  expect((await world.events()).filter(({ reason }) => reason === "Orphan").map(({ count }) => count)).toEqual([1]);
});

test("is deleted after the grace when the operator has said so", async () => {
  const { sweep, clock } = await orphaned("Delete");
  await sweep();
  await clock.advance(ORPHAN_GRACE_MS);
  await sweep();
  await clock.advance(5000);
  expect(world.live()).toEqual([]);
});

test("a machine whose host cannot be reached has an owner, though its configuration is missing", async () => {
  const { sweep, counts, clock } = await orphaned("Delete");
  await world.apply("box");
  await world.until("box", "Ready", 60_000);
  const id = (await world.get("box"))?.status?.machine?.id;
  world.faults.unreachable = ["*"];
  await sweep();
  await clock.advance(ORPHAN_GRACE_MS);
  await sweep();
  delete world.faults.unreachable;
  await clock.advance(5000);
  expect(counts.at(-1)).toBe(1);
  expect(world.live().map((each) => each.id)).toEqual([id]);
});
