import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Action, flyBudget } from "../../../controller/machines/budget.ts";
import { virtualClock } from "../../virtual-clock.ts";

const never = new AbortController().signal;

/** Takes `count` calls at once and records when each was granted. */
function takeMany(budget: ReturnType<typeof flyBudget>, clock: { monotonic(): number }, count: number, action: Action) {
  const grantedMs: number[] = [];
  for (let index = 0; index < count; index += 1) {
    void budget.take(action, "app", never).then(() => grantedMs.push(clock.monotonic()));
  }
  return grantedMs;
}

describe("the budget", () => {
  test("grants a burst of three, then one in little more than a second", async () => {
    const clock = virtualClock();
    const granted = takeMany(flyBudget(clock), clock, 6, "create");
    await clock.advance(10_000);
    expect(granted).toEqual([0, 0, 0, 1020, 2040, 3060]);
  });

  test("grants ten gets at once, then five a second", async () => {
    const clock = virtualClock();
    const granted = takeMany(flyBudget(clock), clock, 13, "get");
    await clock.advance(10_000);
    expect(granted.slice(9)).toEqual([0, 204, 408, 612]);
  });

  test("limits each action and each id by itself", async () => {
    const clock = virtualClock();
    const budget = flyBudget(clock);
    for (const id of ["a", "b"]) for (let n = 0; n < 3; n += 1) await budget.take("start", id, never);
    for (let n = 0; n < 3; n += 1) await budget.take("stop", "a", never);
    expect(budget.counters).toMatchObject({ granted: 9, delayed: 0 });
  });

  test("serves those who wait in the order in which they came", async () => {
    const clock = virtualClock();
    const budget = flyBudget(clock);
    const order: number[] = [];
    for (let n = 0; n < 8; n += 1) void budget.take("list", "app", never).then(() => order.push(n));
    await clock.advance(10_000);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("somebody who gives up uses up nothing and holds up nobody", async () => {
    const clock = virtualClock();
    const budget = flyBudget(clock);
    for (let n = 0; n < 3; n += 1) await budget.take("list", "app", never);
    const impatient = new AbortController();
    const given = budget.take("list", "app", impatient.signal);
    const patient = budget.take("list", "app", never).then(() => clock.monotonic());
    impatient.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    await clock.advance(5000);
    expect(await patient).toBe(1020);
  });

  test("leaves no timer behind when the last one has given up", async () => {
    const clock = virtualClock();
    const budget = flyBudget(clock);
    const impatient = new AbortController();
    for (let n = 0; n < 3; n += 1) await budget.take("list", "app", never);
    const given = budget.take("list", "app", impatient.signal);
    await clock.settle();
    impatient.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    await clock.settle();
    expect(clock.sleepers).toBe(0);
    const late = budget.take("list", "app", never).then(() => clock.monotonic());
    await clock.advance(2000);
    expect(await late).toBe(1020);
  });

  test("rests as long as a 429 says, then goes one by one", async () => {
    const clock = virtualClock();
    const budget = flyBudget(clock);
    budget.throttled("create", "app", 7000);
    const granted = takeMany(budget, clock, 3, "create");
    await clock.advance(20_000);
    expect(granted).toEqual([7000, 8020, 9040]);
  });

  test("rests longer each time that a 429 says nothing, and counts those under way together once", async () => {
    const clock = virtualClock();
    const budget = flyBudget(clock);
    const rests: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      const startMs = clock.monotonic();
      budget.throttled("list", "app");
      budget.throttled("list", "app");
      const granted = budget.take("list", "app", never).then(() => rests.push(clock.monotonic() - startMs));
      await clock.advance(60_000 / 4);
      await granted;
    }
    expect(rests).toEqual([1000, 2000, 4000]);
    expect(budget.counters.throttled).toBe(6);
  });

  test("counts what was waited", async () => {
    const clock = virtualClock();
    const budget = flyBudget(clock);
    takeMany(budget, clock, 5, "create");
    await clock.settle();
    expect(budget.counters.waiting).toBe(2);
    await clock.advance(5000);
    expect(budget.counters).toMatchObject({ granted: 5, delayed: 2, waitedMs: 3060, waiting: 0 });
  });

  test("never grants more than the burst plus the rate, whatever comes when and whoever gives up", async () => {
    const arrivals = fc.array(
      fc.record({
        afterMs: fc.oneof(
          { weight: 3, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 2500 }) },
        ),
        action: fc.constantFrom<Action>("get", "create"),
        abortAfterMs: fc.option(fc.integer({ min: 0, max: 3000 }), { freq: 2 }),
        throttle: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(arrivals, async (steps) => {
        const clock = virtualClock();
        const budget = flyBudget(clock);
        const granted: Record<string, number[]> = { get: [], create: [] };
        let settled = 0;
        for (const step of steps) {
          await clock.advance(step.afterMs);
          if (step.throttle) budget.throttled(step.action, "x", 500);
          const giveUp = new AbortController();
          if (step.abortAfterMs !== null) void clock.sleep(step.abortAfterMs).then(() => giveUp.abort());
          budget
            .take(step.action, "x", giveUp.signal)
            .then(
              () => granted[step.action]?.push(clock.monotonic()),
              () => undefined,
            )
            .finally(() => {
              settled += 1;
            });
        }
        await clock.advance(200_000);
        expect(settled).toBe(steps.length);
        expectWithin(granted.get ?? [], 10, 200);
        expectWithin(granted.create ?? [], 3, 1000);
      }),
      { numRuns: 60 },
    );
  });
});

/** In every window from one grant to another there are at most burst + elapsed / interval grants. */
function expectWithin(times: readonly number[], burst: number, intervalMs: number): void {
  for (const [first, startMs] of times.entries()) {
    for (const [last, endMs] of times.entries()) {
      if (last < first) continue;
      expect(last - first + 1).toBeLessThanOrEqual(burst + Math.floor((endMs - startMs) / intervalMs));
    }
  }
}
