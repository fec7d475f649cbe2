// Instances made anew from their machines, when the database that knew them is gone. Nothing is done to a machine here:
// the instance is written whole, with its uid and its machine, and the reconciler does the rest, the taking over of the
// owner metadata included. So a crash in between leaves nothing half done, and doing it again does nothing.
import { type Instance, type InstanceStatus, instanceKind } from "../../crds/instance.ts";
import { namespaceKind } from "../../crds/namespace.ts";
import { API_VERSION, apiVersionOf } from "../../crds/resource.ts";
import { type Admission, InvalidError } from "../admission/admission.ts";
import { type Clock, timestamp } from "../kernel/clock.ts";
import { TransientError } from "../kernel/errors.ts";
import { ADOPTIONS_AT_ONCE, START_ATTEMPTS, START_RETRY_MS } from "../limits.ts";
import { type Machines, MachinesError } from "../machines/machines.ts";
import { type Machine, OWNER } from "../machines/wire.ts";
import type { Events } from "../runtime/events.ts";
import { AlreadyExistsError } from "../store/errors.ts";
import type { Store } from "../store/store.ts";
import { judge, type Verdict } from "./adoption-verdict.ts";
import { MACHINE_FINALIZER } from "./instance.ts";
import { type MachineKeys, machineConfig } from "./instance-config.ts";
import { adopted } from "./instance-create.ts";
import { hasStrangeKeys } from "./instance-drift.ts";
import { instanceOf, type Remembered } from "./instance-record.ts";
import { metadataOf } from "./machine-memory.ts";

export interface AdoptionRequest {
  /** All of the app when absent. */
  readonly machines?: readonly string[] | undefined;
  readonly namespace?: string | undefined;
  /** Ids of former controllers that run no more; machines of any other are left to it. */
  readonly controllers: readonly string[];
  readonly dryRun: boolean;
}

export interface Adoption {
  readonly machine: string;
  readonly state: string;
  readonly region: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: string;
  readonly outcome: Verdict["outcome"];
  readonly message: string;
}

/** One line for each machine that carries an instance's uid, sorted by namespace and name. */
export type Adopt = (request: AdoptionRequest, signal: AbortSignal) => Promise<readonly Adoption[]>;

export interface AdoptionParts {
  readonly store: Store;
  readonly admission: Admission;
  readonly machines: Machines;
  readonly events: Events;
  readonly clock: Clock;
  readonly app: string;
  keysOf(uid: string): MachineKeys;
}

export function createAdoption(parts: AdoptionParts): Adopt {
  const { store, admission, machines, events, clock, app } = parts;

  async function adopt(listed: Machine, dryRun: boolean, signal: AbortSignal): Promise<Verdict> {
    try {
      const machine = await patiently(() => machines.get(app, listed.id, signal), signal);
      const remembered = instanceOf(machine);
      if (!remembered) return skipped("its host does not answer, so its configuration is not known; try again later");
      const created = await create(machine, remembered, dryRun);
      if (!dryRun) await events.record(created, "Normal", "MachineAdopted", `made anew from machine ${machine.id}`);
      return { outcome: "adopted", message: said(remembered, created) };
    } catch (error) {
      if (error instanceof InvalidError || error instanceof AlreadyExistsError || error instanceof MachinesError)
        return skipped(error.message);
      throw error;
    }
  }

  async function create(machine: Machine, { spec, labels }: Remembered, dryRun: boolean): Promise<Instance> {
    const metadata = metadataOf(machine);
    const [namespace = "", name = "", uid = ""] = [
      metadata[OWNER.namespace],
      metadata[OWNER.name],
      metadata[OWNER.uid],
    ];
    if (!dryRun) await ensureNamespace(namespace);
    const object = {
      apiVersion: API_VERSION,
      kind: instanceKind.kind,
      metadata: { namespace, name, finalizers: [MACHINE_FINALIZER], ...(isLabels(labels) && { labels }) },
      spec,
    };
    const known = {
      namespace,
      name,
      uid,
      generation: 1,
      resourceVersion: "",
      creationTimestamp: timestamp(clock.now()),
    };
    // The spec is admitted below; here it is looked at as far as a status needs it.
    const instance = { ...object, metadata: { ...object.metadata, ...known } } as unknown as Instance;
    return admission.create(instanceKind, object, {
      dryRun,
      fieldValidation: "Ignore", // Fly adds fields to what it was given
      former: { uid, status: statusOf(instance, machine) },
    });
  }

  /** What the reconciler would have written when it made the machine. */
  function statusOf(instance: Instance, machine: Machine): InstanceStatus {
    const nowMs = clock.now();
    const status = adopted(instance, undefined, machine, nowMs);
    const desired = machineConfig(instance, store.controllerId, parts.keysOf(instance.metadata.uid));
    const strangeKeys = machine.config ? hasStrangeKeys(desired, machine.config) : false;
    return {
      ...status,
      ...(status.machine && { machine: { ...status.machine, ...(strangeKeys && { strangeKeys }) } }),
      ...(atRestByItself(instance, machine) && { idle: restedAt(nowMs) }),
    };
  }

  async function ensureNamespace(name: string): Promise<void> {
    if (await store.get(namespaceKind, { name })) return;
    const { kind } = namespaceKind;
    try {
      await admission.create(namespaceKind, { apiVersion: apiVersionOf(namespaceKind), kind, metadata: { name } });
    } catch (error) {
      if (!(error instanceof AlreadyExistsError)) throw error;
    }
  }

  async function everyMachine(signal: AbortSignal): Promise<readonly Machine[]> {
    try {
      return await patiently(() => machines.list(app, {}, signal), signal);
    } catch (error) {
      if (!(error instanceof MachinesError)) throw error;
      throw new TransientError(error.message, { retryAfterMs: error.retryAfterMs, cause: error });
    }
  }

  /** A server that has just started may find Fly's budget used up by its former life. */
  async function patiently<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        const throttled = error instanceof MachinesError && error.class === "throttled";
        if (!throttled || attempt === START_ATTEMPTS) throw error;
        await clock.sleep(error.retryAfterMs ?? START_RETRY_MS, signal);
      }
    }
  }

  return async (request, signal) => {
    const listed = await everyMachine(signal);
    const instances = await everyInstance(store);
    const judged = judge(listed, instances, { ...request, controllers: [store.controllerId, ...request.controllers] });
    const adoptions: Adoption[] = [];
    for (let first = 0; first < judged.length; first += ADOPTIONS_AT_ONCE) {
      const group = judged.slice(first, first + ADOPTIONS_AT_ONCE);
      const verdicts = group.map(({ machine, verdict }) => verdict ?? adopt(machine, request.dryRun, signal));
      for (const [index, verdict] of (await Promise.all(verdicts)).entries()) {
        const machine = group[index]?.machine;
        if (machine) adoptions.push({ ...described(machine), ...verdict });
      }
    }
    return adoptions;
  };
}

/** The spec wants it running and it is not: it was put to rest for want of use, and stays so until somebody needs it. */
function atRestByItself({ spec }: Instance, { state }: Machine): boolean {
  return spec.idle !== undefined && spec.operatingMode === "Running" && (state === "stopped" || state === "suspended");
}

function restedAt(nowMs: number): NonNullable<InstanceStatus["idle"]> {
  const at = timestamp(nowMs);
  return { lastActivity: at, source: "found at rest", actedAt: at };
}

function said({ owner, whole }: Remembered, { status }: Instance): string {
  return [
    ...(whole ? [] : ["the machine carries no record of its spec: idle, ttl and the like are as by default"]),
    ...(owner === undefined ? [] : [`it was made for ${owner}, which is gone; it is nobody's now`]),
    ...(status?.machine?.strangeKeys ? ["its SSH keys are of a lost secret: reached by exec"] : []),
  ].join("; ");
}

function skipped(message: string): Verdict {
  return { outcome: "skipped", message };
}

function described(machine: Machine): Omit<Adoption, "outcome" | "message"> {
  const { id, state, region } = machine;
  const metadata = metadataOf(machine);
  const of = (key: keyof typeof OWNER) => metadata[OWNER[key]] ?? "";
  const owner = { namespace: of("namespace"), name: of("name"), uid: of("uid"), controller: of("controller") };
  return { machine: id, state, region, ...owner };
}

function isLabels(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

async function everyInstance(store: Store): Promise<readonly Instance[]> {
  const all: Instance[] = [];
  let next: string | undefined;
  do {
    const page = await store.list(instanceKind, { continue: next });
    all.push(...page.items);
    next = page.continue;
  } while (next !== undefined);
  return all;
}
