// `diff`: what `apply` would change, as the server itself computes it, with its defaults and checks.
import type { Command } from "commander";
import { applyManifest } from "../apply-object.ts";
import { EXIT_FAILED } from "../failure.ts";
import { type FileFlags, fileOption, recursiveOption } from "../flags.ts";
import { readManifests } from "../manifests.ts";
import type { ApiObject } from "../object.ts";
import type { Open } from "../open.ts";
import { displayName, toYaml } from "../output.ts";
import type { Session } from "../session.ts";
import { paintFor } from "../terminal.ts";
import { LAST_APPLIED } from "../three-way.ts";
import { unifiedDiff } from "../unified-diff.ts";

export function declareDiff(program: Command, open: Open): void {
  program
    .command("diff")
    .addOption(fileOption())
    .addOption(recursiveOption())
    .summary("show what apply would change")
    .description(
      "Show what `apply` would change. Exit code 0 when nothing differs, 1 when something does, 2 for an error.",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  flywheel diff -f dev-box.yaml\n  flywheel diff -f manifests/ -R && echo in sync",
    )
    .action((flags: FileFlags, command: Command) => open(command, (session) => diff(session, flags), EXIT_ERROR));
}

/** As of diff(1): 1 says that something differs, so an error must be another. */
const EXIT_ERROR = 2;

async function diff(session: Session, flags: FileFlags): Promise<number> {
  let differs = false;
  for (const manifest of await readManifests(session, flags.filename ?? [], flags.recursive ?? false)) {
    const { type, before, after } = await applyManifest(session, manifest, true);
    const name = displayName(type, after.metadata.name);
    const names = { before: before ? `live/${name}` : "/dev/null", after: `${manifest.source} (${name})` };
    const text = unifiedDiff(before ? await shown(before) : "", await shown(after), names);
    if (text === "") continue;
    differs = true;
    session.terminal.write(coloured(session, text));
  }
  return differs ? EXIT_FAILED : 0;
}

/** What a person configures: without what the server counts, and without the record of the last apply. */
function configuration(object: ApiObject): unknown {
  const { managedFields, resourceVersion, generation, uid, creationTimestamp, annotations, ...metadata } =
    object.metadata;
  const { [LAST_APPLIED]: _, ...kept } = annotations ?? {};
  const { status, ...rest } = object;
  return { ...rest, metadata: { ...metadata, ...(Object.keys(kept).length > 0 ? { annotations: kept } : {}) } };
}

/** In the order of the keys' names: an object keeps its own order, which says nothing. */
function shown(object: ApiObject): Promise<string> {
  return toYaml(configuration(object), { sorted: true });
}

function coloured(session: Session, text: string): string {
  const paint = paintFor(session.terminal);
  return text.replace(/^([-+@]).*$/gm, (line, sign: string) =>
    sign === "+" ? paint.green(line) : sign === "-" ? paint.red(line) : paint.cyan(line),
  );
}
