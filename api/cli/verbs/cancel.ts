// `cancel`: asks the server to end runs. Their machines are cleaned up as the workflow says.
import type { Command } from "commander";
import { EXIT_FAILED, explain, Failure } from "../failure.ts";
import type { Open } from "../open.ts";
import { nameOf } from "../selection.ts";
import type { Session } from "../session.ts";

export function declareCancel(program: Command, open: Open): void {
  program
    .command("cancel")
    .argument("<run...>", "names of the runs")
    .summary("end runs that go on")
    .description("Ask the server to end runs: their running steps are killed, and their machines cleaned up.")
    .addHelpText("after", "\nExamples:\n  flywheel cancel build-x7k2p")
    .action((runs: string[], _flags: unknown, command: Command) => open(command, (session) => cancel(session, runs)));
}

async function cancel(session: Session, runs: readonly string[]): Promise<number> {
  let failures = 0;
  for (const run of runs.map((arg) => nameOf(arg, "run"))) {
    try {
      const query = { namespace: session.namespace };
      await session.client.json(`/api/workflows/executions/${encodeURIComponent(run)}/cancel`, {
        method: "POST",
        query,
      });
      session.terminal.write(`workflowrun/${run} cancellation requested\n`);
    } catch (error) {
      if (!(error instanceof Failure) || session.terminal.interrupted.aborted) throw error;
      session.terminal.note(explain(error));
      failures++;
    }
  }
  return failures > 0 ? EXIT_FAILED : 0;
}
