// A machine as a sandbox of bubblewrap: this computer's programs read-only, all else its own and writable, its own
// processes, users and host name; the network is this computer's. Works for a normal user: the one user inside is root
// there and nobody special outside. Commands enter the namespaces of the running sandbox.
import { execFile } from "node:child_process";
import { existsSync, lstatSync, readlinkSync } from "node:fs";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import type { GuestSpec } from "../guest.ts";
import { type MachineDirectory, writeInside } from "./directory.ts";
import { writeEtc } from "./etc.ts";
import { type Launch, type Sandbox, SYSTEM_PATH } from "./sandbox.ts";

/** Made by INIT: before it, the namespaces exist and this computer's own root is still in them. */
const UP = "/.fly/up";

/**
 * Runs the main process and, when it ends, takes everything else in the sandbox with it, as a machine does that goes
 * down. Only where it is the second process of its own namespace does `kill -1` mean just the sandbox.
 */
const INIT = `: >${UP}; "$@"; code=$?; [ "$$" -eq 2 ] && kill -KILL -1; exit "$code"`;

/** Its own session, so that signals reach it as a group; in the home folder, as a login has it. */
const ENTER = 'cd "$HOME" 2>/dev/null || cd /; command -v setsid >/dev/null && exec setsid "$@"; exec "$@"';

const NAMESPACES = ["--unshare-user", "--uid", "0", "--gid", "0", "--unshare-pid", "--unshare-ipc", "--unshare-uts"];

/** Folders of this computer that machines see; a link is made again as a link. */
const SYSTEM_FOLDERS = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
const SHARED_ETC = [
  "/etc/alternatives",
  "/etc/ca-certificates",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/pki/ca-trust",
  "/etc/pki/tls/certs",
  "/etc/ssl/certs",
];
/** A server for SSH started in there would listen on this computer's network. */
const MASKED = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"];

/** With `mortal` a sandbox ends with its keeper. */
export function bubblewrap(options: { readonly mortal: boolean }): Sandbox {
  return {
    name: "bubblewrap",
    // bubblewrap itself, the first process of the namespace, and INIT
    layers: 3,
    enterForks: true,
    prepare,
    boot: (directory, spec) => boot(directory, spec, options.mortal ? ["--die-with-parent"] : []),
    isUp: async ({ root }) => exists(join(root, UP)),
    enter,
  };
}

/** Whether this computer lets us make such sandboxes and enter them. */
export async function bubblewrapProblem(): Promise<string | undefined> {
  if (process.platform !== "linux") return `no bubblewrap on ${process.platform}`;
  const run = promisify(execFile);
  try {
    await run("nsenter", ["--version"]);
    await run("bwrap", [...NAMESPACES, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split("\n").at(1) || error.message : String(error);
  }
}

async function prepare({ root }: MachineDirectory, spec: GuestSpec): Promise<void> {
  await rm(join(root, UP), { force: true });
  for (const folder of SYSTEM_FOLDERS) {
    if (isLink(folder) && !exists(join(root, folder))) await symlink(readlinkSync(folder), join(root, folder));
  }
  await mkdir(join(root, "usr"), { recursive: true });
  await writeEtc(root, spec);
  await writeInside(root, "/root/.hushlogin", "", 0o644);
}

/** The arguments go through a file: what is on the command line can be read inside, and names this computer's folders. */
async function boot(directory: MachineDirectory, spec: GuestSpec, extra: readonly string[]): Promise<Launch> {
  const all = [...sandboxArguments(directory, spec), ...extra];
  await writeFile(directory.arguments, all.join("\0"), { mode: 0o600 });
  return {
    argv: ["bwrap", "--args", "3", "--", "/bin/sh", "-c", INIT, "init", ...spec.command],
    env: guestEnvironment(spec),
    cwd: "/",
  };
}

function sandboxArguments({ root }: MachineDirectory, spec: GuestSpec): readonly string[] {
  const readOnly = (path: string) => ["--ro-bind", path, path];
  const folders = SYSTEM_FOLDERS.filter((folder) => existsSync(folder) && !isLink(folder));
  return [
    ...NAMESPACES,
    "--hostname",
    spec.id,
    "--new-session",
    "--bind",
    root,
    "/",
    ...["/usr", ...folders].flatMap(readOnly),
    ...SHARED_ETC.filter(existsSync).flatMap(readOnly),
    ...MASKED.filter((path) => existsSync(path) && !isLink(path)).flatMap((path) => ["--ro-bind", "/dev/null", path]),
    // What is the user's own stays unseen even where it lies beneath a system folder, as in many container images.
    ...[homedir(), resolve(".")].filter((path) => path.startsWith("/usr/")).flatMap((path) => ["--tmpfs", path]),
    "--proc",
    "/proc",
    "--dev",
    "/dev",
    "--chdir",
    "/root",
    "--info-fd",
    "4",
  ];
}

/** Never before `isUp`: the sandbox would not be closed yet. */
async function enter(directory: MachineDirectory, spec: GuestSpec, argv: readonly string[]): Promise<Launch> {
  const first = await firstProcess(directory);
  if (first === undefined) throw new Error(`machine ${spec.id} has no sandbox to enter`);
  const namespaces = ["-t", String(first), "-U", "--preserve-credentials", "-m", "-p", "-i", "-u"];
  return {
    argv: ["nsenter", ...namespaces, "--", "/bin/sh", "-c", ENTER, "sh", ...argv],
    env: guestEnvironment(spec),
    cwd: "/",
  };
}

/** Pid, outside, of the first process inside. */
async function firstProcess(directory: MachineDirectory): Promise<number | undefined> {
  const text = await readFile(directory.info, "utf8").catch(() => "");
  const match = /"child-pid"\s*:\s*(\d+)/.exec(text);
  return match ? Number(match[1]) : undefined;
}

function guestEnvironment(spec: GuestSpec): Record<string, string> {
  return {
    PATH: SYSTEM_PATH,
    HOME: "/root",
    USER: "root",
    LOGNAME: "root",
    SHELL: existsSync("/bin/bash") ? "/bin/bash" : "/bin/sh",
    LANG: "C.UTF-8",
    // Only one user exists inside: files in archives cannot be given to others.
    TAR_OPTIONS: "--no-same-owner",
    ...spec.env,
  };
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
