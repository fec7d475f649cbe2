// Our SSH transport against a real OpenSSH server.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../controller/kernel/clock.ts";
import { ed25519KeyPair } from "../../controller/transports/ed25519-key.ts";
import { hostKey } from "../../controller/transports/host-key.ts";
import { sshTransport } from "../../controller/transports/ssh.ts";
import type { Target } from "../../controller/transports/transport.ts";
import { freePort, noOpenSsh, type OpenSsh, startOpenSsh } from "./openssh.ts";

const absent = noOpenSsh();
if (absent) console.log(`skipped: ${absent}`);

const MASTER = new Uint8Array(32).fill(7);
const OUR_KEY = ed25519KeyPair(new Uint8Array(32).fill(1), "test");
const never = new AbortController().signal;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const bytes = (value: string) => new Uint8Array(Buffer.from(value));
const sleep = (ms: number) => systemClock.sleep(ms);

describe.skipIf(absent !== undefined)("SSH to OpenSSH", () => {
  let server: OpenSsh;

  beforeAll(async () => {
    server = await startOpenSsh({ hostKeys: [hostKey(MASTER, "uid-1").privateKey], authorized: OUR_KEY.publicKey });
  });
  afterAll(() => server.close());

  const target = (uid = "uid-1"): Target => ({
    app: "shop",
    machineId: "m1",
    uid,
    host: "127.0.0.1",
    port: server.port,
  });

  function connect(uid = "uid-1", privateKey = OUR_KEY.privateKey) {
    const transport = sshTransport({
      clock: systemClock,
      privateKey,
      hostKeyOf: (of) => hostKey(MASTER, of),
      readyTimeoutMs: 10_000,
      username: server.username,
    });
    return transport.connect(target(uid), never);
  }

  test("runs a command and tells output and exit code apart", async () => {
    const session = await connect();
    const result = await session.run("echo out; echo err >&2; exit 3", { timeoutMs: 10_000 }, never);
    expect({ ...result, stdout: text(result.stdout), stderr: text(result.stderr) }).toEqual({
      exitCode: 3,
      stdout: "out\n",
      stderr: "err\n",
    });
    session.close();
    expect(session.alive).toBe(false);
  });

  test("a command that a signal ended has no exit code", async () => {
    const session = await connect();
    expect((await session.run("kill -TERM $$", { timeoutMs: 10_000 }, never)).exitCode).toBeNull();
    session.close();
  });

  test("carries a megabyte of any bytes in and out", async () => {
    const session = await connect();
    const stdin = new Uint8Array(1024 * 1024).map((_, index) => (index * 7 + (index >> 8)) & 255);
    const result = await session.run("cat", { stdin, timeoutMs: 30_000 }, never);
    expect(Buffer.compare(Buffer.from(result.stdout), Buffer.from(stdin))).toBe(0);
    session.close();
  });

  test("keeps no more output than asked for, and still lets the command end", async () => {
    const session = await connect();
    const result = await session.run(
      "head -c 3000000 /dev/zero; echo e >&2",
      { timeoutMs: 30_000, maxBytes: 1000 },
      never,
    );
    expect({ exitCode: result.exitCode, kept: result.stdout.byteLength }).toEqual({ exitCode: 0, kept: 1000 });
    session.close();
  });

  test("runs commands side by side on one connection: each waits for all the others", async () => {
    const session = await connect();
    const meeting = mkdtempSync(join(tmpdir(), "flywheel-meeting-"));
    const arrive = (n: number) =>
      `touch ${meeting}/${n}; until [ "$(ls ${meeting} | wc -l)" = 8 ]; do sleep 0.1; done; echo ${n}`;
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, n) => session.run(arrive(n), { timeoutMs: 30_000 }, never)),
    );
    expect(results.map(({ stdout }) => text(stdout).trim())).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
    session.close();
    rmSync(meeting, { recursive: true });
  });

  test("a command that takes too long is killed, and its end unknown", async () => {
    const session = await connect();
    const marker = `sleep 300.1${process.pid}`;
    const slow = session.run(`${marker}; echo not reached`, { timeoutMs: 300 }, never);
    await expect(slow).rejects.toMatchObject({ class: "lost", cause: { name: "TimeoutError" } });
    expect((await session.run("echo still here", { timeoutMs: 10_000 }, never)).exitCode).toBe(0);
    await gone(session, marker);
    session.close();
  });

  test("a command given up before it has said its process id is killed once it has", async () => {
    const session = await connect();
    const marker = `sleep 300.3${process.pid}`;
    const giveUp = new AbortController();
    const slow = session.run(`${marker}; echo not reached`, { timeoutMs: 60_000 }, giveUp.signal);
    giveUp.abort(new Error("enough"));
    await expect(slow).rejects.toMatchObject({ class: "lost" });
    await session.run("sleep 1", { timeoutMs: 10_000 }, never); // the other one has begun by now
    await gone(session, marker);
    session.close();
  });

  test("streams both ways, and kills also after the input has ended", async () => {
    const session = await connect();
    const marker = `sleep 300.2${process.pid}`;
    const remote = await session.open?.(`read line; echo "got $line"; exec ${marker}`, {}, never);
    if (!remote) throw new Error("SSH has streams");
    await remote.write(bytes("hello\n"));
    remote.end();
    const first = await remote.stdout[Symbol.asyncIterator]().next();
    expect(text(first.value)).toBe("got hello\n");
    remote.kill("SIGTERM");
    expect(await remote.exit).toEqual({ code: null, signal: "SIGTERM" });
    await gone(session, marker);
    session.close();
  });

  test("opens a terminal of the size asked for, and resizes it", async () => {
    const session = await connect();
    const remote = await session.open?.("stty size; read x; stty size", { terminal: { columns: 99, rows: 33 } }, never);
    if (!remote) throw new Error("SSH has streams");
    let seen = "";
    const reading = (async () => {
      for await (const chunk of remote.stdout) seen += text(chunk);
    })();
    while (!seen.includes("33 99")) await sleep(20);
    remote.resize(120, 40);
    await sleep(100);
    await remote.write(bytes("x\n"));
    await reading;
    expect(seen).toContain("40 120");
    expect(await remote.exit).toEqual({ code: 0, signal: undefined });
    session.close();
  });

  test("another host key is refused before we show who we are", async () => {
    const before = server.log().length;
    await expect(connect("uid-2")).rejects.toMatchObject({ class: "mismatch" });
    await sleep(200);
    const seen = server.log().slice(before);
    expect(seen).toContain("Connection from 127.0.0.1");
    expect(seen).not.toMatch(/userauth|publickey|Accepted|Postponed|Failed/i);
  });

  test("a host key of another type is no way around the pin", async () => {
    const { utils } = (await import("ssh2")).default;
    const other = utils.generateKeyPairSync("ecdsa", { bits: 256 });
    const stranger = await startOpenSsh({ hostKeys: [other.private], authorized: OUR_KEY.publicKey });
    const transport = sshTransport({
      clock: systemClock,
      privateKey: OUR_KEY.privateKey,
      hostKeyOf: (uid) => hostKey(MASTER, uid),
      readyTimeoutMs: 10_000,
      username: stranger.username,
    });
    await expect(transport.connect({ ...target(), port: stranger.port }, never)).rejects.toMatchObject({
      class: "mismatch",
    });
    await stranger.close();
  });

  test("a key that the machine does not know is an auth error", async () => {
    const unknown = ed25519KeyPair(new Uint8Array(32).fill(2), "unknown");
    await expect(connect("uid-1", unknown.privateKey)).rejects.toMatchObject({ class: "auth" });
  });

  test("a connection that breaks in the middle loses what runs on it, and another can be made", async () => {
    const session = await connect();
    const running = session.run("sleep 30", { timeoutMs: 60_000 }, never);
    const remote = await session.open?.("sleep 30", {}, never);
    const outcome = expect(running).rejects.toMatchObject({ class: "lost" });
    await sleep(200);
    server.dropConnections();
    await outcome;
    await expect(remote?.exit).rejects.toMatchObject({ class: "lost" });
    expect(session.alive).toBe(false);
    await expect(session.run("true", { timeoutMs: 1000 }, never)).rejects.toMatchObject({ class: "down" });
    const again = await connect();
    expect((await again.run("true", { timeoutMs: 10_000 }, never)).exitCode).toBe(0);
    again.close();
  });

  test("nobody listening is down, at once", async () => {
    const transport = sshTransport({
      clock: systemClock,
      privateKey: OUR_KEY.privateKey,
      hostKeyOf: (uid) => hostKey(MASTER, uid),
      readyTimeoutMs: 10_000,
    });
    const nowhere = { ...target(), port: await freePort() };
    await expect(transport.connect(nowhere, never)).rejects.toMatchObject({ class: "down" });
  });
});

/** Waits until no process carries the marker as its name. */
async function gone(
  session: { run: Awaited<ReturnType<ReturnType<typeof sshTransport>["connect"]>>["run"] },
  marker: string,
) {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const { stdout } = await session.run(`ps -eo args | grep '^${marker}' || true`, { timeoutMs: 10_000 }, never);
    if (text(stdout) === "") return;
    await sleep(100);
  }
  throw new Error(`${marker} still runs`);
}
