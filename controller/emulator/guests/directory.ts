// A machine's own directory: its root file system, its console, and what its keeper notes. Nothing that a guest has
// put into its root may lead a write of ours out of it.
import { execFile } from "node:child_process";
import { mkdir, readFile, realpath, rm, stat, truncate, unlink, writeFile } from "node:fs/promises";
import { dirname, join, normalize, sep } from "node:path";
import { promisify } from "node:util";
import type { MachineConfig } from "../../machines/wire.ts";
import { BootError, type GuestExit } from "../guest.ts";

export interface MachineDirectory {
  readonly path: string;
  readonly root: string;
  /** Output of the main process. */
  readonly console: string;
  /** Read by bubblewrap: what the sandbox is made of. */
  readonly arguments: string;
  /** Written by bubblewrap: the first process of the sandbox. */
  readonly info: string;
  /** Written by the keeper when the main process has ended. */
  readonly exit: string;
}

export function machineDirectory(stateDir: string, id: string): MachineDirectory {
  const path = join(stateDir, "guests", id);
  return {
    path,
    root: join(path, "root"),
    console: join(path, "console.log"),
    arguments: join(path, "arguments"),
    info: join(path, "info.json"),
    exit: join(path, "exit"),
  };
}

const FOLDERS = [
  "root",
  "tmp",
  "var/tmp",
  "var/log",
  "var/lib",
  "var/cache",
  "run",
  "home",
  "workspace",
  "etc",
  ".fly",
];
const CONSOLE_MAX_BYTES = 16 * 1024 * 1024;

/** Makes the directory ready for a boot; true when the root file system is new. */
export async function prepareDirectory(directory: MachineDirectory, freshRoot: boolean): Promise<boolean> {
  await mkdir(directory.path, { recursive: true, mode: 0o700 });
  await Promise.all([directory.info, directory.exit].map((file) => rm(file, { force: true })));
  await writeFile(directory.arguments, "", { mode: 0o600 });
  const size = await stat(directory.console).then(
    (each) => each.size,
    () => 0,
  );
  if (size > CONSOLE_MAX_BYTES) await truncate(directory.console);
  if (freshRoot) await removeTree(directory.root);
  const made = await mkdir(directory.root, { recursive: true, mode: 0o755 });
  for (const folder of FOLDERS) {
    const mode = folder === "root" ? 0o700 : folder.endsWith("tmp") ? 0o1777 : 0o755;
    await mkdir(join(directory.root, folder), { recursive: true, mode });
  }
  return made !== undefined;
}

/** As Fly does at every boot: `files` of the configuration appear with their modes. */
export async function writeConfigFiles(root: string, files: MachineConfig["files"]): Promise<void> {
  for (const { guest_path, raw_value, mode } of files ?? []) {
    if (raw_value === undefined) continue;
    await writeInside(root, guest_path, Buffer.from(raw_value, "base64"), mode ?? 0o644);
  }
}

export async function writeInside(
  root: string,
  guestPath: string,
  content: Buffer | string,
  mode: number,
): Promise<void> {
  const path = join(root, normalize(`/${guestPath}`));
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const real = `${await realpath(folder)}${sep}`;
  if (!real.startsWith(`${await realpath(root)}${sep}`)) throw new BootError(`${guestPath} leads out of the machine`);
  // A link at the place itself is replaced, not followed.
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await writeFile(path, content, { mode, flag: "wx" });
}

/** How the main process ended, if the keeper has noted it. */
export async function readExit(directory: MachineDirectory): Promise<GuestExit | undefined> {
  const text = await readFile(directory.exit, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const code = Number(text.trim());
  // A shell reports death by a signal as 128 and the signal's number.
  return { code, signal: code > 128 && code < 128 + 65 ? code - 128 : 0 };
}

/** Also where the guest has taken write permission from its folders. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM")))
      throw error;
    await promisify(execFile)("chmod", ["-R", "u+rwX", path]);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}
