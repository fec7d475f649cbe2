// The job protocol on real processes, with every shell that is here: begun once, found again, ended as a whole.
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { observeScript, startScript } from "../../controller/steps/remote-job-script.ts";
import { execRunner, shellRunner } from "../../controller/steps/shell.ts";
import type { AttemptKey, StepContext, StepObservation } from "../../controller/steps/step.ts";
import { type LocalMachine, localMachine, shells } from "./local-session.ts";

const KEY: AttemptKey = { run: "6f1c", step: "build", attempt: 1 };
if (!shells().some((shell) => shell.busybox))
  console.log("skipped: the job protocol in busybox ash: busybox is not here");

describe.each(shells())("with $name", (shell) => {
  let machine: LocalMachine;
  beforeEach(() => {
    machine = localMachine(shell);
  });
  afterEach(async () => {
    // As long as it runs it writes into what is removed.
    while ((await shellRunner.cancel(context(), 0)).state === "Running") await sleep(20);
    machine.remove();
  });

  function context(key: AttemptKey = KEY): StepContext {
    return { session: machine.session(), key, signal: AbortSignal.timeout(30_000) };
  }
  const directory = () => join(machine.root, "jobs", KEY.run, KEY.step, String(KEY.attempt));
  const work = (file: string) => join(machine.root, "runs", KEY.run, "work", file);
  const bootId = () => shellRunner.bootId(context());
  const begun = async (environment: Record<string, string> = {}) => ({ environment, bootId: await bootId() });
  const start = async (run: string, environment: Record<string, string> = {}) =>
    shellRunner.start(context(), { run }, await begun(environment));

  async function finish(): Promise<{ observation: StepObservation; stdout: Buffer; stderr: Buffer }> {
    const held = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
    for (;;) {
      const offsets = { stdout: held.stdout.length, stderr: held.stderr.length };
      const { observation, output } = await shellRunner.observe(context(KEY), { offsets, waitMs: 5000 });
      for (const { stream, offset, data } of output) {
        expect(offset).toBe(held[stream].length);
        held[stream] = Buffer.concat([held[stream], data]);
      }
      if (observation.state !== "Running" && output.length === 0) return { observation, ...held };
    }
  }

  test("a script runs to its end and its output and exit code are kept", async () => {
    expect(await start("sleep 0.1; echo out; echo err >&2; exit 7")).toEqual({ state: "Running" });
    const { observation, stdout, stderr } = await finish();
    expect(observation).toEqual({ state: "Exited", exitCode: 7 });
    expect([stdout.toString(), stderr.toString()]).toEqual(["out\n", "err\n"]);
  });

  test("starts that race, and starts that come late, run the script once", async () => {
    const script = "echo line >> lines; sleep 0.3";
    await Promise.all(Array.from({ length: 6 }, () => start(script)));
    await finish();
    expect(await start(script)).toEqual({ state: "Exited", exitCode: 0 });
    expect(readFileSync(work("lines"), "utf8")).toBe("line\n");
  });

  test("the first failing command ends the script", async () => {
    await start("echo one; false; echo two");
    const { observation, stdout } = await finish();
    expect(observation).toEqual({ state: "Exited", exitCode: 1 });
    expect(stdout.toString()).toBe("one\n");
  });

  test("values of the environment arrive exactly, and are on no disk and no command line when the script begins", async () => {
    const environment = {
      QUOTES: `it's "quoted" \`id\` $(id) \${HOME} \\ \\n end`,
      LINES: "first\nsecond\n\n",
      UNICODE: "ā ü 漢字 🚀 \u0081\u0088",
      DASH: "-n -e --",
      EMPTY: "",
      fw_dir: "/nowhere",
      CDPATH: "/nowhere",
      S: "a 'b' c",
    };
    const names = Object.keys(environment);
    await start(
      `${names.map((name) => `printf '%s' "$${name}"; printf '\\001'`).join("\n")}\nls -A "$DIRECTORY"/in.* >&2`,
      { ...environment, DIRECTORY: directory() },
    );
    const { observation, stdout, stderr } = await finish();
    expect(observation).toEqual({ state: "Exited", exitCode: 0 });
    expect(stdout.toString().split("\u0001").slice(0, -1)).toEqual(Object.values(environment));
    expect(stderr.toString().split("\n")).not.toContain("env");
  });

  test("the machine's own environment is there, and a value that the step gives wins", async () => {
    writeFileSync(
      join(machine.folder, "run/flywheel/env"),
      "export HOME='/elsewhere'\nexport EDITOR='vim -u x'\nexport LEVEL='machine'\n",
    );
    await start("printf '%s|%s|%s' \"$EDITOR\" $LEVEL $HOME", { LEVEL: "step" });
    expect((await finish()).stdout.toString()).toBe(`vim -u x|step|${machine.folder}/home`);
  });

  test("the script is told which attempt it is", async () => {
    await start("printf '%s %s %s' $FLYWHEEL_RUN $FLYWHEEL_STEP $FLYWHEEL_ATTEMPT");
    expect((await finish()).stdout.toString()).toBe("6f1c build 1");
  });

  test("bytes of any kind come through unchanged", async () => {
    const bytes = Buffer.from(Array.from({ length: 3000 }, (_, index) => (index * 7) % 256));
    writeFileSync(join(machine.folder, "bytes"), bytes);
    await start(`cat ${machine.folder}/bytes; cat ${machine.folder}/bytes >&2`);
    const { stdout, stderr } = await finish();
    expect(stdout.equals(bytes)).toBe(true);
    expect(stderr.equals(bytes)).toBe(true);
  });

  test("output larger than one reply comes in pieces, without a gap", async () => {
    await start("seq 1 100000");
    const { stdout } = await finish();
    expect(stdout.toString()).toBe(`${Array.from({ length: 100_000 }, (_, index) => index + 1).join("\n")}\n`);
  });

  test("observing answers as soon as there is something new", async () => {
    await start("sleep 0.4; echo now; sleep 5");
    const began = performance.now();
    const { observation, output } = await shellRunner.observe(context(), {
      offsets: { stdout: 0, stderr: 0 },
      waitMs: 4000,
    });
    expect(observation).toEqual({ state: "Running" });
    expect(Buffer.from(output[0]?.data ?? []).toString()).toBe("now\n");
    expect(performance.now() - began).toBeLessThan(3000);
  });

  test("observing with nothing new answers when its time is over", async () => {
    await start("sleep 5");
    const { observation, output } = await shellRunner.observe(context(), {
      offsets: { stdout: 0, stderr: 0 },
      waitMs: 300,
    });
    expect([observation, output]).toEqual([{ state: "Running" }, []]);
  });

  test("a viewer that is killed leaves the job alone", async () => {
    await start("sleep 0.5; echo done");
    const viewer = new AbortController();
    const view = shellRunner.observe(
      { ...context(), signal: viewer.signal },
      { offsets: { stdout: 0, stderr: 0 }, waitMs: 5000 },
    );
    setTimeout(() => viewer.abort(), 100);
    await expect(view).rejects.toThrow();
    const { observation, stdout } = await finish();
    expect(observation).toEqual({ state: "Exited", exitCode: 0 });
    expect(stdout.toString()).toBe("done\n");
  });

  test("an attempt that is cancelled before it begins never begins", async () => {
    expect(await shellRunner.cancel(context(), 1000)).toEqual({ state: "Abandoned" });
    expect(await start("touch began")).toEqual({ state: "Abandoned" });
    await sleep(100);
    expect(existsSync(work("began"))).toBe(false);
  });

  test("a start that races a cancellation either never begins or is ended", async () => {
    const attempts = Array.from({ length: 8 }, (_, index) => ({ ...KEY, attempt: index + 10 }));
    const options = await begun();
    await Promise.all(
      attempts.flatMap((key) => [
        shellRunner.start(context(key), { run: "sleep 30" }, options),
        shellRunner.cancel(context(key), 1000),
      ]),
    );
    const nothing = { offsets: { stdout: 0, stderr: 0 }, waitMs: 5000 };
    for (const key of attempts) {
      expect((await shellRunner.observe(context(key), nothing)).observation).toEqual({ state: "Abandoned" });
    }
  });

  test("cancelling ends the whole process group, and what ignores TERM is killed", async () => {
    await start(
      "echo $$; sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done' & trap '' TERM; while :; do sleep 0.1; done",
    );
    let pids: number[] = [];
    for (let look = 0; look < 50 && pids.length < 2; look++) {
      const { output } = await shellRunner.observe(context(), { offsets: { stdout: 0, stderr: 0 }, waitMs: 1000 });
      pids = Buffer.from(output[0]?.data ?? [])
        .toString()
        .split("\n")
        .filter(Boolean)
        .map(Number);
    }
    expect(await shellRunner.cancel(context(), 1000)).toEqual({ state: "Running" });
    expect((await finish()).observation).toEqual({ state: "Abandoned" });
    for (const pid of pids) expect(alive(pid)).toBe(false);
  });

  test("cancelling what has finished changes nothing", async () => {
    await start("exit 3");
    await finish();
    expect(await shellRunner.cancel(context(), 1000)).toEqual({ state: "Exited", exitCode: 3 });
    expect((await finish()).observation).toEqual({ state: "Exited", exitCode: 3 });
  });

  test("after a reboot an unfinished job is lost and a finished one is not", async () => {
    const other = { ...KEY, attempt: 2 };
    await start("exit 0");
    await finish();
    await shellRunner.start(context(other), { run: "sleep 3" }, await begun());
    machine.reboot();
    expect((await finish()).observation).toEqual({ state: "Exited", exitCode: 0 });
    expect(
      (await shellRunner.observe(context(other), { offsets: { stdout: 0, stderr: 0 }, waitMs: 0 })).observation,
    ).toEqual({
      state: "Lost",
      message: "the machine has booted again since the job began",
    });
  });

  test("a job whose supervisor and group are killed from outside is lost", async () => {
    await start("echo began; sleep 30");
    await shellRunner.observe(context(), { offsets: { stdout: 0, stderr: 0 }, waitMs: 5000 });
    const pid = Number(readFileSync(join(directory(), "claim"), "utf8").split(" ")[2]);
    const group = Number(readFileSync(join(directory(), "group"), "utf8").split(" ")[0]);
    process.kill(pid, "SIGKILL");
    await sleep(50);
    expect(
      (await shellRunner.observe(context(), { offsets: { stdout: 0, stderr: 0 }, waitMs: 0 })).observation.state,
    ).toBe("Running");
    process.kill(-group, "SIGKILL");
    expect((await finish()).observation.state).toBe("Lost");
  });

  test("a start repeated after a reboot that erased the first one does not run again", async () => {
    const committed = await bootId();
    writeFileSync(join(machine.folder, "run/flywheel/boot"), "another-boot\n");
    expect(await bootId()).not.toBe(committed);
    const start = (boot: string) => shellRunner.start(context(), { run: "true" }, { environment: {}, bootId: boot });
    expect((await start(committed)).state).toBe("Lost");
    expect((await start(await bootId())).state, "and nothing can begin it later").toBe("Lost");
    expect((await finish()).observation.state).toBe("Lost");
  });

  test("a directory that is gone makes the attempt absent", async () => {
    await start("true");
    await finish();
    rmSync(directory(), { recursive: true });
    expect((await finish()).observation).toEqual({ state: "Absent" });
  });

  test("released, an attempt keeps its end and nothing else", async () => {
    await start("echo out; exit 4");
    await finish();
    await shellRunner.release(context());
    expect(readdirSync(directory()).sort()).toEqual(["claim", "exit", "group"]);
    expect(await start("echo again")).toEqual({ state: "Exited", exitCode: 4 });
  });

  test("steps of one run share a directory, and the job's own is closed to others", async () => {
    await start("echo shared > file");
    await finish();
    await shellRunner.start(context({ ...KEY, step: "next" }), { run: "cat file > copy" }, await begun());
    await shellRunner.observe(context({ ...KEY, step: "next" }), { offsets: { stdout: 1, stderr: 0 }, waitMs: 3000 });
    expect(readFileSync(work("copy"), "utf8")).toBe("shared\n");
    expect(statSync(directory()).mode & 0o777).toBe(0o700);
  });

  test("a command runs in HOME with sh, and its errors look like those of sh -c", async () => {
    const key = { run: "9ab2", step: "exec", attempt: 1 };
    await execRunner.start(context(key), { command: "pwd; cat < /dev/null; nosuchcommand" }, await begun());
    let text = "";
    for (let offset = 0; ; ) {
      const { observation, output } = await execRunner.observe(context(key), {
        offsets: { stdout: offset, stderr: 999 },
        waitMs: 3000,
      });
      for (const { data } of output) {
        offset += data.length;
        text += Buffer.from(data).toString();
      }
      if (observation.state === "Exited") {
        expect(observation.exitCode).toBe(127);
        break;
      }
    }
    expect(text).toBe(`${machine.folder}/home\n`);
    expect(readFileSync(join(machine.root, "jobs/9ab2/exec/1/stderr"), "utf8")).toMatch(
      /^(sh|.*bin\/sh): .*nosuchcommand.*not found/,
    );
  });

  test("a large script arrives whole, and one that is cut off on its way does nothing", async () => {
    const large = `touch large\n${"# ü ' padding\n".repeat(15_000)}`;
    await start(large);
    await finish();
    expect(existsSync(work("large"))).toBe(true);
    const call = { ...KEY, attempt: 3, nonce: "n" };
    const script = startScript(call, { mode: "shell", script: "touch cut", environment: {}, bootId: await bootId() });
    for (const part of [0.2, 0.5, 0.99]) {
      const stdin = Buffer.from(script.slice(0, Math.floor(script.length * part)));
      await machine.session().run("sh", { stdin, timeoutMs: 5000 }, AbortSignal.timeout(5000));
    }
    const look = observeScript(call, { offsets: { stdout: 0, stderr: 0 }, maxBytes: 9, waitMs: 0 });
    const { stdout } = await machine
      .session()
      .run("sh", { stdin: Buffer.from(look), timeoutMs: 5000 }, AbortSignal.timeout(5000));
    expect(Buffer.from(stdout).toString()).toContain("flywheel-n Absent");
  });
});

function alive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
