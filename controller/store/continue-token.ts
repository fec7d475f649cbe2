// Where the next page of a list begins, as an opaque token: after which object, and at which revision.
import { BadRequestError } from "./errors.ts";

export interface Place {
  readonly namespace: string;
  readonly name: string;
}

export interface PageStart extends Place {
  readonly revision: number;
}

const VERSION = 1;

export function encodePlace({ revision, namespace, name }: PageStart): string {
  return Buffer.from(JSON.stringify([VERSION, revision, namespace, name])).toString("base64url");
}

export function decodePlace(token: string): PageStart {
  const parts = parse(Buffer.from(token, "base64url").toString());
  if (Array.isArray(parts)) {
    const [version, revision, namespace, name]: unknown[] = parts;
    const known = version === VERSION && typeof revision === "number" && Number.isSafeInteger(revision);
    if (known && typeof namespace === "string" && typeof name === "string") return { revision, namespace, name };
  }
  throw new BadRequestError("continue: not a token of this server; start a new list without it");
}

export function isAfter(a: Place, b: Place): boolean {
  return a.namespace === b.namespace ? a.name > b.name : a.namespace > b.namespace;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON, so not one of ours
  }
}
