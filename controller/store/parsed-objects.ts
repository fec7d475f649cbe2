// Stored objects by the revision that wrote them, each parsed once for all who read it: gets, lists, writes, watchers. What
// a revision holds never changes, so nothing here is ever invalid; and it is frozen, so that no reader can spoil it for
// the next one.
import type { AnyResource } from "../../crds/resource.ts";
import { PARSED_OBJECTS_MAX_CHARS } from "../limits.ts";

export interface ParsedObjects {
  /** The object as `revision` left it; undefined when that is compacted. */
  at(revision: number): AnyResource | undefined;
  /** The same, for who has read its text already. */
  of(revision: number, body: string): AnyResource;
}

interface Held {
  readonly object: AnyResource;
  readonly chars: number;
}

/** A revision above `head` is of a transaction under way: it may be rolled back, and its number given to another write. */
export function parsedObjects(
  bodyOf: (revision: number) => string | undefined,
  head: () => number,
  maxChars = PARSED_OBJECTS_MAX_CHARS,
): ParsedObjects {
  /** The least lately read comes first. */
  const held = new Map<number, Held>();
  let chars = 0;

  function hold(revision: number, entry: Held): void {
    held.set(revision, entry);
    chars += entry.chars;
    for (const [oldest, { chars: freed }] of held) {
      if (chars <= maxChars) return;
      held.delete(oldest);
      chars -= freed;
    }
  }

  function found(revision: number): AnyResource | undefined {
    const entry = held.get(revision);
    if (!entry) return undefined;
    held.delete(revision);
    held.set(revision, entry);
    return entry.object;
  }

  function parse(revision: number, body: string): AnyResource {
    const object = parseFrozen(body);
    if (revision <= head()) hold(revision, { object, chars: body.length });
    return object;
  }

  return {
    at(revision) {
      const known = found(revision);
      if (known) return known;
      const body = bodyOf(revision);
      return body === undefined ? undefined : parse(revision, body);
    },
    of: (revision, body) => found(revision) ?? parse(revision, body),
  };
}

/** Stored text was an admitted object when it was written. */
export function parseFrozen(body: string): AnyResource {
  const object: AnyResource = JSON.parse(body);
  freeze(object);
  return object;
}

function freeze(value: object): void {
  for (const member of Object.values(value)) if (typeof member === "object" && member !== null) freeze(member);
  Object.freeze(value);
}
