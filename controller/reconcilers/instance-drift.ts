// Drift: where a machine differs from what its instance says, field by field. Only fields that we set are judged, after
// normalising: Fly rewrites configuration (a size becomes a guest, keys are added, empty lists vanish).
import { AUTHORIZED_KEYS_PATH, HOST_KEY_PATH } from "../../crds/machine-files.ts";
import { jsonEqual } from "../kernel/json.ts";
import type { Machine, MachineConfig } from "../machines/wire.ts";

export interface Drift {
  /** Differences that only an update, and so a restart, repairs. */
  readonly restart: readonly string[];
  /** Owner metadata that is wrong: repaired in place. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * The machine has another host key than the one we derive: it was made with a secret that is lost. Its key files are
   * no other drift then, for nobody has asked for the restart that would replace them.
   */
  readonly strangeKeys: boolean;
}

export const NO_DRIFT: Drift = { restart: [], metadata: {}, strangeKeys: false };

export function driftOf(desired: MachineConfig, machine: Machine): Drift {
  const actual = machine.config;
  if (!actual) return NO_DRIFT; // the host does not answer; what is missing proves nothing
  const strangeKeys = hasStrangeKeys(desired, actual);
  const judged = (config: MachineConfig) => (strangeKeys ? withoutKeys(config) : config);
  const restart = COMPARED.filter(({ same }) => !same(judged(desired), judged(actual))).map(({ field }) => field);
  const metadata = Object.fromEntries(
    Object.entries(desired.metadata ?? {}).filter(([key, value]) => actual.metadata?.[key] !== value),
  );
  return { restart, metadata, strangeKeys };
}

export function hasStrangeKeys(desired: MachineConfig, actual: MachineConfig): boolean {
  const keyIn = ({ files }: MachineConfig) => files?.find((file) => file.guest_path === HOST_KEY_PATH)?.raw_value;
  const found = keyIn(actual);
  return found !== undefined && found !== keyIn(desired);
}

function withoutKeys(config: MachineConfig): MachineConfig {
  const paths: readonly string[] = [HOST_KEY_PATH, AUTHORIZED_KEYS_PATH];
  return { ...config, files: (config.files ?? []).filter((file) => !paths.includes(file.guest_path)) };
}

const COMPARED: readonly { field: string; same(desired: MachineConfig, actual: MachineConfig): boolean }[] = [
  { field: "image", same: (desired, actual) => desired.image === actual.image },
  { field: "guest", same: (desired, actual) => coveredBy(desired.guest, actual.guest) },
  { field: "env", same: (desired, actual) => jsonEqual(desired.env ?? {}, actual.env ?? {}) },
  {
    field: "command",
    same: (desired, actual) =>
      coveredBy(withoutEmpty(desired.init), withoutEmpty(actual.init)) &&
      jsonEqual(desired.init?.cmd ?? [], actual.init?.cmd ?? []),
  },
  { field: "files", same: (desired, actual) => filesAgree(desired, actual) },
  { field: "services", same: (desired, actual) => servicesAgree(desired, actual) },
  { field: "restart", same: (desired, actual) => coveredBy(desired.restart, actual.restart) },
  {
    field: "rootfs",
    same: (desired, actual) => (desired.rootfs?.persist ?? "never") === (actual.rootfs?.persist ?? "never"),
  },
  {
    field: "auto_destroy",
    same: (desired, actual) => (desired.auto_destroy ?? false) === (actual.auto_destroy ?? false),
  },
];

/** Every member of `desired` is there with the same value; what Fly added is not ours to judge. */
function coveredBy(desired: unknown, actual: unknown): boolean {
  if (typeof desired !== "object" || desired === null || Array.isArray(desired)) return jsonEqual(desired, actual);
  if (typeof actual !== "object" || actual === null) return Object.keys(desired).length === 0;
  const found = new Map(Object.entries(actual));
  return Object.entries(desired).every(([key, value]) => value === undefined || coveredBy(value, found.get(key)));
}

function filesAgree(desired: MachineConfig, actual: MachineConfig): boolean {
  const written = new Map((actual.files ?? []).map((file) => [file.guest_path, file]));
  const wanted = desired.files ?? [];
  if (written.size !== wanted.length) return false;
  return wanted.every((file) => {
    const found = written.get(file.guest_path);
    return (
      found !== undefined && found.raw_value === file.raw_value && (file.mode === undefined || found.mode === file.mode)
    );
  });
}

/** Fly answers autostop as a boolean where it was given as a word. */
function servicesAgree(desired: MachineConfig, actual: MachineConfig): boolean {
  const wanted = desired.services ?? [];
  const found = actual.services ?? [];
  return (
    wanted.length === found.length &&
    wanted.every((service, index) =>
      coveredBy(service, { ...found[index], autostop: autostopWord(found[index]?.autostop) }),
    )
  );
}

export function autostopWord(value: unknown): unknown {
  if (value === true) return "stop";
  return value === false || value === undefined ? undefined : value;
}

function withoutEmpty(value: object | undefined): object {
  return Object.fromEntries(
    Object.entries(value ?? {}).filter(
      ([, member]) => member !== null && !(Array.isArray(member) && member.length === 0),
    ),
  );
}
