// A client that watches one kind for as long as the test lasts: cut off by every death of the server, it goes on from the
// last revision that it has seen. What it has seen is compared with the history in the end.
import { apiVersionOf, type KindDef } from "../../../crds/resource.ts";

export interface SeenObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid: string; readonly resourceVersion: string };
}

export interface Watcher<T extends SeenObject = SeenObject> {
  readonly kind: KindDef;
  /** In the order in which they came. */
  readonly revisions: readonly number[];
  /** The last state of each object by uid, deleted ones included. */
  readonly last: ReadonlyMap<string, T>;
  /** Where it was told 410 and listed again: from the revision asked for to that of the list. */
  readonly gaps: readonly { readonly from: number; readonly to: number }[];
  readonly problems: readonly string[];
  close(): Promise<void>;
}

interface Line<T> {
  readonly type: string;
  readonly object: T & { readonly code?: number; readonly message?: string };
}

const PAUSE_MS = 20;

export function watchKind<T extends SeenObject>(kind: KindDef, urlOf: () => string): Watcher<T> {
  const { plural } = kind;
  const path = `${kind.group === "" ? "/api" : "/apis"}/${apiVersionOf(kind)}/${plural}`;
  const stop = new AbortController();
  const revisions: number[] = [];
  const last = new Map<string, T>();
  const gaps: { from: number; to: number }[] = [];
  const problems: string[] = [];
  let since = 0;

  async function list(): Promise<void> {
    const answer = await fetch(`${urlOf()}${path}`, { signal: stop.signal });
    if (!answer.ok) throw new Error(`list of ${plural}: ${answer.status}`);
    // The type of a list, as Kubernetes serves it.
    const { metadata } = (await answer.json()) as { metadata: { resourceVersion: string } };
    gaps.push({ from: since, to: Number(metadata.resourceVersion) });
    since = Number(metadata.resourceVersion);
  }

  function see(text: string): "expired" | undefined {
    const { type, object }: Line<T> = JSON.parse(text);
    if (type === "ERROR") {
      if (object.code === 410) return "expired";
      throw new Error(`watch of ${plural}: ${object.message}`);
    }
    const revision = Number(object.metadata.resourceVersion);
    if (revision <= since) problems.push(`the watcher of ${plural} saw ${revision} after ${since}`);
    since = revision;
    revisions.push(revision);
    last.set(object.metadata.uid, object);
    return undefined;
  }

  /** Ends with the connection; a line that was cut off is not seen. */
  async function follow(): Promise<void> {
    const answer = await fetch(`${urlOf()}${path}?watch=true&resourceVersion=${since}`, { signal: stop.signal });
    if (!answer.ok || !answer.body) throw new Error(`watch of ${plural}: ${answer.status}`);
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of answer.body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (see(line) === "expired") return list();
    }
  }

  async function run(): Promise<void> {
    while (!stop.signal.aborted) {
      await (since === 0 ? list() : follow()).catch((error: unknown) => {
        if (!isCutOff(error)) problems.push(String(error));
      });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** What fetch throws when the server is not there, or dies; and what `close` makes it throw. */
  function isCutOff(error: unknown): boolean {
    return stop.signal.aborted || error instanceof TypeError;
  }

  const running = run();
  return {
    kind,
    revisions,
    last,
    gaps,
    problems,
    async close() {
      stop.abort();
      await running;
    },
  };
}
