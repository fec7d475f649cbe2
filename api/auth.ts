// Who may come in: whoever has the key, when there is one. Digests are compared, so that neither the length nor the first
// wrong character of a guess shows in the time that the answer takes.
import { createHash, timingSafeEqual } from "node:crypto";

/** Probes and the version need no key: they say nothing, and load balancers have none. */
const OPEN_PATHS: ReadonlySet<string> = new Set(["/health", "/healthz", "/livez", "/readyz", "/version"]);

/** Answers whether a request with this Authorization header may see this path. */
export function authorizer(apiKey: string | undefined): (path: string, authorization: string | undefined) => boolean {
  if (apiKey === undefined) return () => true;
  const expected = digest(apiKey);
  return (path, authorization) => {
    if (OPEN_PATHS.has(path)) return true;
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    return token !== undefined && timingSafeEqual(digest(token), expected);
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
