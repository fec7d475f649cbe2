// `describe`: all there is to know about an object on one page, for a person: what is wished, what is true, what happened.
import type { Command } from "commander";
import { formatAge } from "../duration.ts";
import { ServerError } from "../failure.ts";
import { allNamespacesOption, type SelectorFlags, selectorOption } from "../flags.ts";
import { listObjects } from "../list.ts";
import { type ApiObject, isObject } from "../object.ts";
import type { Open } from "../open.ts";
import { toYaml } from "../output.ts";
import { pathOf } from "../resources.ts";
import { parseSelection } from "../selection.ts";
import type { Session } from "../session.ts";
import { formatTable } from "../table.ts";
import { LAST_APPLIED } from "../three-way.ts";

interface EventObject extends Omit<ApiObject, "spec" | "status"> {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly count?: number;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
}

export function declareDescribe(program: Command, open: Open): void {
  program
    .command("describe")
    .argument("<what...>", "KIND, KIND NAME… or KIND/NAME…")
    .addOption(selectorOption())
    .addOption(allNamespacesOption())
    .summary("show an object with its conditions and events")
    .description("Show what is wished of an object, what is true of it, and what happened to it.")
    .addHelpText("after", "\nExamples:\n  flywheel describe instance dev-box\n  flywheel describe run/build-x7k2p")
    .action((what: string[], flags: SelectorFlags, command: Command) =>
      open(command, (session) => describe(session, what, flags)),
    );
}

async function describe(session: Session, what: readonly string[], flags: SelectorFlags): Promise<number> {
  const pages: string[] = [];
  for (const { type, names } of parseSelection(what, await session.kinds())) {
    const collection = pathOf(type, flags.allNamespaces ? undefined : session.namespace);
    const objects =
      names.length > 0
        ? await Promise.all(names.map((name) => session.client.json<ApiObject>(pathOf(type, session.namespace, name))))
        : (await listObjects(session.client, collection, { labelSelector: flags.selector })).items;
    for (const object of objects)
      pages.push(await page(object, await eventsOf(session, object), session.terminal.now()));
  }
  if (pages.length === 0) session.terminal.note(`No resources found in ${session.namespace} namespace.`);
  session.terminal.write(pages.join("\n\n"));
  return 0;
}

async function eventsOf(session: Session, object: ApiObject): Promise<readonly EventObject[]> {
  const { name, namespace, uid } = object.metadata;
  const about = { name, namespace, kind: object.kind, uid };
  const fieldSelector = Object.entries(about)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => `involvedObject.${field}=${value}`)
    .join(",");
  const path = `/api/v1${namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`}/events`;
  try {
    const { items } = await listObjects(session.client, path, { fieldSelector });
    // The list is of Events, whose fields stand beside the metadata.
    const events = items as unknown as readonly EventObject[];
    return [...events].sort((a, b) => timeOf(a).localeCompare(timeOf(b)));
  } catch (error) {
    if (error instanceof ServerError && [403, 404].includes(error.status)) return [];
    throw error;
  }
}

/** Pure, but for YAML being loaded when it is needed. */
export async function page(object: ApiObject, events: readonly EventObject[], now: number): Promise<string> {
  const { metadata, kind, apiVersion, spec, status = {} } = object;
  const { conditions = [], steps, ...facts } = status;
  const { [LAST_APPLIED]: _, ...annotations } = metadata.annotations ?? {};
  const ago = (time: string | null | undefined) => (time ? `${formatAge(now - Date.parse(time))} ago` : "");
  const head: readonly (readonly [string, string])[] = [
    ["Name:", metadata.name],
    ["Namespace:", metadata.namespace ?? ""],
    ["Kind:", `${kind} (${apiVersion})`],
    ["Labels:", pairs(metadata.labels)],
    ["Annotations:", pairs(annotations)],
    [
      "Created:",
      metadata.creationTimestamp ? `${metadata.creationTimestamp} (${ago(metadata.creationTimestamp)})` : "",
    ],
    [
      "Deletion asked:",
      metadata.deletionTimestamp ? `${metadata.deletionTimestamp} (${ago(metadata.deletionTimestamp)})` : "",
    ],
  ];
  const sections = [
    head
      .filter(([, value]) => value !== "")
      .map(([name, value]) => `${name.padEnd(16)}${value}\n`)
      .join(""),
    await section("Spec", spec),
    await section("Status", facts),
    rows("Steps", ["NAME", "STATE", "ATTEMPTS", "EXIT", "MESSAGE"], stepRows(steps)),
    rows(
      "Conditions",
      ["TYPE", "STATUS", "SINCE", "REASON", "MESSAGE"],
      conditions.map((each) => [
        each.type,
        each.status,
        ago(each.lastTransitionTime),
        each.reason ?? "",
        each.message ?? "",
      ]),
    ),
    rows(
      "Events",
      ["TYPE", "REASON", "SEEN", "MESSAGE"],
      events.map((event) => [
        event.type ?? "",
        event.reason ?? "",
        `${ago(timeOf(event))}${(event.count ?? 1) > 1 ? ` (${event.count} times)` : ""}`,
        event.message ?? "",
      ]),
    ) || "Events:         none\n",
  ];
  return sections.filter((text) => text !== "").join("");
}

async function section(title: string, value: unknown): Promise<string> {
  if (!isObject(value) || Object.keys(value).length === 0) return "";
  return `${title}:\n${indent(await toYaml(value))}`;
}

function rows(title: string, headers: readonly string[], body: readonly (readonly string[])[]): string {
  return body.length === 0 ? "" : `${title}:\n${indent(formatTable(headers, body))}`;
}

function stepRows(steps: unknown): readonly (readonly string[])[] {
  if (!Array.isArray(steps)) return [];
  return steps
    .filter(isObject)
    .map((step) => [...["name", "state", "attempts", "exitCode", "message"].map((field) => String(step[field] ?? ""))]);
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}

function pairs(labels: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
}

function timeOf(event: EventObject): string {
  return event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? "";
}
