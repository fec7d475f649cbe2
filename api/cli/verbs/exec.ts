// `exec`: one command on an instance; its output is our output and its exit code our exit code.
import type { Command } from "commander";
import { formatElapsed } from "../duration.ts";
import { Failure } from "../failure.ts";
import { durationArgument } from "../flags.ts";
import type { Open } from "../open.ts";
import { nameOf } from "../selection.ts";
import type { Session } from "../session.ts";
import { shellLine } from "../shell-quote.ts";

interface Execution {
  readonly executionId: string;
  readonly status: "succeeded" | "failed" | "timeout" | "cancelled" | "running";
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly message?: string;
}

/** Beyond the command's own time: reaching the machine, and killing what is late. */
const SLACK_MS = 60_000;
/** The largest default that a server can have (SSH_TIMEOUT). */
const SERVER_DEFAULT_MAX_MS = 600_000;

export function declareExec(program: Command, open: Open): void {
  program
    .command("exec")
    .argument("<instance>", "name of the instance")
    .argument("<command...>", "the command, after --")
    .option(
      "--timeout <duration>",
      "kill the command after this long (default: the server's SSH_TIMEOUT)",
      durationArgument,
    )
    .summary("run a command on an instance")
    .description(
      "Run a command on an instance by `sh -c` in its home directory and exit with its exit code. Several arguments\n" +
        "reach the command as they are typed; a single one is a script.",
    )
    .addHelpText(
      "after",
      `
Examples:
  flywheel exec dev-box -- uname -a
  flywheel exec dev-box -- 'cd src && make test | tail -20'
  flywheel exec dev-box --timeout 10m -- apt-get install -y jq`,
    )
    .action((instance: string, words: string[], flags: { timeout?: number }, command: Command) =>
      open(command, (session) => exec(session, instance, words, flags.timeout)),
    );
}

async function exec(
  session: Session,
  arg: string,
  words: readonly string[],
  timeout: number | undefined,
): Promise<number> {
  const instance = nameOf(arg, "instance");
  const result = await session.client.json<Execution>(`/api/instances/${encodeURIComponent(instance)}/exec`, {
    method: "POST",
    query: { namespace: session.namespace },
    body: { command: shellLine(words), ...(timeout === undefined ? {} : { timeout }) },
    timeoutMs: (timeout ?? SERVER_DEFAULT_MAX_MS) + SLACK_MS,
  });
  session.terminal.write(result.stdout);
  session.terminal.writeError(result.stderr);
  if (result.exitCode !== null && result.exitCode !== undefined) return result.exitCode;
  throw new Failure(verdict(instance, result, timeout));
}

function verdict(instance: string, { status, executionId, message }: Execution, timeout: number | undefined): string {
  switch (status) {
    case "timeout": {
      const after = timeout === undefined ? "" : ` after ${formatElapsed(timeout)}`;
      return `the command on instance/${instance} was killed${after}: its time was over; allow more with --timeout`;
    }
    case "cancelled":
      return `the command on instance/${instance} was cancelled (execution ${executionId})`;
    default:
      return `the command on instance/${instance} has no exit code (status ${status}, execution ${executionId})${message ? `: ${message}` : ""}`;
  }
}
