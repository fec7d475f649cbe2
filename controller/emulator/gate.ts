// What stands before every route. The emulator listens on loopback, where any web page could post to it: the Host must
// name this computer, requests that a foreign page sends are refused, bodies are JSON, and no CORS header is ever given.
import { createHash, timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import { failed } from "./api-error.ts";

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|\[::1\])$/;
const JSON_TYPE = /^application\/([\w.+-]+\+)?json\s*(;|$)/i;

/** Refuses what did not come from a program on this computer. */
export const onlyFromHere: MiddlewareHandler = async (c, next) => {
  const host = hostname(c.req.header("host") ?? new URL(c.req.url).host);
  if (!LOOPBACK.test(host)) throw failed(403, `forbidden: Host ${host} is not a loopback name`);
  const origin = c.req.header("origin");
  if (origin !== undefined && !isLoopbackOrigin(origin)) throw failed(403, `forbidden: Origin ${origin} is foreign`);
  if (c.req.header("sec-fetch-site") === "cross-site") throw failed(403, "forbidden: cross-site request");
  const type = c.req.header("content-type");
  if (type !== undefined && !["GET", "HEAD"].includes(c.req.method) && !JSON_TYPE.test(type)) {
    throw failed(415, `unsupported content type ${type}, send application/json`);
  }
  await next();
};

export function bearer(token: string): MiddlewareHandler {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const expected = digest(bare(token));
  return async (c, next) => {
    const given = bare(c.req.header("authorization") ?? "");
    if (!timingSafeEqual(digest(given), expected)) throw failed(401, "Authenticate: token validation error");
    await next();
  };
}

/** `Bearer X`, `FlyV1 X` and `Bearer FlyV1 X` are the same token. */
function bare(authorization: string): string {
  return authorization.replace(/^(Bearer\s+|FlyV1\s+)+/i, "").trim();
}

function hostname(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "");
}

function isLoopbackOrigin(origin: string): boolean {
  return URL.canParse(origin) && LOOPBACK.test(hostname(new URL(origin).host));
}
