// The output of a run's steps. Every piece says where it belongs by byte offset, so that one that is read twice, after
// a broken connection or beside a second reader, is shown once.
import { createPatience } from "./patience.ts";
import type { Session } from "./session.ts";

/** A piece of what one attempt of one step wrote to one stream. */
export interface LogChunk {
  readonly step: string;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  /** Of its first byte. */
  readonly offset: number;
  readonly data: string;
  /** Set when the bytes are not UTF-8. */
  readonly encoding?: "base64";
}

export interface LogQuery {
  readonly step?: string | undefined;
  readonly stream?: string | undefined;
  readonly offset?: number | undefined;
  readonly follow?: boolean | undefined;
}

/** Until the output that there is has been read; with `follow` until the run has finished. */
export async function* readLogs(
  session: Session,
  run: string,
  query: LogQuery,
  signal: AbortSignal,
): AsyncGenerator<LogChunk> {
  const patience = createPatience(session.terminal);
  const path = `/api/workflows/executions/${encodeURIComponent(run)}`;
  const { namespace } = session;
  const sent = { ...query, follow: query.follow || undefined, namespace };
  for (;;) {
    try {
      yield* session.client.lines<LogChunk>(`${path}/logs`, { query: sent, signal, opened: patience.connected });
      if (!query.follow) return;
      // A server that stops ends its streams in order, so an end alone does not say that there is no more.
      const { status } = await session.client.json<{ readonly status: string }>(path, { query: { namespace }, signal });
      if (status !== "pending" && status !== "running") return;
      await patience.pause(signal);
    } catch (error) {
      if (!query.follow) throw error;
      await patience.bear(error, signal);
    }
  }
}

export interface LogPrinter {
  print(chunk: LogChunk): void;
  /** How many bytes of a stream were shown. */
  shown(step: string, attempt: number, stream: string): number;
  /** Ends lines that the steps did not end (of one step, or of all). */
  flush(step?: string): void;
}

/** With names, whole lines as `step | line`, so that parallel steps stay legible; without, the bytes as they are. */
export function createLogPrinter(write: (data: string | Uint8Array) => void, names: boolean): LogPrinter {
  const streams = new Map<string, { readonly step: string; readonly label: string; bytes: number; rest: Buffer }>();

  function streamOf({ step, attempt, stream }: Pick<LogChunk, "step" | "attempt" | "stream">) {
    const key = `${step}/${attempt}/${stream}`;
    const label = attempt > 1 ? `${step}#${attempt} | ` : `${step} | `;
    const known = streams.get(key) ?? { step, label, bytes: 0, rest: Buffer.alloc(0) };
    streams.set(key, known);
    return known;
  }

  return {
    print(chunk) {
      const stream = streamOf(chunk);
      const data = Buffer.from(chunk.data, chunk.encoding ?? "utf8");
      const fresh = data.subarray(Math.max(0, stream.bytes - chunk.offset));
      stream.bytes = Math.max(stream.bytes, chunk.offset + data.length);
      if (fresh.length === 0) return;
      if (!names) return write(fresh);
      const whole = Buffer.concat([stream.rest, fresh]);
      const end = whole.lastIndexOf(10) + 1;
      stream.rest = whole.subarray(end);
      if (end > 0) write(labelled(whole.subarray(0, end - 1), stream.label));
    },
    shown: (step, attempt, stream) => streams.get(`${step}/${attempt}/${stream}`)?.bytes ?? 0,
    flush(step) {
      for (const stream of streams.values()) {
        if (stream.rest.length === 0 || (step !== undefined && stream.step !== step)) continue;
        write(labelled(stream.rest, stream.label));
        stream.rest = Buffer.alloc(0);
      }
    },
  };
}

function labelled(bytes: Uint8Array, label: string): string {
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  return lines.map((line) => `${label}${line}\n`).join("");
}
