// The interface that all other layers see of the truth: objects of any kind, with optimistic concurrency and a watch.
// Revisions are allocated inside the writing transaction, so that commit order is revision order, without gaps.
// The functions given to `create` and `update` run inside the writing transaction. They must be pure: a store may run
// them more than once. Objects that are read, by whichever way, are shared by all readers and frozen.
import type { AnyResource, KindDef, ObjectMeta } from "../../crds/resource.ts";
import type { JsonObject } from "../kernel/json.ts";

export interface Key {
  /** Absent for cluster-scoped kinds. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface ListOptions {
  /** All namespaces when absent. */
  readonly namespace?: string | undefined;
  /** Kubernetes' label selector text, `a=b,c in (d,e),!f`. */
  readonly labelSelector?: string | undefined;
  /** Field selector text: metadata.name, metadata.namespace, and any scalar path of the object, with = == and !=. */
  readonly fieldSelector?: string | undefined;
  /** Only objects with an owner reference to this uid. */
  readonly owner?: string | undefined;
  /** Absent or 0: as many as MAX_LIST_ITEMS. */
  readonly limit?: number | undefined;
  /** The state at this revision in place of the newest; ExpiredError when history does not reach so far back. */
  readonly revision?: number | undefined;
  /** From a former page; names its snapshot revision. */
  readonly continue?: string | undefined;
}

export interface ListPage<R> {
  readonly items: readonly R[];
  /** The revision that the list is true at; a watch from here misses nothing. */
  readonly revision: number;
  readonly continue?: string | undefined;
  readonly remaining?: number | undefined;
}

export interface WatchOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Events after this revision. */
  readonly since: number;
}

export interface WatchEvent<R> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly revision: number;
  /** For DELETED the last state, with the revision of the deletion. */
  readonly object: R;
  /** The object as JSON text, serialised once for all watchers. */
  readonly json: string;
}

/** What an object under construction leaves to the store: uid, times, generation and revision. */
export interface Draft {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly generateName?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
    readonly finalizers?: readonly string[] | undefined;
    readonly ownerReferences?: AnyResource["metadata"]["ownerReferences"];
    readonly managedFields?: readonly JsonObject[] | undefined;
  };
}

/** Reads inside the writing transaction. */
export interface View {
  get<R extends AnyResource>(kind: KindDef<R>, key: Key): R | undefined;
}

export interface Precondition {
  readonly uid?: string | undefined;
  /** The resourceVersion that the writer has read; another one is a ConflictError. */
  readonly resourceVersion?: string | undefined;
}

export interface WriteOptions {
  /** Everything but the effect: the answer is what would have been stored, with the resourceVersion of what is ("" when nothing). */
  readonly dryRun?: boolean;
}

/** This database was put back from a backup: what was written between the two is not in it, though it may have had effects. */
export interface Restoration {
  readonly takenAtMs: number;
  readonly restoredAtMs: number;
}

export interface DeleteOptions extends Precondition, WriteOptions {
  /** A finalizer that the deletion itself adds, so that the object stays until somebody has removed it. */
  readonly hold?: string | undefined;
  /** What the status of an object that stays says from then on; what it said before when absent. */
  readonly status?: JsonObject | undefined;
}

export interface CreateOptions extends WriteOptions {
  /** Of an object that was lost and is written again; a new one when absent. */
  readonly uid?: string | undefined;
}

export interface StatusOptions<R extends AnyResource> extends Precondition, WriteOptions {
  /** What metadata.managedFields is with the new status; it stays as it is when this is absent. Pure, as `change`. */
  readonly managedFields?: ((current: R, status: unknown) => ObjectMeta["managedFields"]) | undefined;
}

export interface Store {
  /** Made with the database; marks the machines that belong to it. */
  readonly controllerId: string;
  /** Oldest first. */
  readonly restorations: readonly Restoration[];
  get<R extends AnyResource>(kind: KindDef<R>, key: Key): Promise<R | undefined>;
  getByUid<R extends AnyResource>(kind: KindDef<R>, uid: string): Promise<R | undefined>;
  /** Sorted by namespace and name. BadRequestError for selectors and tokens; ExpiredError for a token that is too old. */
  list<R extends AnyResource>(kind: KindDef<R>, options?: ListOptions): Promise<ListPage<R>>;
  /**
   * Ends when the signal aborts; with an ExpiredError when `since` is compacted or not yet written, or the reader is too
   * slow: list again. Throws BadRequestError at once for a selector.
   */
  watch<R extends AnyResource>(
    kind: KindDef<R>,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<R>>;
  /** With an empty name, one is made from generateName. AlreadyExistsError when the name, or the given uid, is taken. */
  create<R extends AnyResource>(
    kind: KindDef<R>,
    draft: (view: View) => Draft & JsonObject,
    options?: CreateOptions,
  ): Promise<R>;
  /**
   * Replaces all but status; a result equal to what is stored writes nothing and moves no revision. With a deletion under
   * way, removing the last finalizer removes the object. NotFoundError, ConflictError.
   */
  update<R extends AnyResource>(
    kind: KindDef<R>,
    key: Key,
    change: (current: R, view: View) => AnyResource,
    options?: Precondition & WriteOptions,
  ): Promise<R>;
  /** Replaces status, and who manages it. NotFoundError, ConflictError. */
  updateStatus<R extends AnyResource>(
    kind: KindDef<R>,
    key: Key,
    change: (current: R) => unknown,
    options?: StatusOptions<R>,
  ): Promise<R>;
  /**
   * Removes the object, or marks it with a deletionTimestamp while it has finalizers. Answers its last state.
   * NotFoundError, ConflictError.
   */
  delete<R extends AnyResource>(kind: KindDef<R>, key: Key, options?: DeleteOptions): Promise<R>;
  /** The newest committed revision. */
  revision(): Promise<number>;
  /** True when a write would be accepted now; the error of the last write otherwise. */
  health(): Promise<{ readonly ok: boolean; readonly message?: string }>;
}

/** Output of steps and executions, kept apart from objects. A stream is `<uid of the owner>/<step>/<attempt>/<stdout|stderr>`. */
export interface LogStore {
  /**
   * Idempotent by offset: bytes already held are ignored, the rest is added. A gap is an error. Past LOG_MAX_BYTES bytes are
   * counted and dropped. Resolves when durable.
   */
  append(stream: string, offset: number, data: Uint8Array): Promise<void>;
  /** Up to `limit` bytes from `offset`; empty at the end. */
  read(stream: string, offset: number, limit: number): Promise<Uint8Array>;
  /** Bytes received in all, dropped ones included. */
  size(stream: string): Promise<number>;
  /** Streams whose name begins with `prefix`, sorted. */
  streams(prefix: string): Promise<readonly string[]>;
  /** Resolves when a stream below `prefix` may have grown since the call, or with the signal: ask first, then read, then wait. */
  changed(prefix: string, signal: AbortSignal): Promise<void>;
  drop(prefix: string): Promise<void>;
}

/** What opening a database gives. */
export interface Database {
  readonly store: Store;
  readonly logs: LogStore;
  /** Waits for writes under way, checkpoints, and releases the file. */
  close(): Promise<void>;
}
