// `delete`: says what is to go, then waits until it is gone, for a machine that still runs still costs.
import type { Command } from "commander";
import { EXIT_FAILED, explain, Failure, isNotFound, UsageError } from "../failure.ts";
import {
  allNamespacesOption,
  type FileFlags,
  fileOption,
  recursiveOption,
  selectorOption,
  timeoutOption,
} from "../flags.ts";
import { namespaceOf, readManifests } from "../manifests.ts";
import type { ApiObject } from "../object.ts";
import type { Open } from "../open.ts";
import { displayName } from "../output.ts";
import { reach, type Subject } from "../reach.ts";
import { pathOf, resourceOfManifest } from "../resources.ts";
import { type SubjectFlags, subjectsOf } from "../selection.ts";
import type { Session } from "../session.ts";

interface Flags extends FileFlags, SubjectFlags {
  readonly ignoreNotFound?: boolean;
  /** `--wait=false` arrives as text. */
  readonly wait: boolean | string;
  readonly timeout: number;
}

export function declareDelete(program: Command, open: Open): void {
  program
    .command("delete")
    .argument("[what...]", "KIND NAME…, KIND/NAME…, or KIND with -l or --all")
    .addOption(fileOption())
    .addOption(recursiveOption())
    .addOption(selectorOption())
    .addOption(allNamespacesOption())
    .option("--all", "all objects of the kind in the namespace")
    .option("--ignore-not-found", "an object that does not exist is no error")
    .option("--wait [boolean]", "wait until the objects are gone", true)
    .option("--no-wait", "do not wait")
    .addOption(timeoutOption("how long to wait", "0"))
    .summary("delete objects, and the machines that they stand for")
    .description("Delete objects by name, by label or as manifests describe them, and wait until they are gone.")
    .addHelpText(
      "after",
      `
Examples:
  flywheel delete instance dev-box
  flywheel delete -f dev-box.yaml --ignore-not-found
  flywheel delete instances -l team=a --timeout=2m
  flywheel delete run/build-x7k2p --no-wait`,
    )
    .action((what: string[], flags: Flags, command: Command) =>
      open(command, (session) => remove(session, what, flags)),
    );
}

async function remove(session: Session, what: readonly string[], flags: Flags): Promise<number> {
  const subjects = flags.filename ? await fromFiles(session, what, flags) : await subjectsOf(session, what, flags);
  if (subjects.length === 0) session.terminal.note("No resources found");
  const deleted: Subject[] = [];
  let failures = 0;
  for (const subject of subjects) {
    const gone = await attempt(
      session,
      async () => {
        deleted.push({ ...subject, uid: await deleteOne(session, subject) });
        session.terminal.write(`${displayName(subject.type, subject.name)} deleted\n`);
      },
      flags.ignoreNotFound,
    );
    if (!gone) failures++;
  }
  if (isWaiting(flags.wait)) {
    const waits = deleted.map((subject) =>
      attempt(session, () => reach(session, subject, { kind: "delete" }, flags.timeout)),
    );
    failures += (await Promise.all(waits)).filter((done) => !done).length;
  }
  return failures > 0 ? EXIT_FAILED : 0;
}

/** Whether it worked; a failure is told and does not stop the others. */
async function attempt(session: Session, body: () => Promise<void>, ignoreNotFound = false): Promise<boolean> {
  try {
    await body();
    return true;
  } catch (error) {
    if (!(error instanceof Failure) || session.terminal.interrupted.aborted) throw error;
    if (ignoreNotFound && isNotFound(error)) return true;
    session.terminal.note(explain(error));
    return false;
  }
}

/** The uid of what is being deleted: the object itself while it has finalizers, else the server's word on it. */
async function deleteOne(session: Session, { type, namespace, name }: Subject): Promise<string | undefined> {
  const answer = await session.client.json<Partial<ApiObject> & { readonly details?: { readonly uid?: string } }>(
    pathOf(type, namespace, name),
    { method: "DELETE", body: { propagationPolicy: "Background" } },
  );
  return answer.metadata?.uid ?? answer.details?.uid;
}

async function fromFiles(session: Session, what: readonly string[], flags: Flags): Promise<readonly Subject[]> {
  if (what.length > 0 || flags.selector || flags.all) throw new UsageError("give either -f, or names, or -l");
  const manifests = await readManifests(session, flags.filename ?? [], flags.recursive ?? false);
  const types = await session.kinds();
  return manifests.map((manifest) => {
    const { name } = manifest.metadata;
    if (name === undefined) throw new Failure(`${manifest.source}: metadata.generateName says no name to delete`);
    const type = resourceOfManifest(manifest.apiVersion, manifest.kind, types);
    return { type, name, namespace: namespaceOf(manifest, session) };
  });
}

function isWaiting(flag: boolean | string): boolean {
  if (flag === "true" || flag === true) return true;
  if (flag === "false" || flag === false) return false;
  throw new UsageError(`--wait=${flag} is not known; use true or false`);
}
