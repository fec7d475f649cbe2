// Server-side apply, pure: what comes of an object when somebody applies what he wants of it, who manages which field
// afterwards, and which of them somebody else manages otherwise.
import type { StructuralSchema } from "../../../crds/structural-schema.ts";
import { isJsonObject, type JsonObject } from "../../kernel/json.ts";
import { compare, fieldsOf } from "./compare.ts";
import { difference, EMPTY, type FieldSet, intersection, placesOf, union } from "./field-set.ts";
import { type Owner, sameWriter, stripped, type Writer, withFields } from "./managed-fields.ts";
import { merge, prune } from "./merge.ts";

export interface Conflict {
  readonly owner: Owner;
  /** Such as `.spec.region`. */
  readonly field: string;
}

/** Others manage fields that the applied object has otherwise (HTTP 409). */
export class ApplyConflictError extends Error {
  override readonly name = "ApplyConflictError";
  readonly conflicts: readonly Conflict[];
  constructor(conflicts: readonly Conflict[]) {
    super(conflictText(conflicts));
    this.conflicts = conflicts;
  }
}

export interface Result {
  readonly object: JsonObject;
  readonly owners: readonly Owner[];
}

export interface Apply {
  readonly live: JsonObject;
  /** What is wanted; fields that it does not have are left to others, or removed where nobody else manages them. */
  readonly wanted: JsonObject;
  readonly schema: StructuralSchema;
  readonly owners: readonly Owner[];
  readonly writer: Writer;
  readonly time: string;
  /** Takes what others manage away from them. */
  readonly force: boolean;
}

/** A new object is applied to `{}`. Throws ApplyConflictError, and ListError for lists that do not fit their type. */
export function apply({ live, wanted, schema, owners, writer, time, force }: Apply): Result {
  const last = owners.find((each) => sameWriter(each, writer))?.fields ?? EMPTY;
  const others = owners.filter((each) => !sameWriter(each, writer));
  const fields = fieldsOf(wanted, schema);
  const owned = others.reduce<FieldSet>((all, each) => union(all, each.fields), fields);
  const object = asObject(prune(merge(live, wanted, schema), last, owned, schema));
  const { set, removed } = compare(live, object, schema);
  const conflicts = others.flatMap((owner) =>
    placesOf(intersection(owner.fields, set)).map((field): Conflict => ({ owner, field })),
  );
  if (conflicts.length > 0 && !force) throw new ApplyConflictError(conflicts);
  const left = withoutFields(owners, (owner) => (sameWriter(owner, writer) ? EMPTY : union(set, removed)), time);
  return { object, owners: withFields(left, writer, fields, time) };
}

export interface Update {
  readonly before: JsonObject;
  readonly after: JsonObject;
  readonly schema: StructuralSchema;
  readonly owners: readonly Owner[];
  readonly writer: Writer;
  readonly time: string;
}

/** Who manages what after any other write: whoever changed a field has it now, and he alone. */
export function ownersAfter({ before, after, schema, owners, writer, time }: Update): readonly Owner[] {
  const { set, removed } = compare(before, after, schema);
  const own = owners.find((each) => sameWriter(each, writer))?.fields ?? EMPTY;
  const left = withoutFields(owners, (owner) => (sameWriter(owner, writer) ? removed : union(set, removed)), time);
  return withFields(left, writer, union(difference(own, removed), stripped(set)), time);
}

function withoutFields(owners: readonly Owner[], lost: (owner: Owner) => FieldSet, time: string): readonly Owner[] {
  return owners.reduce<readonly Owner[]>(
    (all, owner) => withFields(all, owner, difference(owner.fields, lost(owner)), owner.time ?? time),
    owners,
  );
}

function asObject(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {};
}

/** In the words of Kubernetes, which kubectl shows and people search for. */
export function ownerText({ manager, operation, apiVersion, subresource, time }: Owner): string {
  const who = `${JSON.stringify(manager)}${subresource === undefined ? "" : ` with subresource ${JSON.stringify(subresource)}`}`;
  if (operation === "Apply") return who;
  return `${who} using ${apiVersion}${time === undefined ? "" : ` at ${time}`}`;
}

function conflictText(conflicts: readonly Conflict[]): string {
  const [only, ...more] = conflicts;
  if (only && more.length === 0)
    return `Apply failed with 1 conflict: conflict with ${ownerText(only.owner)}: ${only.field}`;
  const byOwner = new Map<string, string[]>();
  for (const { owner, field } of conflicts) {
    const fields = byOwner.get(ownerText(owner)) ?? [];
    fields.push(`\n- ${field}`);
    byOwner.set(ownerText(owner), fields);
  }
  const texts = [...byOwner].sort(([a], [b]) => (a < b ? -1 : 1));
  const said = texts.map(([owner, fields]) => `conflicts with ${owner}:${fields.join("")}`);
  return `Apply failed with ${conflicts.length} conflicts: ${said.join("\n")}`;
}
