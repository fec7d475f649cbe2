// metadata.managedFields: who manages which fields, by which kind of write, of which part of the object.
import { isJsonObject, type JsonObject } from "../../kernel/json.ts";
import { EMPTY, type FieldSet, fromFieldsV1, isEmpty, sameSet, setOf, toFieldsV1, union } from "./field-set.ts";

export interface Writer {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** Such as `status`; absent for the object itself. */
  readonly subresource?: string | undefined;
}

export interface Owner extends Writer {
  /** RFC 3339; when the set last changed. */
  readonly time?: string | undefined;
  readonly fields: FieldSet;
}

/** As many writers by Update are kept apart as Kubernetes keeps; older ones become one. */
const UPDATERS_MAX = 10;
const ANCIENT = "ancient-changes";

export function sameWriter(a: Writer, b: Writer): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.apiVersion === b.apiVersion &&
    (a.subresource ?? "") === (b.subresource ?? "")
  );
}

/** Throws TypeError for entries that are not of this form. */
export function parseManagedFields(entries: unknown): readonly Owner[] {
  if (entries === undefined || entries === null) return [];
  if (!Array.isArray(entries)) throw new TypeError("managedFields must be a list");
  return entries.map((entry: unknown): Owner => {
    if (!isJsonObject(entry)) throw new TypeError("an entry of managedFields must be an object");
    const { manager = "", operation, apiVersion, time, fieldsType, fieldsV1, subresource } = entry;
    if (operation !== "Apply" && operation !== "Update") throw new TypeError("operation must be Apply or Update");
    if (fieldsType !== "FieldsV1") throw new TypeError("fieldsType must be FieldsV1");
    return {
      manager: String(manager),
      operation,
      apiVersion: String(apiVersion),
      ...(typeof time === "string" ? { time } : {}),
      ...(typeof subresource === "string" && subresource !== "" ? { subresource } : {}),
      fields: fromFieldsV1(fieldsV1 ?? {}),
    };
  });
}

/** Apply before Update, then by time and name, as Kubernetes sorts them. */
export function formatManagedFields(owners: readonly Owner[]): readonly JsonObject[] {
  const order = (owner: Owner) => [owner.operation, owner.time ?? "", owner.manager].join("\0");
  return [...owners]
    .sort((a, b) => (order(a) < order(b) ? -1 : 1))
    .map(({ manager, operation, apiVersion, time, subresource, fields }) => ({
      manager,
      operation,
      apiVersion,
      ...(time === undefined ? {} : { time }),
      fieldsType: "FieldsV1",
      fieldsV1: toFieldsV1(fields),
      ...(subresource === undefined ? {} : { subresource }),
    }));
}

/** `owners` with the fields of one of them as given. Its time moves only when its fields do; without any it is gone. */
export function withFields(owners: readonly Owner[], writer: Writer, fields: FieldSet, time: string): readonly Owner[] {
  const before = owners.find((each) => sameWriter(each, writer));
  const others = owners.filter((each) => each !== before);
  const own = stripped(fields);
  if (isEmpty(own)) return others;
  const since = before && sameSet(before.fields, own) ? (before.time ?? time) : time;
  const { manager, operation, apiVersion, subresource } = writer;
  return limited([...others, { manager, operation, apiVersion, subresource, time: since, fields: own }]);
}

function limited(owners: readonly Owner[]): readonly Owner[] {
  const updaters = owners.filter((each) => each.operation === "Update");
  if (updaters.length <= UPDATERS_MAX) return owners;
  const oldest = [...updaters].sort((a, b) => ((a.time ?? "") < (b.time ?? "") ? -1 : 1));
  const merged = oldest.slice(0, updaters.length - UPDATERS_MAX + 1);
  const [first] = merged;
  if (!first) return owners;
  const fields = merged.reduce<FieldSet>((all, each) => union(all, each.fields), EMPTY);
  const { apiVersion, time } = merged.at(-1) ?? first;
  return [
    ...owners.filter((each) => !merged.includes(each)),
    { manager: ANCIENT, operation: "Update", apiVersion, time, fields },
  ];
}

/** What belongs to the object or the server and never to a writer. */
const IDENTITY = new Set(
  ["name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion"].map(
    (name) => `f:${name}`,
  ),
);

export function stripped({ below }: FieldSet): FieldSet {
  const members = [...below]
    .filter(([step]) => step !== "f:apiVersion" && step !== "f:kind")
    .map(([step, set]) => {
      if (step !== "f:metadata") return [step, set] as const;
      return [
        step,
        setOf(
          false,
          [...set.below].filter(([name]) => !IDENTITY.has(name)),
        ),
      ] as const;
    });
  return setOf(false, members);
}
