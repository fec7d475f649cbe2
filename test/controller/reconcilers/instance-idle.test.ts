import { expect, test } from "vitest";
import { decideIdle } from "../../../controller/reconcilers/instance-idle.ts";
import { anInstance, START } from "../../instance-fixture.ts";

const START_MS = Date.parse(START);
const minutes = (count: number) => START_MS + count * 60_000;
const at = (count: number) => new Date(minutes(count)).toISOString().replace(".000", "");
const idle = { after: "30m", action: "Suspend" };
const quiet = { busy: [] };

test("without idle the wish of the spec holds", () => {
  expect(decideIdle(anInstance({ operatingMode: "Stopped" }), quiet, "started", minutes(99))).toEqual({
    idle: undefined,
    mode: "Stopped",
  });
});

test("unused but not long enough: says when it will act", () => {
  const decision = decideIdle(anInstance({ idle }), quiet, "started", minutes(10));
  expect(decision).toEqual({
    idle: { lastActivity: at(0), source: "created", actsAt: at(30) },
    mode: "Running",
    dueMs: minutes(30),
  });
});

test("unused for long enough: acts, and keeps saying so", () => {
  const first = decideIdle(anInstance({ idle }), quiet, "started", minutes(30));
  expect(first.mode).toBe("Suspended");
  const second = decideIdle(
    anInstance({ idle }, { idle: first.idle, machine: machineIn("suspended") }),
    quiet,
    "suspended",
    minutes(90),
  );
  expect(second).toEqual({ idle: first.idle, mode: "Suspended" });
});

test("a running step keeps it up however long, and says which", () => {
  const decision = decideIdle(anInstance({ idle }), { busy: ["run build"] }, "started", minutes(500));
  expect(decision).toEqual({
    idle: { lastActivity: at(500), source: "run build", blockers: ["run build"] },
    mode: "Running",
  });
});

test("looking again at a busy instance changes nothing in status", () => {
  const first = decideIdle(anInstance({ idle }), { busy: ["run build"] }, "started", minutes(5));
  const second = decideIdle(anInstance({ idle }, { idle: first.idle }), { busy: ["run build"] }, "started", minutes(6));
  expect(second.idle).toEqual(first.idle);
});

test("the end of an exec is the last activity", () => {
  const decision = decideIdle(
    anInstance({ idle }),
    { busy: [], last: { atMs: minutes(20), source: "exec e" } },
    "started",
    minutes(31),
  );
  expect(decision.idle).toEqual({ lastActivity: at(20), source: "exec e", actsAt: at(50) });
});

test.each([
  ["a run begins", { busy: ["run b"] }, "suspended", 1],
  ["the spec changes", quiet, "suspended", 2],
  ["somebody starts the machine", quiet, "started", 1],
])("a resting instance wakes when %s", (_reason, activity, machineState, generation) => {
  const rested = {
    observedGeneration: 1,
    machine: machineIn("suspended"),
    idle: { lastActivity: at(0), source: "created", actedAt: at(30) },
  };
  expect(decideIdle(anInstance({ idle }, rested, { generation }), activity, machineState, minutes(60)).mode).toBe(
    "Running",
  );
});

function machineIn(state: string) {
  return { id: "1", state, region: "iad", privateIp: "", instanceId: "" };
}
