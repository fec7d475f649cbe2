// When an unused machine is put to rest, pure. The decision lives in status, never in spec, so that GitOps sees no drift,
// and it says at any time why the machine is up and when it will not be.
import { durationMs } from "../../crds/duration.ts";
import type { Instance, InstanceStatus } from "../../crds/instance.ts";
import { timestamp } from "../kernel/clock.ts";
import type { Activity } from "./activity.ts";

export type Mode = Instance["spec"]["operatingMode"];
type Idle = NonNullable<InstanceStatus["idle"]>;

export interface IdleDecision {
  readonly idle: Idle | undefined;
  /** What the machine should be now. */
  readonly mode: Mode | "Delete";
  /** When the decision could become another one. */
  readonly dueMs?: number | undefined;
}

const RESTING: Readonly<Record<"Suspend" | "Stop" | "Delete", Mode | "Delete">> = {
  Suspend: "Suspended",
  Stop: "Stopped",
  Delete: "Delete",
};

export function decideIdle(instance: Instance, activity: Activity, machineState: string, nowMs: number): IdleDecision {
  const { spec, status } = instance;
  if (!spec.idle || spec.operatingMode !== "Running") return { idle: undefined, mode: spec.operatingMode };
  const last = latestActivity(instance, activity, machineState, nowMs);
  const base = { lastActivity: timestamp(last.atMs), source: last.source };
  if (activity.busy.length > 0) return { idle: { ...base, blockers: [...activity.busy] }, mode: "Running" };

  const actsAtMs = last.atMs + durationMs(spec.idle.after);
  const acted = status?.idle?.actedAt;
  const rests = acted !== undefined && Date.parse(acted) >= last.atMs;
  if (rests) return { idle: { ...base, actedAt: acted }, mode: RESTING[spec.idle.action] };
  if (nowMs >= actsAtMs) return { idle: { ...base, actedAt: timestamp(nowMs) }, mode: RESTING[spec.idle.action] };
  return { idle: { ...base, actsAt: timestamp(actsAtMs) }, mode: "Running", dueMs: actsAtMs };
}

function latestActivity(
  instance: Instance,
  activity: Activity,
  machineState: string,
  nowMs: number,
): { atMs: number; source: string } {
  const { metadata, status } = instance;
  const known = [
    { atMs: Date.parse(metadata.creationTimestamp), source: "created" },
    ...(status?.startup?.started ? [{ atMs: Date.parse(status.startup.started), source: "machine started" }] : []),
    ...(status?.idle ? [{ atMs: Date.parse(status.idle.lastActivity), source: status.idle.source }] : []),
    ...(activity.last ? [activity.last] : []),
    ...(activity.busy[0] && !status?.idle?.blockers ? [{ atMs: nowMs, source: activity.busy[0] }] : []),
    ...(status?.observedGeneration !== undefined && status.observedGeneration < metadata.generation
      ? [{ atMs: nowMs, source: "spec changed" }]
      : []),
    ...(wokenFromOutside(status, machineState) ? [{ atMs: nowMs, source: "machine started from outside" }] : []),
  ];
  return known.reduce((latest, each) => (each.atMs >= latest.atMs ? each : latest));
}

/** It was at rest by our decision, and somebody (Fly's proxy, flyctl) has started it: that is a wish. */
export function wokenFromOutside(status: InstanceStatus | undefined, machineState: string): boolean {
  const rested = status?.machine?.state === "suspended" || status?.machine?.state === "stopped";
  return status?.idle?.actedAt !== undefined && rested && (machineState === "started" || machineState === "starting");
}
