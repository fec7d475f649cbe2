// All that the cloud knows of one machine, and what it shows of it.
import { createHash } from "node:crypto";
import { preciseTimestamp } from "../kernel/clock.ts";
import { isSettled, PHASES, type Phase } from "../machines/model.ts";
import type { MachineConfig } from "../machines/wire.ts";
import { imageRef } from "./images.ts";

export interface EventRecord {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly source: string;
  /** ms since the epoch */
  readonly timestamp: number;
  readonly request: Readonly<Record<string, unknown>> | null;
}

export interface Lease {
  readonly nonce: string;
  readonly owner: string;
  readonly description: string;
  /** ms since the epoch */
  readonly expiresAt: number;
}

export interface MachineRecord {
  readonly id: string;
  readonly app: string;
  readonly name: string;
  readonly region: string;
  readonly createdAt: number;
  phase: Phase;
  /** When the phase was entered, ms since the epoch. */
  since: number;
  updatedAt: number;
  version: string;
  privateIp: string;
  config: MachineConfig;
  /** Newest first. */
  versions: readonly { readonly version: string; readonly config: MachineConfig }[];
  /** Newest first. */
  events: readonly EventRecord[];
  /** Phases shown before, newest first, for lists that are behind. */
  past: readonly { readonly phase: Phase; readonly at: number }[];
  /** When the restart policy booted it, within its window. */
  restarts: readonly number[];
  /** The next boot begins with an empty root file system. */
  freshRoot: boolean;
  /** How the guest is to be stopped while the phase is one that stops it. */
  stop: { readonly signal: string; readonly timeoutMs: number };
  lease: Lease | undefined;
  cordoned: boolean;
  /** Milliseconds that count on a bill, up to `since`. */
  billedMs: { started: number; stopped: number; suspended: number };
}

const EVENTS_KEPT = 50;
const EVENTS_SHOWN = 20;
const VERSIONS_KEPT = 50;
const PAST_KEPT = 8;

export const isFinal = (record: MachineRecord) => record.phase === "destroyed";

export function addEvent(record: MachineRecord, event: EventRecord): void {
  record.events = [event, ...record.events].slice(0, EVENTS_KEPT);
}

export function addVersion(record: MachineRecord, version: string, config: MachineConfig): void {
  record.version = version;
  record.config = config;
  record.versions = [{ version, config }, ...record.versions].slice(0, VERSIONS_KEPT);
}

export function changePhase(record: MachineRecord, phase: Phase, nowMs: number): void {
  const billed = billedState(record.phase);
  if (billed) record.billedMs[billed] += nowMs - record.since;
  record.past = [{ phase: record.phase, at: record.since }, ...record.past].slice(0, PAST_KEPT);
  record.phase = phase;
  record.since = nowMs;
  record.updatedAt = nowMs;
}

/** Started machines are billed for CPU and memory, stopped and suspended ones for their disk. */
export function billedState(phase: Phase): keyof MachineRecord["billedMs"] | undefined {
  const { shown } = PHASES[phase];
  if (shown === "started" || shown === "stopped" || shown === "suspended") return shown;
  return undefined;
}

/** The phase that a list sees which is `lagMs` behind. */
export function phaseSeen(record: MachineRecord, nowMs: number, lagMs: number): Phase {
  if (record.since <= nowMs - lagMs) return record.phase;
  return record.past.find(({ at }) => at <= nowMs - lagMs)?.phase ?? record.past.at(-1)?.phase ?? record.phase;
}

export interface ViewOptions {
  readonly unreachable: boolean;
  readonly summary?: boolean;
  readonly lease?: boolean;
  readonly phase?: Phase;
  readonly nowMs: number;
}

/** A machine as the API answers it. Without its host nothing is sure but an incomplete configuration. */
export function machineView(record: MachineRecord, options: ViewOptions): Record<string, unknown> {
  const phase = options.phase ?? record.phase;
  const view: Record<string, unknown> = {
    id: record.id,
    name: record.name,
    state: PHASES[phase].shown,
    region: record.region,
    image_ref: imageRef(record.config.image ?? "", digestOf),
    instance_id: record.version,
    version: record.version,
    private_ip: record.privateIp,
    created_at: preciseTimestamp(record.createdAt),
    updated_at: preciseTimestamp(record.updatedAt),
  };
  if (record.cordoned) view.cordoned = true;
  if (options.lease && record.lease && record.lease.expiresAt > options.nowMs) {
    const { owner, description, expiresAt } = record.lease;
    view.lease = { owner, description, expires_at: Math.floor(expiresAt / 1000) };
  }
  if (options.summary) return view;
  if (options.unreachable) view.incomplete_config = { image: record.config.image, metadata: record.config.metadata };
  else view.config = record.config;
  return {
    ...view,
    events: record.events.slice(0, EVENTS_SHOWN),
    checks: [],
    host_status: options.unreachable ? "unreachable" : "ok",
  };
}

const digestOf = (text: string) => createHash("sha256").update(text).digest("hex");

/** A machine as the lists of a whole organisation show it. */
export function overview(record: MachineRecord): Record<string, unknown> {
  const { image, guest, metadata } = record.config;
  return {
    id: record.id,
    app_name: record.app,
    name: record.name,
    state: PHASES[record.phase].shown,
    region: record.region,
    version: record.version,
    instance_id: record.version,
    private_ip: record.privateIp,
    created_at: preciseTimestamp(record.createdAt),
    updated_at: preciseTimestamp(record.updatedAt),
    config: { image, guest, metadata },
  };
}

/** Whether the machine is in one of the states that a `wait` names. */
export function isInState(record: MachineRecord, wanted: readonly string[]): boolean {
  const { shown } = PHASES[record.phase];
  return wanted.includes(shown) || (wanted.includes("settled") && isSettled(record.phase));
}
