// The processes of a guest, found by looking at this computer: so that an emulator that was started anew finds, freezes
// and ends what an earlier one left. A guest's processes carry its id in their environment; those that dropped it are
// found by their parents, their session, or the guest's own process namespace.
import { execFile } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { promisify } from "node:util";

export interface FoundProcess {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly namespace: string;
  readonly marked: boolean;
  /** Ticks since boot on Linux, 0 elsewhere. */
  readonly startedAt: number;
  readonly rssKb: number;
  readonly command: string;
  readonly state: string;
}

/** Everything that belongs to the guest, oldest first. Never the process that asks, nor what it was started by. */
export async function processesOf(machineId: string): Promise<readonly FoundProcess[]> {
  const all = process.platform === "linux" ? await scanProc(machineId) : await scanPs(machineId);
  const own = all.find(({ pid }) => pid === process.pid);
  const found = new Set(all.filter(({ marked }) => marked));
  for (let before = -1; before !== found.size; ) {
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
  const gone = (each: FoundProcess) => each.state === "Z";
  return [...found]
    .filter((each) => each.pid !== process.pid && !gone(each))
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

async function scanProc(machineId: string): Promise<FoundProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(pids.map((pid) => readProc(pid, machineId)));
  return found.filter((each) => each !== undefined);
}

/** Undefined when it ended while we looked. What belongs to other users is not readable, and not ours. */
async function readProc(pid: string, machineId: string): Promise<FoundProcess | undefined> {
  const read = (name: string) => readFile(`/proc/${pid}/${name}`, "utf8").catch(() => "");
  const [stat, environment, command, namespace] = await Promise.all([
    read("stat"),
    read("environ"),
    read("cmdline"),
    readlink(`/proc/${pid}/ns/pid`).catch(() => ""),
  ]);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields.length < 22) return undefined;
  return {
    pid: Number(pid),
    parent: Number(fields[1]),
    session: Number(fields[3]),
    namespace,
    marked: `\0${environment}`.includes(`\0FLY_MACHINE_ID=${machineId}\0`),
    startedAt: Number(fields[19]),
    rssKb: Number(fields[21]) * 4,
    command: command.replaceAll("\0", " ").trim(),
    state: fields[0] ?? "",
  };
}

async function scanPs(machineId: string): Promise<FoundProcess[]> {
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
        marked: command.includes(`FLY_MACHINE_ID=${machineId}`),
        startedAt: 0,
        rssKb: Number(rss),
        command,
        state: state ?? "",
      },
    ];
  });
}
