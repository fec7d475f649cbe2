// The output of a run's steps, a JSON text a line, from the log store: it is there after the machine is gone. With
// `follow=true` the stream goes on until the run is finished and everything has been sent.

import { LOG_CHUNK_BYTES } from "../../controller/limits.ts";
import type { LogStore } from "../../controller/store/store.ts";
import { type WorkflowRun, workflowRunKind } from "../../crds/workflow-run.ts";
import type { ApiContext, ApiOptions } from "../api.ts";
import { awaitObject } from "../await-object.ts";
import { invalidField } from "../http-error.ts";
import { flag, wholeNumber } from "../kube/query.ts";
import { type LineStreamParts, lineStream } from "../line-stream.ts";
import { encodeData, wholeCharacters } from "./log-text.ts";
import { isFinished } from "./run-view.ts";

interface Wanted {
  readonly step: string | undefined;
  readonly stream: string | undefined;
  /** Of each stream, in bytes. */
  readonly offset: number;
  readonly follow: boolean;
}

export function runLogs(
  c: ApiContext,
  run: WorkflowRun,
  options: Pick<ApiOptions, "store" | "logs" | "clock">,
  parts: LineStreamParts,
): Response {
  const wanted = wantedOf(c);
  return lineStream(c, parts, {
    contentType: "application/x-ndjson",
    lines: (signal) =>
      wanted.follow ? follow(run, wanted, options, signal) : drain(run, wanted, options.logs, new Map(), true),
  });
}

function wantedOf(c: ApiContext): Wanted {
  const stream = c.req.query("stream") || undefined;
  if (stream !== undefined && stream !== "stdout" && stream !== "stderr") {
    throw invalidField("stream", `Unsupported value: ${JSON.stringify(stream)}: supported values: "stdout", "stderr"`);
  }
  return {
    step: c.req.query("step") || undefined,
    stream,
    offset: wholeNumber(c, "offset") ?? 0,
    follow: flag(c, "follow"),
  };
}

async function* follow(
  run: WorkflowRun,
  wanted: Wanted,
  options: Pick<ApiOptions, "store" | "logs" | "clock">,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const offsets = new Map<string, number>();
  const watching = new AbortController();
  const stop = () => watching.abort();
  signal.addEventListener("abort", stop, { once: true });
  let finished = isFinished(run);
  // Settles when the run is finished or deleted, and with the signal.
  const end = awaitObject(options, workflowRunKind, run, isFinished, FOR_EVER_MS, watching.signal).then(() => {
    finished = true;
  });
  end.catch(() => undefined); // it is awaited below, though not at every moment
  try {
    while (!signal.aborted) {
      // Both are asked before reading, so that what comes during the reading is not missed.
      const last = finished;
      const nap = new AbortController();
      const grown = options.logs
        .changed(`${run.metadata.uid}/`, AbortSignal.any([nap.signal, signal]))
        .catch(() => undefined); // woken otherwise
      yield* drain(run, wanted, options.logs, offsets, last);
      if (!last) await Promise.race([grown, end]);
      nap.abort();
      if (last) return;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
    await end;
  }
}

/** A week: longer than any run may take. */
const FOR_EVER_MS = 7 * 24 * 60 * 60_000;

/** What is there beyond `offsets`, stream by stream; moves `offsets`. `last` lets go of a character that is cut at the end. */
async function* drain(
  run: WorkflowRun,
  wanted: Wanted,
  logs: LogStore,
  offsets: Map<string, number>,
  last: boolean,
): AsyncGenerator<string> {
  for (const source of await sourcesOf(run, wanted, logs)) {
    for (;;) {
      const offset = offsets.get(source.id) ?? wanted.offset;
      const chunk = await logs.read(source.id, offset, LOG_CHUNK_BYTES);
      const whole = wholeCharacters(chunk);
      const bytes = whole === 0 && last ? chunk : chunk.subarray(0, whole);
      if (bytes.byteLength === 0) break;
      offsets.set(source.id, offset + bytes.byteLength);
      const { step, attempt, stream } = source;
      yield JSON.stringify({ step, attempt, stream, offset, ...encodeData(bytes) });
    }
  }
}

interface Source {
  readonly id: string;
  readonly step: string;
  readonly attempt: number;
  readonly stream: string;
}

/** In the order of the steps, then of attempts, stdout first. */
async function sourcesOf(run: WorkflowRun, wanted: Wanted, logs: LogStore): Promise<readonly Source[]> {
  const order = new Map((run.status?.definition?.spec.steps ?? []).map((step, index) => [step.name, index]));
  const rank = (source: Source) => order.get(source.step) ?? order.size;
  const sources = (await logs.streams(`${run.metadata.uid}/`)).flatMap((id): Source[] => {
    const [, step, attempt, stream] = id.split("/");
    if (step === undefined || stream === undefined) return [];
    return [{ id, step, attempt: Number(attempt), stream }];
  });
  return sources
    .filter(({ step, stream }) => (wanted.step ?? step) === step && (wanted.stream ?? stream) === stream)
    .sort((a, b) => rank(a) - rank(b) || a.attempt - b.attempt || (a.stream < b.stream ? 1 : -1));
}
