// `create`: only what is not there yet. The way to start a run from a manifest with `generateName`.
import type { Command } from "commander";
import { create as createObject } from "../apply-object.ts";
import { EXIT_FAILED, explain, Failure } from "../failure.ts";
import { type FileFlags, fileOption, recursiveOption } from "../flags.ts";
import { type Manifest, namespaceOf, readManifests } from "../manifests.ts";
import type { Open } from "../open.ts";
import { displayName, formatObjects, parseOutput } from "../output.ts";
import { pathOf, resourceOfManifest } from "../resources.ts";
import type { Session } from "../session.ts";
import { isDryRun } from "./apply.ts";

interface Flags extends FileFlags {
  readonly output?: string;
  readonly dryRun?: string | true;
}

export function declareCreate(program: Command, open: Open): void {
  program
    .command("create")
    .summary("create what manifests describe; fails for what exists")
    .description(
      "Create the objects of the manifests. metadata.generateName is allowed: the server completes the name.",
    )
    .addOption(fileOption())
    .addOption(recursiveOption())
    .option("-o, --output <format>", "print the objects as yaml, json or name instead")
    .option("--dry-run [server]", "have the server check everything and change nothing")
    .addHelpText("after", "\nExamples:\n  flywheel create -f run.yaml\n  flywheel create -f run.yaml -o name")
    .action((flags: Flags, command: Command) => open(command, (session) => create(session, flags)));
}

async function create(session: Session, flags: Flags): Promise<number> {
  const output = parseOutput(flags.output);
  const dryRun = isDryRun(flags.dryRun);
  let failures = 0;
  for (const manifest of await readManifests(session, flags.filename ?? [], flags.recursive ?? false)) {
    try {
      const { type, made } = await createManifest(session, manifest, dryRun);
      const line = `${displayName(type, made.metadata.name)} created${dryRun ? " (server dry run)" : ""}\n`;
      session.terminal.write(output.form === "table" ? line : await formatObjects(output, [made], true));
    } catch (error) {
      if (!(error instanceof Failure) || session.terminal.interrupted.aborted) throw error;
      session.terminal.note(explain(error, manifest.source));
      failures++;
    }
  }
  return failures > 0 ? EXIT_FAILED : 0;
}

async function createManifest(session: Session, manifest: Manifest, dryRun: boolean) {
  const type = resourceOfManifest(manifest.apiVersion, manifest.kind, await session.kinds());
  const namespace = type.namespaced ? namespaceOf(manifest, session) : undefined;
  return { type, made: await createObject(session, pathOf(type, namespace), manifest.object, dryRun) };
}
