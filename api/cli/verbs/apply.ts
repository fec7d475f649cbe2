// `apply`: the manifests' wish becomes the server's spec. One bad document does not keep the others from being applied.
import type { Command } from "commander";
import { applyManifest } from "../apply-object.ts";
import { EXIT_FAILED, explain, Failure, UsageError } from "../failure.ts";
import { type FileFlags, fileOption, recursiveOption } from "../flags.ts";
import { readManifests } from "../manifests.ts";
import type { Open } from "../open.ts";
import { displayName, formatObjects, type Output, parseOutput } from "../output.ts";
import type { Session } from "../session.ts";

interface Flags extends FileFlags {
  readonly output?: string;
  readonly dryRun?: string | true;
}

export function declareApply(program: Command, open: Open): void {
  program
    .command("apply")
    .summary("create or change what manifests describe")
    .description(
      "Make the server's objects what the manifests say: create those that are not there, change those that differ.",
    )
    .addOption(fileOption())
    .addOption(recursiveOption())
    .option("-o, --output <format>", "print the objects as yaml, json or name instead")
    .option("--dry-run [server]", "have the server check everything and change nothing")
    .addHelpText(
      "after",
      `
Examples:
  flywheel apply -f dev-box.yaml
  flywheel apply -f manifests/ -R
  flywheel apply -f instance.yaml -f workflow.yaml
  sed s/NAME/box-7/ template.yaml | flywheel apply -f -`,
    )
    .action((flags: Flags, command: Command) => open(command, (session) => apply(session, flags)));
}

async function apply(session: Session, flags: Flags): Promise<number> {
  const output = parseOutput(flags.output);
  const dryRun = isDryRun(flags.dryRun);
  const manifests = await readManifests(session, flags.filename ?? [], flags.recursive ?? false);
  let failures = 0;
  for (const manifest of manifests) {
    try {
      const { type, after, outcome } = await applyManifest(session, manifest, dryRun);
      const line = `${displayName(type, after.metadata.name)} ${outcome}${dryRun ? " (server dry run)" : ""}\n`;
      session.terminal.write(isPlain(output) ? line : await formatObjects(output, [after], true));
    } catch (error) {
      if (!(error instanceof Failure) || session.terminal.interrupted.aborted) throw error;
      session.terminal.note(explain(error, manifest.source));
      failures++;
    }
  }
  return failures > 0 ? EXIT_FAILED : 0;
}

function isPlain(output: Output): output is Extract<Output, { form: "table" }> {
  return output.form === "table";
}

export function isDryRun(value: string | true | undefined): boolean {
  if (value === undefined || value === "none") return false;
  if (value === true || value === "server") return true;
  throw new UsageError(`--dry-run=${value} is not known; the server checks with --dry-run`);
}
