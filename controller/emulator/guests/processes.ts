// The processes of a guest, found by looking at this computer: so that an emulator that was started anew finds, freezes
// and ends what an earlier one left. A guest's processes carry its id in their environment; those that dropped it are
// found by their parents, their session, or the guest's own process namespace.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

export interface FoundProcess {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly namespace: string;
  /** Of the machine in whose environment it runs; empty when in none. */
  readonly machineId: string;
  /** Ticks since boot on Linux, 0 elsewhere. */
  readonly startedAt: number;
  readonly rssKb: number;
  readonly command: string;
  readonly state: string;
}

/** Looks at this computer's processes and answers those of one machine, oldest first. */
export type ProcessTable = (machineId: string) => Promise<readonly FoundProcess[]>;

/** How long a look waits for others that want one too: a hundred machines that go down at once share it. */
const GATHER_MS = 5;

export function processTable(): ProcessTable {
  let next: Promise<readonly FoundProcess[]> | undefined;
  const look = async () => {
    await delay(GATHER_MS);
    next = undefined;
    return process.platform === "linux" ? scanProc() : scanPs();
  };
  return async (machineId) => {
    next ??= look();
    return belongingTo(machineId, await next);
  };
}

/** Never the process that asks. */
function belongingTo(machineId: string, all: readonly FoundProcess[]): readonly FoundProcess[] {
  const own = all.find(({ pid }) => pid === process.pid);
  const found = new Set(all.filter((each) => each.machineId === machineId));
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    const pids = new Set([...found].map(({ pid }) => pid));
    const sessions = new Set([...found].map(({ session }) => session).filter((id) => pids.has(id)));
    const namespaces = new Set([...found].map(({ namespace }) => namespace));
    namespaces.delete(own?.namespace ?? "");
    namespaces.delete("");
    for (const each of all) {
      if (pids.has(each.parent) || sessions.has(each.session) || namespaces.has(each.namespace)) found.add(each);
    }
  }
  return [...found]
    .filter((each) => each.pid !== process.pid && each.state !== "Z")
    .sort((a, b) => a.startedAt - b.startedAt || a.pid - b.pid);
}

export function childrenOf(all: readonly FoundProcess[], pid: number): readonly FoundProcess[] {
  return all.filter(({ parent }) => parent === pid);
}

/** False when it has already ended; what has its pid since then, as another user, is not ours. */
export function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM")) return false;
    throw error;
  }
}

/** Synchronously: these files are the kernel's memory, and a look at all of them takes a few milliseconds. */
function scanProc(): readonly FoundProcess[] {
  return readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? readProc(name) : []));
}

const MARK = "\0FLY_MACHINE_ID=";

/** Nothing of one that ended while we looked. What belongs to other users is not readable, and not ours. */
function readProc(pid: string): readonly FoundProcess[] {
  const stat = readOr(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields.length < 22) return [];
  const environment = `\0${readOr(() => readFileSync(`/proc/${pid}/environ`, "utf8"))}`;
  const mark = environment.indexOf(MARK);
  return [
    {
      pid: Number(pid),
      parent: Number(fields[1]),
      session: Number(fields[3]),
      namespace: readOr(() => readlinkSync(`/proc/${pid}/ns/pid`)),
      machineId: mark === -1 ? "" : environment.slice(mark + MARK.length, environment.indexOf("\0", mark + 1)),
      startedAt: Number(fields[19]),
      rssKb: Number(fields[21]) * 4,
      command: readOr(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"))
        .replaceAll("\0", " ")
        .trim(),
      state: fields[0] ?? "",
    },
  ];
}

function readOr(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error) return ""; // gone, or not ours to read
    throw error;
  }
}

async function scanPs(): Promise<readonly FoundProcess[]> {
  const { stdout } = await promisify(execFile)("ps", ["-axww", "-E", "-o", "pid=,ppid=,sess=,stat=,rss=,command="]);
  return stdout.split("\n").flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S)\S*\s+(\d+)\s+(.*)$/.exec(line);
    if (!match) return [];
    const [, pid, parent, session, state, rss, command = ""] = match;
    return [
      {
        pid: Number(pid),
        parent: Number(parent),
        session: Number(session) || -1,
        namespace: "",
        machineId: /\bFLY_MACHINE_ID=(\w+)/.exec(command)?.[1] ?? "",
        startedAt: 0,
        rssKb: Number(rss),
        command,
        state: state ?? "",
      },
    ];
  });
}
