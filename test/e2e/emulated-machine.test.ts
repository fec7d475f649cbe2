// Client, transports and pool against a machine of the emulator: the same commands over SSH and through exec.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Emulator, startEmulator } from "../../controller/emulator/emulator.ts";
import { systemClock } from "../../controller/kernel/clock.ts";
import { lifetime } from "../../controller/kernel/lifetime.ts";
import { systemRandom } from "../../controller/kernel/random.ts";
import { flyMachines } from "../../controller/machines/client.ts";
import { type ClosableHttp, undiciHttp } from "../../controller/machines/http.ts";
import type { Machines } from "../../controller/machines/machines.ts";
import { ed25519KeyPair } from "../../controller/transports/ed25519-key.ts";
import { execTransport } from "../../controller/transports/exec.ts";
import { hostKey } from "../../controller/transports/host-key.ts";
import { createReach } from "../../controller/transports/pool.ts";
import { sshTransport } from "../../controller/transports/ssh.ts";
import type { Reachability, Target, Transport } from "../../controller/transports/transport.ts";

const MASTER = new Uint8Array(32).fill(7);
const OUR_KEY = ed25519KeyPair(new Uint8Array(32).fill(1), "test");
const never = lifetime().signal;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const file = (path: string, content: string) => ({
  guest_path: path,
  raw_value: Buffer.from(content).toString("base64"),
  mode: 0o600,
});

describe("a machine of the emulator", () => {
  let emulator: Emulator;
  let http: ClosableHttp;
  let machines: Machines;
  let target: Target;
  let ssh: Transport;
  let exec: Transport;

  beforeAll(async () => {
    emulator = await startEmulator({ token: "token", clock: systemClock, random: systemRandom });
    http = undiciHttp({ clock: systemClock });
    const shared = { clock: systemClock, random: systemRandom };
    machines = flyMachines({ http, baseUrl: emulator.url, token: "token", ...shared });
    await machines.ensureApp("shop", "personal", never);
    const config = {
      image: "ubuntu:22.04",
      init: { exec: ["/bin/sleep", "inf"] },
      files: [
        file("/root/.ssh/authorized_keys", `${OUR_KEY.publicKey}\n`),
        file("/etc/ssh/flywheel_host_ed25519_key", hostKey(MASTER, "uid-1").privateKey),
      ],
    };
    const { id } = await machines.create("shop", { name: "box", region: "iad", config }, never);
    expect(await machines.wait("shop", id, "started", 30_000, never)).toBe(true);
    const { private_ip } = await machines.get("shop", id, never);
    target = { app: "shop", machineId: id, uid: "uid-1", host: private_ip ?? "", port: 2222 };
    exec = execTransport({ machines, ...shared });
    ssh = sshTransport({
      clock: systemClock,
      privateKey: OUR_KEY.privateKey,
      hostKeyOf: (uid) => hostKey(MASTER, uid),
      readyTimeoutMs: 10_000,
    });
  });

  afterAll(async () => {
    await http.close();
    await emulator.close();
  });

  async function reachable(reach: ReturnType<typeof createReach>, to: Target): Promise<Reachability> {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const found = await reach.probe(to, never);
      if (found.reachable || found.reason !== "Probing") return found;
      await systemClock.sleep(100);
    }
    throw new Error("not reachable");
  }

  test("is found over SSH as soon as that listens", async () => {
    const reach = createReach({ ssh, exec, clock: systemClock });
    expect(await reachable(reach, target)).toMatchObject({ reachable: true, via: "SSH" });
    reach.close();
  });

  test("answers the same over SSH and through exec", async () => {
    const stdin = new Uint8Array(20_000).map((_, index) => (index * 7) & 255);
    const command = "cat; uname -s >&2; pwd >&2; exit 5";
    const results = [];
    for (const transport of [ssh, exec]) {
      const session = await transport.connect(target, never);
      const { exitCode, stdout, stderr } = await session.run(command, { stdin, timeoutMs: 20_000 }, never);
      results.push({ exitCode, stdout: Buffer.compare(Buffer.from(stdout), Buffer.from(stdin)), stderr: text(stderr) });
      session.close();
    }
    expect(results[0]).toEqual({ exitCode: 5, stdout: 0, stderr: "Linux\n/root\n" });
    expect(results[1]).toEqual(results[0]);
  });

  test("kills a stream by its process id, which is one inside the machine", async () => {
    const session = await ssh.connect(target, never);
    const remote = await session.open?.("echo up; exec sleep 300", {}, never);
    if (!remote) throw new Error("SSH has streams");
    await remote.stdout[Symbol.asyncIterator]().next();
    remote.end();
    remote.kill("TERM");
    const { code, signal } = await remote.exit;
    expect(signal === "SIGTERM" || code === 143).toBe(true);
    session.close();
  });

  test("with another host key than its uid's is sent nothing", async () => {
    const reach = createReach({ ssh, exec, clock: systemClock });
    const wrong = { ...target, uid: "uid-2" };
    expect(await reachable(reach, wrong)).toMatchObject({ reason: "HostKeyMismatch" });
    await expect(reach.session(wrong, never)).rejects.toMatchObject({ class: "mismatch" });
    reach.close();
  });
});
