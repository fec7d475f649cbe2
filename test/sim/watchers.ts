// Watchers of every kind, one set for each life of the process, compared with the history itself: each must see every
// revision of its kind after the one it began at, in order and once.
import type { Store } from "../../controller/store/store.ts";
import { KINDS } from "../../crds/kinds.ts";
import { type KindDef, qualifiedResource } from "../../crds/resource.ts";

export interface Watchers {
  /** A write of `kind` is in the history. */
  committed(kind: string, revision: number): void;
  /** A process has started on the history up to now: its former watchers are forgotten. */
  watch(store: Store): void;
  /** Watchers that have not seen all there is. */
  behind(): readonly string[];
}

interface Watcher {
  readonly kind: string;
  seen: number;
}

export function createWatchers(violated: (what: string) => void): Watchers {
  const history = new Map<string, number[]>(KINDS.map((kind) => [qualifiedResource(kind), []]));
  let current: readonly Watcher[] = [];
  let newest = 0;

  const revisionsOf = (kind: string) => history.get(kind) ?? [];

  async function follow(store: Store, kind: KindDef, watcher: Watcher, since: number): Promise<void> {
    for await (const { revision } of store.watch(kind, { since }, new AbortController().signal)) {
      if (!current.includes(watcher)) return;
      const expected = revisionsOf(watcher.kind)[watcher.seen];
      if (revision !== expected) violated(`S10 a watcher of ${watcher.kind} saw ${revision} instead of ${expected}`);
      watcher.seen += 1;
    }
    violated(`S10 a watch of ${watcher.kind} ended by itself`);
  }

  return {
    committed(kind, revision) {
      newest = revision;
      revisionsOf(kind).push(revision);
    },
    watch(store) {
      const started = KINDS.map((kind) => {
        const name = qualifiedResource(kind);
        return { kind, watcher: { kind: name, seen: revisionsOf(name).length } };
      });
      current = started.map(({ watcher }) => watcher);
      for (const { kind, watcher } of started) {
        follow(store, kind, watcher, newest).catch((error: unknown) => violated(`S10 a watch failed: ${error}`));
      }
    },
    behind: () =>
      current
        .filter(({ kind, seen }) => seen !== revisionsOf(kind).length)
        .map(({ kind, seen }) => `S10 a watcher of ${kind} has seen ${seen} of ${revisionsOf(kind).length} writes`),
  };
}
