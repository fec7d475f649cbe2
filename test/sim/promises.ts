// What users were promised, each told by what really happened: what was acknowledged stays, what was let go is left alone,
// a trigger fires once, and what should end by its time does. The names are those of README.md.
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import { OWNER } from "../../controller/machines/wire.ts";
import { expiryMs } from "../../controller/reconcilers/instance-expiry.ts";
import { WORKFLOW_LABEL } from "../../controller/reconcilers/workflow.ts";
import { ACKNOWLEDGE_HOST_KEY } from "../../controller/transports/transport.ts";
import type { Execution } from "../../crds/execution.ts";
import type { Instance } from "../../crds/instance.ts";
import type { AnyResource } from "../../crds/resource.ts";
import type { Workflow } from "../../crds/workflow.ts";
import type { WorkflowRun } from "../../crds/workflow-run.ts";
import type { HistoryRow } from "./invariants.ts";
import type { BegunJob } from "./jobs-on-machines.ts";

/** Once nothing goes wrong any more, ttl and idling are late by a sweep, a few calls and a retry of what just failed. */
export const OVERDUE_MAX_MS = 3 * 60_000;

/** What began so lately may have been decided while the machine was already on its way to rest. */
export const BUSY_MIN_MS = 15_000;

export interface PromiseOptions {
  nowMs(): number;
  /** As the process reads it. */
  wallMs(): number;
  violated(what: string): void;
  readonly objects: ReadonlyMap<string, AnyResource>;
}

export interface Promises {
  committed(row: HistoryRow, object: AnyResource): void;
  machineChanged(record: MachineRecord): void;
  began(job: BegunJob): void;
  exited(job: BegunJob): void;
  /** A process has begun: of what its former life knew, it knows what is written down. */
  started(): void;
  /** A machine has shown another host key than its own. */
  mistrusted(machineId: string): void;
  /** A command is on its way to a machine. */
  sent(machineId: string): void;
  /** Fly's answer to a call of ours. */
  answered(action: string, status: number): void;
  /** An answer of our API with a status of success, and the revision that the user had read, if it was said. */
  acknowledged(body: string, basedOn?: string): void;
  /** From now on nothing goes wrong. */
  healed(): void;
  tick(): void;
  /** What a trigger still owes, in words. */
  owed(): readonly string[];
}

/** Calls that change or end a machine; its metadata is what we take away when we let it go, and that may take two tries. */
const CHANGES = /^(?:POST (?:update|start|stop|suspend|restart|exec)|DELETE destroy) (\w+)/;

export function createPromises({ nowMs, wallMs, violated, objects }: PromiseOptions): Promises {
  const uidAt = new Map<number, string>();
  /** The revision that a write has replaced, by its own. */
  const replacedBy = new Map<string, string>();
  const owners = new Map<string, string>();
  const released = new Set<string>();
  const runs = new Set<string>();
  /** Machines that must not be spoken to. */
  const mistrusted = new Set<string>();
  const working = new Map<string, BegunJob & { readonly sinceMs: number }>();
  let healedMs: number | undefined;

  function committed(row: HistoryRow, object: AnyResource): void {
    uidAt.set(row.revision, object.metadata.uid);
    const former = objects.get(object.metadata.uid)?.metadata.resourceVersion;
    if (former !== undefined) replacedBy.set(String(row.revision), former);
    if (object.kind === "Instance") acknowledgement(object as Instance); // by its kind
    if (row.type !== "ADDED" || object.kind !== "WorkflowRun") return;
    const workflow = object.metadata.ownerReferences?.find(({ kind }) => kind === "Workflow");
    if (!workflow || object.metadata.labels?.[WORKFLOW_LABEL] === undefined) return;
    const id = `${workflow.uid} ${object.metadata.name}`;
    if (runs.has(id)) violated(`trigger: run ${object.metadata.name} was made a second time`);
    runs.add(id);
  }

  function acknowledgement({ metadata, status }: Instance): void {
    const version = metadata.annotations?.[ACKNOWLEDGE_HOST_KEY];
    if (version !== undefined && version === status?.machine?.instanceId) mistrusted.delete(status.machine.id);
  }

  function acknowledged(body: string, basedOn?: string): void {
    const { metadata }: Partial<AnyResource> = JSON.parse(body); // the API answers objects
    if (metadata?.uid === undefined || metadata.resourceVersion === undefined) return;
    const replaced = replacedBy.get(metadata.resourceVersion);
    if (basedOn !== undefined && metadata.resourceVersion !== basedOn && replaced !== basedOn)
      violated(
        `acknowledged: ${metadata.name} was decided on at revision ${basedOn} and replaced revision ${replaced}`,
      );
    const kept = uidAt.get(Number(metadata.resourceVersion));
    if (kept === metadata.uid) return;
    violated(`acknowledged: ${metadata.name} at revision ${metadata.resourceVersion} is not in the history (${kept})`);
  }

  function machineChanged({ id, config, phase }: MachineRecord): void {
    if (phase !== "started") mistrusted.delete(id); // it boots before it is spoken to again, and Fly writes its key anew
    const uid = config.metadata?.[OWNER.uid];
    if (uid !== undefined) owners.set(id, uid);
    else if (owners.has(id)) released.add(id);
  }

  /** Who let the machine go has said otherwise since, and was told yes: the instance was still there to say it of. */
  function takenBack(machineId: string): boolean {
    return [...objects.values()].some((object) => {
      if (object.kind !== "Instance") return false;
      const { spec, status } = object as Instance; // by its kind
      return status?.machine?.id === machineId && spec.deletionPolicy === "Delete";
    });
  }

  function answered(action: string, status: number): void {
    const [, id] = CHANGES.exec(action) ?? [];
    if (status < 300 && id !== undefined && released.has(id) && !takenBack(id))
      violated(`orphan: ${action}, which had been let go`);
    const [, rested = ""] = /^POST (?:stop|suspend) (\w+)/.exec(action) ?? [];
    if (status < 300 && rested !== "") atRest(rested);
  }

  /** Nobody but its user may stop a machine that works: neither idling nor anything else of ours. */
  function atRest(id: string): void {
    const owner = objects.get(owners.get(id) ?? "") as Instance | undefined; // machines carry the uid of instances only
    const wanted = owner?.spec.operatingMode === "Running" && owner.metadata.deletionTimestamp === undefined;
    if (!owner || !wanted || owner.status?.observedGeneration !== owner.metadata.generation) return;
    for (const { key, machineId, sinceMs } of working.values()) {
      const busy = machineId === id && nowMs() - sinceMs > BUSY_MIN_MS && isRunning(key, objects.get(key.run));
      if (busy) violated(`L4 machine ${id} of ${owner.metadata.name} was put to rest under ${key.run}/${key.step}`);
    }
  }

  function tick(): void {
    if (healedMs === undefined || nowMs() - healedMs < OVERDUE_MAX_MS) return;
    for (const object of objects.values()) {
      if (object.kind === "Instance") overdue(object as Instance); // by its kind
    }
  }

  function overdue(instance: Instance): void {
    const { metadata, spec, status } = instance;
    if (metadata.deletionTimestamp !== undefined) return;
    const lateMs = wallMs() - OVERDUE_MAX_MS;
    if ((expiryMs(instance) ?? Number.POSITIVE_INFINITY) < lateMs)
      violated(`ttl: instance ${metadata.name} should be gone since ${status?.expiresAt}`);
    const idle = spec.idle !== undefined && spec.operatingMode === "Running" ? status?.idle : undefined;
    const up = status?.machine?.state === "started" && idle?.actedAt === undefined && idle?.actsAt !== undefined;
    if (up && Date.parse(idle.actsAt ?? "") < lateMs)
      violated(`L4 instance ${metadata.name} should be at rest since ${idle.actsAt}`);
  }

  function owed(): readonly string[] {
    return [...objects.values()].flatMap((object) => {
      if (object.kind !== "Workflow" || object.metadata.deletionTimestamp !== undefined) return [];
      const { metadata, spec } = object as Workflow; // by its kind
      if (!spec.triggers?.some(({ type }) => type === "Apply")) return [];
      const made = [...runs].some((id) => id.startsWith(`${metadata.uid} `) && id.includes(`-${metadata.generation}-`));
      return made ? [] : [`trigger: workflow ${metadata.name} has no run of generation ${metadata.generation}`];
    });
  }

  return {
    began(job) {
      working.set(idOf(job), { ...job, sinceMs: nowMs() });
    },
    started() {
      const known = [...objects.values()].flatMap((object) => (object.kind === "Instance" ? mistrustIn(object) : []));
      for (const machineId of mistrusted) if (!known.includes(machineId)) mistrusted.delete(machineId);
    },
    mistrusted: (machineId) => void mistrusted.add(machineId),
    sent(machineId) {
      if (mistrusted.has(machineId)) violated(`key: machine ${machineId} was sent something under another host key`);
    },
    exited: (job) => void working.delete(idOf(job)),
    committed,
    acknowledged,
    machineChanged,
    answered,
    tick,
    owed,
    healed() {
      healedMs = nowMs();
    },
  };
}

function idOf({ key }: BegunJob): string {
  return `${key.run}/${key.step}/${key.attempt}`;
}

/** The machine that status says must not be spoken to. */
function mistrustIn(object: AnyResource): readonly string[] {
  const { status } = object as Instance; // by its kind
  const mismatch = status?.conditions?.some(({ type, reason }) => type === "Reachable" && reason === "HostKeyMismatch");
  return mismatch && status?.machine ? [status.machine.id] : [];
}

function isRunning({ step, attempt }: BegunJob["key"], owner: AnyResource | undefined): boolean {
  if (owner?.kind === "Execution") return (owner as Execution).status?.state === "Running"; // by its kind
  const found = (owner as WorkflowRun | undefined)?.status?.steps?.find(({ name }) => name === step); // the only other one
  return found?.state === "Running" && found.attempts === attempt;
}
