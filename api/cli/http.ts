// One HTTP exchange over node:http: it starts in a few milliseconds, where the global fetch takes twenty, and takes a
// certificate authority of its own. The body of an answer is a stream, so that logs and watches flow.
import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
  request as requestPlain,
} from "node:http";

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Rejects when no answer came; whatever status the answer has, it is an answer. */
export type Http = (request: HttpRequest) => Promise<HttpResponse>;

/** Connections are kept for the next request of the same command; idle ones do not keep the process alive. */
export function nodeHttp(ca: string | undefined): Http {
  const plain = new Agent({ keepAlive: true });
  // Loading TLS costs as much as all the rest of a start, and most calls go to this computer.
  let secure: Promise<typeof import("node:https")> | undefined;
  let secureAgent: Agent | undefined;
  return async (request) => {
    const options: RequestOptions = { method: request.method, headers: request.headers, signal: request.signal };
    if (request.url.protocol === "http:") {
      return exchange(requestPlain(request.url, { ...options, agent: plain }), request.body);
    }
    secure ??= import("node:https");
    const https = await secure;
    secureAgent ??= new https.Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) });
    return exchange(https.request(request.url, { ...options, agent: secureAgent }), request.body);
  };
}

function exchange(outgoing: ClientRequest, body: string | undefined): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    outgoing.once("response", (incoming: IncomingMessage) => {
      resolve({
        status: incoming.statusCode ?? 0,
        header: (name) => {
          const value = incoming.headers[name];
          return Array.isArray(value) ? value.join(", ") : value;
        },
        body: incoming,
      });
    });
    // Stays for the whole exchange: without it a connection that breaks late would end the process.
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
