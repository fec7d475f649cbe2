// Request, Response and Headers as plain objects, in place of Node's own. The server's adapter does the same in
// production; in a simulation, where no socket is, Node's streams and checks would cost more than what is asked.

/** Names in lower case; what is appended is joined by commas, as on the wire. */
class LightHeaders {
  readonly #values = new Map<string, string>();

  constructor(init?: Iterable<readonly [string, string]> | Readonly<Record<string, string>>) {
    if (init === undefined) return;
    const pairs = Symbol.iterator in init ? init : Object.entries(init);
    for (const [name, value] of pairs) this.append(name, value);
  }
  get(name: string): string | null {
    return this.#values.get(name.toLowerCase()) ?? null;
  }
  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }
  set(name: string, value: string): void {
    this.#values.set(name.toLowerCase(), value);
  }
  append(name: string, value: string): void {
    const before = this.#values.get(name.toLowerCase());
    this.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  delete(name: string): void {
    this.#values.delete(name.toLowerCase());
  }
  entries(): IterableIterator<[string, string]> {
    return this.#values.entries();
  }
  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }
}

type Init = ConstructorParameters<typeof LightHeaders>[0];

class LightRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: LightHeaders;
  readonly signal: AbortSignal;
  readonly body: string | null;

  constructor(
    url: string,
    {
      method = "GET",
      headers,
      body,
      signal,
    }: { method?: string; headers?: Init; body?: string | null; signal?: AbortSignal },
  ) {
    this.url = url;
    this.method = method;
    this.headers = new LightHeaders(headers);
    this.signal = signal ?? new AbortController().signal;
    this.body = body ?? null;
    // As a socket would bring it: whoever reads knows from the start how much there is.
    if (body) this.headers.set("content-length", String(Buffer.byteLength(body)));
  }
  async text(): Promise<string> {
    return this.body ?? "";
  }
  async arrayBuffer(): Promise<Uint8Array> {
    return Buffer.from(this.body ?? ""); // whoever reads it makes a Uint8Array of it
  }
}

class LightResponse {
  readonly status: number;
  readonly headers: LightHeaders;
  readonly body: unknown;

  constructor(body?: unknown, { status = 200, headers }: { status?: number; headers?: Init } = {}) {
    this.status = status;
    this.headers = headers instanceof LightHeaders ? headers : new LightHeaders(headers);
    this.body = body ?? null;
  }
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }
  async text(): Promise<string> {
    if (this.body === null) return "";
    if (typeof this.body === "string") return this.body;
    throw new TypeError("only the text of a light response can be read whole");
  }
}

/** For the rest of the process's life: what is made from now on is light. */
export function lightWeb(): void {
  Object.assign(globalThis, { Headers: LightHeaders, Request: LightRequest, Response: LightResponse });
}
