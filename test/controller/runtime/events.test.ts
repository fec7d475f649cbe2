import { expect, test } from "vitest";
import { silentLog } from "../../../controller/kernel/log.ts";
import { expireEvents } from "../../../controller/reconcilers/housekeeping.ts";
import { createEvents } from "../../../controller/runtime/events.ts";
import { eventKind } from "../../../crds/event.ts";
import { anInstance } from "../../instance-fixture.ts";
import { admitted } from "../admission/admitted.ts";

async function recorder() {
  const { clock, store, admission } = await admitted();
  const list = async () => (await store.list(eventKind)).items;
  return { clock, store, list, events: createEvents({ admission, clock, log: silentLog }) };
}

test("the same thing happening again is counted, another is another event", async () => {
  const { clock, events, list } = await recorder();
  const box = anInstance();
  await events.record(box, "Warning", "NoCapacity", "no room in iad");
  await clock.advance(60_000);
  await events.record(box, "Warning", "NoCapacity", "no room in iad");
  await events.record(box, "Normal", "MachineCreated", "made machine 1");
  const found = (await list()).map(({ reason, count, firstTimestamp, lastTimestamp }) => ({
    reason,
    count,
    spanMs: Date.parse(lastTimestamp ?? "") - Date.parse(firstTimestamp ?? ""),
  }));
  expect(found).toContainEqual({ reason: "NoCapacity", count: 2, spanMs: 60_000 });
  expect(found).toContainEqual({ reason: "MachineCreated", count: 1, spanMs: 0 });
});

test("an event names its object, so that describe finds it", async () => {
  const { events, store } = await recorder();
  const box = anInstance();
  await events.record(box, "Normal", "MachineCreated", "made machine 1");
  const selected = await store.list(eventKind, {
    fieldSelector: `involvedObject.uid=${box.metadata.uid},involvedObject.kind=Instance`,
  });
  expect(selected.items).toHaveLength(1);
});

test("an event that cannot be written stops nothing", async () => {
  const { events } = await recorder();
  const nowhere = anInstance({}, undefined, { namespace: "missing" });
  await expect(events.record(nowhere, "Normal", "MachineCreated", "made machine 1")).resolves.toBeUndefined();
});

test("events have their day", async () => {
  const { clock, events, store, list } = await recorder();
  await events.record(anInstance(), "Normal", "Old", "first");
  await clock.advance(20 * 3_600_000);
  await events.record(anInstance(), "Normal", "New", "second");
  await clock.advance(5 * 3_600_000);
  expect(await expireEvents(store, clock)).toBe(1);
  expect((await list()).map(({ reason }) => reason)).toEqual(["New"]);
});
