// What a client may ask about itself: who it is, and what it may do. Nothing of it is stored. Whoever has passed the door may
// do everything, so every answer is yes; a name that is not served is as allowed as it is to an administrator of a cluster.
import { isJsonObject, type JsonObject } from "../../controller/kernel/json.ts";
import type { Api, ApiContext } from "../api.ts";
import { parsedBody } from "../body.ts";
import { HttpError } from "../http-error.ts";
import type { ApiResource } from "./discovery.ts";
import { mount } from "./resources.ts";

interface Review {
  readonly resource: ApiResource;
  statusOf(spec: JsonObject, caller: Caller): object;
}

interface Caller {
  readonly username: string;
  readonly groups: readonly string[];
}

const ADMIN: Caller = { username: "admin", groups: ["system:masters", "system:authenticated"] };
/** Without a key nobody says who they are; everybody is the one who started the server. */
const ANYBODY: Caller = { username: "system:anonymous", groups: ["system:unauthenticated"] };

const EVERYTHING = ["*"];

const REVIEWS: readonly Review[] = [
  {
    resource: review("authorization.k8s.io", "SelfSubjectAccessReview"),
    statusOf(spec) {
      const { resourceAttributes, nonResourceAttributes } = spec;
      if (isJsonObject(resourceAttributes) || isJsonObject(nonResourceAttributes)) {
        return { allowed: true, reason: "whoever may call this server may do everything" };
      }
      throw new HttpError("BadRequest", "spec: one of resourceAttributes and nonResourceAttributes must be given");
    },
  },
  {
    resource: review("authorization.k8s.io", "SelfSubjectRulesReview"),
    statusOf: () => ({
      resourceRules: [{ verbs: EVERYTHING, apiGroups: EVERYTHING, resources: EVERYTHING }],
      nonResourceRules: [{ verbs: EVERYTHING, nonResourceURLs: EVERYTHING }],
      incomplete: false,
    }),
  },
  {
    resource: review("authentication.k8s.io", "SelfSubjectReview"),
    statusOf: (_spec, caller) => ({ userInfo: caller }),
  },
];

export const REVIEW_RESOURCES: readonly ApiResource[] = REVIEWS.map(({ resource }) => resource);

/** `authenticated`: whether callers have shown a key. */
export function mountReviews(api: Api, authenticated: boolean): void {
  const caller = authenticated ? ADMIN : ANYBODY;
  for (const { resource, statusOf } of REVIEWS) {
    const apiVersion = `${resource.group}/${resource.version}`;
    mount(api, `/apis/${apiVersion}/${resource.plural}`, {
      post: async (c) => {
        const spec = await specOf(c, resource.kind);
        const metadata = { creationTimestamp: null };
        return c.json({ kind: resource.kind, apiVersion, metadata, spec, status: statusOf(spec, caller) }, 201);
      },
    });
  }
}

async function specOf(c: ApiContext, kind: string): Promise<JsonObject> {
  const body = await parsedBody(c);
  if (!isJsonObject(body) || (body.kind ?? kind) !== kind)
    throw new HttpError("BadRequest", `the body must be a ${kind}`);
  return isJsonObject(body.spec) ? body.spec : {};
}

function review(group: string, kind: string): ApiResource {
  const singular = kind.toLowerCase();
  const names = { group, version: "v1", kind, plural: `${singular}s`, singular, shortNames: [], categories: [] };
  return { ...names, scope: "Cluster", verbs: ["create"], subresources: [] };
}
