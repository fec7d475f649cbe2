// The network behind the machines client: undici's pools, one for each origin. Never sends anything twice, follows no
// redirect, and reads an answer whole or not at all. How long a call may take is the caller's signal and nothing else.
import { Agent } from "undici";
import type { Clock } from "../kernel/clock.ts";
import type { Http, HttpRequest, HttpResponse } from "../kernel/http.ts";
import { FLY_ANSWER_MAX_BYTES, FLY_CONNECT_TIMEOUT_MS, FLY_CONNECTIONS } from "../limits.ts";
import { cookieJar } from "./cookies.ts";

export interface UndiciHttpOptions {
  readonly clock: Clock;
  readonly connections?: number;
  readonly maxAnswerBytes?: number;
}

export interface ClosableHttp extends Http {
  /** Ends idle connections and aborts what is under way. */
  close(): Promise<void>;
}

export function undiciHttp(options: UndiciHttpOptions): ClosableHttp {
  const maxBytes = options.maxAnswerBytes ?? FLY_ANSWER_MAX_BYTES;
  const jar = cookieJar(options.clock);
  const agent = new Agent({
    connections: options.connections ?? FLY_CONNECTIONS,
    pipelining: 1, // a call that hangs must not hold another behind it
    headersTimeout: 0, // a wait is silent for a minute; the caller's signal bounds it
    bodyTimeout: 0,
    connect: { timeout: FLY_CONNECT_TIMEOUT_MS },
  });

  async function send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const url = new URL(request.url);
    const cookie = jar.header(url);
    const answer = await agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: request.method,
      headers: cookie === undefined ? request.headers : { ...request.headers, cookie },
      body: request.body ?? null,
      signal,
    });
    const setCookies = answer.headers["set-cookie"];
    if (setCookies !== undefined) jar.store(url, [setCookies].flat());
    return {
      status: answer.statusCode,
      headers: flatten(answer.headers),
      body: await readAll(answer.body, maxBytes),
    };
  }

  return { send, close: () => agent.destroy() };
}

async function readAll(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new AnswerTooLargeError(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** An answer that no call of ours should ever get; the connection is dropped instead of the process's memory. */
export class AnswerTooLargeError extends Error {
  override readonly name = "AnswerTooLargeError";
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}
