// The command against the real API in memory, on virtual time: command lines go in, output and exit codes come out.
import type { Http } from "../../../api/cli/http.ts";
import { runProgram } from "../../../api/cli/program.ts";
import type { Terminal } from "../../../api/cli/terminal.ts";
import { type TestApi, testApi } from "../test-api.ts";

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A command that goes on. */
export interface Started {
  readonly ended: Promise<Outcome>;
  readonly out: () => string;
  readonly err: () => string;
  /** Ctrl-C. */
  interrupt(): void;
}

export interface Input {
  readonly stdin?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Gets the request as `requests` has it. */
export type Fault = (request: string) => Error | undefined;

/** The server is not there. */
export const outage: Fault = () => Object.assign(new Error("gone"), { code: "ECONNREFUSED" });

export interface TestCli extends TestApi {
  /** The requests that were made, as `METHOD /path?query`. */
  readonly requests: string[];
  run(line: string | readonly string[], input?: Input): Promise<Outcome>;
  start(line: string | readonly string[], input?: Input): Started;
  /** While it is set, requests that it has an error for fail with it, and streams of theirs break. */
  fault: Fault | undefined;
  /** Aborts when the server stops: it then ends its streams. */
  closing: AbortSignal | undefined;
}

export async function testCli(overrides: Parameters<typeof testApi>[0] = {}): Promise<TestCli> {
  const server = await testApi(overrides);
  const requests: string[] = [];
  const state: Pick<TestCli, "fault" | "closing"> = { fault: undefined, closing: undefined };

  const http: Http = async ({ method, url, headers, body, signal }) => {
    signal.throwIfAborted();
    const request = `${method} ${decodeURIComponent(url.pathname + url.search)}`;
    const fault = () => state.fault?.(request);
    requests.push(request);
    const refused = fault();
    if (refused) throw refused;
    const headersSent = { host: "127.0.0.1", ...headers };
    const init = { method, headers: headersSent, signal, ...(body === undefined ? {} : { body }) };
    const response = await server.api.request(url, init, state.closing ? { closing: state.closing } : {});
    return {
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      body: untilAborted(response.body ?? new Blob([]).stream(), signal, fault),
    };
  };

  function start(line: string | readonly string[], input: Input = {}): Started {
    const out: string[] = [];
    const err: string[] = [];
    const interrupt = new AbortController();
    const text = (data: string | Uint8Array) =>
      typeof data === "string" ? data : Buffer.from(data).toString("latin1");
    const terminal: Terminal = {
      environment: input.environment ?? {},
      colors: false,
      drained: () => Promise.resolve(),
      runServer: async (args) => {
        requests.push(`server ${args.join(" ")}`);
        return 0;
      },
      write: (data) => void out.push(text(data)),
      writeError: (data) => void err.push(text(data)),
      note: (each) => void err.push(`${each}\n`),
      readStdin: async () => input.stdin ?? "",
      interrupted: interrupt.signal,
      now: () => server.clock.now(),
      sleep: (ms, signal) => server.clock.sleep(ms, signal),
    };
    const args = typeof line === "string" ? line.split(" ") : line;
    const ended = runProgram(args, terminal, http).then((code) => ({ code, out: out.join(""), err: err.join("") }));
    return {
      ended,
      out: () => out.join(""),
      err: () => err.join(""),
      interrupt: () => interrupt.abort(new Error("interrupted")),
    };
  }

  return {
    ...server,
    requests,
    start,
    run: (line, input) => start(line, input).ended,
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    get closing() {
      return state.closing;
    },
    set closing(closing) {
      state.closing = closing;
    },
  };
}

/** A socket breaks when its signal aborts, or when the server goes away; a stream in memory has to be told. */
async function* untilAborted(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  fault: () => Error | undefined,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => undefined); // only whoever reads just then cares
  try {
    for (;;) {
      const { value, done } = await Promise.race([reader.read(), aborted]);
      const broken = fault();
      if (broken) throw broken;
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
