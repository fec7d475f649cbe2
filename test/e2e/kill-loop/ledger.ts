// What the clients know: every write that was acknowledged, as it was told, and every one whose outcome nobody knows,
// because the server died over it. Each object has one client that writes it, one write at a time, so what may be found
// later is exact: the acknowledged state, or the one state that is in doubt.
import { type JsonObject, jsonEqual, stableStringify } from "../../../controller/kernel/json.ts";

export interface Found {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly deletionTimestamp?: string;
  };
  readonly spec: JsonObject;
}

export type Write =
  | { readonly does: "create" | "edit"; readonly spec: JsonObject }
  | { readonly does: "delete"; readonly spec?: undefined };

export interface Acknowledged {
  /** The process that has acknowledged it. */
  readonly server: string;
  readonly does: Write["does"];
  readonly plural: string;
  readonly name: string;
  readonly uid: string;
  readonly revision: number;
  /** With its keys sorted. */
  readonly spec: string;
}

interface Entry {
  known: Found | undefined;
  deleted: boolean;
  doubt: Write | undefined;
  readonly lines: string[];
}

export interface Ledger {
  readonly acknowledged: readonly Acknowledged[];
  /** Writes whose outcome was unknown when their server died. */
  readonly unknown: number;
  known(plural: string, name: string): Found | undefined;
  /** Before it is sent. */
  begin(plural: string, name: string, write: Write): void;
  /** The server has answered that it is done. */
  done(plural: string, name: string, found: Found, server: string): void;
  /** The server has answered that it is not done, or was never reached. */
  refused(plural: string, name: string, why: string): void;
  /** It may be done. */
  lost(plural: string, name: string, why: string): void;
  /** What a read has shown settles all doubt; answers what is wrong with it. */
  read(plural: string, name: string, found: Found | undefined): string | undefined;
  /** Everything that was ever written. */
  names(plural: string): readonly string[];
  /** Its last lines, for people. */
  about(plural: string, name: string): readonly string[];
}

const LINES_KEPT = 30;

export function createLedger(nowMs: () => number): Ledger {
  const entries = new Map<string, Entry>();
  const acknowledged: Acknowledged[] = [];
  let unknown = 0;
  const began = nowMs();

  function entryOf(plural: string, name: string): Entry {
    const key = `${plural}/${name}`;
    const entry = entries.get(key) ?? { known: undefined, deleted: false, doubt: undefined, lines: [] };
    entries.set(key, entry);
    return entry;
  }

  function tell(entry: Entry, what: string): void {
    entry.lines.push(`${((nowMs() - began) / 1000).toFixed(3)} s: ${what}`);
    if (entry.lines.length > LINES_KEPT) entry.lines.shift();
  }

  return {
    acknowledged,
    get unknown() {
      return unknown;
    },
    known: (plural, name) => entries.get(`${plural}/${name}`)?.known,
    begin(plural, name, write) {
      const entry = entryOf(plural, name);
      if (entry.doubt) throw new Error(`${plural}/${name} is written again before it was read`);
      entry.doubt = write;
      tell(entry, `sends ${write.does} ${write.spec ? stableStringify(write.spec) : ""}`);
    },
    done(plural, name, found, server) {
      const entry = entryOf(plural, name);
      const { uid, resourceVersion } = found.metadata;
      const does = entry.doubt?.does ?? "edit";
      const spec = stableStringify(found.spec);
      acknowledged.push({ server, does, plural, name, uid, revision: Number(resourceVersion), spec });
      tell(entry, `${server} acknowledged ${does} of ${uid} at ${resourceVersion}: ${spec}`);
      entry.deleted = does === "delete";
      entry.known = found;
      entry.doubt = undefined;
    },
    refused(plural, name, why) {
      const entry = entryOf(plural, name);
      tell(entry, `refused: ${why}`);
      entry.doubt = undefined;
    },
    lost(plural, name, why) {
      unknown += 1;
      tell(entryOf(plural, name), `unknown: ${why}`);
    },
    read(plural, name, found) {
      const entry = entryOf(plural, name);
      const problem = problemOf(entry, found);
      const seen = found
        ? `${found.metadata.uid} at ${found.metadata.resourceVersion}: ${stableStringify(found.spec)}`
        : "nothing";
      tell(entry, `reads ${seen}${problem === undefined ? "" : `: ${problem}`}`);
      entry.known = found;
      entry.deleted = found?.metadata.deletionTimestamp !== undefined;
      entry.doubt = undefined;
      return problem && `${plural}/${name}: ${problem}`;
    },
    names: (plural) =>
      [...entries.keys()].filter((key) => key.startsWith(`${plural}/`)).map((key) => key.slice(plural.length + 1)),
    about: (plural, name) => entryOf(plural, name).lines,
  };
}

function problemOf({ known, deleted, doubt }: Entry, found: Found | undefined): string | undefined {
  if (!found) {
    if (!known || deleted || doubt?.does === "delete") return undefined;
    return `${known.metadata.uid} was acknowledged and is gone`;
  }
  const { uid, resourceVersion, deletionTimestamp } = found.metadata;
  if (uid !== known?.metadata.uid) return known && !deleted ? `is ${uid} instead` : createdInDoubt(doubt, found);
  if (Number(resourceVersion) < Number(known.metadata.resourceVersion)) return `went back to ${resourceVersion}`;
  if (deleted && !deletionTimestamp) return "its deletion was acknowledged and is not under way";
  if (!deleted && deletionTimestamp && doubt?.does !== "delete") return "is being deleted by nobody";
  const accepted = [known.spec, ...(doubt?.spec ? [doubt.spec] : [])];
  return accepted.some((spec) => jsonEqual(spec, found.spec)) ? undefined : "its spec is not the acknowledged one";
}

/** Defaults are filled in: what was sent must be there. */
function createdInDoubt(doubt: Write | undefined, found: Found): string | undefined {
  if (doubt?.does !== "create") return "exists, and nobody has created it";
  const differs = Object.entries(doubt.spec).find(([key, value]) => !includes(found.spec[key], value));
  return differs && `its ${differs[0]} is not what was sent`;
}

function includes(found: unknown, sent: unknown): boolean {
  if (Array.isArray(sent)) return Array.isArray(found) && sent.every((each, index) => includes(found[index], each));
  if (typeof sent !== "object" || sent === null) return found === sent;
  if (typeof found !== "object" || found === null) return false;
  const members = new Map(Object.entries(found));
  return Object.entries(sent).every(([key, value]) => includes(members.get(key), value));
}
