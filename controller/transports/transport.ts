// A way to run a command on a machine. The connection is only a viewer: what must outlive it is a detached job (steps/).
import type { Instance } from "../../crds/instance.ts";
import { findCondition } from "../../crds/resource.ts";

export type TransportName = "SSH" | "Exec";

/** Where a command should run; everything a transport needs, and nothing it could mistake. */
export interface Target {
  readonly app: string;
  readonly machineId: string;
  /** Uid of the instance: its host key is derived from it. */
  readonly uid: string;
  readonly host: string;
  readonly port: number;
  /** What was wrong with its host key, and nobody has seen to: nothing may be sent, whoever found it. */
  readonly mistrusted?: string | undefined;
  /** false: its host key is known to be another than ours, so SSH is not tried; true when absent. */
  readonly ssh?: boolean | undefined;
}

export interface CommandResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

export interface RemoteProcess {
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly stderr: AsyncIterable<Uint8Array>;
  readonly exit: Promise<{ readonly code: number | null; readonly signal?: string | undefined }>;
  write(data: Uint8Array): Promise<void>;
  end(): void;
  resize(columns: number, rows: number): void;
  kill(signal: string): void;
}

export interface Session {
  readonly transport: TransportName;
  /**
   * Runs a shell command line to its end, with `stdin` given whole. Output over `maxBytes` of a stream is cut.
   * Rejects with TransportError `lost` when its end is not known: no time left, given up, connection gone.
   */
  run(
    command: string,
    options: { readonly stdin?: Uint8Array; readonly timeoutMs: number; readonly maxBytes?: number },
    signal: AbortSignal,
  ): Promise<CommandResult>;
  /** A process with streams; undefined where the transport has none. */
  readonly open?:
    | ((
        command: string,
        options: { readonly terminal?: { columns: number; rows: number } },
        signal: AbortSignal,
      ) => Promise<RemoteProcess>)
    | undefined;
  close(): void;
}

/** A session together with the connection that it owns. */
export interface Connection extends Session {
  /** False once it is closed or lost; it never comes back. */
  readonly alive: boolean;
}

export interface Transport {
  readonly name: TransportName;
  /** Rejects with TransportError. */
  connect(target: Target, signal: AbortSignal): Promise<Connection>;
}

/** How a machine is reached, decided by `Reach` and reported in the condition Reachable. */
export type Reachability =
  | { readonly reachable: true; readonly via: TransportName; readonly message: string }
  | {
      readonly reachable: false;
      readonly reason: "HostKeyMismatch" | "NotReachable" | "Probing";
      readonly message: string;
      /** The machine is not tried again before this long; who asks sooner hears the same. */
      readonly againMs?: number | undefined;
    };

/** One door to all machines: picks the transport, reuses sessions, and remembers what it found. */
export interface Reach {
  /** A session to the machine by the best way that answers. Rejects with TransportError. */
  session(target: Target, signal: AbortSignal): Promise<Session>;
  /** Tries the machine if nothing is known of it yet or what is known is old; answers within PROBE_WAIT_MS. */
  probe(target: Target, signal: AbortSignal): Promise<Reachability>;
  /** Forgets sessions and findings: the machine has stopped, moved or gone. */
  forget(machineId: string): void;
  /** Someone has seen to a host key mismatch: look again. A key that is still wrong is a mismatch again. */
  acknowledge(machineId: string): void;
  close(): void;
}

export class TransportError extends Error {
  override readonly name = "TransportError";
  /**
   * - mismatch: the host key is not the pinned one; nothing was sent
   * - auth: the machine is the right one and does not take our key; nothing was sent
   * - down: no connection, or refused before it began; nothing was run
   * - lost: it was sent, and how it ended is not known
   */
  readonly class: "mismatch" | "down" | "lost" | "auth";
  constructor(errorClass: TransportError["class"], message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.class = errorClass;
  }
}

/** Annotation whose value is the machine's `instanceId` in status: lets a machine with a changed host key be reached again. */
export const ACKNOWLEDGE_HOST_KEY = "fly.lightfast.ai/acknowledge-host-key";

/** Why the machine of an instance must not be spoken to; a process that has just started knows it from status. */
export function mistrustOf(instance: Instance): string | undefined {
  const reachable = findCondition(instance, "Reachable");
  const version = instance.status?.machine?.instanceId;
  const acknowledged = instance.metadata.annotations?.[ACKNOWLEDGE_HOST_KEY] === version;
  return reachable?.reason === "HostKeyMismatch" && !acknowledged ? reachable.message : undefined;
}

/** The target of an instance's machine; undefined while it has none. */
export function targetOf(app: string, instance: Instance): Target | undefined {
  const machine = instance.status?.machine;
  if (!machine) return undefined;
  return {
    app,
    machineId: machine.id,
    uid: instance.metadata.uid,
    host: machine.privateIp,
    port: instance.spec.ssh.port,
    mistrusted: mistrustOf(instance),
    ssh: !machine.strangeKeys,
  };
}
