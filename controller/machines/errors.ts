// What an answer that is not a success means for the caller, as one table read from the top: Fly's error code first, the
// HTTP status next, its prose only where codes do not tell cases apart. Pure, so every row can be tested by itself.
import { isJsonObject } from "../kernel/json.ts";
import { MachinesError, type MachinesErrorClass } from "./machines.ts";

/** What was attempted, in words for people: `create machine "web-1" in app "shop" (iad)`. */
export interface Attempt {
  readonly what: string;
  /** The call changes something, so a lost answer leaves its effect unknown. */
  readonly mutates: boolean;
}

/** An answer of the API, as far as errors are concerned. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Facts {
  readonly status: number;
  /** The body ends early. */
  readonly cut: boolean;
  readonly code: string;
  readonly text: string;
}

interface Rule {
  readonly when: (facts: Facts) => boolean;
  readonly class: MachinesErrorClass;
  /** A mutating call may have had its effect. */
  readonly effectUnknown?: boolean;
}

const NAME_TAKEN = /unique machine name violation|machine ID \w+ already exists/i;
const NO_ROOM =
  /could not find a candidate host|no capacity|could not reserve resource|insufficient (memory|cpus|resources)/i;
/** Fly's quota lifts when other machines go or the organisation is granted more: the request itself is not wrong. */
const QUOTA = /over the allowed quota|machine (count )?limit|maximum number of machines/i;

const NO_IMAGE = /MANIFEST_UNKNOWN|manifest unknown/i;

const RULES: readonly Rule[] = [
  { when: ({ status }) => status === 429, class: "throttled" },
  { when: ({ status, text }) => [409, 412, 422].includes(status) && NAME_TAKEN.test(text), class: "exists" },
  { when: ({ code }) => code === "name_taken", class: "exists" },
  { when: ({ code }) => code === "insufficient_capacity" || code === "volume_placement_capacity", class: "capacity" },
  { when: ({ status, text }) => [400, 409, 412, 422, 503].includes(status) && NO_ROOM.test(text), class: "capacity" },
  { when: ({ status, text }) => [403, 422].includes(status) && QUOTA.test(text), class: "capacity" },
  { when: ({ status, text }) => status < 500 && NO_IMAGE.test(text), class: "refused" },
  { when: ({ status, cut }) => status === 404 && cut, class: "down" }, // what is absent may have been the image
  { when: ({ status }) => status === 404, class: "gone" },
  { when: ({ status }) => status === 409 || status === 412, class: "conflict" },
  { when: ({ status }) => status === 408, class: "down", effectUnknown: true },
  { when: ({ status }) => status === 501, class: "refused" },
  { when: ({ status }) => status >= 500, class: "down", effectUnknown: true },
];

/** What these mean stands in their body: without it nobody can say that the request was wrong. */
const TOLD_BY_BODY = [400, 403, 422];

const MESSAGE_MAX_CHARS = 500;

/** The error for an answer with a status that is not a success. `nowMs` is needed for a Retry-After that is a date. */
export function errorOfAnswer(attempt: Attempt, refusal: Refusal, nowMs: number): MachinesError {
  const { code, text, whole } = readBody(refusal.body);
  const facts = { status: refusal.status, code, text, cut: !whole && text !== "" };
  const rule = RULES.find((each) => each.when(facts));
  const requestId = refusal.headers["fly-request-id"];
  const said = text === "" ? "no text" : text.slice(0, MESSAGE_MAX_CHARS);
  const unknown = !whole && TOLD_BY_BODY.includes(refusal.status) ? "down" : "refused";
  return new MachinesError(
    rule?.class ?? unknown,
    `${attempt.what}: Fly answered ${refusal.status}: ${said}${suffix(requestId)}`,
    {
      status: refusal.status,
      requestId,
      retryAfterMs: retryAfterMs(refusal.headers["retry-after"], nowMs),
      machineId: /machine ID (\w+) already exists/i.exec(text)?.[1],
      ambiguous: attempt.mutates && rule?.effectUnknown === true,
    },
  );
}

/** The error for a call that got no complete answer. Where no connection came about, nothing can have happened. */
export function errorOfSilence(attempt: Attempt, cause: unknown): MachinesError {
  const effect = attempt.mutates && !neverSent(cause);
  const note = effect ? " (it may have had its effect)" : "";
  return new MachinesError("down", `${attempt.what}: no answer from Fly${note}`, { ambiguous: effect, cause });
}

/** The error for a success whose body is not what the API promises: cut off, or written by something in between. */
export function errorOfUnreadable(attempt: Attempt, refusal: Refusal, cause: unknown): MachinesError {
  const requestId = refusal.headers["fly-request-id"];
  return new MachinesError(
    "down",
    `${attempt.what}: the answer of Fly (${refusal.status}) cannot be read${suffix(requestId)}`,
    { status: refusal.status, requestId, ambiguous: attempt.mutates, cause },
  );
}

/** Seconds or a date, as HTTP has it; undefined when absent or neither. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const dateMs = Date.parse(text);
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs);
}

/** Bodies are `{error, status?}`, `{message}` (leases), a gateway's plain text, or nothing. JSON that ends early is not whole. */
function readBody(body: string): { readonly code: string; readonly text: string; readonly whole: boolean } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    const text = body.trim(); // a gateway in between speaks plain text
    return { code: "", text, whole: text !== "" && !text.startsWith("{") };
  }
  if (!isJsonObject(parsed)) return { code: "", text: body.trim(), whole: true };
  const string = (value: unknown) => (typeof value === "string" ? value : "");
  return {
    code: string(parsed.status),
    text: string(parsed.error) || string(parsed.message) || body.trim(),
    whole: true,
  };
}

const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);

function neverSent(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const code = "code" in cause ? String(cause.code) : "";
  return NEVER_SENT.has(code) || ("syscall" in cause && cause.syscall === "connect");
}

function suffix(requestId: string | undefined): string {
  return requestId === undefined ? "" : ` (fly-request-id ${requestId})`;
}
