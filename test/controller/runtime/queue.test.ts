import { expect, test } from "vitest";
import { seededRandom } from "../../../controller/kernel/random.ts";
import { createQueue } from "../../../controller/runtime/queue.ts";
import { virtualClock } from "../../virtual-clock.ts";

const never = new AbortController().signal;

function setup() {
  const clock = virtualClock();
  return { clock, queue: createQueue({ clock, random: seededRandom(1), backoff: { baseMs: 100, maxMs: 1000 } }) };
}

test("a name added many times is taken once", async () => {
  const { queue } = setup();
  queue.add("a");
  queue.add("a");
  queue.add("b");
  expect([await queue.take(never), await queue.take(never)]).toEqual(["a", "b"]);
  expect(queue.depth().ready).toBe(0);
});

test("a name is never with two workers: added while worked on, it comes back when that is done", async () => {
  const { queue, clock } = setup();
  queue.add("a");
  await queue.take(never);
  queue.add("a");
  const second = queue.take(never);
  let taken = false;
  void second.then(() => {
    taken = true;
  });
  await clock.settle();
  expect(taken).toBe(false);
  queue.done("a");
  expect(await second).toBe("a");
});

test("an earlier time for a delayed name wins, and adding it now wins over both", async () => {
  const { queue, clock } = setup();
  queue.addAfter("a", 1000);
  queue.addAfter("a", 100);
  queue.addAfter("a", 500);
  await clock.advance(99);
  expect(queue.depth()).toEqual({ ready: 0, delayed: 1 });
  await clock.advance(1);
  expect(queue.depth()).toEqual({ ready: 1, delayed: 0 });
  await queue.take(never);
  queue.done("a");
  await clock.advance(2000);
  expect(queue.depth()).toEqual({ ready: 0, delayed: 0 });
});

test("failures delay their own name more each time until forgotten", async () => {
  const { queue, clock } = setup();
  const waitAfterFailure = async () => {
    queue.addRateLimited("a");
    const began = clock.monotonic();
    await clock.runUntil(() => queue.depth().ready === 1);
    await queue.take(never);
    queue.done("a");
    return clock.monotonic() - began;
  };
  const waits = [await waitAfterFailure(), await waitAfterFailure(), await waitAfterFailure()];
  expect(waits.map((wait) => Math.round(wait / 100))).toEqual([1, 2, 4]);
  queue.forget("a");
  expect(Math.round((await waitAfterFailure()) / 100)).toBe(1);
});

test("taking ends with the signal and leaves the queue as it was", async () => {
  const { queue } = setup();
  const leaving = new AbortController();
  const taken = queue.take(leaving.signal);
  leaving.abort(new Error("stop"));
  await expect(taken).rejects.toThrow("stop");
  queue.add("a");
  expect(await queue.take(never)).toBe("a");
});
