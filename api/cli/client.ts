// The server as the verbs see it: JSON calls, and streams of JSON lines. Every call has a bound, ends at Ctrl-C, and
// fails with words that name the server and the remedy.
import { ConnectionError, Failure, serverError } from "./failure.ts";
import type { Http, HttpResponse } from "./http.ts";
import { deadline, type Terminal } from "./terminal.ts";

/** A server that has not answered by then is not going to; the longest plain call is a list of thousands of objects. */
const CALL_TIMEOUT_MS = 60_000;

export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
  /** How long until the answer is complete (of a stream: begins). */
  readonly timeoutMs?: number;
  /** Called when a stream begins, which may be long before its first line. */
  readonly opened?: () => void;
}

export interface Client {
  readonly server: string;
  /** The answer's JSON. The type is the caller's claim about our own server's documented shapes. */
  json<T>(path: string, call?: Call): Promise<T>;
  /** An answer that is not JSON: its headers, and its bytes as they come. */
  bytes(path: string, call?: Call): Promise<Bytes>;
  /** The values of a stream of JSON lines, until the server ends it or the signal aborts. */
  lines<T>(path: string, call?: Call): AsyncGenerator<T>;
}

export interface Bytes {
  readonly header: HttpResponse["header"];
  readonly body: AsyncIterable<Uint8Array>;
}

export interface ClientOptions {
  readonly server: string;
  readonly token: string | undefined;
  readonly http: Http;
  readonly terminal: Terminal;
  readonly userAgent: string;
}

export function createClient(options: ClientOptions): Client {
  const base = baseUrl(options.server);

  async function send(path: string, call: Call, signal: AbortSignal): Promise<HttpResponse> {
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    try {
      return await options.http({
        method: call.method ?? "GET",
        url: urlOf(base, path, call.query),
        headers: {
          accept: call.accept ?? "application/json",
          "user-agent": options.userAgent,
          ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
          ...(body === undefined ? {} : { "content-type": call.contentType ?? "application/json" }),
          ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
        },
        body,
        signal,
      });
    } catch (error) {
      throw connectionError(options.server, error, signal);
    }
  }

  function bounded(call: Call) {
    const ms = call.timeoutMs ?? CALL_TIMEOUT_MS;
    const late = new ConnectionError(`${options.server} did not answer within ${ms / 1000}s`);
    return deadline(options.terminal, ms, call.signal ?? options.terminal.interrupted, late);
  }

  async function text(response: HttpResponse, signal: AbortSignal): Promise<string> {
    const decoder = new TextDecoder();
    let read = "";
    try {
      for await (const chunk of response.body) read += decoder.decode(chunk, { stream: true });
    } catch (error) {
      throw connectionError(options.server, error, signal);
    }
    return read + decoder.decode();
  }

  return {
    server: options.server,

    async json<T>(path: string, call: Call = {}): Promise<T> {
      const limit = bounded(call);
      try {
        const response = await send(path, call, limit.signal);
        const read = await text(response, limit.signal);
        warn(options.terminal, response);
        if (response.status >= 400) throw serverError(response.status, read, path);
        return parseJson<T>(read, options.server, path);
      } finally {
        limit.cancel();
      }
    },

    async bytes(path, call = {}) {
      const limit = bounded(call);
      try {
        const response = await send(path, call, limit.signal);
        if (response.status >= 400) throw serverError(response.status, await text(response, limit.signal), path);
        warn(options.terminal, response);
        const until = call.signal ?? options.terminal.interrupted;
        return { header: response.header, body: received(response, options.server, until) };
      } finally {
        limit.cancel();
      }
    },

    async *lines<T>(path: string, call: Call = {}): AsyncGenerator<T> {
      const limit = bounded(call);
      try {
        const response = await send(path, call, limit.signal);
        if (response.status >= 400) throw serverError(response.status, await text(response, limit.signal), path);
        limit.cancel();
        call.opened?.();
        const decoder = new TextDecoder();
        let rest = "";
        for await (const chunk of received(response, options.server, limit.signal)) {
          const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) if (line.trim() !== "") yield parseJson<T>(line, options.server, path);
        }
        if (rest.trim() !== "") yield parseJson<T>(rest, options.server, path);
      } finally {
        limit.cancel();
      }
    },
  };
}

async function* received(response: HttpResponse, server: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* response.body;
  } catch (error) {
    throw connectionError(server, error, signal);
  }
}

function baseUrl(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new Failure(
      `server "${server}" is not a URL; use one such as http://127.0.0.1:3000 (--server or FLYWHEEL_SERVER)`,
    );
  }
  return url;
}

/** Keeps a path of the server's own, for one that is mounted below another site. */
function urlOf(base: URL, path: string, query: Call["query"] = {}): URL {
  const url = new URL(base.pathname.replace(/\/$/, "") + path, base);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, String(value));
  return url;
}

function parseJson<T>(text: string, server: string, path: string): T {
  try {
    // See `Client.json`: the caller names the documented shape.
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new Failure(`${server}${path} did not answer with JSON; is it a Flywheel server?`, { cause });
  }
}

/** `Warning: 299 - "text"` headers are meant for the person who made the request. */
function warn(terminal: Terminal, response: HttpResponse): void {
  for (const [, text] of (response.header("warning") ?? "").matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)) {
    terminal.note(`Warning: ${text?.replace(/\\(.)/g, "$1")}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "the name cannot be looked up",
  ECONNRESET: "the connection was reset",
  ETIMEDOUT: "the connection timed out",
  EPROTO: "it does not speak TLS as expected; http:// and https:// mixed up?",
};
const UNTRUSTED = /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*|CERT_.*|ERR_TLS_.*)$/;

function connectionError(server: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof Failure) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const why = REASONS[code] ?? (error instanceof Error ? error.message : String(error));
  if (UNTRUSTED.test(code)) {
    const remedy = "set FLYWHEEL_CA_FILE to the certificate of the authority that signed it";
    return new Failure(`the certificate of ${server} is not trusted (${why}); ${remedy}`, { cause: error });
  }
  const remedy = "Start a server with `npm start`, or name another with --server or FLYWHEEL_SERVER.";
  return new ConnectionError(`cannot reach ${server}: ${why}. ${remedy}`, { cause: error });
}
