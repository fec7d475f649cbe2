// One call to the API from the outside in: the gateway's own failures, the rate limit, the action, its being saved, and
// last the answers that get lost although the action happened.
import type { Context, Handler } from "hono";
import { ApiError, failed } from "./api-error.ts";
import type { Cloud } from "./cloud.ts";
import { type FaultReply, isThrottled, spoiled } from "./faults.ts";
import { rateLimiter } from "./rate-limit.ts";

type Act = (c: Context) => Promise<Response> | Response;

/** Marks an answer that has to be lost, for transports that have no socket to close. */
export const DROPPED = "x-emulator-dropped";

/** `action` names the call for limits and faults; `limitedBy` is what the limit counts for, if one applies. */
export type Route = (action: string, act: Act, limitedBy?: (c: Context) => string | undefined) => Handler;

export function routes(cloud: Cloud): Route {
  const take = rateLimiter(cloud.clock);
  return (action, act, limitedBy) => async (c) => {
    const { faults, random } = cloud;
    const before = spoiled(faults, "gateway", action, random);
    if (before) return spoil(c, before);
    const id = limitedBy?.(c);
    if (isThrottled(faults, action) || (cloud.knobs.rateLimit && id !== undefined && !take(action, id))) {
      if (faults.retryAfterSeconds !== undefined) c.header("retry-after", String(faults.retryAfterSeconds));
      return c.json({ error: "rate limit exceeded" }, 429);
    }
    const answer = await act(c);
    await cloud.saved();
    const after = spoiled(faults, "ambiguous", action, random);
    return after ? spoil(c, after) : answer;
  };
}

function spoil(c: Context, reply: FaultReply): Response {
  switch (reply) {
    case "408":
      return c.json({ error: "deadline_exceeded: context deadline exceeded" }, 408);
    case "503":
      return c.json({ error: "unavailable: upstream unavailable" }, 503);
    case "504":
      return c.text("upstream request timeout", 504);
    case "drop":
      return drop(c);
  }
}

/** Under @hono/node-server the environment carries the request of Node, whose socket is closed without an answer. */
function drop(c: Context): Response {
  const incoming: { destroy?: () => void } | undefined = c.env?.incoming;
  incoming?.destroy?.();
  return c.body(null, 500, { [DROPPED]: "true" });
}

export const appOf = (c: Context) => c.req.param("app") ?? "";
export const idOf = (c: Context) => c.req.param("id") ?? "";
export const nonceOf = (c: Context) => c.req.header("fly-machine-lease-nonce");
export const machineOf = (cloud: Cloud, c: Context) => cloud.machine(appOf(c), idOf(c));

/** The body as JSON; an empty one counts as `{}`. */
export async function jsonBody(c: Context): Promise<unknown> {
  const text = await c.req.text();
  if (text.trim() === "") return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw failed(400, `invalid_argument: request body is not JSON: ${String(error)}`);
  }
}

export function answerError(c: Context, error: unknown, log: Cloud["log"]): Response {
  // ApiError carries only statuses of error answers, which hono's type for statuses does not know of.
  if (error instanceof ApiError) return c.json(error.body, error.status as 400);
  log.error({ error, path: c.req.path }, "emulator failed");
  return c.json({ error: `internal: ${String(error)}` }, 500);
}
