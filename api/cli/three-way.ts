// What `apply` sends: a JSON merge patch from what was applied before, what is in the manifest, and what is stored.
// Fields that left the manifest are removed, fields that others set stay. The protocol and its annotation are
// kubectl's, to the byte, so that both tools may manage the same object.
import { isDeepStrictEqual } from "node:util";
import { isObject, type Json } from "./object.ts";

export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The manifest with itself recorded in the annotation, as it will be sent. */
export function withLastApplied(manifest: Json, namespace: string | undefined): Json {
  const metadata = isObject(manifest.metadata) ? manifest.metadata : {};
  const { [LAST_APPLIED]: _, ...annotations } = isObject(metadata.annotations) ? metadata.annotations : {};
  const place = namespace === undefined ? {} : { namespace };
  const bare = { ...manifest, metadata: { ...metadata, ...place, annotations } };
  const recorded = `${goJson(bare)}\n`;
  return { ...bare, metadata: { ...bare.metadata, annotations: { ...annotations, [LAST_APPLIED]: recorded } } };
}

/** What was applied last, by whichever tool; nothing when the object was never applied. */
export function lastApplied(current: Json): Json {
  const metadata = isObject(current.metadata) ? current.metadata : {};
  const text = isObject(metadata.annotations) ? metadata.annotations[LAST_APPLIED] : undefined;
  if (typeof text !== "string") return {};
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : {};
  } catch {
    return {}; // edited by hand: removing nothing is the safe reading of it
  }
}

/** RFC 7396. Empty when nothing has to change. Lists are replaced whole, as that patch type has it. */
export function threeWayPatch(original: Json, modified: Json, current: Json): Json {
  const patch: Record<string, unknown> = {};
  for (const [key, wanted] of Object.entries(modified)) {
    const now = current[key];
    if (wanted === null) {
      if (now !== undefined && now !== null) patch[key] = null;
    } else if (isObject(wanted) && isObject(now)) {
      const before = original[key];
      const nested = threeWayPatch(isObject(before) ? before : {}, wanted, now);
      if (Object.keys(nested).length > 0) patch[key] = nested;
    } else if (!isDeepStrictEqual(wanted, now)) {
      patch[key] = wanted;
    }
  }
  for (const key of Object.keys(original)) {
    if (!Object.hasOwn(modified, key) && current[key] !== undefined) patch[key] = null;
  }
  return patch;
}

/** JSON as Go's encoder writes it: keys sorted, and the characters escaped that could end a script in HTML. */
function goJson(value: unknown): string {
  return JSON.stringify(sorted(value)).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key])]));
}
