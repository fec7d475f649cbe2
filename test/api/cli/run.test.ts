import { beforeEach, describe, expect, test } from "vitest";
import { workflowKind } from "../../../crds/workflow.ts";
import { type WorkflowRun, type WorkflowRunStatus, workflowRunKind } from "../../../crds/workflow-run.ts";
import { WORKFLOWS, workflow } from "../test-api.ts";
import { outage, type Started, type TestCli, testCli } from "./test-cli.ts";

type Steps = NonNullable<WorkflowRunStatus["steps"]>;

/** Plays the controller's part for the one run there is. */
interface Controller {
  readonly run: WorkflowRun;
  steps(steps: Steps, succeeded?: "True" | "False" | "Unknown", reason?: string, message?: string): Promise<void>;
  write(step: string, text: string | Uint8Array, stream?: "stdout" | "stderr", attempt?: number): Promise<void>;
}

let cli: TestCli;

beforeEach(async () => {
  cli = await testCli();
  const spec = {
    parameters: [{ name: "repoUrl", required: true }, { name: "message" }],
    instances: { box: {} },
    steps: [
      { name: "clone", run: "true" },
      { name: "edit", run: "true", dependsOn: ["clone"] },
    ],
  };
  expect((await cli.send("POST", WORKFLOWS, workflow("build", spec))).status).toBe(201);
});

const sizes = new Map<string, number>();
beforeEach(() => sizes.clear());

async function controller(): Promise<Controller> {
  await cli.clock.settle();
  const [run] = (await cli.store.list(workflowRunKind)).items;
  if (!run) throw new Error("no run was created");
  const key = { namespace: "default", name: run.metadata.name };
  const built = await cli.store.get(workflowKind, { namespace: "default", name: "build" });
  if (!built) throw new Error("the workflow is gone");
  const definition = { uid: built.metadata.uid, generation: 1, spec: built.spec };
  return {
    run,
    async steps(steps, succeeded = "Unknown", reason = "Running", message = "") {
      const condition = { type: "Succeeded", status: succeeded, reason, message, observedGeneration: 1 };
      const conditions = [{ ...condition, lastTransitionTime: "2026-01-01T00:00:00Z" }];
      await cli.store.updateStatus(workflowRunKind, key, () => ({ definition, steps, conditions }));
      await cli.clock.settle();
    },
    async write(step, text, stream = "stdout", attempt = 1) {
      const id = `${run.metadata.uid}/${step}/${attempt}/${stream}`;
      const data = typeof text === "string" ? new TextEncoder().encode(text) : text;
      await cli.logs.append(id, sizes.get(id) ?? 0, data);
      sizes.set(id, (sizes.get(id) ?? 0) + data.length);
      await cli.clock.settle();
    },
  };
}

const pending = (name: string, attempts = 0): Steps[number] => ({ name, state: "Pending", attempts });
const running = (name: string, attempts = 1): Steps[number] => ({ name, state: "Running", attempts });
const succeeded = (name: string, attempts = 1): Steps[number] => ({
  name,
  state: "Succeeded",
  attempts,
  startedAt: "2026-01-01T00:00:00Z",
  finishedAt: "2026-01-01T00:00:02Z",
  exitCode: 0,
});

function start(): Started {
  return cli.start(["run", "build", "-p", "repoUrl=https://git.example.com/a.git?b=c", "-p", "message=two words"]);
}

describe("run", () => {
  test("follows a run to its end: output to stdout, progress beside it, the result as exit code", async () => {
    const following = start();
    const { run, steps, write } = await controller();
    expect(run.spec.parameters).toEqual({ repoUrl: "https://git.example.com/a.git?b=c", message: "two words" });
    await steps([pending("clone"), pending("edit")], "Unknown", "Waiting", "waiting for instance box");
    await steps([running("clone"), pending("edit")]);
    await write("clone", "Cloning into 'workspace'...\nrec");
    await write("clone", "eived\n");
    await steps([succeeded("clone"), running("edit")]);
    await write("edit", "no line end");
    await steps([succeeded("clone"), succeeded("edit")], "True", "Completed");
    const { code, out, err } = await following.ended;
    expect(code).toBe(0);
    expect(out).toBe("clone | Cloning into 'workspace'...\nclone | received\nedit | no line end\n");
    expect(err.split("\n")).toEqual([
      `workflowrun/${run.metadata.name} created`,
      "waiting for instance box",
      "[clone] running",
      "[clone] succeeded in 2.0s",
      "[edit] running",
      "[edit] succeeded in 2.0s",
      `workflowrun/${run.metadata.name} succeeded`,
      "",
    ]);
  });

  test("a failed run is exit code 1 and says why", async () => {
    const following = start();
    const { run, steps, write } = await controller();
    await steps([running("clone"), pending("edit")]);
    await write("clone", "fatal: no such repository\n", "stderr");
    const failed: Steps[number] = { name: "clone", state: "Failed", attempts: 1, exitCode: 128 };
    const skipped: Steps[number] = { name: "edit", state: "Skipped", attempts: 0, message: "clone failed" };
    await steps([failed, skipped], "False", "StepFailed", "step clone failed");
    const { code, out, err } = await following.ended;
    expect(code).toBe(1);
    expect(out).toBe("clone | fatal: no such repository\n");
    expect(err).toContain("[clone] failed: exit code 128\n[edit] skipped: clone failed\n");
    expect(err).toContain(`workflowrun/${run.metadata.name} failed: step clone failed\n`);
  });

  test("shows each attempt of a step that is retried", async () => {
    const following = start();
    const { steps, write } = await controller();
    await steps([running("clone"), pending("edit")]);
    await write("clone", "first\n");
    await steps([{ ...pending("clone", 1), exitCode: 1 }, pending("edit")]);
    await steps([running("clone", 2), pending("edit")]);
    await write("clone", "second\n", "stdout", 2);
    await steps([succeeded("clone", 2), succeeded("edit")], "True", "Completed");
    const { out, err } = await following.ended;
    expect(out).toBe("clone | first\nclone#2 | second\n");
    expect(err).toContain("[clone] failed: exit code 1, will be tried again\n[clone] running (attempt 2)\n");
  });

  test("what a step wrote comes before the line that says how it ended, also when the log stream brings nothing", async () => {
    cli.fault = (request) => (request.includes("follow=true") ? outage(request) : undefined);
    const following = start();
    const { steps, write } = await controller();
    await steps([running("clone"), pending("edit")]);
    await write("clone", "last ");
    await write("clone", "words");
    expect(following.out()).toBe("");
    await steps([succeeded("clone"), running("edit")]);
    expect(following.out()).toBe("clone | last words\n");
    await steps([succeeded("clone"), succeeded("edit")], "True", "Completed");
    expect(await following.ended).toMatchObject({ code: 0, out: "clone | last words\n" });
  });

  test("survives a server that is restarted, and shows nothing twice", async () => {
    const following = start();
    const { steps, write } = await controller();
    await steps([running("clone"), pending("edit")]);
    await write("clone", "before\n");
    cli.fault = outage;
    await write("clone", "while away\n");
    await steps([{ ...running("clone"), message: "still" }, pending("edit")]);
    await cli.clock.advance(10_000);
    cli.fault = undefined;
    await cli.clock.advance(2000);
    await write("clone", "after\n");
    await steps([succeeded("clone"), succeeded("edit")], "True", "Completed");
    const { code, out } = await following.ended;
    expect(code).toBe(0);
    expect(out).toBe("clone | before\nclone | while away\nclone | after\n");
  });

  test("Ctrl-C leaves the run alone and says how to go on", async () => {
    const following = start();
    const { run, steps } = await controller();
    await steps([running("clone"), pending("edit")]);
    following.interrupt();
    const { code, err } = await following.ended;
    expect(code).toBe(130);
    expect(err).toContain(`flywheel logs ${run.metadata.name} -f`);
    expect(err).toContain(`flywheel cancel ${run.metadata.name}`);
    expect((await cli.store.get(workflowRunKind, run.metadata))?.spec.cancel).toBe(false);
  });

  test("--detach starts it and lets it go", async () => {
    const { code, out } = await cli.run("run build -p repoUrl=x --detach");
    expect(code).toBe(0);
    const { run } = await controller();
    expect(out).toBe(`workflowrun/${run.metadata.name} created\n`);
  });

  test("a run that is deleted ends the watching", async () => {
    const following = start();
    const { run, steps } = await controller();
    await steps([running("clone"), pending("edit")]);
    await cli.admission.delete(workflowRunKind, { namespace: "default", name: run.metadata.name });
    const { code, err } = await following.ended;
    expect(code).toBe(1);
    expect(err).toContain("was deleted");
  });

  test.each([
    ["run nothing", 1, /"nothing" not found\n`flywheel get workflows -A`/],
    ["run build", 1, /spec.parameters.repoUrl: Required value/],
    ["run build -p repoUrl=x -p mesage=y", 1, /no parameter mesage, did you mean message/],
    ["run build -p repoUrl", 2, /-p repoUrl is not NAME=VALUE/],
    ["run build -p a=1 -p a=2", 2, /-p a is given twice/],
  ])("%s is refused", async (line, exitCode, says) => {
    const { code, err } = await cli.run(line);
    expect(code).toBe(exitCode);
    expect(err).toMatch(says);
  });
});

describe("logs", () => {
  async function finished(): Promise<string> {
    await cli.run("run build -p repoUrl=x --detach");
    const { run, steps, write } = await controller();
    await write("clone", "one\ntwo\n");
    await write("clone", "warning\n", "stderr");
    await write("edit", new Uint8Array([0xff, 0xfe, 0x0a]));
    await steps([succeeded("clone"), succeeded("edit")], "True", "Completed");
    return run.metadata.name;
  }

  test("shows every step with its name, or one as its bytes are", async () => {
    const run = await finished();
    const all = await cli.run(`logs ${run}`);
    expect(all.out).toMatch(/^clone \| one\nclone \| two\nclone \| warning\nedit \| /);
    expect((await cli.run(`logs run/${run} --step clone`)).out).toBe("one\ntwo\nwarning\n");
    expect((await cli.run(`logs ${run} --step edit`)).out).toBe("\xff\xfe\n");
  });

  test("-f goes on until the run has finished", async () => {
    await cli.run("run build -p repoUrl=x --detach");
    const { run, steps, write } = await controller();
    const following = cli.start(["logs", run.metadata.name, "-f"]);
    await write("clone", "one\n");
    expect(following.out()).toBe("clone | one\n");
    await steps([succeeded("clone"), succeeded("edit")], "True", "Completed");
    expect(await following.ended).toMatchObject({ code: 0 });
  });

  test("-f goes on when the server ends the stream for reasons of its own", async () => {
    const closing = new AbortController();
    cli.closing = closing.signal;
    await cli.run("run build -p repoUrl=x --detach");
    const { run, steps, write } = await controller();
    const following = cli.start(["logs", run.metadata.name, "-f"]);
    await write("clone", "one\n");
    closing.abort();
    cli.closing = undefined;
    await write("clone", "two\n");
    await cli.clock.advance(1000);
    expect(following.out()).toBe("clone | one\nclone | two\n");
    await steps([succeeded("clone"), succeeded("edit")], "True", "Completed");
    expect((await following.ended).code).toBe(0);
  });

  test("a run that is not there is named", async () => {
    expect(await cli.run("logs nothing")).toMatchObject({
      code: 1,
      err: expect.stringContaining('"nothing" not found'),
    });
  });
});

describe("cancel", () => {
  test("asks for it once, and is refused when there is nothing to cancel", async () => {
    await cli.run("run build -p repoUrl=x --detach");
    const { run, steps } = await controller();
    const { name } = run.metadata;
    expect(await cli.run(`cancel run/${name}`)).toEqual({
      code: 0,
      out: `workflowrun/${name} cancellation requested\n`,
      err: "",
    });
    expect((await cli.store.get(workflowRunKind, run.metadata))?.spec.cancel).toBe(true);
    await steps([succeeded("clone"), succeeded("edit")], "False", "Cancelled");
    expect(await cli.run(`cancel ${name}`)).toMatchObject({
      code: 1,
      err: expect.stringContaining("nothing to cancel"),
    });
  });
});
