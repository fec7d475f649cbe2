// The Store over rows: each write is one function in the next group commit, which reads what is stored, lets a pure
// transition decide, and records the result at the next revision.
import type { Database } from "better-sqlite3";
import { type AnyResource, type KindDef, qualifiedResource } from "../../crds/resource.ts";
import { type Clock, timestamp } from "../kernel/clock.ts";
import { assert } from "../kernel/errors.ts";
import { nameSuffix, type Random } from "../kernel/random.ts";
import { GENERATED_NAME_TRIES, MAX_OBJECT_BYTES } from "../limits.ts";
import { AlreadyExistsError, BadRequestError, NotFoundError, TooLargeError } from "./errors.ts";
import type { GroupCommit } from "./group-commit.ts";
import { listPages } from "./list-page.ts";
import type { ObjectKey, ObjectRows } from "./object-rows.ts";
import type { Seal } from "./seal.ts";
import { parseSelector } from "./selectors.ts";
import type {
  CreateOptions,
  Key,
  ListPage,
  Precondition,
  StatusOptions,
  Store,
  View,
  WatchEvent,
  WriteOptions,
} from "./store.ts";
import {
  checkPreconditions,
  created,
  deleted,
  type Stored,
  statusUpdated,
  type Transition,
  updated,
} from "./transition.ts";
import type { HistoryRow } from "./watch-event.ts";
import type { History, WatchHub } from "./watch-hub.ts";

/** Gives out the revisions of the transaction under way. */
export interface Ledger {
  /** The last revision, written ones of this transaction included. */
  readonly last: () => number;
  /** Counts one on, once its rows are written. */
  readonly advance: () => void;
}

export interface ObjectStoreParts {
  readonly db: Database;
  readonly rows: ObjectRows;
  readonly seal: Seal;
  readonly history: History;
  readonly ledger: Ledger;
  readonly commits: GroupCommit;
  readonly hub: WatchHub;
  readonly clock: Clock;
  readonly random: Random;
  readonly controllerId: string;
  readonly restorations: Store["restorations"];
  readonly health: Store["health"];
}

export function objectStore(parts: ObjectStoreParts): Store {
  const { rows, seal, history, commits, clock, random, ledger } = parts;
  const listPage = listPages(parts.db, history);

  const view: View = {
    get: <R extends AnyResource>(kind: KindDef<R>, key: Key) => stored<R>(rows.current(rowKey(kind, key))),
  };

  /** The object that the row was read for; undefined when there is none. */
  function stored<R extends AnyResource>(revision: number | undefined): R | undefined {
    // What is current is never compacted, and it was read under its kind.
    return revision === undefined ? undefined : (history.objects.at(revision) as R);
  }

  /** Reads the object, lets `decide` say what becomes of it, and does that. Answers the object afterwards. */
  function write<R extends AnyResource>(
    kind: KindDef<R>,
    key: Key,
    options: Precondition & WriteOptions,
    decide: (current: Stored) => Transition,
  ): Promise<R> {
    return commits.submit(() => {
      const row = rowKey(kind, key);
      const revision = rows.current(row);
      const current = stored<Stored>(revision);
      if (revision === undefined || !current) throw new NotFoundError(kind, key);
      checkPreconditions(kind, current, options);
      const transition = decide(current);
      if (transition.type === "unchanged") return asKind<R>(current);
      if (options.dryRun) return asKind<R>(transition.object);
      return asKind<R>(replace(kind, row, revision, current, transition));
    });
  }

  function replace(
    kind: KindDef,
    key: ObjectKey,
    revision: number,
    current: Stored,
    { type, object }: Effective,
  ): Stored {
    const next = record(kind, key, type === "removed" ? "DELETED" : "MODIFIED", revision, object);
    const owners = type === "removed" ? [] : ownersOf(next);
    if (owners.join() !== ownersOf(current).join()) rows.setOwners(key, owners);
    if (type === "removed") rows.removeObject(key);
    else rows.moveObject(key, ledger.last() + 1);
    ledger.advance();
    return next;
  }

  function insert(kind: KindDef, object: Stored): Stored {
    const key = rowKey(kind, object.metadata);
    const revision = ledger.last() + 1;
    if (!rows.insertObject({ ...key, uid: object.metadata.uid, revision })) {
      throw new AlreadyExistsError(kind, object.metadata);
    }
    const next = record(kind, key, "ADDED", null, object);
    const owners = ownersOf(next);
    if (owners.length > 0) rows.setOwners(key, owners);
    ledger.advance();
    return next;
  }

  /** Writes the next row of history. */
  function record(
    kind: KindDef,
    key: ObjectKey,
    type: HistoryRow["type"],
    previous: number | null,
    object: Stored,
  ): Stored {
    const revision = ledger.last() + 1;
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    const body = JSON.stringify(next);
    refuseTooLarge(key, body);
    const kept = kind.confidential ? seal.close(body, revision) : body;
    rows.insertHistory({ ...key, revision, at: clock.now(), type, previous, body: kept });
    return next;
  }

  function nameFor(kind: KindDef, { metadata }: Stored): string {
    if (metadata.name) return metadata.name;
    const prefix = metadata.generateName;
    if (!prefix) throw new BadRequestError("metadata.name: name or generateName is required");
    for (let tries = 1; ; tries += 1) {
      const name = `${prefix.slice(0, GENERATED_PREFIX_MAX)}${nameSuffix(random)}`;
      const taken = rows.current(rowKey(kind, { ...metadata, name })) !== undefined;
      if (!taken || tries === GENERATED_NAME_TRIES) return name;
    }
  }

  return {
    controllerId: parts.controllerId,
    restorations: parts.restorations,
    get: async (kind, key) => view.get(kind, key),
    getByUid: async <R extends AnyResource>(kind: KindDef<R>, uid: string) =>
      stored<R>(rows.currentByUid(qualifiedResource(kind), uid)),
    list: async <R extends AnyResource>(kind: KindDef<R>, options = {}) =>
      // The page holds objects of this kind only, and they were admitted as such.
      listPage(qualifiedResource(kind), options) as ListPage<R>,
    watch<R extends AnyResource>(kind: KindDef<R>, options: Parameters<Store["watch"]>[1], signal: AbortSignal) {
      const watched = {
        kind: qualifiedResource(kind),
        namespace: options.namespace,
        selector: parseSelector(options),
      };
      // As above: objects of this kind only.
      return parts.hub.watch(watched, options.since, signal) as AsyncIterable<WatchEvent<R>>;
    },
    create: <R extends AnyResource>(
      kind: KindDef<R>,
      draft: Parameters<Store["create"]>[1],
      options: CreateOptions = {},
    ) =>
      commits.submit(() => {
        const wish = draft(view) as unknown as Stored; // a draft has what Stored wants, but what `created` assigns
        const uid = options.uid ?? random.uuid();
        const object = created(wish, { name: nameFor(kind, wish), uid, creationTimestamp: timestamp(clock.now()) });
        if (options.uid !== undefined && rows.currentByUid(qualifiedResource(kind), uid))
          throw new AlreadyExistsError(kind, object.metadata);
        if (!options.dryRun) return asKind<R>(insert(kind, object));
        if (rows.current(rowKey(kind, object.metadata))) throw new AlreadyExistsError(kind, object.metadata);
        return asKind<R>(object);
      }),
    update: <R extends AnyResource>(
      kind: KindDef<R>,
      key: Key,
      change: (current: R, view: View) => AnyResource,
      options: Precondition & WriteOptions = {},
    ) =>
      write(kind, key, options, (current) =>
        updated(kind, current, change(asKind<R>(current), view) as unknown as Stored),
      ),
    updateStatus: <R extends AnyResource>(
      kind: KindDef<R>,
      key: Key,
      change: (current: R) => unknown,
      options: StatusOptions<R> = {},
    ) =>
      write(kind, key, options, (current) => {
        const status = change(asKind<R>(current));
        return statusUpdated(current, status, options.managedFields?.(asKind<R>(current), status));
      }),
    delete: (kind, key, options = {}) =>
      write(kind, key, options, (current) => deleted(current, timestamp(clock.now()), options)),
    revision: async () => parts.history.head(),
    health: parts.health,
  };
}

type Effective = Exclude<Transition, { readonly type: "unchanged" }>;

/** With the five characters of the suffix a generated name is a valid RFC 1123 label. */
const GENERATED_PREFIX_MAX = 58;

function rowKey(kind: KindDef, { namespace = "", name }: Key): ObjectKey {
  assert(
    (kind.scope === "Namespaced") === (namespace !== ""),
    `${kind.kind} ${name}: a namespace is for namespaced kinds`,
  );
  return { kind: qualifiedResource(kind), namespace, name };
}

function refuseTooLarge(key: ObjectKey, body: string): void {
  const bytes = Buffer.byteLength(body);
  if (bytes <= MAX_OBJECT_BYTES) return;
  throw new TooLargeError(`${key.kind} "${key.name}" has ${bytes} bytes as JSON; at most ${MAX_OBJECT_BYTES} are kept`);
}

function ownersOf({ metadata }: AnyResource): readonly string[] {
  return (metadata.ownerReferences ?? []).map((each) => each.uid);
}

/** The object was read under this kind, or drafted for it. */
function asKind<R extends AnyResource>(object: Stored): R {
  return object as AnyResource as R;
}
