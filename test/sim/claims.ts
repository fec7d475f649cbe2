// What the controller says of the world, held against the world: a claim about a generation, and the name it gives to a
// failure. The names are those of README.md.
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import type { Event } from "../../crds/event.ts";
import type { Instance } from "../../crds/instance.ts";
import { type AnyResource, findCondition } from "../../crds/resource.ts";
import { usersOf } from "./in-use.ts";

export interface Claims {
  committed(object: AnyResource): void;
  machineChanged(record: MachineRecord): void;
  /** Our wall clock is another one now: times of before and after cannot be compared. */
  jumped(): void;
  /** A connection to a machine has come about. */
  reached(machineId: string): void;
}

/** How old a read may be that status is written from: a list that is shown again, how far it is behind, and a slow reply. */
const STALE_READ_MS = 60_000;

/** By how much two times in status may be apart that were the same: one of them is in whole seconds. */
const TIMES_MS = 2_000;

/** What Fly says of the one thing that users here ask for and cannot have: an image that is not there. */
const WRONG = /manifest|answered 404|region "\w+" not found/i;

export interface ClaimOptions {
  nowMs(): number;
  violated(what: string): void;
  readonly objects: ReadonlyMap<string, AnyResource>;
}

export function createClaims({ nowMs, violated, objects }: ClaimOptions): Claims {
  let jumpedMs = Number.NEGATIVE_INFINITY;
  const reached = new Set<string>();
  const given = new Map<string, { readonly env: string; readonly sinceMs: number }>();

  function instanceSays(instance: Instance): void {
    const { name, generation } = instance.metadata;
    const id = instance.status?.machine?.id ?? "";
    if (findCondition(instance, "Ready")?.status === "True" && !reached.has(id))
      violated(`ready: instance ${name} is called Ready, and nobody has ever reached machine ${id}`);
    const machine = given.get(id);
    if (!machine || machine.env === envOf(instance.spec.env) || nowMs() - machine.sinceMs <= STALE_READ_MS) return;
    const claimed = ["Ready", "Synced"].every((type) => {
      const condition = findCondition(instance, type);
      return condition?.status === "True" && condition.observedGeneration === generation;
    });
    if (claimed) violated(`S9 instance ${name} says that its machine is as generation ${generation} has it`);
  }

  function idleSays(instance: Instance): void {
    const before = objects.get(instance.metadata.uid) as Instance | undefined; // the same object
    const actedAt = instance.status?.idle?.actedAt;
    if (actedAt === undefined || actedAt === before?.status?.idle?.actedAt) return;
    if (nowMs() - jumpedMs <= STALE_READ_MS) return;
    const users = usersOf(objects.values(), instance, Date.parse(actedAt) - TIMES_MS);
    if (users.length > 0)
      violated(`L4 instance ${instance.metadata.name} is called idle, and ${users.join(", ")} uses it`);
  }

  return {
    jumped() {
      jumpedMs = nowMs();
    },
    reached: (machineId) => void reached.add(machineId),
    committed(object) {
      if (object.kind === "Instance") {
        instanceSays(object as Instance); // by its kind
        idleSays(object as Instance);
      }
      if (object.kind !== "Event") return;
      const { reason, message = "" } = object as Event; // by its kind
      if (reason === "CreateRefused" && !WRONG.test(message))
        violated(`E1 what may pass is called a refusal: ${message}`);
    },
    machineChanged({ id, config }) {
      const env = envOf(config.env);
      if (given.get(id)?.env !== env) given.set(id, { env, sinceMs: nowMs() });
    },
  };
}

const envOf = (env: Readonly<Record<string, unknown>> | undefined) => JSON.stringify(Object.entries(env ?? {}).sort());
