// One machine that runs on this computer. A keeper, a few lines of shell in a session of their own, runs the main
// process and notes how it ended; so both outlive the emulator, and the next one finds them again.
import { type ChildProcess, spawn } from "node:child_process";
import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import {
  BootError,
  type ExecOutcome,
  type Guest,
  type GuestExit,
  type GuestProcess,
  type GuestSpec,
} from "../guest.ts";
import { SIGNALS } from "../machine-config.ts";
import { type MachineDirectory, readExit } from "./directory.ts";
import { childrenOf, type FoundProcess, type ProcessTable, send } from "./processes.ts";
import type { Sandbox } from "./sandbox.ts";

/** $1 is the machine's directory. bubblewrap reads its arguments from descriptor 3 and writes to 4 what it made. */
const KEEPER = `dir=$1; shift; "$@" 3<"$dir/arguments" 4>"$dir/info.json"; code=$?; echo "$code" >"$dir/exit.new"; mv "$dir/exit.new" "$dir/exit"`;
export const KEEPER_NAME = "flywheel-keeper";

const UP_TIMEOUT_MS = 10_000;
const POLL_MS = 10;
/** How often a guest that is not our child is looked at. */
const ADOPTED_POLL_MS = 200;
const KILL_TIMEOUT_MS = 10_000;
/** After its main process is gone the keeper gets this long to note how it ended. */
const KEEPER_GRACE_MS = 1000;
/** Output that comes this long after a command's end, from what it left behind, is not waited for. */
const LATE_OUTPUT_MS = 100;
/** What the API answers at most of each stream. */
const EXEC_MAX_BYTES = 4 * 1024 * 1024;

const KILLED: GuestExit = { code: 137, signal: 9 };

/** What all machines of this computer share. */
export interface Host {
  readonly sandbox: Sandbox;
  readonly processes: ProcessTable;
}

export interface Running {
  readonly child: ChildProcess;
  /** To the command and its whole process group. */
  signal(name: NodeJS.Signals): Promise<void>;
}

export class LocalGuest implements Guest {
  readonly exited: Promise<GuestExit>;
  readonly #directory: MachineDirectory;
  readonly #host: Host;
  readonly #spec: GuestSpec;
  readonly #released = new AbortController();
  #frozen: boolean;

  private constructor(
    directory: MachineDirectory,
    host: Host,
    spec: GuestSpec,
    keeper: ChildProcess | undefined,
    frozen: boolean,
  ) {
    this.#directory = directory;
    this.#host = host;
    this.#spec = spec;
    this.#frozen = frozen;
    this.exited = keeper ? this.#keeperEnds(keeper) : this.#treeEnds();
  }

  static async boot(directory: MachineDirectory, host: Host, spec: GuestSpec): Promise<LocalGuest> {
    const { argv, env, cwd } = await host.sandbox.boot(directory, spec);
    const output = await open(directory.console, "a", 0o600);
    try {
      const keeper = spawn("/bin/sh", ["-c", KEEPER, KEEPER_NAME, directory.path, ...argv], {
        cwd,
        env,
        detached: true,
        stdio: ["ignore", output.fd, output.fd],
      });
      const failure = new Promise<never>((_, reject) => keeper.once("error", reject));
      keeper.unref();
      await Promise.race([failure, untilUp(directory, host.sandbox, keeper)]);
      return new LocalGuest(directory, host, spec, keeper, false);
    } finally {
      await output.close();
    }
  }

  /** A guest that an earlier emulator booted, how it ended, or undefined when there is no trace of it. */
  static async adopt(
    directory: MachineDirectory,
    host: Host,
    spec: GuestSpec,
    frozen: boolean,
  ): Promise<LocalGuest | GuestExit | undefined> {
    const alive = await host.processes(spec.id);
    const exit = await readExit(directory);
    const guest = new LocalGuest(directory, host, spec, undefined, frozen);
    if (alive.length > 0 && !exit && (await host.sandbox.isUp(directory))) return guest;
    await guest.kill();
    return exit;
  }

  /** Starts a command beside the main process, with pipes. */
  async run(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Running> {
    const launch = await this.#host.sandbox.enter(this.#directory, this.#spec, argv);
    const [file = "", ...rest] = launch.argv;
    const child = spawn(file, rest, {
      cwd: launch.cwd,
      env: { ...launch.env, ...env, FLY_MACHINE_ID: this.#spec.id },
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin?.on("error", () => {}); // the command has stopped reading; what it did is in its exit code
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    return { child, signal: (name) => this.#signalGroup(child, name) };
  }

  async exec(command: readonly string[], stdin: string, signal: AbortSignal): Promise<ExecOutcome> {
    const { child, signal: send } = await this.run(command);
    child.stdin?.end(stdin);
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    const ended = new Promise<GuestExit>((resolve) => {
      child.once("exit", (code, name) =>
        resolve({ code: code ?? 128 + signalNumber(name), signal: signalNumber(name) }),
      );
    });
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const aborted = new Promise<never>((_, reject) => {
      const abort = () => {
        send("SIGKILL").then(() => reject(signal.reason), reject);
      };
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
    });
    const exit = await Promise.race([ended, aborted]);
    await Promise.race([closed, delay(LATE_OUTPUT_MS)]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    return { ...exit, stdout: stdout(), stderr: stderr() };
  }

  async signal(name: string): Promise<void> {
    const main = await this.#main();
    // The names are those of SIGNALS, all of which Node knows.
    if (main) send(main.pid, name as NodeJS.Signals);
  }

  /** The keeper is left to note the end, for a moment. */
  async kill(): Promise<void> {
    const begin = performance.now();
    for (;;) {
      const alive = await this.#host.processes(this.#spec.id);
      if (alive.length === 0) break;
      const passedMs = performance.now() - begin;
      if (passedMs > KILL_TIMEOUT_MS) throw new Error(`processes of machine ${this.#spec.id} cannot be ended`);
      for (const each of alive) {
        if (!isKeeper(each) || passedMs > KEEPER_GRACE_MS) send(each.pid, "SIGKILL");
        else if (this.#frozen) send(each.pid, "SIGCONT");
      }
      await delay(POLL_MS);
    }
    this.#frozen = false;
    this.#released.abort();
  }

  /** Stops every process; those that are started meanwhile are caught in the next round. */
  async freeze(): Promise<void> {
    this.#frozen = true;
    for (let round = 0; round < 50; round++) {
      const running = (await this.#host.processes(this.#spec.id)).filter(
        (each) => !isKeeper(each) && each.state !== "T",
      );
      if (running.length === 0) return;
      for (const each of running) send(each.pid, "SIGSTOP");
      await delay(POLL_MS);
    }
    throw new Error(`processes of machine ${this.#spec.id} cannot be stopped`);
  }

  async thaw(): Promise<void> {
    for (const each of await this.#host.processes(this.#spec.id)) send(each.pid, "SIGCONT");
    this.#frozen = false;
  }

  async processes(): Promise<readonly GuestProcess[]> {
    return (await this.#host.processes(this.#spec.id)).filter((each) => !isKeeper(each));
  }

  async endsWithin(ms: number): Promise<boolean> {
    return Promise.race([this.exited.then(() => true), delay(ms).then(() => false)]);
  }

  /** Stops watching; the machine goes on. */
  release(): void {
    this.#released.abort();
  }

  /** Each process between the keeper and the main one has it, or the way to it, as its first child. */
  async #main(): Promise<FoundProcess | undefined> {
    const all = await this.#host.processes(this.#spec.id);
    let current = all.find(isKeeper);
    for (let layer = 0; layer <= this.#host.sandbox.layers && current; layer++)
      current = childrenOf(all, current.pid)[0];
    return current;
  }

  async #signalGroup(child: ChildProcess, name: NodeJS.Signals): Promise<void> {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    if (!this.#host.sandbox.enterForks) {
      send(-child.pid, name);
      return;
    }
    const all = await this.#host.processes(this.#spec.id);
    for (const { pid, session } of childrenOf(all, child.pid)) send(session === pid ? -pid : pid, name);
  }

  #keeperEnds(keeper: ChildProcess): Promise<GuestExit> {
    return new Promise((resolve) => {
      const ended = () => readExit(this.#directory).then((exit) => resolve(exit ?? KILLED));
      if (keeper.exitCode !== null || keeper.signalCode !== null) ended();
      else keeper.once("exit", ended);
    });
  }

  /** Of a keeper that is not our child only its note, or its absence, tells. */
  async #treeEnds(): Promise<GuestExit> {
    const keeper = (await this.#host.processes(this.#spec.id)).find(isKeeper);
    while (keeper && !this.#released.signal.aborted && send(keeper.pid, 0)) {
      const exit = await readExit(this.#directory);
      if (exit) return exit;
      await delay(ADOPTED_POLL_MS);
    }
    return (await readExit(this.#directory)) ?? KILLED;
  }
}

async function untilUp(directory: MachineDirectory, sandbox: Sandbox, keeper: ChildProcess): Promise<void> {
  for (let passedMs = 0; passedMs < UP_TIMEOUT_MS; passedMs += POLL_MS) {
    if (await sandbox.isUp(directory)) return;
    if (keeper.exitCode !== null) throw new BootError(`the machine's sandbox did not start, see ${directory.console}`);
    await delay(POLL_MS);
  }
  throw new BootError(`the machine's sandbox did not start within ${UP_TIMEOUT_MS} ms, see ${directory.console}`);
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on("data", (chunk: Buffer) => {
    if (size < EXEC_MAX_BYTES) chunks.push(chunk.subarray(0, EXEC_MAX_BYTES - size));
    size += chunk.length;
  });
  return () => Buffer.concat(chunks).toString("utf8");
}

const isKeeper = (each: FoundProcess) => each.command.includes(KEEPER_NAME) && each.pid === each.session;

const signalNumber = (name: NodeJS.Signals | null) => (name ? (SIGNALS[name] ?? 0) : 0);
