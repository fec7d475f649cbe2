// The whole HTTP face as one app without a socket: tests call `app.request()`, `listen` puts it on a port.
import { Hono } from "hono";
import { AssertionError } from "../controller/kernel/errors.ts";
import type { Api, ApiContext, ApiEnv, ApiOptions } from "./api.ts";
import { door } from "./door.ts";
import { failureOf, kubeStatus, restFailure, statusCode } from "./failure.ts";
import { mountHealth } from "./health.ts";
import { HttpError } from "./http-error.ts";
import { httpMetrics } from "./http-metrics.ts";
import { apiResourceOf, mountDiscovery } from "./kube/discovery.ts";
import { mountOpenApi } from "./kube/openapi/mount.ts";
import { mountKind } from "./kube/resources.ts";
import { mountReviews, REVIEW_RESOURCES } from "./kube/reviews.ts";
import { mountAdoptions } from "./rest/adoptions.ts";
import { mountBackups } from "./rest/backups.ts";
import { mountExecs } from "./rest/execs.ts";
import { mountInstances } from "./rest/instances.ts";
import { mountRuns } from "./rest/runs.ts";
import { mountWorkflows } from "./rest/workflows.ts";

export function createApi(options: ApiOptions): Api {
  const api = new Hono<ApiEnv>();
  const metrics = httpMetrics(options.metrics);
  const parts = { options, metrics };
  const answer = (c: ApiContext, error: unknown) => answerError(c, error, options);

  api.onError((error, c) => answer(c, error));
  api.notFound((c) => answer(c, new HttpError("NotFound", "the server could not find the requested resource")));
  api.use(door(options, metrics, answer));

  mountHealth(api, options);
  for (const kind of options.kinds) mountKind(api, kind, options, parts);
  mountReviews(api, options.apiKey !== undefined);
  mountDiscovery(api, [...options.kinds.map(apiResourceOf), ...REVIEW_RESOURCES]);
  mountOpenApi(api, options.kinds, options.version);
  mountAdoptions(api, options);
  mountBackups(api, options);
  mountExecs(api, options);
  mountInstances(api, options);
  mountRuns(api, options, parts);
  mountWorkflows(api, options);
  return api;
}

function answerError(c: ApiContext, error: unknown, { log, fatal }: ApiOptions): Response {
  const failure = failureOf(error);
  if (failure.reason === "InternalError") {
    const { method, path } = c.req;
    log.error({ requestId: c.get("requestId"), method, path, error }, "a request failed unexpectedly");
    if (error instanceof AssertionError) fatal(error);
  }
  const rest = isRest(c.req.path) ? restFailure(failure) : undefined;
  const body = rest?.body ?? kubeStatus(failure);
  return new Response(JSON.stringify(body), {
    status: rest?.status ?? statusCode(failure),
    headers: { "content-type": "application/json", "x-request-id": c.get("requestId"), ...failure.headers },
  });
}

/** Everything below /api but the core group of Kubernetes. */
function isRest(path: string): boolean {
  return path.startsWith("/api/") && path !== "/api/" && !path.startsWith("/api/v1/") && path !== "/api/v1";
}
