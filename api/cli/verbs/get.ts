// `get`: what is there, as the server's table or as objects; with -w also what changes.
import type { Command } from "commander";
import { EXIT_FAILED, explain, isNotFound, ServerError, UsageError } from "../failure.ts";
import {
  allNamespacesOption,
  fieldSelectorOption,
  outputOption,
  type SelectorFlags,
  selectorOption,
} from "../flags.ts";
import { listObjects, listTable, type Selectors } from "../list.ts";
import type { ApiObject } from "../object.ts";
import type { Open } from "../open.ts";
import { formatObjects, type ObjectOutput, parseOutput } from "../output.ts";
import { pathOf } from "../resources.ts";
import { parseSelection, type Selection } from "../selection.ts";
import type { Session } from "../session.ts";
import { createTableView, readTable } from "../table-view.ts";
import { watchObjects, watchTables } from "../watch.ts";

interface Flags extends SelectorFlags {
  readonly output?: string;
  readonly watch?: boolean;
  readonly showLabels?: boolean;
  readonly showManagedFields?: boolean;
  readonly headers: boolean;
  readonly ignoreNotFound?: boolean;
}

export function declareGet(program: Command, open: Open): void {
  program
    .command("get")
    .argument("<what...>", "KIND, KIND NAME…, KIND/NAME…, KIND,KIND or all")
    .summary("list objects, or show some by name")
    .description("Show objects as a table, as YAML or as JSON. `all` stands for instances, workflows and runs.")
    .addOption(outputOption())
    .addOption(selectorOption())
    .addOption(fieldSelectorOption())
    .addOption(allNamespacesOption())
    .option("-w, --watch", "go on and show every change")
    .option("--show-labels", "add a column with the labels")
    .option("--show-managed-fields", "in YAML and JSON, tell who manages which field")
    .option("--no-headers", "leave out the line with the names of the columns")
    .option("--ignore-not-found", "an object that does not exist is no error")
    .addHelpText(
      "after",
      `
Examples:
  flywheel get instances                 # short: inst
  flywheel get instance dev-box -o yaml
  flywheel get instance/dev-box -o jsonpath='{.status.machine.id}'
  flywheel get wf,runs -A -o wide
  flywheel get instances -l team=a -w`,
    )
    .action((what: string[], flags: Flags, command: Command) => open(command, (session) => get(session, what, flags)));
}

async function get(session: Session, what: readonly string[], flags: Flags): Promise<number> {
  const output = parseOutput(flags.output);
  const selections = parseSelection(what, await session.kinds());
  const named = selections.some(({ names }) => names.length > 0);
  if (named && flags.allNamespaces)
    throw new UsageError("an object has one namespace: give -n instead of -A with a name");
  if (named && flags.selector) throw new UsageError("give either names or -l, not both");
  if (flags.watch) return watch(session, selections, flags);
  return output.form === "table"
    ? printTables(session, selections, flags, output.wide)
    : printObjects(session, selections, flags, output);
}

async function printTables(
  session: Session,
  selections: readonly Selection[],
  flags: Flags,
  wide: boolean,
): Promise<number> {
  const several = selections.length > 1;
  let shown = 0;
  let missing = 0;
  for (const { type, names } of merged(selections)) {
    const view = createTableView({ ...viewOptions(flags, wide), prefix: several ? type.singular : undefined });
    const { found, absent } = await byName(session, names, flags, (name) =>
      readTable(session.client, pathOf(type, session.namespace, name)),
    );
    const tables =
      names.length > 0
        ? found
        : [await listTable(session.client, scope(session, { type, names }, flags), selectorsOf(flags))];
    const text = view.print(tables);
    if (text !== "" && shown > 0 && several) session.terminal.write("\n");
    session.terminal.write(text);
    shown += tables.reduce((count, table) => count + table.rows.length, 0);
    missing += absent;
  }
  if (shown === 0 && missing === 0) {
    session.terminal.note(
      flags.allNamespaces ? "No resources found" : `No resources found in ${session.namespace} namespace.`,
    );
  }
  return missing > 0 ? EXIT_FAILED : 0;
}

async function printObjects(
  session: Session,
  selections: readonly Selection[],
  flags: Flags,
  output: ObjectOutput,
): Promise<number> {
  const objects: ApiObject[] = [];
  let missing = 0;
  for (const selection of selections) {
    const { type, names } = selection;
    const { found, absent } = await byName(session, names, flags, (name) =>
      session.client.json<ApiObject>(pathOf(type, session.namespace, name)),
    );
    objects.push(...found);
    missing += absent;
    if (names.length > 0) continue;
    const list = await listObjects(session.client, scope(session, selection, flags), selectorsOf(flags));
    objects.push(...list.items);
  }
  const one = selections.length === 1 && selections[0]?.names.length === 1;
  if (!one || objects.length > 0)
    session.terminal.write(await formatObjects(output, objects, one, flags.showManagedFields));
  return missing > 0 ? EXIT_FAILED : 0;
}

async function watch(session: Session, selections: readonly Selection[], flags: Flags): Promise<number> {
  const [selection, another] = selections;
  if (!selection || another || selection.names.length > 1) throw new UsageError("-w follows one kind, or one object");
  const output = parseOutput(flags.output);
  const path = scope(session, selection, flags);
  const [name] = selection.names;
  const selectors = name === undefined ? selectorsOf(flags) : { fieldSelector: `metadata.name=${name}` };
  const signal = session.terminal.interrupted;
  if (output.form === "table") {
    const view = createTableView(viewOptions(flags, output.wide));
    for await (const seen of watchTables(session, path, selectors, signal)) {
      session.terminal.write(view.print([seen.type === "LIST" ? seen.list : seen.object]));
    }
    return 0;
  }
  for await (const seen of watchObjects(session, path, selectors, signal)) {
    for (const object of seen.type === "LIST" ? seen.list.items : [seen.object]) {
      if (output.form === "yaml") session.terminal.write("---\n");
      session.terminal.write(await formatObjects(output, [object], true, flags.showManagedFields));
    }
  }
  return 0;
}

/** Each name on its own, so that one that is missing does not hide the others. */
async function byName<T>(
  session: Session,
  names: readonly string[],
  flags: Flags,
  read: (name: string) => Promise<T>,
): Promise<{ found: readonly T[]; absent: number }> {
  const found: T[] = [];
  let absent = 0;
  for (const name of names) {
    try {
      found.push(await read(name));
    } catch (error) {
      if (!isNotFound(error) || !(error instanceof ServerError)) throw error;
      if (flags.ignoreNotFound) continue;
      session.terminal.note(explain(error));
      absent++;
    }
  }
  return { found, absent };
}

/** `KIND/A KIND/B` is one table with two rows. */
function merged(selections: readonly Selection[]): readonly Selection[] {
  const types = [...new Set(selections.map(({ type }) => type))];
  return types.map((type) => ({
    type,
    names: selections.filter((each) => each.type === type).flatMap(({ names }) => names),
  }));
}

function scope(session: Session, selection: Selection, flags: Flags): string {
  return pathOf(selection.type, flags.allNamespaces ? undefined : session.namespace);
}

function selectorsOf(flags: Flags): Selectors {
  return { labelSelector: flags.selector, fieldSelector: flags.fieldSelector };
}

function viewOptions(flags: Flags, wide: boolean) {
  return {
    wide,
    namespaces: flags.allNamespaces ?? false,
    labels: flags.showLabels ?? false,
    headers: flags.headers,
    prefix: undefined,
  };
}
