// One door to all machines. A machine is reached by one SSH connection that everybody shares; where SSH does not come up,
// through exec; and the first wrong host key closes every way until somebody has seen to it.
import { backoffMs } from "../kernel/backoff.ts";
import { type Clock, withTimeout } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import { type Log, silentLog } from "../kernel/log.ts";
import {
  EXEC_PROBE_MS,
  PROBE_FRESH_MS,
  PROBE_RETRY_MAX_MS,
  PROBE_RETRY_MS,
  PROBE_WAIT_MS,
  SSH_GRACE_MS,
} from "../limits.ts";
import { type SharedSession, sharedSession } from "./shared-session.ts";
import {
  type Reach,
  type Reachability,
  type Session,
  type Target,
  type Transport,
  TransportError,
} from "./transport.ts";

export interface ReachOptions {
  readonly ssh: Transport;
  readonly exec: Transport;
  readonly clock: Clock;
  readonly log?: Log | undefined;
}

/** What is known of one machine at one address. */
interface Machine {
  readonly target: Target;
  /** Aborted when this is forgotten: ends what is under way, refuses what comes. */
  readonly forgotten: AbortController;
  /** When SSH was tried for the first time since the machine started. */
  readonly sinceMs: number;
  shared: SharedSession | undefined;
  /** Through exec, once a probe of it has succeeded. */
  exec: Session | undefined;
  mismatch: TransportError | undefined;
  finding: Reachability | undefined;
  foundAtMs: number;
  failures: number;
  /** The one attempt under way; never rejects. */
  looking: Promise<Reachability> | undefined;
}

export function createReach(options: ReachOptions): Reach {
  const { ssh, exec, clock } = options;
  const log = options.log ?? silentLog;
  const machines = new Map<string, Machine>();
  let closed = false;

  async function session(target: Target, signal: AbortSignal): Promise<Session> {
    const machine = machineOf(target);
    refuse(machine);
    if (machine.shared?.alive) return lend(machine, machine.shared);
    if (machine.exec) {
      if (!isFresh(machine)) void look(machine); // SSH may be up by now; nobody waits for it
      return machine.exec;
    }
    const found = await orAborted(look(machine), signal, name(target));
    refuse(machine);
    if (machine.shared?.alive) return lend(machine, machine.shared);
    if (machine.exec) return machine.exec;
    throw new TransportError("down", found.message);
  }

  async function probe(target: Target, signal: AbortSignal): Promise<Reachability> {
    const machine = machineOf(target);
    if (machine.finding && isFresh(machine)) return withPause(machine, machine.finding);
    const looking = look(machine);
    try {
      return withPause(
        machine,
        await withTimeout(clock, PROBE_WAIT_MS, "probe", signal, (limit) => orAborted(looking, limit, name(target))),
      );
    } catch {
      const last = machine.finding; // the attempt goes on, and nobody is kept waiting for it
      if (last && !(last.reachable && last.via === "SSH")) return last; // a lost connection shows nothing any more
      return { reachable: false, reason: "Probing", message: `trying SSH to [${target.host}]:${target.port}` };
    }
  }

  function withPause(machine: Machine, finding: Reachability): Reachability {
    return finding.reachable || machine.mismatch ? finding : { ...finding, againMs: freshForMs(machine) };
  }

  /** Starts an attempt, or joins the one under way. */
  function look(machine: Machine): Promise<Reachability> {
    machine.looking ??= attempt(machine).then((finding) => {
      machine.looking = undefined;
      machine.foundAtMs = clock.monotonic();
      machine.failures = finding.reachable ? 0 : machine.failures + 1;
      machine.finding = finding;
      return finding;
    });
    return machine.looking;
  }

  async function attempt(machine: Machine): Promise<Reachability> {
    const { target } = machine;
    if (target.ssh === false) return throughExec(machine, "its SSH keys were made with another secret than ours");
    try {
      await connect(machine);
      return { reachable: true, via: "SSH", message: `SSH to [${target.host}]:${target.port}` };
    } catch (error) {
      if (error instanceof TransportError && error.class === "mismatch") return mismatched(machine, error);
      const why = messageOf(error);
      const waiting = clock.monotonic() - machine.sinceMs < SSH_GRACE_MS;
      if (waiting && !machine.exec) return { reachable: false, reason: "Probing", message: why };
      return throughExec(machine, why);
    }
  }

  async function connect(machine: Machine): Promise<void> {
    const { target, forgotten } = machine;
    // while nothing else serves, SSH may keep us no longer than its grace; beside exec it may take its time
    const leftMs = Math.max(SSH_GRACE_MS - (clock.monotonic() - machine.sinceMs), PROBE_WAIT_MS);
    const connecting = machine.exec
      ? ssh.connect(target, forgotten.signal)
      : withTimeout(clock, leftMs, `SSH to [${target.host}]:${target.port}`, forgotten.signal, (bounded) =>
          ssh.connect(target, bounded),
        );
    const shared = sharedSession(await connecting);
    if (forgotten.signal.aborted) {
      shared.close();
      throw new TransportError("down", `${name(target)}: forgotten`);
    }
    machine.shared = shared;
    machine.exec = undefined;
  }

  function mismatched(machine: Machine, error: TransportError): Reachability {
    machine.mismatch = error;
    machine.exec = undefined;
    log.error({ machine: machine.target.machineId, err: error }, "host key mismatch: nothing is sent to this machine");
    return { reachable: false, reason: "HostKeyMismatch", message: error.message };
  }

  async function throughExec(machine: Machine, whyNotSsh: string): Promise<Reachability> {
    const { target, forgotten } = machine;
    try {
      const connection = await exec.connect(target, forgotten.signal);
      const { exitCode } = await connection.run("true", { timeoutMs: EXEC_PROBE_MS }, forgotten.signal);
      if (exitCode !== 0) throw new TransportError("down", `exec: \`true\` ended with ${exitCode}`);
      machine.exec = guarded(machine, connection);
      return { reachable: true, via: "Exec", message: `through Fly's exec endpoint, because ${whyNotSsh}` };
    } catch (error) {
      machine.exec = undefined;
      return { reachable: false, reason: "NotReachable", message: `${whyNotSsh}; ${messageOf(error)}` };
    }
  }

  function lend(machine: Machine, shared: SharedSession): Session {
    return shared.lend(() => refusalOf(machine));
  }

  /** Sessions through exec have no connection that would end with them: each command asks whether it may go. */
  function guarded(machine: Machine, connection: Session): Session {
    return {
      transport: "Exec",
      run: (command, runOptions, signal) => {
        const refusal = refusalOf(machine);
        return refusal ? Promise.reject(refusal) : connection.run(command, runOptions, signal);
      },
      close: () => undefined,
    };
  }

  function refusalOf(machine: Machine): TransportError | undefined {
    if (machine.mismatch) return new TransportError("mismatch", machine.mismatch.message, { cause: machine.mismatch });
    if (!machine.forgotten.signal.aborted) return undefined;
    return new TransportError("down", `${name(machine.target)}: forgotten`);
  }

  function refuse(machine: Machine): void {
    const refusal = refusalOf(machine);
    if (refusal) throw refusal;
  }

  function isFresh(machine: Machine): boolean {
    return freshForMs(machine) > 0;
  }

  /** How long what is known stands before the machine is tried again. */
  function freshForMs({ mismatch, shared, finding, foundAtMs, sinceMs, failures }: Machine): number {
    if (mismatch || shared?.alive) return Number.POSITIVE_INFINITY;
    if (!finding || (finding.reachable && finding.via === "SSH")) return 0;
    const nowMs = clock.monotonic();
    if (finding.reachable) return foundAtMs + PROBE_FRESH_MS - nowMs;
    const pauseMs = backoffMs({ baseMs: PROBE_RETRY_MS, maxMs: PROBE_RETRY_MAX_MS }, failures);
    const graceEndMs = sinceMs + SSH_GRACE_MS; // exec may be tried from then on
    const untilMs = foundAtMs < graceEndMs ? Math.min(foundAtMs + pauseMs, graceEndMs) : foundAtMs + pauseMs;
    return untilMs - nowMs;
  }

  /** A machine that has moved is another one, but what was wrong with its host key stays wrong. */
  function machineOf(target: Target): Machine {
    if (closed) throw new TransportError("down", "shutting down");
    const known = machines.get(target.machineId);
    if (known && sameAddress(known.target, target)) return known;
    if (known) end(known);
    const mismatch = known?.mismatch ?? (target.mistrusted === undefined ? undefined : mismatchOf(target.mistrusted));
    const machine: Machine = {
      target,
      forgotten: new AbortController(),
      sinceMs: clock.monotonic(),
      shared: undefined,
      exec: undefined,
      mismatch,
      finding: mismatch && { reachable: false, reason: "HostKeyMismatch", message: mismatch.message },
      foundAtMs: 0,
      failures: 0,
      looking: undefined,
    };
    machines.set(target.machineId, machine);
    return machine;
  }

  function forget(machineId: string): void {
    const machine = machines.get(machineId);
    machines.delete(machineId);
    if (machine) end(machine);
  }

  function acknowledge(machineId: string): void {
    if (machines.get(machineId)?.mismatch) forget(machineId);
  }

  function close(): void {
    closed = true;
    for (const machineId of [...machines.keys()]) forget(machineId);
  }

  return { session, probe, forget, acknowledge, close };
}

function end(machine: Machine): void {
  machine.forgotten.abort(new TransportError("down", `${name(machine.target)}: forgotten`));
  machine.shared?.close();
}

function mismatchOf(message: string): TransportError {
  return new TransportError("mismatch", message);
}

function sameAddress(a: Target, b: Target): boolean {
  return (
    a.host === b.host && a.port === b.port && (a.ssh ?? true) === (b.ssh ?? true) && a.uid === b.uid && a.app === b.app
  );
}

function name(target: Target): string {
  return `machine ${target.machineId}`;
}

/** `work` goes on when the signal aborts; only this caller stops waiting for it. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(new TransportError("down", `${what}: given up`, { cause: signal.reason }));
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
