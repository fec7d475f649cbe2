// What a web page must not be able to do: reach us under a foreign name (DNS rebinding), or post across origins. Without a
// key these rules are all that stands between a page in the user's browser and the user's machines. No CORS header is ever sent.

export interface GuardedRequest {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly contentType: string | undefined;
}

export type Refusal =
  | { readonly reason: "Forbidden"; readonly message: string }
  | { readonly reason: "UnsupportedMediaType"; readonly message: string };

/** Why the request is refused, or undefined. */
export function guard(request: GuardedRequest, loopback: boolean): Refusal | undefined {
  const { host, origin, fetchSite, contentType } = request;
  if (loopback && !isLoopbackName(hostName(host ?? ""))) {
    return forbidden(
      `the Host header ${JSON.stringify(host ?? "")} does not name this computer; use 127.0.0.1 or localhost`,
    );
  }
  if (fetchSite === "cross-site") return forbidden("requests from another web site are refused");
  if (origin !== undefined && originHost(origin) !== (host ?? "").toLowerCase()) {
    return forbidden(`requests from the origin ${JSON.stringify(origin)} are refused: it is not this server`);
  }
  if (contentType !== undefined && MAY_HAVE_BODY.has(request.method) && !MEDIA_TYPES.has(mediaType(contentType))) {
    return {
      reason: "UnsupportedMediaType",
      message: `the body of the request was in an unknown format (${mediaType(contentType)}) - accepted media types include: ${[...MEDIA_TYPES].join(", ")}`,
    };
  }
  return undefined;
}

const MAY_HAVE_BODY: ReadonlySet<string> = new Set(["POST", "PUT", "PATCH", "DELETE"]);

export const YAML_TYPES: ReadonlySet<string> = new Set([
  "application/yaml",
  "application/x-yaml",
  "text/yaml",
  "application/apply-patch+yaml",
]);

/** None of these can be sent across origins without a preflight, which is never answered. */
const MEDIA_TYPES: ReadonlySet<string> = new Set([
  "application/json",
  ...YAML_TYPES,
  "application/merge-patch+json",
  "application/json-patch+json",
  "application/strategic-merge-patch+json",
  "application/vnd.kubernetes.protobuf",
]);

/** `Application/JSON; charset=utf-8` → `application/json`. */
export function mediaType(contentType: string): string {
  const end = contentType.indexOf(";");
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

function forbidden(message: string): Refusal {
  return { reason: "Forbidden", message };
}

function hostName(host: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d+$/, "")).toLowerCase();
}

function isLoopbackName(name: string): boolean {
  return name === "localhost" || name === "::1" || /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** The host and port of an Origin; undefined for `null` and what is no URL, which matches no host. */
function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
