// The machine's init brings up the image's own sshd, and our SSH transport reaches it with the pinned host key: what the
// emulator does not show, because it serves SSH itself.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../controller/kernel/clock.ts";
import { machineInit } from "../../controller/reconcilers/machine-init.ts";
import { ed25519KeyPair } from "../../controller/transports/ed25519-key.ts";
import { hostKey } from "../../controller/transports/host-key.ts";
import { sshTransport } from "../../controller/transports/ssh.ts";
import type { Connection } from "../../controller/transports/transport.ts";
import { freePort, noOpenSsh } from "./openssh.ts";

const UID = "0b7c1f1e-8c1d-4c53-9a0e-6f2f0a8c1d11";
const master = randomBytes(32);
const pinned = hostKey(master, UID);
const client = ed25519KeyPair(randomBytes(32), "test");
const never = new AbortController().signal;

function problem(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root, as a machine has it";
  if (noOpenSsh()) return noOpenSsh();
  try {
    execFileSync("bwrap", ["--ro-bind", "/", "/", "true"], { stdio: "ignore" });
    return undefined;
  } catch (error) {
    return `bubblewrap does not work here: ${String(error).split("\n")[0]}`;
  }
}

const missing = problem();
if (missing) process.stderr.write(`skipped: ${missing}\n`);

describe.skipIf(missing !== undefined)("a machine with sshd in its image", () => {
  let folder: string;
  let port: number;
  let machine: ChildProcess;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "flywheel-init-"));
    port = await freePort();
    const root = place("root/.ssh/authorized_keys", `${client.publicKey}\n`);
    const ssh = place("ssh/flywheel_host_ed25519_key", pinned.privateKey);
    const sandbox = [
      "--ro-bind",
      "/",
      "/",
      "--dev",
      "/dev",
      "--proc",
      "/proc",
      "--unshare-pid",
      "--die-with-parent",
      "--tmpfs",
      "/run",
      "--tmpfs",
      "/var",
      "--dir",
      "/var/log",
      "--bind",
      ssh,
      "/etc/ssh",
      "--bind",
      root,
      "/root",
    ];
    const script = machineInit({ sshPort: port, ownCommand: false });
    machine = spawn("bwrap", [...sandbox, "--setenv", "GREETING", "it's here", "/bin/sh", "-c", script], {
      stdio: "ignore",
    });
  });

  afterAll(async () => {
    const ended = new Promise((resolve) => machine.once("exit", resolve));
    machine.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });

  /** Writes a file as Fly writes `config.files`, and answers the topmost folder below ours. */
  function place(path: string, text: string): string {
    const [top = ""] = path.split("/");
    mkdirSync(join(folder, path, ".."), { recursive: true, mode: 0o755 });
    writeFileSync(join(folder, path), text, { mode: 0o644 });
    return join(folder, top);
  }

  async function connected(): Promise<Connection> {
    const transport = sshTransport({
      clock: systemClock,
      privateKey: client.privateKey,
      hostKeyOf: () => pinned,
      readyTimeoutMs: 5000,
    });
    const target = { app: "workers", machineId: "148e", uid: UID, host: "127.0.0.1", port };
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await transport.connect(target, never);
      } catch (error) {
        if (attempt === 50) throw error;
        await delay(100);
      }
    }
  }

  test("is reached by SSH as root, with the key that was pinned before it booted", async () => {
    const connection = await connected();
    const result = await connection.run(
      "id -u; cat /run/flywheel/boot; stat -c %a /etc/ssh/flywheel_host_ed25519_key /run/flywheel/env",
      { timeoutMs: 5000 },
      never,
    );
    expect(Buffer.from(result.stdout).toString()).toMatch(/^0\n[0-9a-f-]{36}\n600\n600\n$/);
    connection.close();
  });

  test("hands its environment to those who come in by SSH", async () => {
    const connection = await connected();
    const result = await connection.run('. /run/flywheel/env; printf %s "$GREETING"', { timeoutMs: 5000 }, never);
    expect(Buffer.from(result.stdout).toString()).toBe("it's here");
    connection.close();
  });

  test("has its sshd again when that was killed", async () => {
    const connection = await connected();
    await connection
      .run("pkill -KILL -x -o sshd", { timeoutMs: 5000 }, never)
      .catch(() => undefined /* the connection goes with it */);
    // What was accepted before the listener died may still be let go: asked until the new one answers.
    const answer = async () => {
      const again = await connected();
      const { exitCode } = await again.run("true", { timeoutMs: 5000 }, never).finally(() => again.close());
      return exitCode;
    };
    expect(await answer().catch(() => answer())).toBe(0);
  });
});
