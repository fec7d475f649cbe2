// A key that stands twice in an object: JSON.parse keeps the last and says nothing, while its author meant both. Text without one
// costs two counts; only text with one is read a second time, to say where.
import { isMap, isScalar, isSeq, parseDocument } from "yaml";

/** Paths such as `spec.steps[1].name`, each once. `value` is what JSON.parse made of `text`. */
export function duplicateKeys(text: string, value: unknown): readonly string[] {
  if (keysInText(text) === keysInValue(value)) return [];
  const found = new Set<string>();
  // JSON is YAML; its parser keeps every pair.
  look(parseDocument(text, { uniqueKeys: false, logLevel: "silent" }).contents, "", found);
  return [...found];
}

/** Every string of a JSON text, and the colon that makes it a key. */
const STRINGS = /"(?:[^"\\]|\\.)*"\s*(:?)/g;

function keysInText(text: string): number {
  let keys = 0;
  for (const [, colon] of text.matchAll(STRINGS)) if (colon === ":") keys += 1;
  return keys;
}

function keysInValue(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const members = Object.values(value);
  let keys = Array.isArray(value) ? 0 : members.length;
  for (const member of members) keys += keysInValue(member);
  return keys;
}

function look(node: unknown, path: string, found: Set<string>): void {
  if (isSeq(node)) {
    node.items.forEach((item, index) => {
      look(item, `${path}[${index}]`, found);
    });
  }
  if (!isMap(node)) return;
  const seen = new Set<string>();
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : String(key);
    const here = path === "" ? name : `${path}.${name}`;
    if (seen.has(name)) found.add(here);
    seen.add(name);
    look(value, here, found);
  }
}
