// Making a machine so that a crash, a lost reply or a second try never makes two: the name is computed, the intent is
// committed before the call, and only few calls are under way at once.
import type { Instance, InstanceStatus } from "../../crds/instance.ts";
import { instanceKind } from "../../crds/instance.ts";
import { type Backoff, backoffMs, leftOfPauseMs } from "../kernel/backoff.ts";
import { timestamp } from "../kernel/clock.ts";
import { holding, semaphore } from "../kernel/semaphore.ts";
import { CREATES_IN_FLIGHT, CREATES_IN_LINE, SHORT_LIFE_MS } from "../limits.ts";
import { MachinesError } from "../machines/machines.ts";
import type { Machine } from "../machines/wire.ts";
import type { External, Outcome } from "../runtime/managed.ts";
import { candidateRegions, machineConfig, machineName } from "./instance-config.ts";
import type { SeenMachine } from "./instance-observe.ts";
import { absentStatus, adoptedStatus } from "./instance-status.ts";
import { type InstanceWorld, keyOf } from "./instance-world.ts";
import { ownerOf } from "./machine-memory.ts";
import { refusal } from "./refused-field.ts";

type Provisioning = NonNullable<InstanceStatus["provisioning"]>;
type Create = External<Instance, SeenMachine>["create"];

const CREATE_BACKOFF_MAX_MS = 5 * 60_000;
const NO_ROOM: Backoff = { baseMs: 15_000, maxMs: CREATE_BACKOFF_MAX_MS };
const REFUSED: Backoff = { baseMs: 30_000, maxMs: CREATE_BACKOFF_MAX_MS };
const SHORT_LIVED: Backoff = { baseMs: 5_000, maxMs: CREATE_BACKOFF_MAX_MS };
/** The instance changed while it waited for its turn: the watch wakes it, this is for a missed event. */
const SUPERSEDED_MS = 1000;
const BREAKER_RETRY_MS = 5000;
const TURN_RETRY_MS = 5000;

export function createMachine(world: InstanceWorld): Create {
  const { machines, fleet, events, clock, store, app, log } = world;
  const turns = semaphore(CREATES_IN_FLIGHT);

  return async (instance, commit, signal) => {
    const now = clock.now();
    if (fleet.breaker.open) return waiting(instance, "BreakerOpen", breakerMessage(world), BREAKER_RETRY_MS);
    const next = nextProvisioning(instance, now);
    const delay = next.retryAt === undefined ? 0 : leftOfPauseMs(Date.parse(next.retryAt), now, CREATE_BACKOFF_MAX_MS);
    if (delay > 0) {
      const { reason, message } = whyDelayed(instance);
      return waiting(instance, reason, message, delay, { provisioning: next, machine: undefined });
    }
    if (turns.line >= CREATES_IN_LINE)
      return waiting(instance, "Queued", "waits for its turn: many machines are being made", TURN_RETRY_MS);
    return holding(turns, signal, () => attempt(instance, next, commit, signal));
  };

  async function attempt(
    instance: Instance,
    next: Provisioning,
    commit: Parameters<Create>[1],
    signal: AbortSignal,
  ): Promise<Outcome<InstanceStatus>> {
    const current = await store.get(instanceKind, keyOf(instance));
    if (current?.metadata.resourceVersion !== instance.metadata.resourceVersion)
      return { status: instance.status ?? {}, requeueAfterMs: SUPERSEDED_MS };
    const { retryAt: _done, createdAt: _former, ...rest } = next;
    let [intended, intent]: [Instance, Provisioning] = [instance, rest];
    /** Not before the budget lets the call go: a crash leaves in doubt only calls that may have been sent. */
    const beforeSend = async () => {
      if (fleet.breaker.open) throw new BreakerOpened();
      intent = { ...rest, requestedAt: timestamp(clock.now()) };
      intended = await commit(creating(instance, intent, clock.now()));
    };
    try {
      const machine = await machines.create(app, { ...requestFor(instance, rest), beforeSend }, signal);
      return await made(intended, intent, machine);
    } catch (error) {
      if (error instanceof BreakerOpened)
        return waiting(instance, "BreakerOpen", breakerMessage(world), BREAKER_RETRY_MS);
      if (!(error instanceof MachinesError)) throw error;
      return failed(intended, intent, error, signal);
    }
  }

  function requestFor(
    instance: Instance,
    { machineName: name, region }: Provisioning,
  ): Parameters<typeof machines.create>[1] {
    const { uid } = instance.metadata;
    const config = machineConfig(instance, store.controllerId, world.keysOf(uid));
    return { name, region, config, skipLaunch: instance.spec.operatingMode !== "Running" };
  }

  async function made(instance: Instance, intent: Provisioning, machine: Machine): Promise<Outcome<InstanceStatus>> {
    fleet.note(machine);
    fleet.expect(keyOf(instance), instance.metadata.uid, machine.id);
    fleet.follow(machine.id, instance.spec.operatingMode === "Running" ? "started" : "settled");
    await events.record(instance, "Normal", "MachineCreated", `made machine ${machine.id} in ${machine.region}`);
    return { status: adopted(instance, intent, machine, clock.now()) };
  }

  /** What each kind of failure means; only the ambiguous ones leave `requestedAt` standing. */
  async function failed(
    instance: Instance,
    intent: Provisioning,
    error: MachinesError,
    signal: AbortSignal,
  ): Promise<Outcome<InstanceStatus>> {
    log.info({ instance: instance.metadata.name, class: error.class, error: error.message }, "create failed");
    if (error.class === "exists" && error.machineId !== undefined)
      return adoptNamed(instance, intent, error.machineId, signal);
    if (error.ambiguous || error.class === "exists") {
      await events.record(instance, "Warning", "CreateUnresolved", error.said);
      return waiting(instance, "Resolving", `${error.said}; looking for the machine before trying again`, 0, {
        provisioning: intent,
      });
    }
    const { requestedAt: _refused, ...settled } = intent;
    if (error.class === "capacity") return noRoom(instance, settled, error);
    if (error.class === "throttled" || error.class === "down" || error.class === "conflict") {
      return waiting(instance, "Retrying", error.said, error.retryAfterMs ?? 2000, { provisioning: settled });
    }
    await events.record(instance, "Warning", "CreateRefused", error.said);
    return later(instance, settled, "Refused", refusal(error.said), REFUSED);
  }

  /** The name is taken: by the machine that a former call made, if it carries our uid. */
  async function adoptNamed(
    instance: Instance,
    intent: Provisioning,
    id: string,
    signal: AbortSignal,
  ): Promise<Outcome<InstanceStatus>> {
    const sighting = await fleet.refresh(id, signal);
    if (sighting.presence !== "seen")
      return waiting(instance, "Resolving", `machine ${id} has the name ${intent.machineName} and is not found`, 2000, {
        provisioning: intent,
      });
    if (ownerOf(sighting.machine) !== instance.metadata.uid) {
      const { requestedAt: _free, ...settled } = intent;
      return later(
        instance,
        settled,
        "NameTaken",
        `machine ${id} has the name ${intent.machineName} and belongs to somebody else; delete it`,
        REFUSED,
      );
    }
    await events.record(instance, "Normal", "MachineAdopted", `found machine ${id}, made by an earlier call`);
    return { status: adopted(instance, intent, sighting.machine, clock.now()), requeueAfterMs: 0 };
  }

  /** The next region at once; after the last one, all again later. */
  async function noRoom(
    instance: Instance,
    settled: Provisioning,
    error: MachinesError,
  ): Promise<Outcome<InstanceStatus>> {
    const regions = candidateRegions(instance);
    const following = regions[regions.indexOf(settled.region) + 1];
    if (following !== undefined) {
      await events.record(
        instance,
        "Warning",
        "NoCapacity",
        `no room in ${settled.region}, trying ${following}: ${error.said}`,
      );
      return waiting(instance, "NoCapacity", `no room in ${settled.region}, trying ${following}`, 0, {
        provisioning: { ...settled, region: following },
      });
    }
    await events.record(instance, "Warning", "NoCapacity", `no room in ${regions.join(", ")}: ${error.said}`);
    const again = { ...settled, region: regions[0] ?? settled.region };
    return later(instance, again, "NoCapacity", `no room in ${regions.join(", ")}; trying again by itself`, NO_ROOM);
  }

  function later(
    instance: Instance,
    settled: Provisioning,
    reason: string,
    message: string,
    backoff: Backoff,
  ): Outcome<InstanceStatus> {
    const failures = (settled.failures ?? 0) + 1;
    const delay = backoffMs(backoff, failures);
    const provisioning = { ...settled, failures, retryAt: timestamp(clock.now() + delay) };
    return waiting(instance, reason, message, delay, { provisioning });
  }

  function waiting(
    instance: Instance,
    reason: string,
    message: string,
    requeueAfterMs: number,
    changes: Partial<InstanceStatus> = {},
  ): Outcome<InstanceStatus> {
    return {
      status: absentStatus(instance, { status: "False", reason, message }, changes, clock.now()),
      requeueAfterMs,
    };
  }
}

/** While a create waited for its turn. */
class BreakerOpened extends Error {
  override readonly name = "BreakerOpened";
}

/** What the next create call is about. A machine that was there and is gone burns its incarnation. */
export function nextProvisioning(instance: Instance, nowMs: number): Provisioning {
  const { status, metadata } = instance;
  const before = status?.provisioning;
  const region = candidateRegions(instance)[0] ?? "";
  if (!before) return { incarnation: 1, machineName: machineName(metadata.uid, 1), region };
  if (!status?.machine) {
    const kept = status?.observedGeneration === metadata.generation ? before : afresh(before);
    return { ...kept, region: candidateRegions(instance).includes(before.region) ? before.region : region };
  }
  const incarnation = before.incarnation + 1;
  const lived = before.createdAt === undefined ? Number.POSITIVE_INFINITY : nowMs - Date.parse(before.createdAt);
  const name = { incarnation, machineName: machineName(metadata.uid, incarnation), region };
  if (lived >= SHORT_LIFE_MS || status.pending?.action === "Replace") return name;
  const failures = (before.failures ?? 0) + 1;
  return failures === 1
    ? { ...name, failures }
    : { ...name, failures, retryAt: timestamp(nowMs + backoffMs(SHORT_LIVED, failures - 1)) };
}

/** What failed was another spec. */
function afresh({ retryAt: _wait, failures: _count, ...provisioning }: Provisioning): Provisioning {
  return provisioning;
}

/**
 * Status once a machine is known to be ours. Its age is counted by our own clock, from when we came to know it: Fly's is
 * another one, and where the two are minutes apart every new machine would look like one that is stuck.
 */
export function adopted(
  instance: Instance,
  intent: Provisioning | undefined,
  machine: Machine,
  nowMs: number,
): InstanceStatus {
  const { retryAt: _done, ...rest } = provisioningOf(intent, machine);
  const startup = instance.status?.startup;
  const { pending: _over, ...status } = instance.status ?? {};
  return adoptedStatus(
    { ...instance, status },
    machine,
    {
      provisioning: { ...rest, region: machine.region, createdAt: timestamp(nowMs) },
      startup: { ...startup, ...(!startup?.created && { created: timestamp(nowMs) }) },
    },
    nowMs,
  );
}

/**
 * A machine of the name that was asked for answers the call. One of another name does not: the call stays in doubt, and
 * no incarnation is used twice, even where the machine is younger than the database.
 */
function provisioningOf(intent: Provisioning | undefined, { name, region }: Machine): Provisioning {
  const incarnation = Number(/-(\d+)$/.exec(name)?.[1] ?? 1);
  if (!intent) return { incarnation, machineName: name, region };
  if (intent.machineName !== name)
    return incarnation > intent.incarnation ? { ...intent, incarnation, machineName: name } : intent;
  const { requestedAt: _answered, ...known } = intent;
  return known;
}

/** The instance, its create call no longer in doubt if `machine` is what that made. */
export function answered(instance: Instance, machine: Machine): Instance {
  const { status } = instance;
  if (!status?.provisioning) return instance;
  return { ...instance, status: { ...status, provisioning: provisioningOf(status.provisioning, machine) } };
}

function creating(instance: Instance, intent: Provisioning, nowMs: number): InstanceStatus {
  const { machine: _former, ...status } = instance.status ?? {};
  const startup = status.startup?.requested ? status.startup : { ...status.startup, requested: timestamp(nowMs) };
  return absentStatus(
    { ...instance, status },
    { status: "False", reason: "Creating", message: `asking Fly for a machine in ${intent.region}` },
    { provisioning: intent, startup },
    nowMs,
  );
}

export function breakerMessage({ fleet }: InstanceWorld): string {
  return `${fleet.breaker.missing.length} machines vanished at once from Fly's answers; nothing is created or deleted until two looks agree`;
}

/** What the last failure said, while the next attempt waits. */
function whyDelayed({ status }: Instance): { readonly reason: string; readonly message: string } {
  const failure = status?.conditions?.find((each) => each.type === "Provisioned" && each.status === "False");
  return failure ?? { reason: "Retrying", message: "the last machine did not live; trying again" };
}
