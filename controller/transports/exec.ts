// Commands through Fly's exec endpoint: no network path to the machine needed, no stream, at most a minute a call. Fly passes
// no standard input and answers text; so input goes along as arguments, and output comes back in base64, closed by a
// mark, so that an answer that was cut is never taken for a whole one.
import { type Clock, withTimeout } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import { EXEC_ARGUMENT_MAX_BYTES, EXEC_OUTPUT_MAX_BYTES, FLY_WAIT_MAX_MS } from "../limits.ts";
import { type ExecResult, type Machines, MachinesError } from "../machines/machines.ts";
import { appendScript, decode, discardScript, runScript } from "./exec-script.ts";
import { type CommandResult, type Connection, type Target, type Transport, TransportError } from "./transport.ts";

export interface ExecOptions {
  readonly machines: Pick<Machines, "exec">;
  readonly clock: Clock;
  readonly random: Random;
}

/** Base64 in whole groups of four, below what one argument may be. */
const CHUNK_CHARS = EXEC_ARGUMENT_MAX_BYTES - (EXEC_ARGUMENT_MAX_BYTES % 4);

/** How the script ends when the machine lacks what it needs: no shell, no base64, no room for the input. */
const NOT_BEGUN: ReadonlySet<number> = new Set([126, 127]);

/** Connecting costs nothing and proves nothing: every command is a call of its own. */
export function execTransport(options: ExecOptions): Transport {
  return { name: "Exec", connect: (target) => Promise.resolve(execConnection(options, target)) };
}

function execConnection({ machines, clock, random }: ExecOptions, target: Target): Connection {
  const where = `exec on machine ${target.machineId} in app "${target.app}"`;

  async function call(argv: readonly string[], timeoutMs: number, signal: AbortSignal): Promise<ExecResult> {
    try {
      return await machines.exec(target.app, target.machineId, argv, Math.min(timeoutMs, FLY_WAIT_MAX_MS), signal);
    } catch (error) {
      if (!(error instanceof MachinesError)) throw error;
      throw new TransportError(error.ambiguous ? "lost" : "down", where, { cause: error });
    }
  }

  /** Writes what does not fit beside the command into a file on the machine, piece by piece; gives its path. */
  async function upload(base64: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
    const path = `/tmp/.flywheel-${random.uuid()}`;
    try {
      for (let from = 0; from < base64.length; from += CHUNK_CHARS) {
        const piece = base64.slice(from, from + CHUNK_CHARS);
        const { exitCode, stderr } = await call(appendScript(path, piece), timeoutMs, signal);
        if (exitCode !== 0) throw new TransportError("down", `${where}: writing the input failed: ${stderr.trim()}`);
      }
    } catch (error) {
      // the pieces that arrived may be secret; the failure that is told is the first one
      await call(discardScript(path), timeoutMs, signal).catch(() => undefined);
      throw error;
    }
    return path;
  }

  async function run(
    command: string,
    options: { readonly stdin?: Uint8Array; readonly timeoutMs: number; readonly maxBytes?: number },
    signal: AbortSignal,
  ): Promise<CommandResult> {
    if (Buffer.byteLength(command) > EXEC_ARGUMENT_MAX_BYTES) {
      throw new TransportError("down", `${where}: a command line of more than ${EXEC_ARGUMENT_MAX_BYTES} bytes`);
    }
    const maxBytes = Math.min(options.maxBytes ?? EXEC_OUTPUT_MAX_BYTES, EXEC_OUTPUT_MAX_BYTES);
    const base64 = Buffer.from(options.stdin ?? []).toString("base64");
    const input = base64.length <= CHUNK_CHARS ? { base64 } : { path: await upload(base64, options.timeoutMs, signal) };
    const reply = await call(runScript(command, input, maxBytes), options.timeoutMs, signal);
    const decoded = decode(reply);
    if (decoded) return decoded;
    const said = `exit code ${reply.exitCode}: ${reply.stderr.trim().slice(0, 500)}`;
    if (NOT_BEGUN.has(reply.exitCode)) throw new TransportError("down", `${where}: the command was not run, ${said}`);
    throw new TransportError("lost", `${where}: the answer is not whole, ${said}`);
  }

  return {
    transport: "Exec",
    alive: true,
    run: (command, options, signal) =>
      withTimeout(clock, options.timeoutMs, where, signal, (bounded) => run(command, options, bounded)),
    close: () => undefined,
  };
}
