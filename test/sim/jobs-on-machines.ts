// What runs on the simulated machines. The state of a job lives with its machine: a boot ends what ran, a fresh root file
// system forgets that it ever was, a suspend stops its time. The protocol is that of the real supervisor: whoever claims
// an attempt first decides over it, and a machine in another boot than the one an attempt was committed to does not begin it.
import type { Guests } from "../../controller/emulator/guest.ts";
import type { MemoryGuests } from "../../controller/emulator/memory-guests.ts";
import type { Clock } from "../../controller/kernel/clock.ts";
import type { AttemptKey, StepObservation } from "../../controller/steps/step.ts";

export interface JobRequest {
  readonly verb: "start" | "observe" | "cancel" | "release";
  readonly key: AttemptKey;
  /** `sim <ms> <exit code>`: how long it takes and how it ends. */
  readonly script: string;
  readonly bootId: string;
}

export interface JobReply {
  readonly observation: StepObservation;
  readonly stdout: string;
  /** Until when nothing will change by itself; absent for what is over. */
  readonly changesInMs?: number;
}

interface SimJob {
  readonly key: AttemptKey;
  readonly exitCode: number;
  endsAtMs: number;
  observation: StepObservation;
}

interface Machine {
  boots: number;
  up: boolean;
  frozenAtMs: number | undefined;
  readonly jobs: Map<string, SimJob>;
}

export interface BegunJob {
  readonly key: AttemptKey;
  readonly machineId: string;
  /** Machines on which a former attempt of the same step runs at this moment. */
  readonly beside?: readonly string[];
}

export interface JobsOnMachines {
  /** The guests, with their boots, ends and freezes noticed here. */
  readonly guests: Guests;
  serve(machineId: string, request: JobRequest): JobReply;
  /** What runs at this moment; on a machine that sleeps, nothing does. */
  running(): readonly BegunJob[];
  /** Counts the boots of a machine: a connection does not outlive one. */
  bootOf(machineId: string): number;
}

export function jobsOnMachines(
  memory: MemoryGuests,
  clock: Clock,
  seen: { began(job: BegunJob): void; exited(job: BegunJob, exitCode: number): void },
): JobsOnMachines {
  const machines = new Map<string, Machine>();

  function machineOf(id: string): Machine {
    const known = machines.get(id);
    if (known) return known;
    const made: Machine = { boots: 0, up: false, frozenAtMs: undefined, jobs: new Map() };
    machines.set(id, made);
    return made;
  }

  /** What time alone has done since anybody looked. */
  function settle(id: string, job: SimJob): SimJob {
    const { frozenAtMs } = machineOf(id);
    if (job.observation.state !== "Running" || frozenAtMs !== undefined || clock.monotonic() < job.endsAtMs) return job;
    job.observation = { state: "Exited", exitCode: job.exitCode };
    seen.exited({ key: job.key, machineId: id }, job.exitCode);
    return job;
  }

  function boot(id: string, freshRoot: boolean): number {
    const machine = machineOf(id);
    halt(id, machine.boots);
    if (freshRoot) machine.jobs.clear();
    machine.boots += 1;
    machine.up = true;
    machine.frozenAtMs = undefined;
    return machine.boots;
  }

  function halt(id: string, ofBoot: number): void {
    const machine = machineOf(id);
    if (machine.boots !== ofBoot) return;
    machine.up = false;
    for (const job of machine.jobs.values()) {
      if (settle(id, job).observation.state !== "Running") continue;
      job.observation = { state: "Lost", message: "the machine has booted again" };
    }
  }

  function thaw(id: string): void {
    const machine = machineOf(id);
    const lostMs = machine.frozenAtMs === undefined ? 0 : clock.monotonic() - machine.frozenAtMs;
    machine.frozenAtMs = undefined;
    for (const job of machine.jobs.values()) job.endsAtMs += lostMs;
  }

  function start(id: string, { key, script, bootId }: JobRequest): StepObservation {
    const machine = machineOf(id);
    const known = machine.jobs.get(idOf(key));
    if (known) return settle(id, known).observation;
    if (bootId !== String(machine.boots)) {
      const message = "the machine has booted since the attempt was decided";
      machine.jobs.set(idOf(key), { key, exitCode: 0, endsAtMs: 0, observation: { state: "Lost", message } });
      return { state: "Lost", message };
    }
    const [, ms = "0", exitCode = "0"] = /^sim (\d+) (\d+)/.exec(script) ?? [];
    machine.jobs.set(idOf(key), {
      key,
      exitCode: Number(exitCode),
      endsAtMs: clock.monotonic() + Number(ms),
      observation: { state: "Running" },
    });
    seen.began({ key, machineId: id, beside: formerOf(key) });
    return { state: "Running" };
  }

  function running(): readonly BegunJob[] {
    return [...machines].flatMap(([machineId, { jobs, frozenAtMs }]) => {
      if (frozenAtMs !== undefined) return [];
      const all = [...jobs.values()].filter((job) => settle(machineId, job).observation.state === "Running");
      return all.map(({ key }) => ({ key, machineId }));
    });
  }

  function formerOf({ run, step, attempt }: AttemptKey): readonly string[] {
    if (attempt === 1) return [];
    const former = ({ key }: BegunJob) => key.run === run && key.step === step && key.attempt < attempt;
    return running()
      .filter(former)
      .map(({ machineId }) => machineId);
  }

  function cancel(id: string, { key }: JobRequest): StepObservation {
    const { jobs } = machineOf(id);
    const job = jobs.get(idOf(key)) ?? { key, exitCode: 0, endsAtMs: 0, observation: { state: "Abandoned" } as const };
    jobs.set(idOf(key), job);
    if (settle(id, job).observation.state === "Running") job.observation = { state: "Abandoned" };
    return job.observation;
  }

  function serve(id: string, request: JobRequest): JobReply {
    const job = machineOf(id).jobs.get(idOf(request.key));
    switch (request.verb) {
      case "start":
        return { observation: start(id, request), stdout: "" };
      case "cancel":
        return { observation: cancel(id, request), stdout: "" };
      case "release":
      case "observe": {
        if (!job) return { observation: { state: "Absent" }, stdout: "" };
        const { observation, endsAtMs } = settle(id, job);
        if (observation.state === "Running") {
          return { observation, stdout: "begun\n", changesInMs: endsAtMs - clock.monotonic() };
        }
        return { observation, stdout: observation.state === "Exited" ? "begun\nended\n" : "begun\n" };
      }
    }
  }

  const guests: Guests = {
    ...memory,
    async boot(spec, signal) {
      const guest = await memory.boot(spec, signal);
      const count = boot(spec.id, spec.freshRoot);
      guest.exited.then(() => halt(spec.id, count));
      return {
        ...guest,
        freeze: async () => {
          machineOf(spec.id).frozenAtMs = clock.monotonic();
        },
        thaw: async () => thaw(spec.id),
      };
    },
  };
  return { guests, serve, running, bootOf: (id) => (machineOf(id).up ? machineOf(id).boots : 0) };
}

function idOf({ run, step, attempt }: AttemptKey): string {
  return `${run}/${step}/${attempt}`;
}
