// What a program has left behind, asked of the system itself.
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

/** Processes whose command line, working directory or root lies in `folder`; empty where there is no /proc. */
export async function processesMentioning(folder: string): Promise<string[]> {
  const pids = (await readdir("/proc").catch(() => [])).filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  );
  const found = await Promise.all(
    pids.map(async (pid) => ((await mentions(pid, folder)) ? `${pid} ${await commandOf(pid)}` : undefined)),
  );
  return found.filter((each) => each !== undefined);
}

async function mentions(pid: string, folder: string): Promise<boolean> {
  const seen = await Promise.all([commandOf(pid), linkOf(pid, "cwd"), linkOf(pid, "root")]);
  return seen.some((text) => text.includes(folder));
}

async function commandOf(pid: string): Promise<string> {
  const text = await readFile(join("/proc", pid, "cmdline"), "utf8").catch(() => ""); // it ended meanwhile
  return text.replaceAll("\0", " ").trim();
}

function linkOf(pid: string, name: string): Promise<string> {
  return readlink(join("/proc", pid, name)).catch(() => ""); // it ended, or is somebody else's
}

export function filesBelow(folder: string): Promise<string[]> {
  return readdir(folder, { recursive: true }).catch(() => []); // gone, as it should be
}
