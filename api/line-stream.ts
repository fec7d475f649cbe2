// An answer that goes on: one JSON text a line, headers at once, ended by the client, a deadline or the closing server.
import { messageOf } from "../controller/kernel/errors.ts";
import { type ApiContext, type ApiOptions, closingOf } from "./api.ts";
import type { HttpMetrics } from "./http-metrics.ts";

export interface LineStreamParts {
  readonly options: Pick<ApiOptions, "clock" | "log">;
  readonly metrics: HttpMetrics;
}

export interface LineStream {
  readonly contentType: string;
  /** The stream ends itself after this long; never when absent. */
  readonly timeoutMs?: number | undefined;
  /**
   * Yields whole lines: text without the line end, or bytes with it. Must stop with the signal. What it throws at once becomes
   * an HTTP error.
   */
  lines(signal: AbortSignal): AsyncIterable<string | Uint8Array>;
}

export function lineStream(c: ApiContext, { options, metrics }: LineStreamParts, stream: LineStream): Response {
  const ending = new AbortController();
  // First, because it may refuse: nothing is to be undone then.
  const iterator = stream.lines(ending.signal)[Symbol.asyncIterator]();
  const end = () => ending.abort();
  const closing = closingOf(c);
  if (closing?.aborted) end();
  closing?.addEventListener("abort", end, { once: true });
  if (stream.timeoutMs !== undefined) {
    options.clock.sleep(stream.timeoutMs, ending.signal).then(end, () => undefined); // ended before its time
  }
  const encoder = new TextEncoder();
  metrics.streamOpened();
  let open = true;
  let cancelled = false;
  const finish = () => {
    if (!open) return;
    open = false;
    metrics.streamClosed();
    closing?.removeEventListener("abort", end);
    end();
  };

  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = await iterator.next();
        if (next.done !== true) {
          const { value } = next;
          return controller.enqueue(typeof value === "string" ? encoder.encode(`${value}\n`) : value);
        }
      } catch (error) {
        const requestId = c.get("requestId");
        if (!ending.signal.aborted) options.log.error({ requestId, error: messageOf(error) }, "a stream broke off");
      }
      finish();
      if (!cancelled) controller.close();
    },
    cancel() {
      cancelled = true;
      finish();
    },
  });
  // Chunked is said aloud because the server then sends the headers without waiting for a first chunk.
  return c.body(body, 200, {
    "content-type": stream.contentType,
    "transfer-encoding": "chunked",
    "cache-control": "no-cache, private",
  });
}
