// HTTP as a function, so that a simulated cloud can stand where the network is.

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute URL. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Http {
  /** Rejects when no complete answer came: the request may or may not have had its effect. */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
}
