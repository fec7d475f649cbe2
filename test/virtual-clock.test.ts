import { expect, test } from "vitest";
import { virtualClock } from "./virtual-clock.ts";

test("sleepers wake in order of time, each at its own moment", async () => {
  const clock = virtualClock(1000);
  const woken: [string, number][] = [];
  const sleeper = async (name: string, ms: number) => {
    await clock.sleep(ms);
    woken.push([name, clock.now()]);
  };
  const all = Promise.all([sleeper("late", 30), sleeper("early", 10), sleeper("too late", 31)]);

  await clock.advance(30);

  expect(woken).toEqual([
    ["early", 1010],
    ["late", 1030],
  ]);
  expect(clock.sleepers).toBe(1);
  await clock.advance(1);
  await all;
});

test("a loop that sleeps again is woken as often as the time allows", async () => {
  const clock = virtualClock();
  const stop = new AbortController();
  let rounds = 0;
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await clock.sleep(10, stop.signal).catch(() => undefined);
      rounds += 1;
    }
  })();
  await clock.advance(100);
  expect(rounds).toBe(10);
  stop.abort();
  await loop;
  expect(clock.sleepers).toBe(0);
});

test("an aborted sleep rejects with the reason, before or during it", async () => {
  const clock = virtualClock();
  const reason = new Error("enough");
  await expect(clock.sleep(5, AbortSignal.abort(reason))).rejects.toBe(reason);
  const stop = new AbortController();
  const sleep = clock.sleep(5, stop.signal);
  stop.abort(reason);
  await expect(sleep).rejects.toBe(reason);
});

test("runUntil goes from sleeper to sleeper, and says why it gave up", async () => {
  const clock = virtualClock();
  let done = false;
  void clock.sleep(60_000).then(() => {
    done = true;
  });
  await clock.runUntil(() => done);
  expect(clock.monotonic()).toBe(60_000);
  await expect(clock.runUntil(() => false)).rejects.toThrow("nobody sleeps");
  void clock.sleep(100);
  await expect(clock.runUntil(() => false, 50)).rejects.toThrow("after 50 virtual ms");
});
