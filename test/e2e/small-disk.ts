// Places for a database that can be full, and have room again while the server runs. A file system of its own is the real
// thing and takes root; a limit on the size of files, which the system puts on one process, works for everybody.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk {
  readonly path: string;
  /** What SQLite says when it is full. */
  readonly cause: RegExp;
  /** Takes away what is free but a little; a server that runs on it has this pid. */
  fill(pid: number): void;
  free(pid: number): void;
  /** What a server that starts is to be started with. */
  wrap(): readonly string[];
  remove(): void;
}

const MIB = 1024 * 1024;
/** The WAL grows to 16 MiB before it is copied into the database, which then needs the same again. */
const SIZE = 64 * MIB;
/** Less than one checkpoint needs. */
const LEFT = 6 * MIB;

/** Why there can be no file system of our own; undefined when there can. */
export function mountProblem(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-mount-"));
  const { status } = spawnSync("mount", ["-t", "tmpfs", "tmpfs", folder], { stdio: "ignore" });
  if (status === 0) execFileSync("umount", [folder]);
  rmSync(folder, { recursive: true });
  return status === 0 ? undefined : "it cannot be mounted, which takes root";
}

/** Why a process cannot be given a limit; undefined when it can. */
export function limitProblem(): string | undefined {
  return spawnSync("prlimit", ["--version"]).status === 0 ? undefined : "prlimit is not installed";
}

export function smallFileSystem(): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "flywheel-full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE},mode=700`, "tmpfs", path]);
  const ballast = join(path, "ballast");
  return {
    path,
    cause: /database or disk is full/,
    fill: () => writeFileSync(ballast, Buffer.alloc(SIZE - LEFT - used(path))),
    free: () => rmSync(ballast),
    wrap: () => [],
    remove() {
      execFileSync("umount", [path]);
      rmSync(path, { recursive: true });
    },
  };
}

export function limitedFiles(): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "flywheel-full-"));
  let limit: number | undefined;
  const set = (pid: number, bytes: string) => execFileSync("prlimit", [`--pid=${pid}`, `--fsize=${bytes}:`]);
  return {
    path,
    cause: /disk I\/O error/,
    fill(pid) {
      limit = LEFT + Math.max(...readdirSync(path).map((name) => statSync(join(path, name)).size));
      set(pid, String(limit));
    },
    free(pid) {
      limit = undefined;
      set(pid, "unlimited");
    },
    wrap: () => (limit === undefined ? [] : ["prlimit", `--fsize=${limit}:`]),
    remove: () => rmSync(path, { recursive: true }),
  };
}

function used(path: string): number {
  return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}
