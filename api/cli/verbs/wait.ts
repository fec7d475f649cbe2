// `wait`: until a condition holds, a field has a value, or an object is gone.
import type { Command } from "commander";
import { EXIT_FAILED, explain, Failure } from "../failure.ts";
import { allNamespacesOption, selectorOption, timeoutOption } from "../flags.ts";
import { parseGoal } from "../goal.ts";
import type { Open } from "../open.ts";
import { displayName } from "../output.ts";
import { reach } from "../reach.ts";
import { type SubjectFlags, subjectsOf } from "../selection.ts";
import type { Session } from "../session.ts";

interface Flags extends SubjectFlags {
  readonly for: string;
  readonly timeout: number;
}

export function declareWait(program: Command, open: Open): void {
  program
    .command("wait")
    .argument("<what...>", "KIND NAME…, KIND/NAME…, or KIND with -l or --all")
    .requiredOption("--for <goal>", "condition=NAME[=VALUE], jsonpath='{PATH}'[=VALUE] or delete")
    .addOption(timeoutOption("how long to wait", "30s"))
    .addOption(selectorOption())
    .addOption(allNamespacesOption())
    .option("--all", "all objects of the kind")
    .summary("wait until objects are as wished")
    .description("Wait until every named object is as wished. Exit code 1 when the time is over first.")
    .addHelpText(
      "after",
      `
Examples:
  flywheel wait instance/dev-box --for=condition=Ready --timeout=5m
  flywheel wait run/build-x7k2p --for=condition=Succeeded
  flywheel wait instance dev-box --for=jsonpath='{.status.machine.state}'=suspended
  flywheel wait instances -l team=a --for=delete`,
    )
    .action((what: string[], flags: Flags, command: Command) => open(command, (session) => wait(session, what, flags)));
}

async function wait(session: Session, what: readonly string[], flags: Flags): Promise<number> {
  const goal = parseGoal(flags.for);
  const subjects = await subjectsOf(session, what, flags);
  if (subjects.length === 0 && goal.kind !== "delete") throw new Failure("nothing matches; see `flywheel get`");
  const met = goal.kind === "delete" ? "deleted" : "condition met";
  const outcomes = await Promise.allSettled(
    subjects.map(async (subject) => {
      await reach(session, subject, goal, flags.timeout);
      session.terminal.write(`${displayName(subject.type, subject.name)} ${met}\n`);
    }),
  );
  const reasons = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason as unknown] : []));
  for (const reason of reasons) {
    if (!(reason instanceof Failure) || session.terminal.interrupted.aborted) throw reason;
    session.terminal.note(explain(reason));
  }
  return reasons.length > 0 ? EXIT_FAILED : 0;
}
