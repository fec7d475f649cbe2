import { describe, expect, test } from "vitest";
import {
  afterExit,
  type Command,
  decide,
  isSettled,
  keepsRootfs,
  PHASES,
  type Phase,
} from "../../../controller/machines/model.ts";

const phases = Object.keys(PHASES) as Phase[]; // the keys of a record by phase are the phases

describe("phases", () => {
  test.each(phases)("%s settles into a lasting phase in a finite number of steps, or lasts itself", (phase) => {
    const seen = new Set<Phase>();
    let current = phase;
    for (let next = PHASES[current].settles; next; next = PHASES[current].settles) {
      expect(seen.has(current)).toBe(false);
      seen.add(current);
      current = next.to;
    }
    expect(isSettled(current)).toBe(true);
  });

  test.each(phases)("%s can be destroyed by force", (phase) => {
    expect(decide("force-destroy", phase)).toMatchObject({ allowed: true });
  });

  test("destroyed is final", () => {
    const others: Command[] = ["start", "stop", "suspend", "restart", "update", "swap", "exec", "signal"];
    for (const command of others) expect(decide(command, "destroyed").allowed).toBe(false);
    expect(PHASES.destroyed.settles).toBeUndefined();
  });
});

describe("commands", () => {
  test.each<[Command, Phase, string]>([
    ["start", "created", "unable to start machine from current state: 'created'"],
    ["start", "parked", "unable to start machine from current state: 'created'"],
    ["start", "replacing", "unable to start machine from current state: 'replacing'"],
    ["start", "stopping", "unable to start machine from current state: 'stopping'"],
    ["start", "relaunching", "machine getting replaced, refusing to start"],
    ["destroy", "started", "unable to destroy machine, not currently stopped"],
    ["update", "replacing", "machine update failed due to concurrent update"],
    ["exec", "stopped", "machine is not started, currently stopped"],
  ])("%s is refused in %s", (command, phase, message) => {
    expect(decide(command, phase)).toMatchObject({ allowed: false, message });
  });

  test("a machine that has just stopped is still held by its host", () => {
    expect(decide("start", "stopped", { quietMs: 2999, quietNeededMs: 3000 })).toMatchObject({
      message: "machine still active, refusing to start",
    });
    expect(decide("start", "stopped", { quietMs: 3000, quietNeededMs: 3000 })).toEqual({
      allowed: true,
      to: "starting",
    });
  });

  test("stop of a stopped machine changes nothing", () => {
    expect(decide("stop", "stopped")).toEqual({ allowed: true, to: "stopped" });
  });
});

describe("after the main process ended by itself", () => {
  test.each([
    { code: 0, rule: undefined, destroy: false, restarts: 0, to: "stopped", reason: "on-failure is the default" },
    { code: 1, rule: undefined, destroy: false, restarts: 9, to: "recovering", reason: "ten tries by default" },
    { code: 1, rule: undefined, destroy: false, restarts: 10, to: "stopped", reason: "ten tries are over" },
    {
      code: 1,
      rule: { policy: "on-failure", max_retries: 1 },
      destroy: false,
      restarts: 1,
      to: "stopped",
      reason: "own limit",
    },
    { code: 0, rule: { policy: "always" }, destroy: false, restarts: 99, to: "recovering", reason: "always is always" },
    { code: 1, rule: { policy: "no" }, destroy: false, restarts: 0, to: "stopped", reason: "never again" },
    { code: 1, rule: undefined, destroy: true, restarts: 0, to: "destroying", reason: "auto_destroy on failure too" },
  ])("exit $code leads to $to: $reason", ({ code, rule, destroy, restarts, to }) => {
    expect(afterExit(code, restarts, rule, destroy)).toBe(to);
  });
});

test.each([
  [undefined, false, false],
  ["never", false, false],
  ["restart", true, false],
  ["always", true, true],
])("rootfs.persist %s: kept over a stop %s, over an update %s", (persist, boot, update) => {
  expect(keepsRootfs(persist, "boot")).toBe(boot);
  expect(keepsRootfs(persist, "update")).toBe(update);
});
