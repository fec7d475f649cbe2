// What Fly checks and rewrites in a machine's configuration before it stores it: a named size becomes a guest, missing
// parts get defaults, durations come back as Go text.
import { MACHINE_SIZES, MEMORY_BAND, MEMORY_STEP_MB } from "../../crds/machine-size.ts";
import { isJsonObject } from "../kernel/json.ts";
import type { MachineConfig } from "../machines/wire.ts";
import { failed, refused } from "./api-error.ts";
import { formatGoDuration, parseGoDuration } from "./go-duration.ts";

const CPUS = { shared: [1, 2, 4, 6, 8], performance: [1, 2, 4, 6, 8, 10, 12, 14, 16] } as const;
const PERSIST = [undefined, "never", "restart", "always"];
const POLICIES = [undefined, "", "no", "always", "on-failure", "spot-price"];

/** Throws the refusal that the API would answer. */
export function normalizeConfig(config: MachineConfig): MachineConfig {
  if (!config.image) throw refused("invalid_argument", "config.image is required");
  if (!PERSIST.includes(config.rootfs?.persist)) {
    throw refused("invalid_argument", `invalid config.rootfs.persist, got '${config.rootfs?.persist}'`);
  }
  if (!POLICIES.includes(config.restart?.policy)) {
    throw refused("invalid_argument", `invalid config.restart.policy, got '${config.restart?.policy}'`);
  }
  for (const file of config.files ?? []) {
    if (!file.guest_path.startsWith("/")) {
      throw refused("invalid_argument", `config.files guest_path must be absolute, got '${file.guest_path}'`);
    }
  }
  const { size: _, ...rest } = withGoDurations(config);
  return {
    ...rest,
    guest: guestOf(config),
    init: rest.init ?? {},
    restart: { ...rest.restart, policy: rest.restart?.policy || "on-failure" },
  };
}

function guestOf(config: MachineConfig): NonNullable<MachineConfig["guest"]> {
  if (config.size && config.guest) throw refused("invalid_argument", "config.size and config.guest are exclusive");
  const size = config.size ?? "shared-cpu-1x";
  const preset = MACHINE_SIZES.get(size);
  if (!preset) throw refused("invalid_argument", `invalid machine size requested, '${size}'`);
  const guest = config.guest ?? preset;
  const kind = guest.cpu_kind ?? "shared";
  if (kind !== "shared" && kind !== "performance") {
    throw failed(400, `invalid config.guest.cpu_kind, must be shared or performance, got '${kind}'`);
  }
  const cpus = guest.cpus ?? 1;
  const allowed: readonly number[] = CPUS[kind];
  if (!allowed.includes(cpus)) {
    throw failed(400, `invalid config.guest.cpus, must be one of ${allowed.join(", ")}, got ${cpus}`);
  }
  const band = MEMORY_BAND[kind];
  const memory = guest.memory_mb ?? band.min * cpus;
  const problem = "invalid config.guest.memory_mb";
  if (memory < band.min * cpus) throw failed(400, `${problem}, minimum required ${band.min * cpus} MiB`);
  if (memory > band.max * cpus) throw failed(400, `${problem}, cannot exceed ${band.max * cpus} MiB`);
  if (memory % MEMORY_STEP_MB !== 0) throw failed(400, `${problem}, must be a multiple of ${MEMORY_STEP_MB} MiB`);
  return { ...guest, cpu_kind: kind, cpus, memory_mb: memory };
}

const DURATIONS = new Set(["timeout", "interval", "grace_period"]);

/** Fly answers durations as text whatever they were sent as; they stand in stop_config and in checks. */
function withGoDurations(config: MachineConfig): MachineConfig {
  const rewritten = { ...config };
  for (const key of ["stop_config", "checks", "services"]) {
    if (rewritten[key] !== undefined) rewritten[key] = rewrite(rewritten[key]);
  }
  return rewritten;
}

function rewrite(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewrite);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => {
      if (!DURATIONS.has(key) || each === null) return [key, rewrite(each)];
      const ms = parseGoDuration(each);
      if (ms === undefined) throw refused("invalid_argument", `${key} is not a duration: ${JSON.stringify(each)}`);
      return [key, formatGoDuration(ms)];
    }),
  );
}

/** Signal and patience of a stop: the call's own, else stop_config's, else Fly's default. */
export function stopOptions(
  config: MachineConfig,
  call: { readonly signal?: unknown; readonly timeout?: unknown },
  defaultTimeoutMs: number,
): { readonly signal: string; readonly timeoutMs: number } {
  const configured = isJsonObject(config.stop_config) ? config.stop_config : {};
  const signal = signalName(call.signal ?? configured.signal) ?? "SIGINT";
  const timeout = call.timeout ?? configured.timeout;
  const timeoutMs = timeout === undefined ? defaultTimeoutMs : parseGoDuration(timeout);
  if (timeoutMs === undefined) throw refused("invalid_argument", `timeout is not a duration: ${String(timeout)}`);
  return { signal, timeoutMs: Math.min(timeoutMs, MAX_KILL_TIMEOUT_MS) };
}

/** Fly's longest kill_timeout. */
const MAX_KILL_TIMEOUT_MS = 300_000;

export const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
};

/** `SIGTERM`, `TERM` and 15 alike; undefined when nothing was said. */
export function signalName(value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const byNumber = Object.keys(SIGNALS).find((name) => SIGNALS[name] === value);
  const name = byNumber ?? (String(value).startsWith("SIG") ? String(value) : `SIG${String(value)}`);
  if (!(name in SIGNALS)) throw refused("invalid_argument", `invalid signal '${String(value)}'`);
  return name;
}
