// The command and the server as a user has them, each a process of its own, with machines of the emulator: the examples do
// what they say.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const ROOT = new URL("../..", import.meta.url).pathname;
const EXAMPLES = join(ROOT, "manifests/examples");
const folder = mkdtempSync(join(tmpdir(), "flywheel-server-"));
const processes: ChildProcess[] = [];
let url = "";

beforeAll(async () => {
  const server = begin(process.execPath, ["--import", "tsx", "controller/main.ts"], {
    PORT: "0",
    DATA_DIR: join(folder, "data"),
    LOG_LEVEL: "warn",
  });
  url = await new Promise<string>((resolve, reject) => {
    let said = "";
    server.stderr?.setEncoding("utf8").on("data", (data: string) => {
      said += data;
      const found = /listening on (http:\S+)/.exec(said)?.[1];
      if (found) resolve(found);
    });
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
  });
});

afterAll(async () => {
  if (url) await flywheel("delete", "all", "--all", "--timeout=60s");
  for (const child of processes) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  rmSync(folder, { recursive: true, force: true });
});

/** Without what the caller's environment may hold: a token of Fly's, for one. */
function begin(program: string, args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { PATH: process.env.PATH ?? "", HOME: folder, ...environment },
  });
  processes.push(child);
  return child;
}

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly text: { out: string; err: string };
  readonly ended: Promise<Ended>;
}

function start(...args: readonly string[]): Running {
  const child = begin(process.execPath, ["--import", "tsx", "api/cli/main.ts", ...args], { FLYWHEEL_SERVER: url });
  const text = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (data: string) => {
    text.out += data;
  });
  child.stderr?.setEncoding("utf8").on("data", (data: string) => {
    text.err += data;
  });
  return { child, text, ended: once(child, "close").then(([code]) => ({ code, ...text })) };
}

const flywheel = (...args: readonly string[]) => start(...args).ended;

async function until(condition: () => boolean, what: () => string): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 50) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`never happened: ${what()}`);
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

describe("an instance", () => {
  test("is applied, waited for, used and deleted", async () => {
    expect(await flywheel("apply", "-f", join(EXAMPLES, "instance.yaml"))).toMatchObject({ code: 0 });
    expect(await flywheel("wait", "instance/dev-box", "--for=condition=Ready", "--timeout=60s")).toMatchObject({
      code: 0,
      out: "instance/dev-box condition met\n",
    });
    expect(
      await flywheel("exec", "dev-box", "--", "sh", "-c", `printf '%s|' "$@" "$EDITOR"; exit 7`, "sh", "a b", "$HOME"),
    ).toEqual({
      code: 7,
      out: "a b|$HOME|vim|",
      err: "",
    });
    const late = await flywheel("exec", "dev-box", "--timeout", "1s", "--", "sleep 60");
    expect(late).toMatchObject({ code: 1, err: expect.stringContaining("was killed after 1.0s") });
    const page = await flywheel("describe", "instance", "dev-box");
    expect(page.out).toMatch(/Conditions:\n(.*\n)* +Ready +True/);
    expect(page.out).toMatch(/Events:\n +TYPE/);
    expect(await flywheel("delete", "instance", "dev-box", "--timeout=60s")).toMatchObject({ code: 0, err: "" });
    expect(await flywheel("get", "instance", "dev-box")).toMatchObject({ code: 1, out: "" });
  });

  test("is provisioned by the workflow beside it", async () => {
    expect(await flywheel("apply", "-f", join(EXAMPLES, "provisioned-instance.yaml"))).toMatchObject({ code: 0 });
    const done = "--for=condition=Succeeded";
    expect(await flywheel("wait", "workflow/provision-build-box", done, "--timeout=90s")).toMatchObject({ code: 0 });
    expect(await flywheel("exec", "build-box", "--", "cat builds/README")).toMatchObject({
      out: "This box is built by Flywheel.\n",
    });
  });
});

describe.runIf(spawnSync("git", ["--version"]).status === 0)("a run (with git)", () => {
  let repoUrl = "";

  beforeAll(async () => {
    const work = join(folder, "work");
    mkdirSync(work);
    writeFileSync(join(work, "Makefile"), "test:\n\t@echo tested\n");
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=Test", "-c", "user.email=test@localhost", ...args], { cwd: work });
    git("init", "-q", "-b", "main");
    git("add", "-A");
    git("commit", "-q", "-m", "First");
    git("clone", "-q", "--bare", ".", join(folder, "app.git"));
    const port = await freePort();
    const where = [`--base-path=${folder}`, "--export-all", "--listen=127.0.0.1", `--port=${port}`];
    begin("git", ["daemon", "--reuseaddr", ...where], {});
    repoUrl = `git://127.0.0.1:${port}/app.git`;
    expect(await flywheel("apply", "-f", join(EXAMPLES, "parallel-checks.yaml"))).toMatchObject({ code: 0 });
  });

  test("is followed to its end, steps in parallel, each line after its step's name", async () => {
    const { code, out, err } = await flywheel("run", "parallel-checks", "-p", `repoUrl=${repoUrl}`);
    expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("test | tested\n");
    expect(out).toMatch(/report \| [0-9a-f]+ First: all checks passed\n$/);
    for (const step of ["clone", "lint", "test", "report"]) expect(err).toContain(`[${step}] succeeded`);
  });

  test("that fails is exit code 1, and its output can be read when its machine is gone", async () => {
    const failed = await flywheel(
      "run",
      "parallel-checks",
      "-p",
      `repoUrl=${repoUrl}`,
      "-p",
      "lint=echo untidy; exit 3",
    );
    expect(failed.code).toBe(1);
    expect(failed.out).toContain("lint | untidy\n");
    expect(failed.err).toContain("[lint] failed");
    const name = /workflowrun\/(\S+) created/.exec(failed.err)?.[1] ?? "";
    expect(await flywheel("wait", `instance/${name}-runner`, "--for=delete", "--timeout=60s")).toMatchObject({
      code: 0,
    });
    expect(await flywheel("logs", name, "--step", "lint")).toEqual({ code: 0, out: "untidy\n", err: "" });
  });

  test("is left by Ctrl-C and ended by cancel", async () => {
    const following = start("run", "parallel-checks", "-p", `repoUrl=${repoUrl}`, "-p", "test=echo begun; sleep 600");
    await until(
      () => following.text.out.includes("test | begun\n"),
      () => JSON.stringify(following.text),
    );
    following.child.kill("SIGINT");
    const { code, err } = await following.ended;
    expect(code).toBe(130);
    const name = /flywheel cancel (\S+)/.exec(err)?.[1] ?? "";
    const followed = start("logs", name, "-f");
    expect(await flywheel("cancel", name)).toMatchObject({ code: 0 });
    const end = '--for=jsonpath={.status.conditions[?(@.type=="Succeeded")].reason}=Cancelled';
    expect(await flywheel("wait", `run/${name}`, end, "--timeout=60s")).toMatchObject({ code: 0 });
    expect(await followed.ended).toMatchObject({ code: 0, out: expect.stringContaining("test | begun\n") });
  });
});
