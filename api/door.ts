// What every request passes through: it gets an id, is refused if it may not come in, is measured, and leaves a line in the log.
import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { ApiContext, ApiEnv, ApiOptions } from "./api.ts";
import { authorizer } from "./auth.ts";
import { HttpError } from "./http-error.ts";
import type { HttpMetrics } from "./http-metrics.ts";
import { guard } from "./request-guard.ts";

type DoorOptions = Pick<ApiOptions, "apiKey" | "loopback" | "clock" | "random" | "log">;

const REQUEST_ID = /^[\w.:-]{1,64}$/;

export function door(
  options: DoorOptions,
  metrics: HttpMetrics,
  answerError: (c: ApiContext, error: unknown) => Response,
): MiddlewareHandler<ApiEnv> {
  const { clock, random, log } = options;
  const mayPass = authorizer(options.apiKey);

  function refusalOf(c: ApiContext): HttpError | undefined {
    const refusal = guard(
      {
        method: c.req.method,
        // A request made in memory has no Host header; its URL says the same.
        host: c.req.header("host") ?? new URL(c.req.url).host,
        origin: c.req.header("origin"),
        fetchSite: c.req.header("sec-fetch-site"),
        contentType: c.req.header("content-type"),
      },
      options.loopback,
    );
    if (refusal) return new HttpError(refusal.reason, refusal.message);
    if (mayPass(c.req.path, c.req.header("authorization"))) return undefined;
    return new HttpError("Unauthorized", "Unauthorized", {
      headers: { "www-authenticate": 'Bearer realm="flywheel"' },
    });
  }

  return async (c, next) => {
    const startMs = clock.monotonic();
    const given = c.req.header("x-request-id");
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : random.uuid();
    c.set("requestId", requestId);
    c.header("x-request-id", requestId);
    const refused = refusalOf(c);
    if (refused) c.res = answerError(c, refused);
    else await next();
    const durationMs = clock.monotonic() - startMs;
    const { method, path } = c.req;
    const code = c.res.status;
    metrics.observe(method, refused ? "refused" : routeOf(c), code, durationMs / 1000);
    log.debug({ requestId, method, path, code, durationMs }, "request");
  };
}

/** The pattern of the route that answers; `unmatched` for paths that have none. */
export function routeOf(c: ApiContext): string {
  const pattern = routePath(c, -1);
  return pattern === "/*" || pattern === "*" ? "unmatched" : pattern;
}
