// What of an instance its machine remembers, so that it can be made anew when the database is gone: most is in the
// configuration itself, the rest is written beside it as metadata. The two directions stand here together; whatever a
// spec learns to say, `recordOf` writes what `instanceOf` would not find.
import { type Instance, instanceSpec } from "../../crds/instance.ts";
import { isOurs } from "../../crds/machine-files.ts";
import { guestOf, MACHINE_SIZES } from "../../crds/machine-size.ts";
import { isJsonObject, type JsonObject, jsonEqual, stableStringify } from "../kernel/json.ts";
import { RECORD_MAX_BYTES } from "../limits.ts";
import { type Machine, type MachineConfig, OWNER } from "../machines/wire.ts";
import { autostopWord } from "./instance-drift.ts";

const PERSIST = { always: "Always", restart: "Restart", never: "Never" } as const;

/** For the machine's metadata. Empty when it would be too large; labels are left out first. */
export function recordOf(instance: Instance, config: MachineConfig): string {
  const { labels, ownerReferences = [] } = instance.metadata;
  const spec = differences(told(config), instance.spec);
  const owner = ownerReferences.find((each) => each.controller);
  const record = { spec, ...(owner && { owner: `${owner.kind.toLowerCase()}/${owner.name}` }) };
  const texts = [stableStringify({ ...record, labels }), stableStringify(record)];
  return texts.find((text) => Buffer.byteLength(text) <= RECORD_MAX_BYTES) ?? "";
}

export interface Remembered {
  readonly spec: JsonObject;
  readonly labels?: unknown;
  /** What had made the instance, such as `workflowrun/build-x7k2p`. */
  readonly owner?: string | undefined;
  /** False when the machine carries no record: then what its configuration does not tell is as it is by default. */
  readonly whole: boolean;
}

/** The spec of the instance that this machine was made for. Undefined while its configuration cannot be read. */
export function instanceOf({ config, region }: Machine): Remembered | undefined {
  if (!config) return undefined;
  const record = parse(config.metadata?.[OWNER.record]);
  if (!record) return { spec: { ...told(config), region }, whole: false };
  const merged: JsonObject = { ...told(config), region, ...record.spec };
  // JSON has no undefined: null says that the spec did not have what the configuration tells.
  const spec = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
  const owner = typeof record.owner === "string" ? record.owner : undefined;
  return { spec, labels: record.labels, owner, whole: true };
}

/** What a configuration tells of a spec; the rest of it as by default. */
function told(config: MachineConfig): JsonObject {
  const { image, env = {}, services, files, restart, init } = config;
  const own = (files ?? []).filter(({ guest_path }) => !isOurs(guest_path));
  const usual = restart === undefined || restart.policy === "always"; // Fly adds retries, which mean nothing then
  const found = {
    ...DEFAULTS,
    ...(image && { image }),
    ...sizeOf(config.guest),
    ...(Object.keys(env).length > 0 && { env }),
    ...(init?.cmd && init.cmd.length > 0 && { command: init.cmd }),
    ...(own.length > 0 && { files: own }),
    ...(services && services.length > 0 && { services: services.map(asSent) }),
    ...(!usual && { restart }),
    rootfs: { persist: PERSIST[(config.rootfs?.persist ?? "never") as keyof typeof PERSIST] ?? "Never" },
  };
  // It was read from JSON; what does not fit the schema, admission refuses with a reason.
  return found as unknown as JsonObject;
}

const DEFAULTS = instanceSpec.parse({});

/** Fly answers autostop as a boolean where it was given as a word. */
function asSent(service: Readonly<Record<string, unknown>>): object {
  const { autostop, ...rest } = service;
  const word = autostopWord(autostop);
  return { ...rest, ...(word !== undefined && { autostop: word }) };
}

/** The preset of so many CPUs, and the memory where that is not its own. */
function sizeOf(guest: MachineConfig["guest"]): { readonly size?: string; readonly memoryMb?: number } {
  const preset = [...MACHINE_SIZES].find(([, each]) => each.cpu_kind === guest?.cpu_kind && each.cpus === guest?.cpus);
  if (!preset) return {};
  const [size] = preset;
  const memoryMb = guest?.memory_mb;
  return memoryMb === undefined || memoryMb === guestOf(size, undefined).memory_mb ? { size } : { size, memoryMb };
}

/** What has to be put over `base` to have `wanted`; null takes a member away. */
function differences(base: JsonObject, wanted: object): JsonObject {
  const members = Object.entries(wanted).filter(([, value]) => value !== undefined);
  const names = new Set(members.map(([name]) => name));
  const gone = Object.keys(base).filter((name) => !names.has(name));
  const changed = members.filter(([name, value]) => !jsonEqual(base[name], value));
  return Object.fromEntries([...changed, ...gone.map((name) => [name, null] as const)]);
}

function parse(text: string | undefined): { spec: JsonObject; labels?: unknown; owner?: unknown } | undefined {
  if (!text) return undefined;
  try {
    const record: unknown = JSON.parse(text);
    return isJsonObject(record) && isJsonObject(record.spec) ? { ...record, spec: record.spec } : undefined;
  } catch {
    return undefined; // somebody else wrote it: as good as none
  }
}
