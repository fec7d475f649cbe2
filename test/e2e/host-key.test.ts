// Our keys as OpenSSH's own tool and ssh2's server and client see them.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { expect, test } from "vitest";
import { systemClock } from "../../controller/kernel/clock.ts";
import { hostKey } from "../../controller/transports/host-key.ts";
import { readOrMakeSshKey } from "../../controller/transports/secrets.ts";
import { sshTransport } from "../../controller/transports/ssh.ts";
import { freePort } from "./openssh.ts";

const KEYGEN = "/usr/bin/ssh-keygen";
const absent = !existsSync(KEYGEN);
if (absent) console.log(`skipped: ${KEYGEN} is not installed`);
const MASTER = new Uint8Array(32).fill(7);

test.skipIf(absent)("ssh-keygen reads a derived key and agrees on its fingerprint", () => {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-key-"));
  const path = join(folder, "key");
  const key = hostKey(MASTER, "uid-1");
  writeFileSync(path, key.privateKey, { mode: 0o600 });
  expect(execFileSync(KEYGEN, ["-l", "-f", path], { encoding: "utf8" })).toContain(`256 ${key.fingerprint} `);
  expect(execFileSync(KEYGEN, ["-y", "-f", path], { encoding: "utf8" }).trim()).toBe(key.publicKey);
  rmSync(folder, { recursive: true });
});

test("ssh2's server takes the derived key, and its client ours", async () => {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-key-"));
  const ours = readOrMakeSshKey(undefined, folder);
  const server = new ssh2.Server({ hostKeys: [hostKey(MASTER, "uid-1").privateKey] }, (client) => {
    client.on("authentication", (context) => {
      const known =
        context.method === "publickey" && context.key.data.toString("base64") === ours.publicKey.split(" ")[1];
      if (known) context.accept();
      else context.reject();
    });
    client.on("session", (accept) => {
      accept().on("exec", (acceptExec) => {
        const channel = acceptExec();
        channel.write("served");
        channel.exit(0);
        channel.end();
      });
    });
    client.on("error", () => undefined);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  const transport = sshTransport({
    clock: systemClock,
    privateKey: ours.privateKey,
    hostKeyOf: (uid) => hostKey(MASTER, uid),
    readyTimeoutMs: 5000,
  });
  const signal = new AbortController().signal;
  const target = { app: "a", machineId: "m", uid: "uid-1", host: "127.0.0.1", port };
  const session = await transport.connect(target, signal);
  const result = await session.run("anything", { timeoutMs: 5000 }, signal);
  expect(Buffer.from(result.stdout).toString()).toBe("served");
  session.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(folder, { recursive: true });
});
