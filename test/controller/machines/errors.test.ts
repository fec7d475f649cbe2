import { describe, expect, test } from "vitest";
import { errorOfAnswer, errorOfSilence, errorOfUnreadable, retryAfterMs } from "../../../controller/machines/errors.ts";
import type { MachinesErrorClass } from "../../../controller/machines/machines.ts";

interface Row {
  readonly status: number;
  readonly body: unknown;
  readonly class: MachinesErrorClass;
  readonly ambiguous?: boolean;
  readonly machineId?: string;
  readonly reason: string;
}

const TABLE: readonly Row[] = [
  {
    status: 422,
    body: '{"error":"could not find a candi',
    class: "down",
    reason: "cut off, it does not say whether the request was wrong",
  },
  { status: 400, body: "", class: "down", reason: "nor does an empty one" },
  { status: 401, body: "", class: "refused", reason: "the status says it all" },
  {
    status: 409,
    body: {
      error: 'already_exists: unique machine name violation, machine ID 148e21aaa already exists with name "web-1"',
    },
    class: "exists",
    machineId: "148e21aaa",
    reason: "the taken name says which machine to adopt",
  },
  {
    status: 422,
    body: { error: "Validation failed: Name has already been taken", status: "name_taken" },
    class: "exists",
    reason: "an app's name is taken",
  },
  {
    status: 409,
    body: {
      status: "error",
      message: "machine ID 148e lease currently held by a@b.c, expires at 2026-01-01T00:00:00Z",
    },
    class: "conflict",
    reason: "a lease speaks of itself as message, not error",
  },
  {
    status: 409,
    body: { error: "aborted: machine update failed due to concurrent update" },
    class: "conflict",
    reason: "stale version",
  },
  {
    status: 412,
    body: { error: "failed_precondition: machine still active, refusing to start" },
    class: "conflict",
    reason: "not in this state",
  },
  {
    status: 422,
    body: { error: "could not find a candidate host", status: "insufficient_capacity" },
    class: "capacity",
    reason: "full region, by code",
  },
  {
    status: 503,
    body: { error: "could not find a candidate host", status: "insufficient_capacity" },
    class: "capacity",
    reason: "a clear refusal with a 5xx had no effect",
  },
  {
    status: 412,
    body: {
      error: "insufficient resources to create new machine with existing volume",
      status: "volume_placement_capacity",
    },
    class: "capacity",
    reason: "the volume's host is full",
  },
  {
    status: 409,
    body: {
      error: "aborted: could not reserve resource for machine: insufficient memory available to fulfill request",
    },
    class: "capacity",
    reason: "full host, by text",
  },
  { status: 400, body: { error: "no capacity" }, class: "capacity", reason: "a volume without room" },
  {
    status: 403,
    body: { error: "creating this would put you over the allowed quota" },
    class: "capacity",
    reason: "a quota lifts by itself when machines go; the request is not wrong",
  },
  { status: 404, body: { error: "machine not found" }, class: "gone", reason: "absent" },
  { status: 404, body: "", class: "gone", reason: "absent, without a word" },
  { status: 404, body: "404 page not found", class: "gone", reason: "absent, says a gateway" },
  { status: 404, body: '{"error":"not_found: fail', class: "down", reason: "cut off: absent may be the image alone" },
  {
    status: 404,
    body: { error: "MANIFEST_UNKNOWN: no such tag" },
    class: "refused",
    reason: "the image is absent, not the machine",
  },
  {
    status: 400,
    body: { error: "invalid config.guest.memory_mb, minimum required 1024 MiB" },
    class: "refused",
    reason: "wrong request",
  },
  { status: 401, body: { error: "Authenticate: token validation error" }, class: "refused", reason: "wrong token" },
  { status: 403, body: { error: "permission_denied" }, class: "refused", reason: "no right" },
  { status: 422, body: { error: "invalid" }, class: "refused", reason: "wrong request" },
  { status: 405, body: "", class: "refused", reason: "no such method" },
  { status: 302, body: "", class: "refused", reason: "the base URL is wrong: redirects are not followed" },
  {
    status: 408,
    body: { error: "deadline_exceeded" },
    class: "down",
    ambiguous: true,
    reason: "Fly gave up on itself",
  },
  { status: 429, body: { error: "rate limit exceeded" }, class: "throttled", reason: "too fast" },
  { status: 500, body: { error: "internal" }, class: "down", ambiguous: true, reason: "may have happened" },
  { status: 501, body: "", class: "refused", reason: "a clear refusal" },
  { status: 503, body: { error: "host unreachable" }, class: "down", ambiguous: true, reason: "may have happened" },
  {
    status: 504,
    body: "upstream request timeout",
    class: "down",
    ambiguous: true,
    reason: "a gateway speaks plain text",
  },
  { status: 502, body: "", class: "down", ambiguous: true, reason: "or says nothing" },
];

const CREATE = { what: 'create machine "web-1" in app "shop" (iad)', mutates: true };
const GET = { what: "get machine 148e", mutates: false };
const answer = (status: number, body: unknown, headers = {}) => ({
  status,
  headers,
  body: typeof body === "string" ? body : JSON.stringify(body),
});

describe("an answer that is not a success", () => {
  test.each(TABLE)("$status $body is $class: $reason", (row) => {
    const error = errorOfAnswer(CREATE, answer(row.status, row.body), 0);
    expect({
      class: error.class,
      ambiguous: error.ambiguous,
      machineId: error.machineId,
      status: error.status,
    }).toEqual({
      class: row.class,
      ambiguous: row.ambiguous ?? false,
      machineId: row.machineId,
      status: row.status,
    });
  });

  test("leaves nothing unknown when the call only reads", () => {
    expect(errorOfAnswer(GET, answer(503, ""), 0).ambiguous).toBe(false);
  });

  test("says what was attempted, what Fly said, and the request id for its support", () => {
    const error = errorOfAnswer(CREATE, answer(504, "upstream request timeout", { "fly-request-id": "01H-iad" }), 0);
    expect(error.message).toBe(
      'create machine "web-1" in app "shop" (iad): Fly answered 504: upstream request timeout (fly-request-id 01H-iad)',
    );
    expect(error.requestId).toBe("01H-iad");
  });
});

describe("Retry-After", () => {
  const now = Date.UTC(2026, 0, 1, 12);
  test.each([
    { header: undefined, expected: undefined, reason: "Fly documents none" },
    { header: "7", expected: 7000, reason: "seconds" },
    { header: "Thu, 01 Jan 2026 12:00:05 GMT", expected: 5000, reason: "a date" },
    { header: "Thu, 01 Jan 2026 11:00:00 GMT", expected: 0, reason: "a date that has passed" },
    { header: "soon", expected: undefined, reason: "nothing that can be read" },
  ])("$header is $expected ms: $reason", ({ header, expected }) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });
});

describe("no answer", () => {
  test("leaves the effect of a mutation unknown", () => {
    const error = errorOfSilence(CREATE, new Error("other side closed"));
    expect(error).toMatchObject({ class: "down", ambiguous: true, status: undefined });
  });

  test.each(["ECONNREFUSED", "ENOTFOUND", "UND_ERR_CONNECT_TIMEOUT"])("but %s means that nothing was sent", (code) => {
    expect(errorOfSilence(CREATE, Object.assign(new Error("connect"), { code })).ambiguous).toBe(false);
  });

  test("a success that cannot be read is no answer either", () => {
    const error = errorOfUnreadable(CREATE, answer(200, '{"id":'), new SyntaxError("end"));
    expect(error).toMatchObject({ class: "down", ambiguous: true, status: 200 });
  });
});
