// Looks at a job once and keeps its output. What says that a job is over is only passed on when everything it wrote is
// durable, so a finished step always has its whole log.
import { LOG_MAX_BYTES } from "../limits.ts";
import type { LogStore } from "../store/store.ts";
import type { AnyRunner } from "./runners.ts";
import type { AttemptKey, StepContext, StepObservation } from "./step.ts";

export function streamName({ run, step, attempt }: AttemptKey, stream: "stdout" | "stderr"): string {
  return `${run}/${step}/${attempt}/${stream}`;
}

/** Waits on the machine for something new, at most `waitMs`. */
export async function collect(
  runner: AnyRunner,
  context: StepContext,
  logs: LogStore,
  waitMs: number,
): Promise<StepObservation> {
  for (let wait = waitMs; ; wait = 0) {
    const offsets = {
      stdout: await nextOffset(logs, streamName(context.key, "stdout")),
      stderr: await nextOffset(logs, streamName(context.key, "stderr")),
    };
    const { observation, output } = await runner.observe(context, { offsets, waitMs: wait });
    await Promise.all(
      output.map(({ stream, offset, data }) => logs.append(streamName(context.key, stream), offset, data)),
    );
    if (observation.state === "Running" || output.length === 0) return observation;
  }
}

/** Beyond any file once the stream is full: what would be dropped is not fetched. */
async function nextOffset(logs: LogStore, stream: string): Promise<number> {
  const size = await logs.size(stream);
  return size > LOG_MAX_BYTES ? Number.MAX_SAFE_INTEGER : size;
}
