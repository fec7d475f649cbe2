// The pool over real SSH: one connection for all, found again after it broke, and exec where there is none.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../controller/kernel/clock.ts";
import { lifetime } from "../../controller/kernel/lifetime.ts";
import { ed25519KeyPair } from "../../controller/transports/ed25519-key.ts";
import { hostKey } from "../../controller/transports/host-key.ts";
import { createReach } from "../../controller/transports/pool.ts";
import { sshTransport } from "../../controller/transports/ssh.ts";
import type { Reach, Target, Transport } from "../../controller/transports/transport.ts";
import { noOpenSsh, type OpenSsh, startOpenSsh } from "./openssh.ts";

const absent = noOpenSsh();
if (absent) console.log(`skipped: ${absent}`);

const MASTER = new Uint8Array(32).fill(7);
const OUR_KEY = ed25519KeyPair(new Uint8Array(32).fill(1), "test");
const never = lifetime().signal;
const noExec: Transport = { name: "Exec", connect: () => Promise.reject(new Error("exec must not be used here")) };

describe.skipIf(absent !== undefined)("reaching a machine over OpenSSH", () => {
  let server: OpenSsh;
  let reach: Reach;
  beforeAll(async () => {
    server = await startOpenSsh({ hostKeys: [hostKey(MASTER, "uid-1").privateKey], authorized: OUR_KEY.publicKey });
    const ssh = sshTransport({
      clock: systemClock,
      privateKey: OUR_KEY.privateKey,
      hostKeyOf: (uid) => hostKey(MASTER, uid),
      readyTimeoutMs: 10_000,
      username: server.username,
    });
    reach = createReach({ ssh, exec: noExec, clock: systemClock });
  });
  afterAll(async () => {
    reach.close();
    await server.close();
  });

  const target = (machineId: string, uid = "uid-1"): Target => ({
    app: "shop",
    machineId,
    uid,
    host: "127.0.0.1",
    port: server.port,
  });
  const connections = () => server.log().match(/Accepted publickey/g)?.length ?? 0;

  test("forty commands at once go over one connection, in spite of OpenSSH's ten sessions", async () => {
    const before = connections();
    const results = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const session = await reach.session(target("m1"), never);
        return session.run(`echo ${n}`, { timeoutMs: 20_000 }, never);
      }),
    );
    expect(results.map(({ stdout }) => Number(Buffer.from(stdout).toString()))).toEqual([...results.keys()]);
    expect(connections() - before).toBe(1);
  });

  test("a connection that broke is replaced for the next caller", async () => {
    const first = await reach.session(target("m2"), never);
    const running = first.run("sleep 30", { timeoutMs: 60_000 }, never);
    const lost = expect(running).rejects.toMatchObject({ class: "lost" });
    await systemClock.sleep(200);
    server.dropConnections();
    await lost;
    const next = await reach.session(target("m2"), never);
    expect((await next.run("true", { timeoutMs: 10_000 }, never)).exitCode).toBe(0);
    expect(await reach.probe(target("m2"), never)).toMatchObject({ reachable: true, via: "SSH" });
  });

  test("a wrong host key closes every way", async () => {
    expect(await reach.probe(target("m3", "uid-2"), never)).toMatchObject({ reason: "HostKeyMismatch" });
    await expect(reach.session(target("m3", "uid-2"), never)).rejects.toMatchObject({ class: "mismatch" });
  });
});
