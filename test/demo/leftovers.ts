// What a program has left behind, asked of the system itself.
import { readdir, readFile, readlink } from "node:fs/promises";
import { basename, join } from "node:path";

/**
 * Processes that have to do with `folder`: by command line, working directory, root, or what is mounted for them (a
 * sandboxed process sees paths of its own, and only its mounts tell where they come from). Empty where there is no /proc.
 */
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
  const seen = await Promise.all([commandOf(pid), linkOf(pid, "cwd"), linkOf(pid, "root"), mountsOf(pid)]);
  return seen.some((text) => text.includes(basename(folder)));
}

async function commandOf(pid: string): Promise<string> {
  const text = await readFile(join("/proc", pid, "cmdline"), "utf8").catch(() => ""); // it ended meanwhile
  return text.replaceAll("\0", " ").trim();
}

function mountsOf(pid: string): Promise<string> {
  return readFile(join("/proc", pid, "mountinfo"), "utf8").catch(() => ""); // it ended, or is somebody else's
}

function linkOf(pid: string, name: string): Promise<string> {
  return readlink(join("/proc", pid, name)).catch(() => ""); // it ended, or is somebody else's
}

export function filesBelow(folder: string): Promise<string[]> {
  return readdir(folder, { recursive: true }).catch(() => []); // gone, as it should be
}
