// A real OpenSSH server on loopback, started by a test for itself alone, with the keys it is given.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";

const SSHD = "/usr/sbin/sshd";

export interface OpenSsh {
  readonly port: number;
  readonly username: string;
  /** What the server wrote to its log. */
  log(): string;
  /** Ends every connection that is open now; the server goes on. */
  dropConnections(): void;
  close(): Promise<void>;
}

/** Why there can be none on this computer; undefined when there can. */
export function noOpenSsh(): string | undefined {
  if (!existsSync(SSHD)) return `${SSHD} is not installed`;
  return undefined;
}

export async function startOpenSsh(keys: { hostKeys: readonly string[]; authorized: string }): Promise<OpenSsh> {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-sshd-"));
  const port = await freePort();
  const hostKeys = keys.hostKeys.map((text, index) => write(folder, `host_key_${index}`, text));
  const config = [
    "ListenAddress 127.0.0.1",
    `Port ${port}`,
    ...hostKeys.map((path) => `HostKey ${path}`),
    `AuthorizedKeysFile ${write(folder, "authorized_keys", keys.authorized)}`,
    "StrictModes no", // the folder is below /tmp
    "PidFile none",
    "UsePAM no",
    "PasswordAuthentication no",
    "PermitRootLogin prohibit-password",
    "LogLevel VERBOSE",
  ];
  if (userInfo().uid === 0) mkdirSync("/run/sshd", { recursive: true });
  const child = spawn(SSHD, ["-D", "-e", "-f", write(folder, "sshd_config", config.join("\n"))], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await answering(port, child, () => log);
  return {
    port,
    username: userInfo().username,
    log: () => log,
    dropConnections: () => killChildren(child),
    async close() {
      killChildren(child);
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function write(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

async function answering(port: number, child: ChildProcess, log: () => string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`sshd ended: ${log()}`);
    if (await answers(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`sshd does not answer: ${log()}`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** The processes that serve a connection each. Their ids come from the server that this test started. */
function killChildren(child: ChildProcess): void {
  const listing = spawnSync("ps", ["-o", "pid=", "--ppid", String(child.pid)], { encoding: "utf8" }).stdout;
  for (const pid of listing.split(/\s+/).filter(Boolean)) {
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error; // ended by itself
    }
  }
}
