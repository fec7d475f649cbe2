// An established SSH connection as a session: commands as channels, several at once. What a lost connection means is said in
// one place: every command under way rejects with `lost`, for its end is not known.
import type { Client, ClientChannel, PseudoTtyOptions } from "ssh2";
import { type Clock, withTimeout } from "../kernel/clock.ts";
import { LOG_MAX_BYTES } from "../limits.ts";
import { boundedBytes } from "./bounded-bytes.ts";
import { announced, killLine } from "./remote-pid.ts";
import { type SshProcess, sshProcess } from "./ssh-process.ts";
import { type CommandResult, type Connection, TransportError } from "./transport.ts";

export function sshConnection(client: Client, clock: Clock, where: string): Connection {
  let end: { readonly cause: unknown } | undefined;
  const onLost = new Set<(error: TransportError) => void>();

  client.on("error", ended);
  client.once("close", () => ended(undefined));
  client.once("end", () => ended(undefined));

  function ended(cause: unknown): void {
    if (end) return;
    end = { cause };
    client.destroy();
    for (const tell of onLost) tell(new TransportError("lost", `${where}: the connection was lost`, { cause }));
    onLost.clear();
  }

  /** Rejects with `down` while nothing can have been run yet, with `lost` after. */
  function channelFor(command: string, pty: PseudoTtyOptions | undefined): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      const refused = (cause: unknown) =>
        reject(new TransportError("down", `${where}: no channel for a command`, { cause }));
      if (end) return refused(end.cause);
      onLost.add(reject);
      try {
        client.exec(command, pty ? { pty } : {}, (error, channel) => {
          onLost.delete(reject);
          if (error) refused(error);
          else resolve(channel);
        });
      } catch (error) {
        onLost.delete(reject);
        refused(error);
      }
    });
  }

  async function start(command: string, pty?: PseudoTtyOptions): Promise<SshProcess> {
    const announcedOn = pty ? "stdout" : "stderr"; // a terminal has one stream
    const channel = await channelFor(announced(command, announcedOn), pty);
    const process = sshProcess({ channel, announcedOn, where, killByPid });
    onLost.add(process.lose);
    channel.once("close", () => onLost.delete(process.lose));
    return process;
  }

  function killByPid(pid: number, signal: string): void {
    if (end) return;
    client.exec(killLine(pid, signal), (error, channel) => {
      if (error) return; // the connection is going, and its machine-side end with it
      channel.on("error", () => undefined);
      channel.resume();
      channel.stderr.resume();
    });
  }

  return {
    transport: "SSH",
    get alive() {
      return end === undefined;
    },

    run: (command, options, signal) =>
      withTimeout(clock, options.timeoutMs, `${where}: a command`, signal, (bounded) =>
        orGivenUp(bounded, where, async (startedIs) => {
          const process = await start(command);
          startedIs(process);
          return collect(process, options.stdin, options.maxBytes ?? LOG_MAX_BYTES);
        }),
      ),

    open: (command, { terminal }, signal) =>
      orGivenUp(signal, where, async (startedIs) => {
        const pty = terminal && { term: "xterm-256color", cols: terminal.columns, rows: terminal.rows };
        const process = await start(command, pty);
        startedIs(process);
        return process;
      }),

    close: () => ended(new Error("closed by us")),
  };
}

async function collect(process: SshProcess, stdin: Uint8Array | undefined, maxBytes: number): Promise<CommandResult> {
  const [stdout, stderr] = [process.stdout, process.stderr].map((stream) => {
    const kept = boundedBytes(maxBytes);
    stream.on("data", (chunk: Buffer) => kept.push(chunk));
    return new Promise<Uint8Array>((resolve) => stream.once("end", () => resolve(kept.bytes())));
  });
  if (stdin !== undefined && stdin.byteLength > 0) {
    // a command that does not read its input to the end is no failure
    process.write(stdin).catch(() => undefined);
  }
  process.end();
  const { code } = await process.exit;
  // output may come after the exit status
  return { exitCode: code, stdout: (await stdout) ?? new Uint8Array(), stderr: (await stderr) ?? new Uint8Array() };
}

/** Runs `work`; when the signal aborts first, kills what it has started and rejects with `lost`. */
async function orGivenUp<T>(
  signal: AbortSignal,
  where: string,
  work: (startedIs: (process: SshProcess) => void) => Promise<T>,
): Promise<T> {
  let started: SshProcess | undefined;
  if (signal.aborted) throw new TransportError("down", `${where}: given up`, { cause: signal.reason });
  return await new Promise<T>((resolve, reject) => {
    const giveUp = () => {
      started?.abandon();
      reject(new TransportError("lost", `${where}: given up before the end was known`, { cause: signal.reason }));
    };
    signal.addEventListener("abort", giveUp, { once: true });
    work((process) => {
      started = process;
      if (signal.aborted) process.abandon();
    })
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", giveUp));
  });
}
