// `adopt`: instances made anew from their machines, when the database that knew them is gone.
import type { Command } from "commander";
import { EXIT_FAILED, UsageError } from "../failure.ts";
import { collect } from "../flags.ts";
import type { Open } from "../open.ts";
import { formatObject, parseOutput } from "../output.ts";
import type { Session } from "../session.ts";
import { formatTable } from "../table.ts";

/** A thousand machines are asked for by id, some at once. */
const ADOPTING_MS = 5 * 60_000;

interface Flags {
  readonly all?: boolean;
  readonly controller: readonly string[];
  readonly dryRun?: boolean;
  readonly output?: string;
}

interface Adoption {
  readonly machine: string;
  readonly state: string;
  readonly namespace: string;
  readonly name: string;
  readonly outcome: "adopted" | "exists" | "skipped";
  readonly message: string;
}

export function declareAdopt(program: Command, open: Open): void {
  program
    .command("adopt")
    .argument("[machine...]", "ids of machines")
    .option("--all", "every machine of the app that was made for an instance (with -n: in that namespace)")
    .option("--controller <id>", "also machines of this former controller, which runs no more", collect, [])
    .option("--dry-run", "only say what would be done")
    .option("-o, --output <format>", "yaml or json")
    .summary("make instances anew from their machines, when the database is lost")
    .description(
      "Make instances anew from the machines that were made for them. The machines are not touched: no restart, no other machine. An instance that exists is left alone.",
    )
    .addHelpText(
      "after",
      `
A new database has a new controller id. Machines of another id are skipped until you claim them, for they may be a live
server's: the table names the id.

Examples:
  flywheel adopt --all --dry-run
  flywheel adopt --all --controller 0b7c1f1e-8c1d-4c53-9a0e-6f2f0a8c1d11
  flywheel adopt 148e21f0b1c289`,
    )
    .action((machines: string[], flags: Flags, command: Command) =>
      open(command, (session) => adopt(session, machines, flags)),
    );
}

async function adopt(session: Session, machines: readonly string[], flags: Flags): Promise<number> {
  if (machines.length > 0 === (flags.all ?? false)) throw new UsageError("name machines, or say --all");
  const output = parseOutput(flags.output);
  const { items } = await session.client.json<{ readonly items: readonly Adoption[] }>("/api/adoptions", {
    method: "POST",
    timeoutMs: ADOPTING_MS,
    body: {
      ...(flags.all ? { all: true } : { machines }),
      ...(session.namespaceGiven && { namespace: session.namespace }),
      controllers: flags.controller,
      dryRun: flags.dryRun ?? false,
    },
  });
  if (output.form !== "table") session.terminal.write(await formatObject(output, { items }));
  else if (items.length > 0) session.terminal.write(tableOf(items, flags.dryRun ?? false));
  else session.terminal.write("No machines found that were made for an instance\n");
  const unknown = machines.filter((id) => !items.some(({ machine }) => machine === id));
  for (const id of unknown) session.terminal.note(`error: machine ${id} is not there, or was made for no instance`);
  return unknown.length > 0 || items.some(({ outcome }) => outcome === "skipped") ? EXIT_FAILED : 0;
}

function tableOf(items: readonly Adoption[], dryRun: boolean): string {
  const would = (outcome: Adoption["outcome"]) => (dryRun && outcome === "adopted" ? "would adopt" : outcome);
  return formatTable(
    ["NAMESPACE", "NAME", "MACHINE", "STATE", "OUTCOME", "MESSAGE"],
    items.map((each) => [each.namespace, each.name, each.machine, each.state, would(each.outcome), each.message]),
  );
}
