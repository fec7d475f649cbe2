// `logs`: what the steps of a run wrote, also after its machines are gone.
import type { Command } from "commander";
import type { Open } from "../open.ts";
import { createLogPrinter, readLogs } from "../run-logs.ts";
import { nameOf } from "../selection.ts";
import type { Session } from "../session.ts";

interface Flags {
  readonly step?: string;
  readonly follow?: boolean;
}

export function declareLogs(program: Command, open: Open): void {
  program
    .command("logs")
    .argument("<run>", "name of the run")
    .option("--step <name>", "only this step, without its name before each line")
    .option("-f, --follow", "go on until the run has finished")
    .summary("show what the steps of a run wrote")
    .description("Show what the steps of a run wrote, each line after the name of its step.")
    .addHelpText(
      "after",
      "\nExamples:\n  flywheel logs build-x7k2p\n  flywheel logs build-x7k2p -f\n  flywheel logs build-x7k2p --step test > test.log",
    )
    .action((run: string, flags: Flags, command: Command) => open(command, (session) => logs(session, run, flags)));
}

async function logs(session: Session, run: string, flags: Flags): Promise<number> {
  const printer = createLogPrinter((data) => session.terminal.write(data), flags.step === undefined);
  const query = { step: flags.step, follow: flags.follow };
  for await (const chunk of readLogs(session, nameOf(run, "run"), query, session.terminal.interrupted))
    printer.print(chunk);
  printer.flush();
  return 0;
}
