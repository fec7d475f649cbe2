// One writer's way to the server: a write, and the truth about what became of it. A refused connection means that nothing
// was sent; one that breaks means that nobody knows, and then the object is read before it is written again.
import type { JsonObject } from "../../../controller/kernel/json.ts";
import { type Answer, request, type TestServer } from "../server.ts";
import type { Found, Ledger, Write } from "./ledger.ts";

export const NAMESPACED = "/apis/fly.lightfast.ai/v1/namespaces/default";
const PAUSE_MS = 20;

export interface Door {
  readonly ledger: Ledger;
  /** No more writes are begun. */
  readonly closing: boolean;
  create(plural: string, manifest: { readonly kind: string; readonly name: string; readonly spec: JsonObject }): Done;
  /** A merge patch of the spec, which is expected to become `spec`. */
  edit(plural: string, name: string, patch: JsonObject, spec: JsonObject): Done;
  remove(plural: string, name: string): Done;
  /** The object as it is now, when nothing about it is in doubt. */
  read(plural: string, name: string): Promise<Found | undefined>;
  /** Any request, until one is answered; undefined when it was sent and the answer is lost. */
  ask<T>(method: string, path: string, body?: unknown, headers?: Headers): Promise<Told<T> | undefined>;
}

interface Told<T> extends Answer<T> {
  /** The process that has answered. */
  readonly server: string;
}

type Done = Promise<Found | undefined>;
type Headers = Readonly<Record<string, string>>;

export interface DoorOptions {
  readonly ledger: Ledger;
  /** No more writes are begun; what has begun is followed to its answer. */
  readonly stop: AbortSignal;
  /** Nothing is waited for any more. */
  readonly over: AbortSignal;
  readonly server: Pick<TestServer, "url" | "process">;
  violated(what: string): void;
}

export function openDoor({ ledger, stop, over, server, violated }: DoorOptions): Door {
  async function ask<T>(method: string, path: string, body?: unknown, headers: Headers = {}) {
    for (;;) {
      over.throwIfAborted();
      const { url, process } = server;
      try {
        const answer = await request<T>(`${url}${path}`, method, body, headers);
        return { ...answer, server: `${process.child.pid} at ${url}` };
      } catch (error) {
        if (!isNotSent(error)) return undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async function read(plural: string, name: string): Promise<Found | undefined> {
    for (;;) {
      const answer = await ask<Found>("GET", `${NAMESPACED}/${plural}/${name}`);
      if (!answer) continue; // reading is free
      if (answer.status !== 200 && answer.status !== 404) violated(`GET ${plural}/${name}: ${answer.status}`);
      const found = answer.status === 200 ? answer.body : undefined;
      const problem = ledger.read(plural, name, found);
      if (problem) violated(problem);
      return found;
    }
  }

  async function write(plural: string, name: string, intent: Write, send: () => ReturnType<typeof ask<Found>>): Done {
    ledger.begin(plural, name, intent);
    const answer = await send();
    if (!answer) {
      ledger.lost(plural, name, "the server died");
      return read(plural, name);
    }
    if (answer.status >= 500) violated(`${intent.does} ${plural}/${name}: ${answer.status} ${show(answer.body)}`);
    if (answer.status >= 300) {
      ledger.refused(plural, name, `${answer.status} ${show(answer.body)}`);
      return read(plural, name);
    }
    const before = ledger.known(plural, name);
    // What is deleted at once is answered with a Status, which has no uid.
    const found = answer.body.metadata?.uid === undefined ? before : answer.body;
    if (found) ledger.done(plural, name, found, answer.server);
    return intent.does === "delete" ? read(plural, name) : found;
  }

  return {
    ledger,
    get closing() {
      return stop.aborted;
    },
    create(plural, { kind, name, spec }) {
      const manifest = { apiVersion: "fly.lightfast.ai/v1", kind, metadata: { name }, spec };
      return write(plural, name, { does: "create", spec }, () => ask("POST", `${NAMESPACED}/${plural}`, manifest));
    },
    edit: (plural, name, patch, spec) =>
      write(plural, name, { does: "edit", spec }, () =>
        ask("PATCH", `${NAMESPACED}/${plural}/${name}`, { spec: patch }, MERGE_PATCH),
      ),
    remove: (plural, name) =>
      write(plural, name, { does: "delete" }, () => ask("DELETE", `${NAMESPACED}/${plural}/${name}`)),
    read,
    ask,
  };
}

const MERGE_PATCH = { "content-type": "application/merge-patch+json" };

/** The server is down: nobody has taken the connection. */
export function isNotSent(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED";
}

function show(body: unknown): string {
  return JSON.stringify(body).slice(0, 300);
}
