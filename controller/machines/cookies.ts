// Cookies of the Machines API: they tie a client to the gateway that saw its writes. Host-only on purpose: a cookie goes
// back to the origin that set it and nowhere else, whatever Domain it claims.
import { parseCookie } from "undici";
import type { Clock } from "../kernel/clock.ts";

export interface CookieJar {
  /** The value of the `cookie` header for this URL; undefined when there is none to send. */
  header(url: URL): string | undefined;
  store(url: URL, setCookies: readonly string[]): void;
}

interface Kept {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  readonly secure: boolean;
  readonly expiresMs: number;
}

/** RFC 6265 asks for 50 a domain; more than that from an API is a fault. */
const MAX_COOKIES = 50;

export function cookieJar(clock: Clock): CookieJar {
  const origins = new Map<string, Map<string, Kept>>();

  function header(url: URL): string | undefined {
    const kept = origins.get(url.origin);
    if (!kept) return undefined;
    const now = clock.now();
    const pairs: string[] = [];
    for (const [key, cookie] of kept) {
      if (cookie.expiresMs <= now) kept.delete(key);
      else if (covers(cookie, url)) pairs.push(`${cookie.name}=${cookie.value}`);
    }
    return pairs.length > 0 ? pairs.join("; ") : undefined;
  }

  function store(url: URL, setCookies: readonly string[]): void {
    const kept = origins.get(url.origin) ?? new Map<string, Kept>();
    for (const text of setCookies) {
      const cookie = keep(text, url);
      if (!cookie) continue;
      const key = `${cookie.name};${cookie.path}`;
      kept.delete(key);
      if (cookie.expiresMs > clock.now() && kept.size < MAX_COOKIES) kept.set(key, cookie);
    }
    origins.set(url.origin, kept);
  }

  function keep(text: string, url: URL): Kept | undefined {
    const parsed = parseCookie(text);
    if (!parsed) return undefined;
    return {
      name: parsed.name,
      value: parsed.value,
      path: parsed.path?.startsWith("/") ? parsed.path : url.pathname.slice(0, url.pathname.lastIndexOf("/")) || "/",
      secure: parsed.secure ?? false,
      expiresMs: expiry(parsed.maxAge, parsed.expires),
    };
  }

  function expiry(maxAgeS: number | undefined, expires: Date | number | undefined): number {
    if (maxAgeS !== undefined) return clock.now() + maxAgeS * 1000;
    return expires === undefined ? Number.POSITIVE_INFINITY : Number(expires);
  }

  return { header, store };
}

function covers(cookie: Kept, url: URL): boolean {
  if (cookie.secure && url.protocol !== "https:") return false;
  const path = cookie.path.endsWith("/") ? cookie.path : `${cookie.path}/`;
  return `${url.pathname}/`.startsWith(path);
}
