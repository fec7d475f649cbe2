// Which machines instances may be made from, pure: those of nobody else, each for one instance, and no instance that is
// there already. What is not clear is left alone and said, for a wrong guess would cost a machine.
import type { Instance } from "../../crds/instance.ts";
import { type Machine, OWNER } from "../machines/wire.ts";
import { metadataOf } from "./machine-memory.ts";

export interface Verdict {
  readonly outcome: "adopted" | "exists" | "skipped";
  readonly message: string;
}

export interface Judged {
  readonly machine: Machine;
  /** Undefined where nothing speaks against it. */
  readonly verdict: Verdict | undefined;
}

export interface Wanted {
  readonly machines?: readonly string[] | undefined;
  readonly namespace?: string | undefined;
  /** Our own id, and those of former controllers that are claimed. */
  readonly controllers: readonly string[];
}

export function judge(listed: readonly Machine[], instances: readonly Instance[], wanted: Wanted): readonly Judged[] {
  const meant = listed.filter((machine) => isMeant(machine, wanted)).sort(byName);
  const free = meant.filter((machine) => !objection(machine, instances, wanted));
  return meant.map((machine) => ({
    machine,
    verdict: objection(machine, instances, wanted) ?? rivalry(machine, free),
  }));
}

function isMeant(machine: Machine, { machines, namespace }: Wanted): boolean {
  if (ownerField(machine, "uid") === "" || machine.state === "destroyed") return false;
  if (namespace !== undefined && ownerField(machine, "namespace") !== namespace) return false;
  return machines === undefined || machines.includes(machine.id);
}

function objection(machine: Machine, instances: readonly Instance[], { controllers }: Wanted): Verdict | undefined {
  const [uid, namespace, name] = identity(machine);
  const known = instances.find(({ metadata }) => metadata.uid === uid);
  if (known) return { outcome: "exists", message: existing(known, machine) };
  const controller = ownerField(machine, "controller");
  if (!controllers.includes(controller)) {
    const remedy = `when no server with that id runs any more, claim it: --controller ${controller}`;
    return skipped(`belongs to controller ${controller}; ${remedy}`);
  }
  if (machine.state === "destroying") return skipped("is being destroyed");
  const other = instances.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
  if (other) return skipped(`instance ${namespace}/${name} exists and is another one, with uid ${other.metadata.uid}`);
  return undefined;
}

/** Two machines for one instance, or two instances of one name. */
function rivalry(machine: Machine, free: readonly Machine[]): Verdict | undefined {
  const [uid, namespace, name] = identity(machine);
  const others = free.filter(({ id }) => id !== machine.id);
  const twins = others.filter((each) => ownerField(each, "uid") === uid);
  const remedy = "name the one that is meant: flywheel adopt MACHINE";
  if (twins.length > 0)
    return skipped(`carries the same uid as ${ids(twins)}; destroy what is not needed, or ${remedy}`);
  const namesakes = others.filter((each) => identity(each).slice(1).join("/") === `${namespace}/${name}`);
  return namesakes.length > 0 ? skipped(`has the same name as ${ids(namesakes)}; ${remedy}`) : undefined;
}

function existing({ status, metadata }: Instance, { id }: Machine): string {
  if (metadata.deletionTimestamp !== undefined) return "its instance is being deleted";
  const own = status?.machine?.id;
  return own === undefined || own === id ? "" : `its instance has machine ${own}`;
}

function identity(machine: Machine): readonly [uid: string, namespace: string, name: string] {
  return [ownerField(machine, "uid"), ownerField(machine, "namespace"), ownerField(machine, "name")];
}

function ownerField(machine: Machine, field: keyof typeof OWNER): string {
  return metadataOf(machine)[OWNER[field]] ?? "";
}

function byName(a: Machine, b: Machine): number {
  const key = (machine: Machine) => `${identity(machine).slice(1).join("/")}/${machine.id}`;
  return key(a) < key(b) ? -1 : 1;
}

function ids(machines: readonly Machine[]): string {
  return machines.map(({ id }) => `machine ${id}`).join(" and ");
}

function skipped(message: string): Verdict {
  return { outcome: "skipped", message };
}
