// The exec transport's scripts in a real shell: the endpoint is a model that runs its arguments here, without input and with
// text for output, as Fly's does.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../controller/kernel/clock.ts";
import { systemRandom } from "../../controller/kernel/random.ts";
import { type Machines, MachinesError } from "../../controller/machines/machines.ts";
import { execTransport } from "../../controller/transports/exec.ts";

const never = new AbortController().signal;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const TARGET = { app: "shop", machineId: "m1", uid: "u1", host: "::1", port: 2222 };

type Exec = Machines["exec"];

const here: Exec = (_app, _id, [program = "", ...argv]) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, argv, { stdio: ["ignore", "pipe", "pipe"], env: { HOME: "/tmp" } });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ exitCode: code ?? (signal ? 137 : 0), stdout, stderr }));
  });

async function session(exec: Exec = here) {
  let calls = 0;
  const counted: Exec = (...args) => {
    calls += 1;
    return exec(...args);
  };
  const transport = execTransport({ machines: { exec: counted }, clock: systemClock, random: systemRandom });
  return Object.assign(await transport.connect(TARGET, never), { calls: () => calls });
}

const leftovers = () => readdirSync("/tmp").filter((name) => name.startsWith(".flywheel-"));

describe.skipIf(!existsSync("/bin/sh"))("commands through exec", () => {
  test.each([
    {
      command: "echo out; echo err >&2; exit 3",
      exitCode: 3,
      stdout: "out\n",
      stderr: "err\n",
      reason: "both streams",
    },
    { command: "true", exitCode: 0, stdout: "", stderr: "", reason: "silence" },
    { command: "cat", exitCode: 0, stdout: "", stderr: "", reason: "no input is the end of input" },
    { command: "kill -KILL $$", exitCode: 137, stdout: "", stderr: "Killed\n", reason: "a signal, as shells tell it" },
    { command: "echo '$HOME' \"it's\" `echo b`", exitCode: 0, stdout: "$HOME it's b\n", stderr: "", reason: "quotes" },
    { command: "printf ':0'", exitCode: 0, stdout: ":0", stderr: "", reason: "output like our mark" },
    { command: "pwd; echo $HOME", exitCode: 0, stdout: "/tmp\n/tmp\n", stderr: "", reason: "at home, as SSH is" },
  ])("$reason: $command", async ({ command, exitCode, stdout, stderr }) => {
    const result = await (await session()).run(command, { timeoutMs: 10_000 }, never);
    expect({ exitCode: result.exitCode, stdout: text(result.stdout) }).toEqual({ exitCode, stdout });
    if (exitCode !== 137) expect(text(result.stderr)).toBe(stderr);
  });

  test("carry any bytes in and out, small ones in one call", async () => {
    const stdin = new Uint8Array(20_000).map((_, index) => (index * 7 + (index >> 8)) & 255);
    const exec = await session();
    const result = await exec.run("cat; cat >&2", { stdin, timeoutMs: 10_000 }, never);
    expect(Buffer.compare(Buffer.from(result.stdout), Buffer.from(stdin))).toBe(0);
    expect(exec.calls()).toBe(1);
    expect(leftovers()).toEqual([]);
  });

  test("carry a megabyte in pieces, and leave no file", async () => {
    const stdin = new Uint8Array(1024 * 1024).map((_, index) => (index * 13 + (index >> 8)) & 255);
    const exec = await session();
    const result = await exec.run("cat", { stdin, timeoutMs: 30_000 }, never);
    expect(Buffer.compare(Buffer.from(result.stdout), Buffer.from(stdin))).toBe(0);
    expect(exec.calls()).toBe(12); // 11 pieces of 96 KiB and the command
    expect(leftovers()).toEqual([]);
  });

  test("keep their input out of the arguments that everybody on the machine can read", async () => {
    const stdin = new Uint8Array(Buffer.from("very-secret"));
    const encoded = Buffer.from(stdin).toString("base64");
    const look = `cat >/dev/null; for p in $$ $PPID; do tr '\\0' ' ' </proc/$p/cmdline; done`;
    const { stdout } = await (await session()).run(look, { stdin, timeoutMs: 10_000 }, never);
    expect(text(stdout)).toContain("/bin/sh -c");
    expect(text(stdout)).not.toContain(encoded);
  });

  test("keep no more output than asked for, and still end", async () => {
    const command = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 4";
    const result = await (await session()).run(command, { timeoutMs: 20_000, maxBytes: 1000 }, never);
    expect([result.exitCode, result.stdout.byteLength, result.stderr.byteLength]).toEqual([4, 1000, 1000]);
  });

  test("an answer that was cut is lost, not taken for a whole one", async () => {
    const cutting: Exec = async (...args) => {
      const result = await here(...args);
      return { ...result, stdout: result.stdout.slice(0, 1000) };
    };
    const work = (await session(cutting)).run("head -c 5000 /dev/zero", { timeoutMs: 10_000 }, never);
    await expect(work).rejects.toMatchObject({ class: "lost" });
  });

  test("a machine without base64 is told as such, and the command not run", async () => {
    const bare: Exec = (app, id, [, ...argv], ...rest) =>
      here(app, id, ["/usr/bin/env", "PATH=/nowhere", "/bin/sh", ...argv], ...rest);
    const work = (await session(bare)).run("touch /tmp/flywheel-never", { timeoutMs: 10_000 }, never);
    await expect(work).rejects.toMatchObject({
      class: "down",
      message: expect.stringContaining("base64 or head is missing"),
    });
    expect(existsSync("/tmp/flywheel-never")).toBe(false);
  });

  test("a failed upload is taken back", async () => {
    let calls = 0;
    const failing: Exec = (...args) => {
      calls += 1;
      if (calls === 2) throw new MachinesError("down", "run a command: no answer", { ambiguous: true });
      return here(...args);
    };
    const stdin = new Uint8Array(300_000);
    const work = (await session(failing)).run("cat", { stdin, timeoutMs: 10_000 }, never);
    await expect(work).rejects.toMatchObject({ class: "lost" });
    expect(leftovers()).toEqual([]);
  });

  test.each([
    { ambiguous: true, expected: "lost" },
    { ambiguous: false, expected: "down" },
  ])("an error of the API is $expected when its effect is unknown: $ambiguous", async ({ ambiguous, expected }) => {
    const refusing: Exec = () => Promise.reject(new MachinesError("down", "no", { ambiguous }));
    const work = (await session(refusing)).run("true", { timeoutMs: 1000 }, never);
    await expect(work).rejects.toMatchObject({ class: expected });
  });
});
