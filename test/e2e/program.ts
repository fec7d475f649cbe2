// A program in a process of its own: what it wrote, when it said something, how it ended. Of the environment of the
// tests it gets nothing but the way to find programs, so that no token and no setting of the user reaches it.
import { type ChildProcess, spawn } from "node:child_process";

export type Environment = Readonly<Record<string, string>>;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface Program {
  readonly child: ChildProcess;
  /** Everything written so far. */
  readonly text: { readonly out: string; readonly err: string };
  readonly ended: Promise<Ended>;
  /** Resolves with the first match in what it writes to either stream; rejects when it ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  /** Ends it, with everything it started, and waits for that. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

export interface ProgramOptions {
  readonly cwd: string;
  readonly env?: Environment;
  readonly stdin?: string;
}

export function startProgram(file: string, args: readonly string[], options: ProgramOptions): Program {
  const { cwd, env = {}, stdin = "" } = options;
  const child = spawn(file, args, {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, ...env },
    detached: true, // a process group of its own, so that `stop` reaches what it started
  });
  const text = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text.out += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text.err += chunk;
  });
  child.stdin.on("error", () => undefined); // it need not read what it is given
  child.stdin.end(stdin);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, ...text }));
  });
  ended.catch(() => undefined); // whoever waits for it is told

  function said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(`${text.out}\n${text.err}`);
        if (match) resolve(match);
      };
      child.stdout?.on("data", look);
      child.stderr?.on("data", look);
      ended.then(() => reject(new Error(`${file} ended before it said ${pattern}:\n${text.out}${text.err}`)), reject);
      look();
    });
  }

  async function stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      process.kill(-child.pid, signal);
    return ended;
  }

  return { child, text, ended, said, stop };
}

export function runProgram(file: string, args: readonly string[], options: ProgramOptions): Promise<Ended> {
  return startProgram(file, args, options).ended;
}

/** Asks again until the answer is neither undefined nor false. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      last = undefined;
    } catch (error) {
      last = error; // such as a server that is being started
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: last });
}
