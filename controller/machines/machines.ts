// Fly's Machines API, as far as we call it. Facts: Fly's documentation of the Machines API and its OpenAPI description.
// Every method rejects with a MachinesError; see there for what each class of failure means.
import type { Machine, MachineConfig } from "./wire.ts";

export interface CreateMachine {
  readonly name: string;
  readonly region: string;
  readonly config: MachineConfig;
  /** Create it stopped. */
  readonly skipLaunch?: boolean;
  /** Awaited when the rate budget lets the call go, before it is sent: for what must be durable then and not sooner. Its errors come as they are, and nothing is sent. */
  readonly beforeSend?: () => Promise<void>;
}

export interface UpdateMachine {
  /** Replaces the whole configuration; Fly merges nothing. */
  readonly config: MachineConfig;
  /** The instance_id that the decision was made on; another one is a conflict. */
  readonly currentVersion?: string;
  readonly skipLaunch?: boolean;
}

export interface ListMachines {
  readonly includeDeleted?: boolean;
  /** All pairs must match. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export type WaitState = "started" | "stopped" | "suspended" | "destroyed" | "settled";

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machines {
  /** Creates the app in the organisation when it is absent. */
  ensureApp(app: string, organization: string, signal: AbortSignal): Promise<void>;
  /** All pages. Eventually consistent: absence from it proves nothing. */
  list(app: string, options: ListMachines, signal: AbortSignal): Promise<readonly Machine[]>;
  /** A destroyed machine is answered with state `destroyed`; `gone` means that the id never existed in this app. */
  get(app: string, id: string, signal: AbortSignal): Promise<Machine>;
  create(app: string, request: CreateMachine, signal: AbortSignal): Promise<Machine>;
  update(app: string, id: string, request: UpdateMachine, signal: AbortSignal): Promise<Machine>;
  start(app: string, id: string, signal: AbortSignal): Promise<void>;
  /** Asynchronous at Fly; a stopped machine is success. */
  stop(app: string, id: string, signal: AbortSignal): Promise<void>;
  suspend(app: string, id: string, signal: AbortSignal): Promise<void>;
  /** Forced, legal from every state, asynchronous at Fly; a machine that is gone is success. */
  destroy(app: string, id: string, signal: AbortSignal): Promise<void>;
  /** False when the state was not reached in `timeoutMs` (1–60 s). A destroyed machine rejects with `gone` unless waited for. */
  wait(app: string, id: string, state: WaitState, timeoutMs: number, signal: AbortSignal): Promise<boolean>;
  /** No stream, no terminal; at most 60 s. */
  exec(
    app: string,
    id: string,
    command: readonly string[],
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<ExecResult>;
  /** Does not restart the machine; null removes the key. */
  patchMetadata(
    app: string,
    id: string,
    metadata: Readonly<Record<string, string | null>>,
    signal: AbortSignal,
  ): Promise<void>;
}

/**
 * What a failure means for the caller:
 * - gone: the machine or app does not exist (404)
 * - exists: the name is taken; `machineId` names the machine that has it (409)
 * - conflict: not now, in this state: lease, version, transition under way (409, 412)
 * - capacity: no room in `region` or on the host
 * - throttled: over the rate limit (429)
 * - down: no answer or a 5xx, 408
 * - refused: wrong request, token or permission; the same request will fail again (400, 401, 403, 422)
 */
export type MachinesErrorClass = "gone" | "exists" | "conflict" | "capacity" | "throttled" | "down" | "refused";

export class MachinesError extends Error {
  override readonly name = "MachinesError";
  readonly class: MachinesErrorClass;
  /** HTTP status; undefined when no answer came. */
  readonly status: number | undefined;
  /** Fly's `fly-request-id`, for its support. */
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly machineId: string | undefined;
  /** True when the effect may have happened although the call failed. */
  readonly ambiguous: boolean;
  constructor(
    errorClass: MachinesErrorClass,
    message: string,
    details: {
      status?: number | undefined;
      requestId?: string | undefined;
      retryAfterMs?: number | undefined;
      machineId?: string | undefined;
      ambiguous?: boolean;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: details.cause });
    this.class = errorClass;
    this.status = details.status;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
    this.machineId = details.machineId;
    this.ambiguous = details.ambiguous ?? false;
  }
  /** The message without the id of the request, so that the same failure reads the same each time. */
  get said(): string {
    return this.requestId === undefined
      ? this.message
      : this.message.replace(` (fly-request-id ${this.requestId})`, "");
  }
}
