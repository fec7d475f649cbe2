// What status says of an instance, pure: conditions Ready, Provisioned, Reachable and Synced from what was seen and planned.
import type { Instance, InstanceStatus } from "../../crds/instance.ts";
import { timestamp } from "../kernel/clock.ts";
import type { Machine } from "../machines/wire.ts";
import { type NewCondition, withConditions } from "../runtime/conditions.ts";
import { mistrustOf, type Reachability } from "../transports/transport.ts";
import type { Mode } from "./instance-idle.ts";
import type { Plan } from "./instance-plan.ts";

type Verdict = Pick<NewCondition, "status" | "reason" | "message">;

export interface Findings {
  readonly machine: Machine;
  readonly mode: Mode;
  readonly plan: Plan;
  /** Fields in which the machine was seen to differ from spec. */
  readonly differs: readonly string[];
  /** Undefined while the machine is not started. */
  readonly reachability?: Reachability | undefined;
  /** Its host key is not derived from our secret. */
  readonly strangeKeys?: boolean;
  readonly nowMs: number;
}

/** Status of an instance whose machine was seen. Keeps what this pass did not decide. */
export function presentStatus(
  instance: Instance,
  findings: Findings,
  changes: Partial<InstanceStatus>,
): InstanceStatus {
  const { machine, strangeKeys = false, nowMs } = findings;
  const ready = readiness(instance, findings);
  const startup = instance.status?.startup ?? {};
  return {
    ...instance.status,
    machine: { ...seenMachine(machine, instance.status?.machine), ...(strangeKeys && { strangeKeys }) },
    effectiveMode: findings.mode,
    startup: {
      ...startup,
      ...(machine.state === "started" && !startup.started && { started: timestamp(nowMs) }),
      ...(ready.status === "True" && !startup.ready && { ready: timestamp(nowMs) }),
    },
    ...changes,
    ...observed(
      instance,
      [
        { type: "Ready", ...ready },
        { type: "Provisioned", ...exists(machine) },
        { type: "Reachable", ...reachable(instance, findings) },
        { type: "Synced", ...synced(findings) },
      ],
      nowMs,
    ),
  };
}

/** Status while there is no machine: `verdict` says why, on Ready and Provisioned alike. */
export function absentStatus(
  instance: Instance,
  verdict: Verdict,
  changes: Partial<InstanceStatus>,
  nowMs: number,
): InstanceStatus {
  const conditions = [
    { type: "Ready", ...verdict },
    { type: "Provisioned", ...verdict },
    { type: "Reachable", status: "Unknown" as const, reason: "NoMachine", message: "there is no machine to reach" },
  ];
  return { ...instance.status, ...changes, ...observed(instance, conditions, nowMs) };
}

/** Status of an instance whose machine was just made or found, and not looked at yet. */
export function adoptedStatus(
  instance: Instance,
  machine: Machine,
  changes: Partial<InstanceStatus>,
  nowMs: number,
): InstanceStatus {
  const conditions = [
    {
      type: "Ready",
      status: "False" as const,
      reason: "Creating",
      message: `machine ${machine.id} is being prepared in ${machine.region}`,
    },
    { type: "Provisioned", ...exists(machine) },
    { type: "Reachable", status: "Unknown" as const, reason: "NotStarted", message: `the machine is ${machine.state}` },
  ];
  return {
    ...instance.status,
    machine: seenMachine(machine, undefined),
    ...changes,
    ...observed(instance, conditions, nowMs),
  };
}

/** Status while the machine goes; `message` says what that waits for. */
export function deletingStatus(instance: Instance, machine: Machine, message: string, nowMs: number): InstanceStatus {
  const verdict = { status: "False" as const, reason: "Deleting", message };
  const conditions = [
    { type: "Ready", ...verdict },
    { type: "Provisioned", ...exists(machine) },
  ];
  return {
    ...instance.status,
    machine: seenMachine(machine, instance.status?.machine),
    ...observed(instance, conditions, nowMs),
  };
}

/** Status while it is not known what is there: Ready and Provisioned say so, the rest stays as it was. */
export function doubtfulStatus(instance: Instance, reason: string, message: string, nowMs: number): InstanceStatus {
  const verdict = { status: "Unknown" as const, reason, message };
  return {
    ...instance.status,
    ...observed(
      instance,
      [
        { type: "Ready", ...verdict },
        { type: "Provisioned", ...verdict },
      ],
      nowMs,
    ),
  };
}

export function observed(
  instance: Instance,
  conditions: readonly Omit<NewCondition, "observedGeneration">[],
  nowMs: number,
): Pick<InstanceStatus, "observedGeneration" | "conditions"> {
  const observedGeneration = instance.metadata.generation;
  return {
    observedGeneration,
    conditions: withConditions(
      instance.status?.conditions,
      conditions.map((each) => ({ ...each, observedGeneration })),
      nowMs,
    ),
  };
}

function readiness(instance: Instance, { machine, mode, plan, differs, reachability }: Findings): Verdict {
  const no = (reason: string, message: string): Verdict => ({ status: "False", reason, message });
  const idle = mode !== instance.spec.operatingMode;
  switch (plan.do) {
    case "leave":
      return {
        status: "Unknown",
        reason: "HostUnreachable",
        message: `the host of machine ${machine.id} is ${machine.host_status}; it is left alone until Fly has it back`,
      };
    case "announce":
      return no(plan.pending.action === "Replace" ? "Replacing" : "Updating", plan.pending.message);
    case "update":
      return no("Updating", `updating ${plan.fields.join(", ")}`);
    case "replace":
      return no("Replacing", plan.why);
    case "follow":
      return no(TRANSITIONS[machine.state] ?? "Changing", `the machine is ${machine.state}`);
    case "start":
      return no("Starting", `starting the machine, which is ${machine.state}`);
    case "stop":
    case "suspend":
      return no(
        idle ? "Idle" : plan.do === "stop" ? "Stopping" : "Suspending",
        idle
          ? `idle: ${plan.do === "stop" ? "stopping" : "suspending"} the machine`
          : `the machine is ${machine.state}`,
      );
    case "label":
      if (differs.length === 0) break;
      return no("Updating", stillDiffers(differs));
    case "hold":
    case "settle":
      break;
  }
  if (machine.state !== "started") return atRest(instance, machine.state, mode, idle);
  if (!reachability) return no("Connecting", "the machine has started and has not been reached yet");
  if (!reachability.reachable)
    return reachability.reason === "Probing"
      ? no("Connecting", "the machine has started and has not answered yet")
      : no(reachability.reason, reachability.message);
  return {
    status: "True",
    reason: "Ready",
    message: `machine ${machine.id} is started and answers by ${reachability.via}`,
  };
}

const TRANSITIONS: Readonly<Record<string, string>> = {
  created: "Creating",
  creating: "Creating",
  starting: "Starting",
  restarting: "Starting",
  updating: "Updating",
  replacing: "Updating",
  stopping: "Stopping",
  suspending: "Suspending",
  destroying: "Destroying",
};

function atRest(instance: Instance, state: string, mode: Mode, idle: boolean): Verdict {
  const how = state === "suspended" ? "suspended; its memory is kept" : "stopped";
  if (idle)
    return {
      status: "False",
      reason: "Idle",
      message: `idle since ${instance.status?.idle?.lastActivity ?? "a while"}: the machine is ${how}`,
    };
  return { status: "False", reason: mode, message: `operatingMode is ${mode}: the machine is ${how}` };
}

/** A host key that was wrong stays so while nobody asks the machine: a process that starts then must know of it. */
function reachable(instance: Instance, { machine, reachability }: Findings): Verdict {
  if (machine.state !== "started" || !reachability) {
    const mistrust = instance.status?.machine?.id === machine.id ? mistrustOf(instance) : undefined;
    if (mistrust !== undefined) return { status: "False", reason: "HostKeyMismatch", message: mistrust };
    return { status: "Unknown", reason: "NotStarted", message: `the machine is ${machine.state}` };
  }
  if (reachability.reachable) return { status: "True", reason: reachability.via, message: reachability.message };
  return {
    status: reachability.reason === "Probing" ? "Unknown" : "False",
    reason: reachability.reason,
    message: reachability.message,
  };
}

function exists({ id, region }: Machine): Verdict {
  return { status: "True", reason: "MachineExists", message: `machine ${id} in ${region}` };
}

/** True only where the machine was compared with spec, and agrees: what is done about it first is not that. */
function synced({ plan, differs }: Findings): Verdict {
  switch (plan.do) {
    case "announce":
      return { status: "False", reason: `${plan.pending.action}Pending`, message: plan.pending.message };
    case "hold": {
      const reason = plan.refused ? "Refused" : `${plan.pending.action}Pending`;
      return { status: "False", reason, message: plan.pending.message };
    }
    case "update":
      return { status: "False", reason: "Updating", message: `updating ${plan.fields.join(", ")}` };
    case "replace":
      return { status: "False", reason: "Replacing", message: plan.why };
    case "leave":
      return { status: "Unknown", reason: "HostUnreachable", message: "what the host does not answer is not judged" };
    case "follow":
      return { status: "Unknown", reason: "Changing", message: "it is compared with spec once Fly has changed it" };
    case "label":
    case "settle":
    case "start":
    case "stop":
    case "suspend":
      if (differs.length === 0) return AS_SPECIFIED;
      return { status: "False", reason: "UpdatePending", message: stillDiffers(differs) };
  }
}

const AS_SPECIFIED: Verdict = { status: "True", reason: "AsSpecified", message: "the machine is what spec says" };

function stillDiffers(fields: readonly string[]): string {
  return `${fields.join(", ")} differ from the specification`;
}

function seenMachine(machine: Machine, before: InstanceStatus["machine"]): NonNullable<InstanceStatus["machine"]> {
  return {
    id: machine.id,
    name: machine.name,
    state: machine.state,
    region: machine.region,
    privateIp: machine.private_ip ?? before?.privateIp ?? "",
    instanceId: machine.instance_id,
  };
}
