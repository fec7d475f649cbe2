// What status says of an instance: pure, so what it keeps and what it forgets is tested without a world.
import { expect, test } from "vitest";
import type { Plan } from "../../../controller/reconcilers/instance-plan.ts";
import { presentStatus } from "../../../controller/reconcilers/instance-status.ts";
import { ACKNOWLEDGE_HOST_KEY, mistrustOf } from "../../../controller/transports/transport.ts";
import type { Instance } from "../../../crds/instance.ts";
import { findCondition } from "../../../crds/resource.ts";
import { aMachine, anInstance } from "../../instance-fixture.ts";

const NOW_MS = Date.UTC(2026, 0, 1);
const MISMATCH = { reachable: false, reason: "HostKeyMismatch", message: "another host key" } as const;

function mismatched(): Instance {
  const instance = anInstance();
  const findings = {
    machine: aMachine(instance),
    mode: "Running",
    plan: { do: "settle" },
    differs: [],
    nowMs: NOW_MS,
  } as const;
  return { ...instance, status: presentStatus(instance, { ...findings, reachability: MISMATCH }, {}) };
}

/** The instance after a pass in which nobody spoke to its machine. */
function unasked(instance: Instance, changes: Parameters<typeof aMachine>[1], plan: "leave" | "settle"): Instance {
  const findings = {
    machine: aMachine(instance, changes),
    mode: "Running",
    plan: { do: plan },
    differs: [],
    nowMs: NOW_MS,
  } as const;
  return { ...instance, status: presentStatus(instance, findings, {}) };
}

test.each([
  { reason: "its host is out of reach", changes: { host_status: "unreachable" }, plan: "leave" },
  { reason: "it is stopped", changes: { state: "stopped" }, plan: "settle" },
] as const)("a machine that showed another host key stays mistrusted while $reason", ({ changes, plan }) => {
  expect(mistrustOf(unasked(mismatched(), changes, plan))).toBe(MISMATCH.message);
});

test("another machine is not mistrusted for what the former one showed", () => {
  expect(mistrustOf(unasked(mismatched(), { id: "another", state: "stopped" }, "settle"))).toBeUndefined();
});

test("what was acknowledged is no longer said", () => {
  const instance = mismatched();
  const annotations = { [ACKNOWLEDGE_HOST_KEY]: instance.status?.machine?.instanceId ?? "" };
  const known = { ...instance, metadata: { ...instance.metadata, annotations } };
  const after = unasked(known, { state: "stopped" }, "settle");
  expect(after.status?.conditions?.find(({ type }) => type === "Reachable")?.reason).toBe("NotStarted");
});

/** Synced may only claim what was compared. */
interface Case {
  readonly reason: string;
  readonly plan: Plan;
  readonly differs?: readonly string[];
  readonly synced: "True" | "False" | "Unknown";
}

const CASES: readonly Case[] = [
  { reason: "compared, and alike", plan: { do: "settle" }, synced: "True" },
  { reason: "alike, and to be started", plan: { do: "start" }, synced: "True" },
  {
    reason: "stopped while an update cannot be made",
    plan: { do: "stop" },
    differs: ["image"],
    synced: "False",
  },
  {
    reason: "its labels are repaired before the rest",
    plan: { do: "label", metadata: {} },
    differs: ["env"],
    synced: "False",
  },
  { reason: "not compared while Fly changes it", plan: { do: "follow", state: "started" }, synced: "Unknown" },
  { reason: "its host does not answer", plan: { do: "leave" }, synced: "Unknown" },
];

test.each(CASES)("Synced is $synced: $reason", ({ plan, differs = [], synced }) => {
  const instance = anInstance();
  const findings = { machine: aMachine(instance), mode: "Running" as const, plan, differs, nowMs: NOW_MS };
  const status = presentStatus(instance, findings, {});
  expect(findCondition({ status }, "Synced")?.status).toBe(synced);
});
