// Following objects over a watch: a list, then every change after it, and a new list when the history has gone. A
// connection that breaks is made again, so that a wait outlives a restart of the server.
import { ServerError } from "./failure.ts";
import { asTable, listObjects, listTable, type Selectors, selectorQuery, TABLE, type Table } from "./list.ts";
import type { ApiObject, ObjectList } from "./object.ts";
import { createPatience } from "./patience.ts";
import { pathOf, type ResourceType } from "./resources.ts";
import type { Session } from "./session.ts";

interface WireEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

export type Observed<L, T> =
  | { readonly type: "LIST"; readonly list: L }
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T };

/** How one form of answer is listed and how far an event of it has come. */
interface Form<L, T> {
  readonly accept: string;
  list(session: Session, path: string, selectors: Selectors, signal: AbortSignal): Promise<L>;
  revisionOf(event: T): string | undefined;
}

const OBJECTS: Form<ObjectList, ApiObject> = {
  accept: "application/json",
  list: (session, path, selectors, signal) => listObjects(session.client, path, selectors, signal),
  revisionOf: (object) => object.metadata.resourceVersion,
};

const TABLES: Form<Table, Table> = {
  accept: TABLE,
  list: (session, path, selectors, signal) => listTable(session.client, path, selectors, signal),
  revisionOf: (table) => asTable(table).rows[0]?.object?.metadata.resourceVersion ?? table.metadata.resourceVersion,
};

export const watchObjects = (session: Session, path: string, selectors: Selectors, signal: AbortSignal) =>
  watch(session, path, selectors, signal, OBJECTS);

export const watchTables = (session: Session, path: string, selectors: Selectors, signal: AbortSignal) =>
  watch(session, path, selectors, signal, TABLES);

/** The object now and after each change; undefined while it does not exist. Ends only with the signal, by throwing. */
export async function* followObject(
  session: Session,
  type: ResourceType,
  name: string,
  namespace: string,
  signal: AbortSignal,
): AsyncGenerator<ApiObject | undefined> {
  const fieldSelector = `metadata.name=${name}`;
  for await (const seen of watchObjects(session, pathOf(type, namespace), { fieldSelector }, signal)) {
    if (seen.type === "LIST") yield seen.list.items[0];
    else yield seen.type === "DELETED" ? undefined : seen.object;
  }
}

async function* watch<L extends { readonly metadata: { readonly resourceVersion?: string } }, T>(
  session: Session,
  path: string,
  selectors: Selectors,
  signal: AbortSignal,
  form: Form<L, T>,
): AsyncGenerator<Observed<L, T>> {
  const patience = createPatience(session.terminal);
  let revision: string | undefined;
  for (;;) {
    try {
      if (revision === undefined) {
        const list = await form.list(session, path, selectors, signal);
        patience.connected();
        revision = list.metadata.resourceVersion ?? "0";
        yield { type: "LIST", list };
      }
      const query = { ...selectorQuery(selectors), watch: true, allowWatchBookmarks: true, resourceVersion: revision };
      const call = { accept: form.accept, query, signal, opened: patience.connected };
      for await (const event of session.client.lines<WireEvent<T>>(path, call)) {
        if (event.type === "ERROR") throw errorOf(event.object);
        revision = form.revisionOf(event.object) ?? revision;
        if (event.type !== "BOOKMARK") yield { type: event.type, object: event.object };
      }
      await patience.pause(signal); // the server ends a watch now and then
    } catch (error) {
      const expired = error instanceof ServerError && error.status === 410;
      if (expired) revision = undefined;
      await (expired ? patience.pause(signal) : patience.bear(error, signal));
    }
  }
}

/** The Status that a watch sends in place of an object when it cannot go on. */
function errorOf(object: unknown): ServerError {
  // An ERROR event carries a Status by the protocol.
  const status = object as { readonly code?: number; readonly reason?: string; readonly message?: string };
  return new ServerError(status.code ?? 500, status.reason ?? "Unknown", status.message ?? "the watch failed");
}
