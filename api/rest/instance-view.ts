// An instance as the simple REST endpoints show it. The one word `status` stands for conditions and machine state together:
//
//   destroying  a deletion is under way, whatever else is true
//   running     Ready=True
//   failed      the machine failed, or nothing will change by itself: Ready=False with a reason of FAILURES
//   stopped, suspended   the machine is at rest (or on its way there) and is meant to be
//   creating    a machine exists or is being asked for, and is not ready yet: also while it is restarted or updated
//   pending     nothing has been asked for, or there is no room at the moment
import type { Instance } from "../../crds/instance.ts";
import { guestOf } from "../../crds/machine-size.ts";
import { findCondition } from "../../crds/resource.ts";

export type InstanceState = "pending" | "creating" | "running" | "suspended" | "stopped" | "destroying" | "failed";

export interface InstanceView {
  readonly id: string;
  readonly name: string;
  readonly status: InstanceState;
  readonly region: string | null;
  readonly size: string | null;
  readonly memoryMb: number | null;
  readonly image: string | null;
  readonly privateIp: string | null;
  readonly machineId: string | null;
  readonly createdAt: string;
  /** Why it is not ready. */
  readonly message?: string;
}

/** Reasons of Ready=False that wait for a person. */
const FAILURES: ReadonlySet<string> = new Set(["Refused", "NameTaken", "HostKeyMismatch"]);

const AT_REST: Readonly<Record<string, InstanceState>> = {
  stopped: "stopped",
  stopping: "stopped",
  suspended: "suspended",
  suspending: "suspended",
};

export function instanceView(instance: Instance): InstanceView {
  const { metadata, spec, status } = instance;
  const state = instanceState(instance);
  const ready = findCondition(instance, "Ready");
  return {
    id: metadata.uid,
    name: metadata.name,
    status: state,
    region: status?.machine?.region ?? spec.region ?? null,
    size: spec.size ?? null,
    memoryMb: spec.memoryMb ?? (spec.size === undefined ? null : guestOf(spec.size, undefined).memory_mb),
    image: spec.image ?? null,
    privateIp: status?.machine?.privateIp ?? null,
    machineId: status?.machine?.id ?? null,
    createdAt: metadata.creationTimestamp,
    ...(ready && state !== "running" ? { message: ready.message } : {}),
  };
}

export function instanceState(instance: Instance): InstanceState {
  const { metadata, spec, status } = instance;
  if (metadata.deletionTimestamp) return "destroying";
  const ready = findCondition(instance, "Ready");
  if (ready?.status === "True") return "running";
  if (status?.machine?.state === "failed" || FAILURES.has(ready?.reason ?? "")) return "failed";
  if (status?.machine) {
    const meantToRun = (status.effectiveMode ?? spec.operatingMode) === "Running";
    return (meantToRun ? undefined : AT_REST[status.machine.state]) ?? "creating";
  }
  return status?.provisioning && ready?.reason !== "NoCapacity" ? "creating" : "pending";
}

/** A command can be sent to it: it is ready, or at least its machine is started. */
export function takesCommands(instance: Instance): boolean {
  if (instance.metadata.deletionTimestamp) return false;
  return findCondition(instance, "Ready")?.status === "True" || instance.status?.machine?.state === "started";
}
