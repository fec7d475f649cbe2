// The syntax of metadata: names, labels, annotations, finalizers and owner references, in the words of Kubernetes.
import { eventKind } from "../../crds/event.ts";
import { NAMESPACE_FINALIZER } from "../../crds/namespace.ts";
import { FOREGROUND_FINALIZER, type KindDef, NAME_MAX, NAME_PATTERN, ORPHAN_FINALIZER } from "../../crds/resource.ts";
import type { Cause } from "./admission.ts";
import { invalidValue } from "./causes.ts";
import type { Parsed } from "./kind-schema.ts";

type Metadata = Parsed["metadata"];

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const SUBDOMAIN_MAX = 253;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const QUALIFIED_MAX = 63;
/** All annotations of an object together, keys included. */
const ANNOTATIONS_MAX_BYTES = 256 * 1024;

const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc')";
const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com')";
const QUALIFIED_RULE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc')";
const LABEL_VALUE_RULE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue', or 'my_value', or '12345')";

/** Characters that are appended to generateName. */
export const SUFFIX_LENGTH = 5;

export function metadataCauses(kind: KindDef, metadata: Metadata): readonly Cause[] {
  const problems: Problem[] = [
    ...nameProblems(kind, metadata),
    ...entries(metadata.labels).flatMap(([key, value]) => [
      ...qualifiedProblems("metadata.labels", key),
      ...labelValueProblems(value),
    ]),
    ...annotationProblems(metadata),
    ...(metadata.finalizers ?? []).flatMap((each, index) => finalizerProblems(each, `metadata.finalizers[${index}]`)),
    ...ownerProblems(metadata),
  ];
  return problems.map(([field, message, reason]) => ({ reason: reason ?? "FieldValueInvalid", field, message }));
}

type Problem = readonly [field: string, message: string, reason?: Cause["reason"]];

function nameProblems(kind: KindDef, { name, generateName }: Metadata): Problem[] {
  if (name) return syntaxProblems(kind, "metadata.name", name, name);
  if (generateName) {
    // A trailing '-' is fine: the suffix follows it.
    return syntaxProblems(
      kind,
      "metadata.generateName",
      `${generateName.slice(0, NAME_MAX - SUFFIX_LENGTH)}x`,
      generateName,
    );
  }
  return [["metadata.name", "Required value: name or generateName is required", "FieldValueRequired"]];
}

function syntaxProblems(kind: KindDef, field: string, name: string, written: string): Problem[] {
  // Events are named after their object with a suffix behind a dot.
  const [pattern, max, rule] =
    kind === eventKind ? [SUBDOMAIN, SUBDOMAIN_MAX, SUBDOMAIN_RULE] : [NAME_PATTERN, NAME_MAX, LABEL_RULE];
  if (name.length > max) return [[field, invalidValue(written, `must be no more than ${max} characters`)]];
  return pattern.test(name) ? [] : [[field, invalidValue(written, rule)]];
}

function qualifiedProblems(field: string, key: string): Problem[] {
  const parts = key.split("/");
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? parts[0] : undefined;
  if (parts.length > 2 || prefix === "")
    return [[field, invalidValue(key, "must be [prefix/]name with one '/' at most")]];
  if (prefix !== undefined && (prefix.length > SUBDOMAIN_MAX || !SUBDOMAIN.test(prefix.toLowerCase()))) {
    return [[field, invalidValue(key, `prefix part ${SUBDOMAIN_RULE}`)]];
  }
  if (name.length > QUALIFIED_MAX) {
    return [[field, invalidValue(key, `name part must be no more than ${QUALIFIED_MAX} characters`)]];
  }
  return QUALIFIED.test(name) ? [] : [[field, invalidValue(key, QUALIFIED_RULE)]];
}

function labelValueProblems(value: string): Problem[] {
  if (value.length > QUALIFIED_MAX) {
    return [["metadata.labels", invalidValue(value, `must be no more than ${QUALIFIED_MAX} characters`)]];
  }
  return value === "" || QUALIFIED.test(value) ? [] : [["metadata.labels", invalidValue(value, LABEL_VALUE_RULE)]];
}

function annotationProblems(metadata: Metadata): Problem[] {
  const all = entries(metadata.annotations);
  const size = all.reduce((total, [key, value]) => total + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  const problems = all.flatMap(([key]) => qualifiedProblems("metadata.annotations", key));
  if (size <= ANNOTATIONS_MAX_BYTES) return problems;
  const message = `Too long: may not be more than ${ANNOTATIONS_MAX_BYTES} bytes in all`;
  return [...problems, ["metadata.annotations", message, "FieldValueTooLong"]];
}

/** Kubernetes' own, which are older than the rule. */
const STANDARD_FINALIZERS = [FOREGROUND_FINALIZER, ORPHAN_FINALIZER, NAMESPACE_FINALIZER];

function finalizerProblems(finalizer: string, field: string): Problem[] {
  if (STANDARD_FINALIZERS.includes(finalizer)) return [];
  if (!finalizer.includes("/")) {
    return [[field, invalidValue(finalizer, "must be fully qualified, such as 'example.com/name'")]];
  }
  return qualifiedProblems(field, finalizer);
}

function ownerProblems({ ownerReferences = [] }: Metadata): Problem[] {
  const empty = ownerReferences.flatMap((owner, index) =>
    (["apiVersion", "kind", "name", "uid"] as const)
      .filter((key) => owner[key] === "")
      .map(
        (key): Problem => [
          `metadata.ownerReferences[${index}].${key}`,
          "Required value: must not be empty",
          "FieldValueRequired",
        ],
      ),
  );
  const controllers = ownerReferences.filter((owner) => owner.controller);
  if (controllers.length <= 1) return empty;
  const names = controllers.map((owner) => `${owner.kind} ${owner.name}`).join(" and ");
  return [
    ...empty,
    ["metadata.ownerReferences", invalidValue(names, "only one reference can have controller set to true")],
  ];
}

function entries(record: Readonly<Record<string, string>> | undefined): readonly (readonly [string, string])[] {
  return record === undefined ? [] : Object.entries(record);
}
