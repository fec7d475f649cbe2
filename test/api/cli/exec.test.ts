import { describe, expect, test } from "vitest";
import { type ExecutionStatus, executionKind } from "../../../crds/execution.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { instance } from "../test-api.ts";
import { type Input, type TestCli, testCli } from "./test-cli.ts";

async function withMachine(): Promise<TestCli> {
  const cli = await testCli();
  await cli.admission.create(instanceKind, instance("web", {}, { namespace: "default" }));
  const machine = { id: "148e", state: "started", region: "iad", privateIp: "fdaa::1", instanceId: "01" };
  await cli.store.updateStatus(instanceKind, { namespace: "default", name: "web" }, () => ({ machine }));
  return cli;
}

/** Runs the command while this plays the controller that carries it out. */
async function exec(
  cli: TestCli,
  args: readonly string[],
  status: ExecutionStatus,
  stdout = "",
  stderr = "",
  input?: Input,
) {
  const started = cli.start(["exec", ...args], input);
  await cli.clock.settle();
  const [execution] = (await cli.store.list(executionKind)).items;
  if (!execution) return { outcome: await started.ended, spec: undefined };
  const { uid, name, namespace } = execution.metadata;
  await cli.logs.append(`${uid}/exec/1/stdout`, 0, new TextEncoder().encode(stdout));
  await cli.logs.append(`${uid}/exec/1/stderr`, 0, new TextEncoder().encode(stderr));
  await cli.store.updateStatus(executionKind, { namespace, name }, () => status);
  return { outcome: await started.ended, spec: execution.spec };
}

describe("exec", () => {
  test("its output is ours, its exit code too", async () => {
    const cli = await withMachine();
    const { outcome, spec } = await exec(
      cli,
      ["web", "--", "uname", "-a"],
      { state: "Failed", exitCode: 3 },
      "Linux\n",
      "hm\n",
    );
    expect(outcome).toEqual({ code: 3, out: "Linux\n", err: "hm\n" });
    expect(spec).toMatchObject({ instance: "web", command: "uname -a", timeoutMs: 30_000 });
  });

  test.each([
    { reason: "one argument is a script", words: ["cd src && make | tail"], command: "cd src && make | tail" },
    {
      reason: "several arrive as they are",
      words: ["printf", "%s", "it's $HOME"],
      command: `printf %s 'it'\\''s $HOME'`,
    },
    { reason: "flags after -- are the command's", words: ["ls", "-l", "--server"], command: "ls -l --server" },
    { reason: "an empty one is kept", words: ["test", "-z", ""], command: "test -z ''" },
  ])("$reason", async ({ words, command }) => {
    const cli = await withMachine();
    const { spec } = await exec(cli, ["instance/web", "--", ...words], { state: "Succeeded", exitCode: 0 });
    expect(spec?.command).toBe(command);
  });

  test("--timeout is the server's to keep", async () => {
    const cli = await withMachine();
    const { outcome, spec } = await exec(
      cli,
      ["web", "--timeout", "2m", "--", "sleep", "300"],
      { state: "Timeout" },
      "tick\n",
    );
    expect(spec?.timeoutMs).toBe(120_000);
    expect(outcome.code).toBe(1);
    expect(outcome.out).toBe("tick\n");
    expect(outcome.err).toContain("was killed after 2m0s: its time was over; allow more with --timeout");
  });

  test("an instance that is not running is said to be so", async () => {
    const cli = await testCli();
    await cli.admission.create(instanceKind, instance("web", {}, { namespace: "default" }));
    const { outcome } = await exec(cli, ["web", "--", "true"], { state: "Succeeded", exitCode: 0 });
    expect(outcome.code).toBe(1);
    expect(outcome.err).toContain('instance "web" is pending, not running');
  });

  test("a command that is missing is typed wrong", async () => {
    const cli = await withMachine();
    expect((await cli.run("exec web")).code).toBe(2);
  });
});
