import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2, { type ClientChannel } from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Emulator } from "../../controller/emulator/emulator.ts";
import { bubblewrapProblem } from "../../controller/emulator/guests/bubblewrap.ts";
import { client, hostKey, SSH_FILES, start, until, userKey } from "./emulated.ts";

const hasOpenSsh = hasProgram("ssh");
if (!hasOpenSsh) console.warn("OpenSSH's client is not tested: no program ssh on this computer");
if (process.platform !== "linux") console.warn("SSH is not tested: addresses in 127.64.0.0/10 exist on Linux only");

describe.runIf(process.platform === "linux")("SSH into a machine", () => {
  let emulator: Emulator;
  let fly: ReturnType<typeof client>;
  let folder: string;

  beforeAll(async () => {
    emulator = await start({ sandbox: (await bubblewrapProblem()) ? "plain" : "bubblewrap" });
    fly = client(emulator.url);
    folder = mkdtempSync(join(tmpdir(), "flywheel-ssh-"));
    writeFileSync(join(folder, "id"), userKey.private, { mode: 0o600 });
  });
  afterAll(async () => {
    await emulator.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const machine = async () => {
    const { id, ip } = await fly.started({ files: SSH_FILES });
    await until("SSH answers", () => answers(ip));
    return { id, ip };
  };

  test("is refused for a moment after started, then answers", async () => {
    const { ip } = await fly.started({ files: SSH_FILES });
    expect(await answers(ip)).toBe(false);
    await until("SSH answers", () => answers(ip));
  });

  test("runs commands with streams, input and exit codes", async () => {
    const { id, ip } = await machine();
    const session = await login(ip);
    expect(await run(session, "echo out; echo err >&2; exit 5")).toMatchObject({
      stdout: "out\n",
      stderr: "err\n",
      code: 5,
    });
    expect(await run(session, "wc -c", "x".repeat(1_000_000))).toMatchObject({ stdout: "1000000\n", code: 0 });
    expect(await run(session, "echo $FLY_MACHINE_ID; pwd")).toMatchObject({ stdout: expect.stringContaining(id) });
    expect(await run(session, "head -c 3000000 /dev/zero | tr '\\0' x")).toMatchObject({
      stdout: "x".repeat(3_000_000),
    });
    expect(await run(session, "kill -TERM $$")).toMatchObject({ signal: "SIGTERM" });
    expect(await run(session, "exit 200")).toMatchObject({ code: 200 });
    session.end();
  });

  test("passes signals on to the whole command", async () => {
    const { ip } = await machine();
    const session = await login(ip);
    const channel = await open(session, "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done");
    const ended = outcome(channel);
    await new Promise((resolve) => channel.once("data", resolve));
    channel.signal("INT");
    expect(await ended).toMatchObject({ code: 9 });
    session.end();
  });

  test("a terminal is one: its size, and what is typed", async () => {
    const { ip } = await machine();
    const session = await login(ip);
    const channel = await new Promise<ClientChannel>((resolve, reject) =>
      session.shell({ rows: 33, cols: 99, term: "xterm" }, (error, stream) =>
        error ? reject(error) : resolve(stream),
      ),
    );
    const ended = outcome(channel);
    channel.write("tty; stty size; exit 4\n");
    const { stdout, code } = await ended;
    expect(stdout).toMatch(/\/dev\/pts\/\d+/);
    expect(stdout).toContain("33 99");
    expect(code).toBe(4);
    session.end();
  });

  test.each([
    ["another key", "root", ssh2.utils.generateKeyPairSync("ed25519").private],
    ["another user", "someone", userKey.private],
  ])("refuses %s", async (_, username, privateKey) => {
    const { ip } = await machine();
    await expect(login(ip, { username, privateKey })).rejects.toThrow(/authentication/i);
  });

  test("shows the host key of the configuration, or one that a fresh root changes", async () => {
    const { ip } = await machine();
    expect(await shownHostKey(ip)).toBe(hostKey.public.split(" ")[1]);
    const { id, ip: other } = await fly.started({ files: SSH_FILES.slice(0, 1) });
    await until("SSH answers", () => answers(other));
    const first = await shownHostKey(other);
    await fly.call("POST", fly.machine(id, "/stop"), {});
    await fly.wait(id, "stopped");
    await fly.call("POST", fly.machine(id, "/start"));
    await fly.wait(id, "started");
    await until("SSH answers", () => answers(other));
    expect(await shownHostKey(other)).not.toBe(first);
  });

  test("ends with the machine: open sessions die at stop, nobody gets in", async () => {
    const { id, ip } = await machine();
    const session = await login(ip);
    const closed = new Promise((resolve) => session.on("close", () => resolve(undefined)));
    await open(session, "sleep 600");
    await fly.call("POST", fly.machine(id, "/stop"), {});
    await closed;
    await fly.wait(id, "stopped");
    expect(await answers(ip)).toBe(false);
  });

  test("stands still while suspended, and goes on", async () => {
    const { id, ip } = await machine();
    const session = await login(ip);
    const channel = await open(session, "while :; do echo tick; sleep 0.02; done");
    let ticks = 0;
    channel.on("data", () => {
      ticks += 1;
    });
    await until("it ticks", () => ticks > 2);
    await fly.call("POST", fly.machine(id, "/suspend"));
    await fly.wait(id, "suspended");
    expect(await answers(ip)).toBe(false);
    const before = ticks;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(ticks - before).toBeLessThan(3);
    await fly.call("POST", fly.machine(id, "/start"));
    await fly.wait(id, "started");
    await until("it ticks again", () => ticks > before + 5);
    session.end();
  });

  describe.runIf(hasOpenSsh)("with OpenSSH's own client", () => {
    const options = (known: string) => [
      ...["-i", join(folder, "id"), "-p", "2222", "-F", "none"],
      ...["-o", "StrictHostKeyChecking=yes", "-o", `UserKnownHostsFile=${join(folder, known)}`, "-o", "BatchMode=yes"],
    ];
    const know = (ip: string, file: string, key: string) => writeFileSync(join(folder, file), `[${ip}]:2222 ${key}\n`);

    test("a command, its input and its exit code; the host key is checked", async () => {
      const { ip } = await machine();
      know(ip, "known", hostKey.public);
      const answer = await program("ssh", [...options("known"), `root@${ip}`, "cat; uname -s; exit 3"], "typed\n");
      expect(answer).toMatchObject({ stdout: "typed\nLinux\n", code: 3 });
      know(ip, "wrong", ssh2.utils.generateKeyPairSync("ed25519").public);
      const refused = await program("ssh", [...options("wrong"), `root@${ip}`, "true"]);
      expect(refused.code).toBe(255);
      expect(refused.stderr).toMatch(/host key|HOST IDENTIFICATION/i);
    });

    test("a terminal", async () => {
      const { ip } = await machine();
      know(ip, "known", hostKey.public);
      const { stdout } = await program("ssh", ["-tt", ...options("known"), `root@${ip}`, "tty"]);
      expect(stdout).toMatch(/^\/dev\/pts\/\d+/);
    });

    test("files over sftp", async () => {
      const { id, ip } = await machine();
      know(ip, "known", hostKey.public);
      writeFileSync(join(folder, "file"), "carried over");
      const scp = options("known").map((each) => (each === "-p" ? "-P" : each));
      const answer = await program("scp", [...scp, join(folder, "file"), `root@${ip}:arrived`]);
      expect(answer).toMatchObject({ code: 0 });
      expect(await fly.sh(id, "cat arrived")).toBe("carried over");
    });
  });
});

function answers(ip: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(2222, ip);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function login(ip: string, as: { username?: string; privateKey?: string } = {}): Promise<ssh2.Client> {
  return new Promise((resolve, reject) => {
    const session = new ssh2.Client();
    session.once("ready", () => resolve(session)).on("error", reject);
    session.connect({ host: ip, port: 2222, username: "root", privateKey: userKey.private, ...as });
  });
}

function shownHostKey(ip: string): Promise<string> {
  return new Promise((resolve) => {
    const session = new ssh2.Client();
    session.on("error", () => undefined);
    const hostVerifier = (key: Buffer) => {
      resolve(key.toString("base64"));
      return false;
    };
    session.connect({ host: ip, port: 2222, username: "root", privateKey: userKey.private, hostVerifier });
  });
}

function open(session: ssh2.Client, command: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) =>
    session.exec(command, (error, channel) => (error ? reject(error) : resolve(channel))),
  );
}

async function run(session: ssh2.Client, command: string, input = "") {
  const channel = await open(session, command);
  const ended = outcome(channel);
  channel.end(input);
  return ended;
}

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: string | undefined;
}

function outcome(channel: ClientChannel): Promise<Outcome> {
  return new Promise((resolve) => {
    let stdout = "";
    let stderr = "";
    channel.on("data", (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    channel.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    channel.on("close", (code: number | null, signal: string | undefined) => resolve({ stdout, stderr, code, signal }));
  });
}

function program(file: string, args: readonly string[], input = ""): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ stdout, stderr, code, signal: undefined }));
    child.stdin.end(input);
  });
}

function hasProgram(name: string): boolean {
  try {
    execFileSync("which", [name]);
    return true;
  } catch (error) {
    return error instanceof Error && "status" in error && error.status === 0;
  }
}
