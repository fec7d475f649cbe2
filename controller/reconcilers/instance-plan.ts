// What to do about a machine that exists: a pure function of what is wanted and what was seen. One thing at a time, and nothing that restarts a machine before status has said so.
import type { Instance, InstanceStatus } from "../../crds/instance.ts";
import { CREATED_DEADLINE_MS } from "../limits.ts";
import type { WaitState } from "../machines/machines.ts";
import type { Machine } from "../machines/wire.ts";
import { ACKNOWLEDGE_HOST_KEY } from "../transports/transport.ts";
import type { Drift } from "./instance-drift.ts";
import type { Mode } from "./instance-idle.ts";

export interface PlanInput {
  readonly instance: Instance;
  readonly machine: Machine;
  readonly mode: Mode;
  readonly drift: Drift;
  /** What uses the machine now. */
  readonly busy: readonly string[];
  /** An update to this very configuration was tried lately, and the machine still differs; or Fly refused it, saying so. */
  readonly tried?: { readonly refused?: string | undefined } | undefined;
  /** How long this process has seen it in created without a break: no clock that is set makes that longer. */
  readonly createdForMs: number;
}

export type Pending = NonNullable<InstanceStatus["pending"]>;

export type Plan =
  /** As it should be. */
  | { readonly do: "settle" }
  /** Fly is changing it; look again when it has got there. */
  | { readonly do: "follow"; readonly state: WaitState }
  /** Its host does not answer: nothing is judged and nothing done. */
  | { readonly do: "leave" }
  | { readonly do: "start" }
  | { readonly do: "stop" }
  | { readonly do: "suspend" }
  | { readonly do: "label"; readonly metadata: Readonly<Record<string, string>> }
  /** Say in status what will happen. */
  | { readonly do: "announce"; readonly pending: Omit<Pending, "announcedAt"> }
  /** Announced, and somebody uses the machine. */
  | { readonly do: "hold"; readonly pending: Omit<Pending, "announcedAt">; readonly refused?: boolean }
  | { readonly do: "update"; readonly fields: readonly string[]; readonly skipLaunch: boolean }
  /** Destroy it; the next pass makes another once that is confirmed. */
  | { readonly do: "replace"; readonly why: string };

const TRANSIENT: Readonly<Record<string, WaitState>> = {
  creating: "started",
  starting: "started",
  restarting: "started",
  updating: "settled",
  replacing: "settled",
  stopping: "stopped",
  suspending: "suspended",
  destroying: "destroyed",
};

export function planMachine(input: PlanInput): Plan {
  const { machine, mode, drift } = input;
  if (isHostUnknown(machine)) return { do: "leave" };
  const target = TRANSIENT[machine.state];
  if (target) return { do: "follow", state: target };
  if (machine.state === "created") return planCreated(input);
  if (isFailed(machine)) return { do: "replace", why: `the machine is ${machine.state}` };
  if (Object.keys(drift.metadata).length > 0) return { do: "label", metadata: drift.metadata };
  if (input.instance.status?.pending?.action === "Replace" && needsItsHost(input))
    return announced(input, replacement(input)) ?? { do: "replace", why: "the update has no room on its host" };
  if (drift.restart.length > 0) return planUpdate(input);
  const moded = planMode(machine.state, mode);
  return drift.strangeKeys && moded.do === "settle" ? planKeys(input) : moded;
}

export function isHostUnknown(machine: Machine): boolean {
  return machine.host_status !== undefined && machine.host_status !== "ok";
}

/** `created` means that Fly prepares it, or that it was asked to stay so; both end, or it is stuck. */
function planCreated({ mode, createdForMs }: PlanInput): Plan {
  if (createdForMs > CREATED_DEADLINE_MS)
    return { do: "replace", why: `Fly left the machine in created for ${Math.round(createdForMs / 1000)} s` };
  return { do: "follow", state: mode === "Running" ? "started" : "settled" };
}

function isFailed(machine: Machine): boolean {
  return machine.state === "failed" || machine.state === "launch_failed";
}

/** A stopped machine is updated where it lies; one that holds memory is announced first. */
function planUpdate(input: PlanInput): Plan {
  const { drift, machine, mode } = input;
  if (input.tried) {
    const { refused } = input.tried;
    const message = refused ?? `${drift.restart.join(", ")} still differ after an update; trying again later`;
    const pending = { action: "Update" as const, fields: [...drift.restart], message };
    // What cannot be changed must not keep it from being stopped, or from serving as it is.
    const inMode = planMode(machine.state, mode);
    return inMode.do === "settle" ? { do: "hold", pending, refused: refused !== undefined } : inMode;
  }
  const update: Plan = { do: "update", fields: drift.restart, skipLaunch: mode !== "Running" };
  if (machine.state === "stopped") return update;
  const pending = {
    action: "Update" as const,
    fields: [...drift.restart],
    message: `updating ${drift.restart.join(", ")} ${erases(input)}`,
  };
  return announced(input, pending) ?? update;
}

/** Ours replace those of a lost secret when somebody says so, or where that costs nothing. */
function planKeys(input: PlanInput): Plan {
  const { instance, machine, mode } = input;
  const fields = ["keys"];
  const update: Plan = { do: "update", fields, skipLaunch: mode !== "Running" };
  if (machine.state === "stopped" && instance.spec.rootfs.persist !== "Restart") return update;
  if (instance.metadata.annotations?.[ACKNOWLEDGE_HOST_KEY] !== machine.instance_id) {
    const how = `annotate ${ACKNOWLEDGE_HOST_KEY}=${machine.instance_id} to replace them, which ${erases(input)}`;
    return { do: "hold", pending: { action: "Update", fields, message: `${STRANGE_KEYS}; ${how}` } };
  }
  const message = `replacing the SSH keys ${erases(input)}`;
  // Said before it was asked for, too: what counts is that it is said now.
  const before = instance.status?.pending;
  if (input.busy.length === 0 && before?.message === message) return update;
  return announced({ ...input, instance: withoutPending(instance) }, { action: "Update", fields, message }) ?? update;
}

function withoutPending(instance: Instance): Instance {
  const { pending: _before, ...status } = instance.status ?? {};
  return { ...instance, status };
}

const STRANGE_KEYS = "the machine has SSH keys that were made with another secret than ours";

/** What the full host could not give is still wanted. */
function needsItsHost({ drift, mode, machine }: PlanInput): boolean {
  return drift.restart.length > 0 || (mode === "Running" && machine.state !== "started");
}

function replacement(input: PlanInput): Omit<Pending, "announcedAt"> {
  return { action: "Replace", fields: [...input.drift.restart], message: `making another machine ${erases(input)}` };
}

/** Undefined once the same thing has been announced and nobody uses the machine. */
function announced({ instance, busy }: PlanInput, pending: Omit<Pending, "announcedAt">): Plan | undefined {
  const before = instance.status?.pending;
  const same = before?.action === pending.action && before.fields?.join() === pending.fields?.join();
  if (busy.length > 0)
    return { do: "hold", pending: { ...pending, message: `${pending.message}; waits for ${busy.join(", ")}` } };
  return same ? undefined : { do: "announce", pending };
}

function erases({ instance, machine }: PlanInput): string {
  if (instance.spec.rootfs.persist === "Always") return "restarts the machine; its root file system is kept";
  return machine.state === "suspended"
    ? "discards the suspended memory and erases the root file system"
    : "restarts the machine and erases its root file system";
}

/** A stopped machine satisfies Suspended: it has no memory to keep, and starting it only to suspend it would cost. */
function planMode(state: string, mode: Mode): Plan {
  switch (`${mode}/${state}`) {
    case "Running/started":
    case "Stopped/stopped":
    case "Suspended/suspended":
    case "Suspended/stopped":
      return { do: "settle" };
    case "Running/stopped":
    case "Running/suspended":
      return { do: "start" };
    case "Stopped/started":
    case "Stopped/suspended":
      return { do: "stop" };
    case "Suspended/started":
      return { do: "suspend" };
    default:
      return { do: "follow", state: "settled" }; // a word of Fly's that we do not know yet
  }
}
