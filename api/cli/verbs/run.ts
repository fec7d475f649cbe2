// `run`: one execution of a workflow, watched to its end. Ctrl-C stops the watching, not the run: the work is the
// server's, and a lost terminal must not end it.
import type { Command } from "commander";
import { EXIT_FAILED, EXIT_INTERRUPTED, UsageError } from "../failure.ts";
import { collect } from "../flags.ts";
import { followRun } from "../follow-run.ts";
import type { ApiObject } from "../object.ts";
import type { Open } from "../open.ts";
import { apiVersionOf, findResource, pathOf } from "../resources.ts";
import { nameOf } from "../selection.ts";
import type { Session } from "../session.ts";

interface Flags {
  readonly param?: readonly string[];
  readonly detach?: boolean;
}

export function declareRun(program: Command, open: Open): void {
  program
    .command("run")
    .argument("<workflow>", "name of the workflow")
    .option("-p, --param <name=value>", "a parameter; may be given several times", collect)
    .option("-d, --detach", "start the run and do not wait for it")
    .summary("execute a workflow and follow it")
    .description(
      "Execute a workflow, show what its steps write, and exit with 0 if it succeeds and 1 if it does not.\n" +
        "Ctrl-C leaves the run alone; see `flywheel logs` and `flywheel cancel`.",
    )
    .addHelpText(
      "after",
      `
Examples:
  flywheel run git-clone-and-push -p repoUrl=https://token@git.example.com/me/app.git
  flywheel run build -p branch=main -p "message=nightly build" --detach`,
    )
    .action((workflow: string, flags: Flags, command: Command) =>
      open(command, (session) => run(session, workflow, flags)),
    );
}

async function run(session: Session, arg: string, flags: Flags): Promise<number> {
  const workflow = nameOf(arg, "workflow");
  const parameters = parseParameters(flags.param ?? []);
  const name = await start(session, workflow, parameters);
  if (flags.detach) {
    session.terminal.write(`workflowrun/${name} created\n`);
    return 0;
  }
  session.terminal.note(`workflowrun/${name} created`);
  try {
    return (await followRun(session, name)) === "succeeded" ? 0 : EXIT_FAILED;
  } catch (error) {
    if (!session.terminal.interrupted.aborted) throw error;
    const flag = session.namespaceGiven ? ` -n ${session.namespace}` : "";
    session.terminal.note(`\nworkflowrun/${name} goes on without you.`);
    session.terminal.note(
      `  flywheel logs ${name} -f${flag}   follows it again\n  flywheel cancel ${name}${flag}    ends it`,
    );
    return EXIT_INTERRUPTED;
  }
}

/** The run's name, which the server completes. */
async function start(
  session: Session,
  workflow: string,
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  const types = await session.kinds();
  // Asked first, so that a workflow which does not exist is said to be missing rather than a run to be wrong.
  await session.client.json<ApiObject>(pathOf(findResource("workflows", types), session.namespace, workflow));
  const type = findResource("workflowruns", types);
  const created = await session.client.json<ApiObject>(pathOf(type, session.namespace), {
    method: "POST",
    query: { fieldManager: "flywheel", fieldValidation: "Strict" },
    body: {
      apiVersion: apiVersionOf(type),
      kind: type.kind,
      metadata: { generateName: `${workflow}-` },
      spec: { workflowRef: { name: workflow }, parameters },
    },
  });
  return created.metadata.name;
}

function parseParameters(texts: readonly string[]): Readonly<Record<string, string>> {
  const parameters: Record<string, string> = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) throw new UsageError(`-p ${text} is not NAME=VALUE`);
    const name = text.slice(0, at);
    if (Object.hasOwn(parameters, name)) throw new UsageError(`-p ${name} is given twice`);
    parameters[name] = text.slice(at + 1);
  }
  return parameters;
}
