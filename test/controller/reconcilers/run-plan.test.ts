import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planRun, type RunInput } from "../../../controller/reconcilers/run-plan.ts";
import type { AttemptView, InstanceView } from "../../../controller/reconcilers/step-plan.ts";
import { type WorkflowSpec, workflowSpec } from "../../../crds/workflow.ts";
import type { StepStatus } from "../../../crds/workflow-run.ts";

const START_MS = Date.UTC(2026, 0, 1);
const READY: InstanceView = { state: "Ready", name: "r-box", machineId: "m1" };
const at = (ms: number) => new Date(START_MS + ms).toISOString();

function definition(...steps: readonly Record<string, unknown>[]): WorkflowSpec {
  return workflowSpec.parse({
    instances: { box: {} },
    steps: steps.map((step) => ({ run: "true", ...step })),
  });
}

function plan(spec: WorkflowSpec, steps: readonly StepStatus[], changes: Partial<RunInput> = {}) {
  return planRun({
    definition: spec,
    steps,
    startedMs: START_MS,
    instances: new Map([["box", READY]]),
    attempts: new Map(),
    cancelled: false,
    nowMs: START_MS,
    ...changes,
  });
}

const running = (name: string, changes: Partial<StepStatus> = {}): StepStatus => ({
  name,
  state: "Running",
  attempts: 1,
  instance: "r-box",
  machineId: "m1",
  startedAt: at(0),
  attemptStartedAt: at(0),
  ...changes,
});

/** What is absent is undefined. */
const NOTHING = { message: undefined, unreachableSince: undefined };

describe("one running step", () => {
  const once = { name: "a", timeout: "1m" };
  const thrice = { ...once, retry: { limit: 2, backoff: "5s" } };
  const lost = { ...once, retry: { limit: 1, backoff: "5s", on: ["Lost"] } };
  const rows: readonly {
    reason: string;
    step: Record<string, unknown>;
    status?: Partial<StepStatus>;
    seen: AttemptView;
    atMs?: number;
    cancelled?: boolean;
    expected: Partial<StepStatus>;
    act?: "start" | "cancel";
  }[] = [
    {
      reason: "exit code 0 is success",
      step: once,
      seen: { state: "Exited", exitCode: 0 },
      expected: { state: "Succeeded", exitCode: 0, finishedAt: at(1000) },
    },
    {
      reason: "another exit code is failure",
      step: once,
      seen: { state: "Exited", exitCode: 3 },
      expected: { state: "Failed", exitCode: 3, reason: "Failed", message: "exit code 3" },
    },
    {
      reason: "a failure is tried again after the backoff",
      step: thrice,
      seen: { state: "Exited", exitCode: 3 },
      expected: { state: "Pending", attempts: 1, retryAt: at(6000), message: "attempt 1 of 3: exit code 3" },
    },
    {
      reason: "the backoff doubles",
      step: thrice,
      status: { attempts: 2 },
      seen: { state: "Exited", exitCode: 3 },
      expected: { state: "Pending", attempts: 2, retryAt: at(11_000) },
    },
    {
      reason: "the limit counts retries: 2 means three attempts",
      step: thrice,
      status: { attempts: 3 },
      seen: { state: "Exited", exitCode: 3 },
      expected: { state: "Failed", attempts: 3 },
    },
    {
      reason: "nothing is written of a short job that runs",
      step: once,
      seen: { state: "Running" },
      expected: running("a"),
    },
    {
      reason: "a job that lives is written down as begun",
      step: once,
      seen: { state: "Running" },
      atMs: 2000,
      expected: { state: "Running", acknowledgedAt: at(2000) },
    },
    {
      reason: "what was not begun is sent again under the same attempt",
      step: once,
      seen: { state: "Absent" },
      expected: { state: "Running", attempts: 1 },
      act: "start",
    },
    {
      reason: "what was begun and is not there was taken away",
      step: once,
      status: { acknowledgedAt: at(500) },
      seen: { state: "Absent" },
      expected: { state: "Failed", reason: "Lost" },
    },
    {
      reason: "Lost is not tried again by itself: nobody knows how far it came",
      step: thrice,
      seen: { state: "Lost", message: "booted again" },
      expected: { state: "Failed", reason: "Lost", message: "booted again" },
    },
    {
      reason: "Lost is tried again where the step allows it",
      step: lost,
      seen: { state: "Lost", message: "booted again" },
      expected: { state: "Pending", reason: "Lost" },
    },
    {
      reason: "a step that takes too long is asked to end",
      step: once,
      seen: { state: "Running" },
      atMs: 60_000,
      expected: { state: "Running" },
      act: "cancel",
    },
    {
      reason: "ended for its time it has failed",
      step: once,
      seen: { state: "Abandoned" },
      atMs: 61_000,
      expected: { state: "Failed", reason: "Timeout", message: "took longer than 1m" },
    },
    {
      reason: "a step that ended well at the last moment has succeeded",
      step: once,
      seen: { state: "Exited", exitCode: 0 },
      atMs: 61_000,
      expected: { state: "Succeeded" },
    },
    {
      reason: "what was to begin too late never begins",
      step: once,
      seen: { state: "Absent" },
      atMs: 60_000,
      expected: { state: "Running" },
      act: "cancel",
    },
    {
      reason: "a cancelled run ends its steps",
      step: once,
      seen: { state: "Running" },
      cancelled: true,
      expected: { state: "Running", message: "being cancelled" },
      act: "cancel",
    },
    {
      reason: "cancelled is not a timeout",
      step: once,
      seen: { state: "Abandoned" },
      cancelled: true,
      expected: { state: "Cancelled" },
    },
    {
      reason: "a cancelled run tries nothing again",
      step: thrice,
      seen: { state: "Exited", exitCode: 1 },
      cancelled: true,
      expected: { state: "Failed", attempts: 1 },
    },
    {
      reason: "a machine that does not answer decides nothing",
      step: once,
      seen: { state: "Unreachable", message: "no route" },
      expected: { state: "Running", unreachableSince: at(1000), message: "machine m1 does not answer: no route" },
    },
    {
      reason: "it is told once, whatever is said next",
      step: once,
      status: { unreachableSince: at(500), message: "first" },
      seen: { state: "Unreachable", message: "second" },
      expected: { unreachableSince: at(500), message: "first" },
    },
    {
      reason: "it is forgotten when the machine answers",
      step: once,
      status: { unreachableSince: at(500), message: "first" },
      seen: { state: "Running" },
      expected: { state: "Running", unreachableSince: undefined, message: undefined },
    },
    {
      reason: "a step that should end is tried to be ended while the machine does not answer",
      step: once,
      status: { unreachableSince: at(0) },
      seen: { state: "Unreachable", message: "no route" },
      atMs: 60_000,
      expected: { state: "Running" },
      act: "cancel",
    },
    {
      reason: "and is given up after a long time",
      step: once,
      status: { unreachableSince: at(0) },
      seen: { state: "Unreachable", message: "no route" },
      atMs: 15 * 60_000,
      expected: { state: "Failed", reason: "Lost" },
    },
  ];
  test.each(rows)("$reason", ({ step, status, seen, atMs = 1000, cancelled = false, expected, act }) => {
    const result = plan(definition(step), [running("a", status)], {
      attempts: new Map([["a", seen]]),
      nowMs: START_MS + atMs,
      cancelled,
    });
    expect({ ...NOTHING, ...result.steps[0] }).toMatchObject(expected);
    expect({ start: result.start, cancel: result.cancel }).toEqual({
      start: act === "start" ? ["a"] : [],
      cancel: act === "cancel" ? ["a"] : [],
    });
  });
});

describe("the graph", () => {
  const diamond = definition(
    { name: "d", dependsOn: ["b", "c"] },
    { name: "b", dependsOn: ["a"] },
    { name: "c", dependsOn: ["a"] },
    { name: "a" },
  );
  const states = (steps: readonly StepStatus[]) => Object.fromEntries(steps.map((step) => [step.name, step.state]));

  test("only what depends on nothing begins at first", () => {
    const { start, steps } = plan(diamond, []);
    expect(start).toEqual(["a"]);
    expect(steps.map((step) => step.name)).toEqual(["d", "b", "c", "a"]);
  });

  test("the end of one step and the beginning of all that waited for it are one write", () => {
    const { start, steps } = plan(diamond, [running("a")], {
      attempts: new Map([["a", { state: "Exited", exitCode: 0 }]]),
    });
    expect(start).toEqual(["b", "c"]);
    expect(states(steps)).toEqual({ a: "Succeeded", b: "Running", c: "Running", d: "Pending" });
  });

  test("what depends on a failure is skipped, and the rest goes on", () => {
    const { steps, verdict } = plan(
      diamond,
      [running("b"), running("c"), { name: "a", state: "Succeeded", attempts: 1, finishedAt: at(0) }],
      {
        attempts: new Map<string, AttemptView>([
          ["b", { state: "Exited", exitCode: 1 }],
          ["c", { state: "Running" }],
        ]),
      },
    );
    expect(states(steps)).toEqual({ a: "Succeeded", b: "Failed", c: "Running", d: "Skipped" });
    expect(verdict).toMatchObject({ status: "Unknown", reason: "Running" });
  });

  test("a failure names the step and what was skipped", () => {
    const { verdict } = plan(definition({ name: "a" }, { name: "b", dependsOn: ["a"] }), [running("a")], {
      attempts: new Map([["a", { state: "Exited", exitCode: 9 }]]),
    });
    expect(verdict).toEqual({
      status: "False",
      reason: "StepFailed",
      message: "step a failed: exit code 9; skipped b",
    });
  });

  test("a cancelled run begins nothing more", () => {
    const { steps, start, verdict } = plan(diamond, [], { cancelled: true });
    expect(start).toEqual([]);
    expect(Object.values(states(steps))).toEqual(Array(4).fill("Cancelled"));
    expect(verdict).toMatchObject({ status: "False", reason: "Cancelled" });
  });

  test("a chain of a thousand steps is planned", () => {
    const names = Array.from({ length: 1000 }, (_, index) => `s${index}`);
    const chain = definition(
      ...names.map((name, index) => ({ name, dependsOn: index === 0 ? [] : [`s${index - 1}`] })).reverse(),
    );
    expect(plan(chain, []).start).toEqual(["s0"]);
  });
});

describe("instances", () => {
  const spec = definition({ name: "a" });
  const waiting: InstanceView = {
    state: "Waiting",
    name: "r-box",
    message: "instance r-box to be ready (Creating: …)",
  };

  test("a step waits for its instance, and says so", () => {
    const { steps, start, verdict, dueAtMs } = plan(spec, [], { instances: new Map([["box", waiting]]) });
    expect([steps[0]?.state, start]).toEqual(["Pending", []]);
    expect(verdict).toMatchObject({
      reason: "Waiting",
      message: "step a waits for instance r-box to be ready (Creating: …)",
    });
    expect(dueAtMs).toBe(START_MS + 15 * 60_000);
  });

  test("but not for ever", () => {
    const { steps } = plan(spec, [], { instances: new Map([["box", waiting]]), nowMs: START_MS + 15 * 60_000 });
    expect(steps[0]).toMatchObject({ state: "Failed", reason: "InstanceNotReady" });
  });

  test("one that cannot become ready fails the step with its own reason", () => {
    const failed: InstanceView = { state: "Failed", name: "r-box", reason: "Refused", message: "no such image" };
    const { steps } = plan(spec, [], { instances: new Map([["box", failed]]) });
    expect(steps[0]).toMatchObject({ state: "Failed", reason: "Refused", message: "no such image", attempts: 0 });
  });

  test("a retry waits for its time, then runs as the next attempt without what the last one left", () => {
    const status: StepStatus = {
      name: "a",
      state: "Pending",
      attempts: 1,
      startedAt: at(0),
      retryAt: at(5000),
      exitCode: 1,
      message: "x",
    };
    expect(plan(spec, [status], { nowMs: START_MS + 4999 })).toMatchObject({ start: [], dueAtMs: START_MS + 5000 });
    const { steps, start } = plan(spec, [status], { nowMs: START_MS + 5000 });
    expect(start).toEqual(["a"]);
    expect(steps[0]).toEqual({ ...running("a"), attempts: 2, attemptStartedAt: at(5000) });
    const setBack = START_MS - 24 * 60 * 60_000;
    expect(plan(spec, [status], { nowMs: setBack }).start, "no pause is a day long").toEqual(["a"]);
  });
});

describe("whatever the graph and the answers", () => {
  const graph = fc.integer({ min: 1, max: 8 }).chain((size) =>
    fc.tuple(
      ...Array.from({ length: size }, (_, index) =>
        fc.record({
          name: fc.constant(`s${index}`),
          dependsOn: fc.subarray(Array.from({ length: index }, (_unused, earlier) => `s${earlier}`)),
          retry: fc.record({ limit: fc.integer({ min: 0, max: 2 }), on: fc.constant(["Failed", "Timeout", "Lost"]) }),
          timeout: fc.constant("1m"),
        }),
      ),
    ),
  );
  const view = fc.oneof(
    fc.constant<AttemptView>({ state: "Running" }),
    fc.constant<AttemptView>({ state: "Absent" }),
    fc.constant<AttemptView>({ state: "Lost", message: "lost" }),
    fc.constant<AttemptView>({ state: "Unreachable", message: "away" }),
    fc.constant<AttemptView>({ state: "Abandoned" }),
    fc.nat(2).map((exitCode): AttemptView => ({ state: "Exited", exitCode })),
  );

  test("dependencies hold, what is over stays as it was, attempts only grow within the limit, and it ends", () => {
    fc.assert(
      fc.property(graph, fc.infiniteStream(view), fc.option(fc.nat(30)), (steps, views, cancelAt) => {
        const spec = definition(...steps);
        let status: readonly StepStatus[] = [];
        let nowMs = START_MS;
        for (let pass = 0; ; pass += 1) {
          // In the end every machine answers.
          const settled: AttemptView = { state: "Exited", exitCode: 0 };
          const attempts = new Map(
            status
              .filter((step) => step.state === "Running")
              .map((step) => [step.name, pass < 60 ? ([...views.take(1)][0] ?? settled) : settled]),
          );
          const next = plan(spec, status, { attempts, nowMs, cancelled: cancelAt !== null && pass >= cancelAt });
          check(spec, status, next);
          if (next.verdict.status !== "Unknown") {
            const again = plan(spec, next.steps, { nowMs: nowMs + 1, cancelled: false });
            expect(again.steps).toEqual(next.steps);
            expect([again.start, again.cancel, again.verdict]).toEqual([[], [], next.verdict]);
            return;
          }
          expect(pass).toBeLessThan(200);
          status = next.steps;
          nowMs += 20_000;
        }
      }),
      { numRuns: 300 },
    );
  });

  function check(spec: WorkflowSpec, before: readonly StepStatus[], next: ReturnType<typeof plan>): void {
    const former = new Map(before.map((step) => [step.name, step]));
    const now = new Map(next.steps.map((step) => [step.name, step]));
    for (const step of spec.steps) {
      const [was, is] = [former.get(step.name), now.get(step.name)];
      if (was && !["Pending", "Running"].includes(was.state)) expect(is).toEqual(was);
      expect(is?.attempts ?? 0).toBeGreaterThanOrEqual(was?.attempts ?? 0);
      expect(is?.attempts ?? 0).toBeLessThanOrEqual(step.retry.limit + 1);
      if (!next.start.includes(step.name)) continue;
      expect(is?.state).toBe("Running");
      for (const name of step.dependsOn) expect(now.get(name)?.state).toBe("Succeeded");
    }
  }
});
