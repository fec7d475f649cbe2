// The Machines API over the emulated cloud. Sources: Fly's documentation of the Machines API and its OpenAPI
// description; where they are silent, what Fly's own client expects.
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Http } from "../kernel/http.ts";
import { MAX_BODY_BYTES } from "../limits.ts";
import { appRoutes } from "./api-apps.ts";
import { controlRoutes } from "./api-control.ts";
import { machineRoutes } from "./api-machines.ts";
import { organizationRoutes } from "./api-organization.ts";
import type { Cloud } from "./cloud.ts";
import { bearer, onlyFromHere } from "./gate.ts";
import { ulid } from "./ids.ts";
import { NEAREST } from "./regions.ts";
import { answerError, DROPPED, routes } from "./route.ts";

export function emulatorApi(cloud: Cloud, options: { readonly token: string }): Hono {
  const app = new Hono();
  app.onError((error, c) => answerError(c, error, cloud.log));
  app.notFound((c) => c.json({ error: "not_found: no such path" }, 404));
  app.use(async (c, next) => {
    c.header("fly-request-id", `${ulid(cloud.clock.now(), cloud.random)}-${NEAREST}`);
    await next();
  });
  app.use(onlyFromHere, bearer(options.token));
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: (c) => c.json({ error: "request body too large" }, 413) }));
  const route = routes(cloud);
  app.route("/v1", appRoutes(cloud, route));
  app.route("/v1", machineRoutes(cloud, route));
  app.route("/v1", organizationRoutes(cloud, route));
  app.route("/_emulator", controlRoutes(cloud));
  return app;
}

/** The API without sockets; a dropped answer rejects, as a closed connection would. */
export function emulatorHttp(app: Hono): Http {
  return {
    async send({ method, url, headers, body }, signal) {
      const request = new Request(url, { method, headers, ...(body === undefined ? {} : { body }), signal });
      const response = await aborting(app.fetch(request), signal);
      if (response.headers.has(DROPPED)) throw new Error("socket hang up");
      return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
    },
  };
}

function aborting<T>(work: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}
