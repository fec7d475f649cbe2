// What reconcilers ask of the jobs on all machines. Behind it a watcher for each running job keeps a look at it open, keeps
// its output, and wakes the reconciler when something happened. Watchers only make things fast: without them every look
// goes to the machine, and the answer is the same.
import { backoffMs } from "../kernel/backoff.ts";
import { type Clock, withTimeout } from "../kernel/clock.ts";
import { assert, messageOf } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import { jitter, type Random } from "../kernel/random.ts";
import { JOB_CALL_TIMEOUT_MS, JOB_WAIT_MS, JOB_WATCHERS_PER_MACHINE } from "../limits.ts";
import type { LogStore } from "../store/store.ts";
import type { Reach, Target } from "../transports/transport.ts";
import { collect } from "./collect.ts";
import type { AnyRunner, Runners } from "./runners.ts";
import type { AttemptKey, StartOptions, StepContext, StepObservation } from "./step.ts";

export interface Job {
  readonly key: AttemptKey;
  /** Names the runner. */
  readonly uses: string;
  readonly target: Target;
  /** Makes the reconciler look again soon. */
  wake(): void;
}

/** Every call rejects when the machine cannot be reached; all may be repeated. */
export interface Jobs {
  /** The boot that the machine is in now: what an attempt is committed to before it is started. */
  bootId(job: Job, signal: AbortSignal): Promise<string>;
  start(job: Job, input: unknown, options: StartOptions, signal: AbortSignal): Promise<StepObservation>;
  look(job: Job, signal: AbortSignal): Promise<StepObservation>;
  cancel(job: Job, graceMs: number, signal: AbortSignal): Promise<StepObservation>;
  release(job: Job, signal: AbortSignal): Promise<void>;
  /** The run is over or gone: nothing of it is watched or remembered any more. */
  forget(run: string): void;
  /** Resolves when every watcher has stopped. */
  close(): Promise<void>;
}

export interface JobsOptions {
  readonly runners: Runners;
  readonly reach: Reach;
  readonly logs: LogStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** false: no watchers. */
  readonly watch?: boolean;
}

interface Watched {
  readonly job: Job;
  readonly stop: AbortController;
  /** Undefined while the machine does not answer. */
  latest: StepObservation | undefined;
  done: Promise<void>;
}

/** Between two looks at a job whose machine has more watchers than channels. */
const TURN_MS = 1000;
const RETRY = { baseMs: 500, maxMs: 15_000 } as const;

export function createJobs(options: JobsOptions): Jobs {
  const { clock, logs, random, reach, runners, watch = true } = options;
  const watched = new Map<string, Watched>();
  /** Attempts that were seen on their machine: one of these that is absent was taken away. */
  const seen = new Set<string>();
  let closed = false;

  async function call<T>(
    job: Job,
    signal: AbortSignal,
    timeoutMs: number,
    work: (runner: AnyRunner, context: StepContext) => Promise<T>,
  ): Promise<T> {
    const runner = runners.get(job.uses);
    assert(runner, `no runner is called ${job.uses}`);
    const what = `step ${job.key.step} on machine ${job.target.machineId}`;
    return withTimeout(clock, timeoutMs, what, signal, async (bounded) => {
      const session = await reach.session(job.target, bounded);
      return work(runner, { session, key: job.key, signal: bounded });
    });
  }

  function look(job: Job, waitMs: number, signal: AbortSignal): Promise<StepObservation> {
    return call(job, signal, 3 * JOB_CALL_TIMEOUT_MS + waitMs, (runner, context) =>
      collect(runner, context, logs, waitMs),
    );
  }

  /** What is known from now on; a job that runs is watched. */
  function note(job: Job, observation: StepObservation): StepObservation {
    const id = idOf(job.key);
    const entry = watched.get(id);
    if (observation.state === "Absent" && seen.has(id)) {
      return { state: "Lost", message: "the directory of the job is gone from the machine" };
    }
    if (observation.state !== "Absent") seen.add(id);
    if (observation.state === "Running" && watch && !closed && !entry) follow(job, observation);
    return observation;
  }

  function follow(job: Job, latest: StepObservation): void {
    const entry: Watched = { job, stop: new AbortController(), latest, done: Promise.resolve() };
    watched.set(idOf(job.key), entry);
    entry.done = watching(entry);
  }

  async function watching(entry: Watched): Promise<void> {
    const { job, stop } = entry;
    for (let failures = 0; !stop.signal.aborted; ) {
      try {
        const waitMs = waitMsFor(job);
        const latest = await look(job, waitMs, stop.signal);
        entry.latest = latest;
        failures = 0;
        if (latest.state !== "Running") return job.wake();
        if (waitMs === 0) await clock.sleep(jitter(random, TURN_MS), stop.signal);
      } catch (error) {
        if (stop.signal.aborted) return;
        entry.latest = undefined;
        failures += 1;
        options.log.debug({ ...job.key, failures, error: messageOf(error) }, "a running step cannot be looked at");
        if (failures === 1) job.wake();
        await clock.sleep(jitter(random, backoffMs(RETRY, failures)), stop.signal).catch(() => undefined /* stopped */);
      }
    }
  }

  /** Many watchers of one machine take turns on its few channels. */
  function waitMsFor({ target }: Job): number {
    let watchers = 0;
    for (const { job } of watched.values()) if (job.target.machineId === target.machineId) watchers += 1;
    return watchers > JOB_WATCHERS_PER_MACHINE ? 0 : JOB_WAIT_MS;
  }

  function unwatch(id: string): void {
    watched.get(id)?.stop.abort();
    watched.delete(id);
  }

  return {
    bootId: (job, signal) => call(job, signal, JOB_CALL_TIMEOUT_MS, (runner, context) => runner.bootId(context)),
    async start(job, input, startOptions, signal) {
      unwatch(idOf(job.key));
      return note(
        job,
        await call(job, signal, JOB_CALL_TIMEOUT_MS, (runner, context) => runner.start(context, input, startOptions)),
      );
    },
    async look(job, signal) {
      const latest = watched.get(idOf(job.key))?.latest;
      return note(job, latest ?? (await look(job, 0, signal)));
    },
    async cancel(job, graceMs, signal) {
      // What the watcher saw is old from here on, also when nobody knows whether this arrives: the next look asks the machine.
      const entry = watched.get(idOf(job.key));
      if (entry) entry.latest = undefined;
      return call(job, signal, JOB_CALL_TIMEOUT_MS, (runner, context) => runner.cancel(context, graceMs));
    },
    async release(job, signal) {
      await call(job, signal, JOB_CALL_TIMEOUT_MS, (runner, context) => runner.release(context));
    },
    forget(run) {
      for (const id of watched.keys()) if (id.startsWith(`${run}/`)) unwatch(id);
      for (const id of seen) if (id.startsWith(`${run}/`)) seen.delete(id);
    },
    async close() {
      closed = true;
      const ending = [...watched.values()].map((entry) => entry.done);
      for (const id of [...watched.keys()]) unwatch(id);
      await Promise.all(ending);
    },
  };
}

function idOf({ run, step, attempt }: AttemptKey): string {
  return `${run}/${step}/${attempt}`;
}
