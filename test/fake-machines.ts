// Machines whose jobs are records: a runner that keeps what was started where, so that tests say how jobs end, cut
// connections and reboot. It upholds the promise of a real one: starting twice under one key is starting once.
import { z } from "zod";
import type { Clock } from "../controller/kernel/clock.ts";
import { parsing, type Runners, runnersOf } from "../controller/steps/runners.ts";
import type { AttemptKey, Output, StepContext, StepObservation, StepRunner } from "../controller/steps/step.ts";
import { type Reach, TransportError } from "../controller/transports/transport.ts";

export interface FakeJob {
  readonly key: AttemptKey;
  readonly machineId: string;
  readonly input: unknown;
  readonly environment: Readonly<Record<string, string>>;
  observation: StepObservation;
  readonly output: { stdout: Buffer; stderr: Buffer };
  released: boolean;
}

export interface FakeMachines {
  readonly runners: Runners;
  readonly reach: Reach;
  /** In the order in which they began. */
  readonly jobs: readonly FakeJob[];
  /** Machines that do not answer. */
  readonly down: Set<string>;
  /** Calls whose reply is lost after they had their effect. */
  loseReplies: number;
  /** No cancellation reaches its machine. */
  deafToCancel: boolean;
  /** Cancellations that were tried. */
  cancels: number;
  job(step: string, attempt?: number): FakeJob;
  exit(step: string, exitCode: number, stdout?: string): void;
  /** Every unfinished job of a machine is lost; with `freshRoot` it forgets all that it ever ran. */
  reboot(machineId: string, freshRoot?: boolean): void;
}

export function fakeMachines(clock: Clock): FakeMachines {
  const jobs: FakeJob[] = [];
  const down = new Set<string>();
  const boots = new Map<string, number>();
  const bootOf = (machineId: string) => `boot-${boots.get(machineId) ?? 1}`;
  const idOf = ({ run, step, attempt }: AttemptKey) => `${run}/${step}/${attempt}`;
  /** What a fresh root file system knows nothing of. */
  const forgotten = new Set<FakeJob>();
  /** Meant for another boot. */
  const refused = new Set<string>();
  const find = (key: AttemptKey) => jobs.find((job) => idOf(job.key) === idOf(key) && !forgotten.has(job));

  function lookAt(key: AttemptKey): StepObservation {
    const lost: StepObservation = { state: "Lost", message: "the machine has booted again" };
    return find(key)?.observation ?? (refused.has(idOf(key)) ? lost : { state: "Absent" });
  }

  function answer<T>(context: StepContext, question: () => T): T {
    const machineId = machineOf(context);
    if (down.has(machineId)) throw new TransportError("down", `machine ${machineId} is away`);
    return question();
  }

  function call<T>(context: StepContext, effect: () => T): T {
    const result = answer(context, effect);
    if (fake.loseReplies > 0) {
      fake.loseReplies -= 1;
      throw new TransportError("lost", "the reply was lost");
    }
    return result;
  }

  function begin(context: StepContext, changes: Partial<FakeJob>): FakeJob {
    const job: FakeJob = {
      key: context.key,
      machineId: machineOf(context),
      input: undefined,
      environment: {},
      observation: { state: "Running" },
      output: { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) },
      released: false,
      ...changes,
    };
    jobs.push(job);
    return job;
  }

  const runner = (uses: string): StepRunner<unknown> => ({
    uses,
    input: z.unknown(),
    bootId: async (context) => answer(context, () => bootOf(machineOf(context))),
    start: async (context, input, { environment, bootId }) =>
      call(context, () => {
        if (bootId !== bootOf(machineOf(context))) refused.add(idOf(context.key));
        const known = lookAt(context.key);
        return known.state === "Absent" ? begin(context, { input, environment }).observation : known;
      }),
    async observe(context, { offsets, waitMs }) {
      for (let waited = 0; ; waited += 500) {
        const result = call(context, () => {
          const job = find(context.key);
          const output = (["stdout", "stderr"] as const)
            .map((stream): Output => {
              const held = job?.output[stream] ?? Buffer.alloc(0);
              return { stream, offset: offsets[stream], data: held.subarray(offsets[stream]) };
            })
            .filter((each) => each.data.length > 0);
          return { observation: lookAt(context.key), output };
        });
        if (result.observation.state !== "Running" || result.output.length > 0 || waited >= waitMs) return result;
        await clock.sleep(500, context.signal);
      }
    },
    cancel: async (context) => {
      fake.cancels += 1;
      if (fake.deafToCancel) throw new TransportError("down", "the machine is not reached");
      return call(context, () => {
        const job = find(context.key) ?? begin(context, { observation: { state: "Abandoned" } });
        if (job.observation.state === "Running") job.observation = { state: "Abandoned" };
        return job.observation;
      });
    },
    release: async (context) =>
      call(context, () => {
        const job = find(context.key);
        if (job) job.released = true;
      }),
  });

  const fake: FakeMachines = {
    runners: runnersOf(parsing(runner("shell")), parsing(runner("exec"))),
    reach: {
      session: async (target) => ({
        transport: "SSH",
        run: async () => Promise.reject(new Error(`nothing runs on ${target.machineId}`)),
        close: () => {},
        machineId: target.machineId,
      }),
      probe: async () => ({ reachable: true, via: "SSH", message: "answers" }),
      forget: () => {},
      acknowledge: () => {},
      close: () => {},
    },
    jobs,
    down,
    loseReplies: 0,
    deafToCancel: false,
    cancels: 0,
    job(step, attempt) {
      const job = jobs.findLast(
        (each) => each.key.step === step && (attempt === undefined || each.key.attempt === attempt),
      );
      if (!job)
        throw new Error(
          `step ${step} has not begun; begun are ${jobs.map((each) => idOf(each.key)).join(", ") || "none"}`,
        );
      return job;
    },
    exit(step, exitCode, stdout = "") {
      const job = fake.job(step);
      job.output.stdout = Buffer.concat([job.output.stdout, Buffer.from(stdout)]);
      job.observation = { state: "Exited", exitCode };
    },
    reboot(machineId, freshRoot = false) {
      boots.set(machineId, (boots.get(machineId) ?? 1) + 1);
      for (const job of jobs) {
        if (job.machineId !== machineId) continue;
        if (freshRoot) forgotten.add(job);
        if (job.observation.state === "Running")
          job.observation = { state: "Lost", message: "the machine has booted again" };
      }
    },
  };
  return fake;
}

function machineOf({ session }: StepContext): string {
  if ("machineId" in session && typeof session.machineId === "string") return session.machineId;
  throw new Error("a session of another reach");
}
