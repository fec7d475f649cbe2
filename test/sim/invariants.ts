// What must hold after every event, whatever goes wrong. The names are those of README.md. Each check looks at what is
// true (the database's history, the cloud's records, what began on the machines), not at what the controller believes.
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import { jsonEqual } from "../../controller/kernel/json.ts";
import { CONFIRM_MAX_MS, CREATE_SETTLE_MS } from "../../controller/limits.ts";
import { OWNER } from "../../controller/machines/wire.ts";
import type { Instance } from "../../crds/instance.ts";
import { type AnyResource, findCondition } from "../../crds/resource.ts";
import type { WorkflowRun } from "../../crds/workflow-run.ts";
import { type Claims, createClaims } from "./claims.ts";
import { createEndings } from "./endings.ts";
import { isForeign } from "./foreign.ts";
import type { BegunJob } from "./jobs-on-machines.ts";
import { leftBehind } from "./left-behind.ts";
import { createPauses, type Pauses } from "./pauses.ts";
import { createPromises, type Promises } from "./promises.ts";

export interface HistoryRow {
  readonly revision: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly kind: string;
  readonly name: string;
  readonly body: string;
  /** What the body says, where somebody has parsed it already. */
  readonly object?: AnyResource;
}

export interface InvariantOptions {
  nowMs(): number;
  /** As the process reads it; nowMs where it makes no difference. */
  wallMs?(): number;
  /** What runs on the machines at this moment. */
  running?(): readonly BegunJob[];
  /** The first violation ends the simulation. */
  violated(what: string): void;
}

/** How long two machines of one uid may live side by side: the sweep that shows both, and the call that ends one. */
export const DOUBLE_MAX_MS = 15_000;
/** How old what a confirming read shows may be: it may take so long, and Fly's own answers are behind by up to 3 s. */
const READ_AGE_MAX_MS = CONFIRM_MAX_MS + 3_000;
/** After a start the process knows nothing of what its former life has used up of Fly's limits. */
const AFTER_START_MS = 20_000;
/** The longest delay of a call, and a second for Fly's limit to recover. */
const DELAYED_MAX_MS = CREATE_SETTLE_MS;
/** Held by whatever must not be shown. */
export const SECRET = "s3cr3t";

interface Shown {
  readonly kind: string;
  readonly object: AnyResource & {
    readonly spec?: unknown;
    readonly status?: { readonly observedGeneration?: number };
  };
  readonly specText: string;
}

export interface Invariants extends Pick<Promises, "acknowledged" | "healed" | "owed" | "mistrusted" | "sent"> {
  committed(row: HistoryRow): void;
  machineChanged(record: MachineRecord): void;
  /** Fly took a call of ours to destroy it. */
  destroyed(record: MachineRecord): void;
  began(job: BegunJob): void;
  exited(job: BegunJob, exitCode: number): void;
  answered(action: string, status: number): void;
  /** A call takes effect later, unseen: what it does is judged now, and until then it may use up some of Fly's limits. */
  delayed(action: string, records: readonly MachineRecord[], cloudMs: number): void;
  started(): void;
  logged(line: string): void;
  /** A call to Fly. */
  readonly called: Pauses["called"];
  readonly jumped: Pauses["jumped"];
  readonly reached: Claims["reached"];
  /** Objects that exist, by uid. */
  readonly objects: ReadonlyMap<string, AnyResource>;
  /** Calls that Fly took and that were no reads. */
  readonly mutations: number;
  /** Time has passed: what may last only so long is looked at again. */
  tick(): void;
}

export function createInvariants({ nowMs, wallMs = nowMs, running, violated }: InvariantOptions): Invariants {
  const objects = new Map<string, AnyResource>();
  const promises = createPromises({ nowMs, wallMs, violated, objects });
  const shown = new Map<string, Shown>();
  const machines = new Map<string, { readonly uid: string; readonly live: boolean }>();
  const doubledSince = new Map<string, number>();
  const begun = new Set<string>();
  const succeeded = new Set<string>();
  const pauses = createPauses({ nowMs, violated });
  const claims = createClaims({ nowMs, violated, objects });
  const endings = createEndings({ nowMs, violated });
  let revision = 0;
  let startedMs = 0;
  let delayedMs: number | undefined;
  let mutations = 0;

  function committed(row: HistoryRow): void {
    const object: Shown["object"] = row.object ?? JSON.parse(row.body); // stored text is an object
    if (row.revision !== revision + 1) violated(`S10 revision ${row.revision} follows ${revision}`);
    revision = row.revision;
    if (row.body.includes(SECRET)) secretsOf(row);
    const { uid, resourceVersion, generation } = object.metadata;
    if (resourceVersion !== String(row.revision))
      violated(`S10 ${row.kind} ${row.name} has revision ${resourceVersion}`);
    const specText = JSON.stringify(object.spec) ?? "";
    const before = shown.get(uid);
    if (before) transition(row, before, object, specText);
    promises.committed(row, object);
    claims.committed(object);
    if (object.kind === "WorkflowRun") endings.committed(object as WorkflowRun); // by its kind
    if (before && before.specText !== specText) pauses.changed(uid);
    if ((object.status?.observedGeneration ?? 0) > generation)
      violated(`S9 ${row.kind} ${row.name} observed the future`);
    if (row.type === "DELETED") {
      objects.delete(uid);
      shown.delete(uid);
    } else {
      objects.set(uid, object);
      shown.set(uid, { kind: row.kind, object, specText });
    }
  }

  function transition(row: HistoryRow, before: Shown, object: Shown["object"], specText: string): void {
    const what = `${row.kind} ${row.name}`;
    const generations = object.metadata.generation - before.object.metadata.generation;
    // Texts are quick to compare; where they differ it may be by the order of members alone.
    const changed = specText !== before.specText && !jsonEqual(object.spec, before.object.spec) ? 1 : 0;
    if (row.type !== "DELETED" && object.spec !== undefined && generations !== changed && !isMarked(before, object)) {
      violated(`S9 ${what}: generation moved by ${generations} while the spec ${changed ? "changed" : "stayed"}`);
    }
    const observed = object.status?.observedGeneration ?? 0;
    if (observed < (before.object.status?.observedGeneration ?? 0))
      violated(`S9 ${what}: observedGeneration went back`);
    if (before.object.metadata.deletionTimestamp && !object.metadata.deletionTimestamp)
      violated(`S9 ${what} came back`);
    if (object.kind === "WorkflowRun") stepsOf(what, before.object as WorkflowRun, object as WorkflowRun); // by its kind
  }

  /** Kubernetes moves the generation when a deletion is marked. */
  function isMarked(before: Shown, object: Shown["object"]): boolean {
    return object.metadata.deletionTimestamp !== undefined && before.object.metadata.deletionTimestamp === undefined;
  }

  function stepsOf(what: string, before: WorkflowRun, after: WorkflowRun): void {
    const verdict = findCondition(before, "Succeeded")?.status;
    if (verdict && verdict !== "Unknown" && findCondition(after, "Succeeded")?.status !== verdict) {
      violated(`S4 ${what} was over (${verdict}) and is ${findCondition(after, "Succeeded")?.status}`);
    }
    const steps = new Map(after.status?.steps?.map((step) => [step.name, step]));
    for (const step of before.status?.steps ?? []) {
      const now = steps.get(step.name);
      const final = step.state !== "Pending" && step.state !== "Running";
      if (final && (now?.state !== step.state || now.attempts !== step.attempts)) {
        violated(`S4 ${what}: step ${step.name} was ${step.state} and is ${now?.state}`);
      }
      const attempts = now?.attempts ?? 0;
      if (attempts < step.attempts) violated(`S4 ${what}: step ${step.name} forgot an attempt`);
      if (attempts > step.attempts && isCancelled(before))
        violated(`S4 ${what} is cancelled and decides on attempt ${attempts} of ${step.name}`);
    }
  }

  /** Parameters are shown where the user has put them; nothing else may repeat them, and nothing at all the host key. */
  function secretsOf(row: HistoryRow): void {
    const { spec: _own, status, ...rest } = JSON.parse(row.body);
    const { parameters: _given, definition: _copy, ...told } = status ?? {};
    if (JSON.stringify([rest, told]).includes(SECRET) || row.body.includes(`${SECRET}-host-key`)) {
      violated(`S12 a secret is in ${row.kind} ${row.name}`);
    }
  }

  function machineChanged(record: MachineRecord): void {
    promises.machineChanged(record);
    claims.machineChanged(record);
    const uid = record.config.metadata?.[OWNER.uid] ?? "";
    const live = record.phase !== "destroyed" && record.phase !== "destroying";
    machines.set(record.id, { uid, live });
    if (uid === "") return;
    const count = [...machines.values()].filter((each) => each.live && each.uid === uid).length;
    if (count < 2) doubledSince.delete(uid);
    else if (!doubledSince.has(uid)) doubledSince.set(uid, nowMs());
  }

  /** A machine is only destroyed when its instance goes, has another one, or has said that it will be replaced. */
  function destroyed({ id, config, past, since }: MachineRecord): void {
    const owner = objects.get(config.metadata?.[OWNER.uid] ?? "");
    if (!owner || owner.metadata.deletionTimestamp !== undefined) return;
    const { status } = owner as Instance; // machines carry the uid of instances only
    const before = past[0]?.phase ?? "created";
    const useless = ["created", "parked", "failed", "destroying"].includes(before);
    if (useless || status?.machine?.id !== id || status.pending?.action === "Replace") return;
    if (since - (past[0]?.at ?? 0) < READ_AGE_MAX_MS) return; // decided on a read from before
    violated(`S7 machine ${id} (${before}) of ${owner.metadata.name} was destroyed although nobody wanted that`);
  }

  function tick(): void {
    for (const [uid, sinceMs] of doubledSince) {
      if (nowMs() - sinceMs > DOUBLE_MAX_MS) violated(`S1 two machines of ${uid} live since ${sinceMs} ms`);
    }
    promises.tick();
    endings.tick((running?.() ?? []).filter(({ machineId }) => isOurs(machineId)));
  }

  /** A machine that was let go, and what runs there, is nobody's business any more. */
  function isOurs(machineId: string): boolean {
    return machines.get(machineId)?.uid !== "";
  }

  function began({ key, machineId, beside = [] }: BegunJob): void {
    const id = `${key.run}/${key.step}/${key.attempt}`;
    const other = beside.find(isOurs);
    if (other) violated(`S4 attempt ${id} began while a former one still runs on ${other}`);
    if (begun.has(id)) violated(`S4 attempt ${id} began a second time, on ${machineId}`);
    begun.add(id);
    promises.began({ key, machineId });
    const owner = objects.get(key.run);
    if (owner?.kind === "Execution") return;
    if (!owner) {
      violated(`S4 attempt ${id} began for a run that does not exist`);
      return;
    }
    const { status } = owner as WorkflowRun; // the only other owner of attempts
    const step = status?.steps?.find((each) => each.name === key.step);
    if (step?.state !== "Running" || step.attempts !== key.attempt) {
      violated(`S4 attempt ${id} began while its step is ${step?.state}, attempt ${step?.attempts}`);
    }
    const definition = status?.definition?.spec.steps.find((each) => each.name === key.step);
    for (const dependency of definition?.dependsOn ?? []) {
      if (!succeeded.has(`${key.run}/${dependency}`)) violated(`S5 ${id} began before ${dependency} had succeeded`);
    }
  }

  return {
    objects,
    committed,
    machineChanged,
    destroyed,
    began,
    tick,
    called: pauses.called,
    reached: claims.reached,
    jumped() {
      pauses.jumped();
      claims.jumped();
    },
    exited(job, exitCode) {
      const { key } = job;
      promises.exited(job);
      if (exitCode === 0) succeeded.add(`${key.run}/${key.step}`);
    },
    acknowledged: promises.acknowledged,
    healed: promises.healed,
    owed: promises.owed,
    mistrusted: promises.mistrusted,
    sent: promises.sent,
    answered(action, status) {
      promises.answered(action, status);
      if (!action.startsWith("GET") && status < 300) mutations += 1;
      const unseen = delayedMs !== undefined && nowMs() - delayedMs < DELAYED_MAX_MS;
      if (status === 429 && !unseen && nowMs() - startedMs > AFTER_START_MS)
        violated(`S13 Fly had to answer 429 to ${action}`);
    },
    delayed(action, records, cloudMs) {
      delayedMs = nowMs();
      const [, id] = /^DELETE destroy (\w+)/.exec(action) ?? [];
      const record = records.find((each) => each.id === id);
      if (record) destroyed({ ...record, past: [{ phase: record.phase, at: record.since }], since: cloudMs });
    },
    started() {
      startedMs = nowMs();
      promises.started();
      pauses.started();
    },
    logged(line) {
      if (line.includes(SECRET)) violated(`S12 a secret is in the log: ${line.slice(0, 200)}`);
    },
    get mutations() {
      return mutations;
    },
  };
}

/** What keeps the system from being at its end, in words; empty when nothing does. */
export function unsettled(objects: Iterable<AnyResource>, records: readonly MachineRecord[]): readonly string[] {
  const all = [...objects];
  const instances = all.filter((each): each is Instance => each.kind === "Instance");
  return [
    ...all
      .filter((each) => each.metadata.deletionTimestamp)
      .map((each) => `L2 ${each.kind} ${each.metadata.name} is still being deleted`),
    ...instances.flatMap((each) => unsettledInstance(each, records)),
    ...all.flatMap(unfinished),
    ...records.flatMap((record) => unowned(record, instances)),
    ...leftBehind(all),
  ];
}

function unsettledInstance(instance: Instance, records: readonly MachineRecord[]): readonly string[] {
  const { name, uid, generation } = instance.metadata;
  const ready = findCondition(instance, "Ready");
  const mode = instance.status?.effectiveMode ?? instance.spec.operatingMode;
  const says = `${ready?.status} ${ready?.reason} (${ready?.message})`;
  const own = records.filter((each) => isLive(each) && each.config.metadata?.[OWNER.uid] === uid);
  if (own.length !== 1) return [`S1 instance ${name} has ${own.length} machines; it says ${says}`];
  if (own[0]?.id !== instance.status?.machine?.id)
    return [`L1 instance ${name} does not know its machine; it says ${says}`];
  const settled = mode === "Running" ? ready?.status === "True" : [mode, "Idle"].includes(ready?.reason ?? "");
  if (settled && ready?.observedGeneration === generation) return changesByItself(instance);
  return [`L1 instance ${name} should be ${mode} and says ${says}`];
}

/** What time alone will still change is not at rest. */
function changesByItself({ metadata: { name }, spec, status }: Instance): readonly string[] {
  if (spec.ttl !== undefined) return [`L1 instance ${name} expires at ${status?.expiresAt}`];
  const idles = spec.idle !== undefined && spec.operatingMode === "Running" && status?.idle?.actedAt === undefined;
  return idles ? [`L1 instance ${name} becomes idle at ${status?.idle?.actsAt}`] : [];
}

function unfinished(object: AnyResource): readonly string[] {
  if (object.kind === "Execution") {
    const state = (object as { status?: { state?: string } }).status?.state; // by its kind
    return state !== undefined && state !== "Running" ? [] : [`L3 execution ${object.metadata.name} is ${state}`];
  }
  if (object.kind !== "WorkflowRun") return [];
  const verdict = findCondition(object as WorkflowRun, "Succeeded"); // by its kind
  if (verdict && verdict.status !== "Unknown") return [];
  return [`L3 run ${object.metadata.name} has not ended: ${verdict?.reason} (${verdict?.message})`];
}

function unowned(record: MachineRecord, instances: readonly Instance[]): readonly string[] {
  const uid = record.config.metadata?.[OWNER.uid];
  if (!isLive(record) || uid === undefined || isForeign(record) || instances.some((each) => each.metadata.uid === uid))
    return [];
  return [`S2 machine ${record.id} (${record.phase}) belongs to ${uid}, which does not exist`];
}

function isCancelled({ metadata, spec }: WorkflowRun): boolean {
  return spec.cancel || metadata.deletionTimestamp !== undefined;
}

const isLive = ({ phase }: MachineRecord) => phase !== "destroyed" && phase !== "destroying";
