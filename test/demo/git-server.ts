// A bare repository with one commit, served on loopback by git's own daemon, pushes allowed.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface GitServer {
  readonly url: string;
  /** The history of the served repository, newest first, with what each commit changed. */
  log(): Promise<string>;
  close(): Promise<void>;
}

export async function serveGit(folder: string): Promise<GitServer> {
  const bare = join(folder, "notes.git");
  await makeRepository(folder, bare);
  const port = await freePort();
  const daemon = spawn(
    "git",
    [
      "daemon",
      `--base-path=${folder}`,
      "--export-all",
      "--enable=receive-pack",
      "--listen=127.0.0.1",
      `--port=${port}`,
      "--reuseaddr",
      "--log-destination=none",
      bare,
    ],
    { stdio: "ignore", detached: true },
  );
  await listening(port);
  return {
    url: `git://127.0.0.1:${port}/notes.git`,
    log: async () => (await git(bare, "log", "--stat", "--format=%h %an: %s")).trimEnd(),
    close: () => stop(daemon),
  };
}

async function makeRepository(folder: string, bare: string): Promise<void> {
  const work = join(folder, "work");
  await mkdir(work, { recursive: true });
  await git(folder, "init", "--quiet", "--bare", "--initial-branch=main", bare);
  await git(work, "init", "--quiet", "--initial-branch=main");
  await writeFile(join(work, "notes.txt"), "first line\n");
  await git(work, "add", "notes.txt");
  await git(
    work,
    "-c",
    "user.name=You",
    "-c",
    "user.email=you@example.com",
    "commit",
    "--quiet",
    "--message=First commit",
  );
  await git(work, "push", "--quiet", bare, "main");
}

/** With nobody's configuration: a hook or a signing key of the user must not change what is shown. */
async function git(folder: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run("git", ["-C", folder, ...args], {
    env: { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" },
  });
  return stdout;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no free port")),
      );
    });
  });
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await answers(port)) return;
    await delay(50);
  }
  throw new Error("git daemon did not start; is git installed with its daemon?");
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const finish = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
  });
}

/** The daemon forks for each client: its whole group goes. */
async function stop(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null || daemon.pid === undefined) return;
  const exited = new Promise((resolve) => daemon.once("exit", resolve));
  process.kill(-daemon.pid, "SIGTERM");
  await exited;
}
