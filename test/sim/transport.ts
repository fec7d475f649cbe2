// The way to the simulated machines, and the runners that speak over it: one request and one reply per call, as the real
// job protocol has it. A connection belongs to one boot of one machine at one address, and may be lost at any moment.
import { z } from "zod";
import type { Cloud } from "../../controller/emulator/cloud.ts";
import type { Clock } from "../../controller/kernel/clock.ts";
import { parsing, type Runners, runnersOf } from "../../controller/steps/runners.ts";
import type { StepContext, StepRunner } from "../../controller/steps/step.ts";
import { type Connection, type Target, type Transport, TransportError } from "../../controller/transports/transport.ts";
import type { JobReply, JobRequest, JobsOnMachines } from "./jobs-on-machines.ts";
import type { Trace } from "./trace.ts";

const CONNECT_MS = 40;
const ROUND_TRIP_MS = 5;

export interface Wires {
  readonly ssh: Transport;
  readonly exec: Transport;
  /** Every connection there is breaks. */
  drop(): void;
  /** Ssh does not come up anywhere. */
  sshDown: boolean;
  /** Machines at whose address somebody answers with another key. */
  readonly impostors: Set<string>;
}

export interface WiresOptions {
  readonly cloud: Cloud;
  readonly jobs: JobsOnMachines;
  readonly clock: Clock;
  readonly trace: Trace;
  /** What spoils a call: before it arrives, or on the way back. */
  spoils(): "before" | "after" | "crash" | undefined;
  /** A connection to the machine has come about. */
  reached(machineId: string): void;
  /** The machine falls over with the answer. */
  crashes(machineId: string): void;
  /** Another key than the machine's was shown to us, in this boot of it. */
  mistrusted(machineId: string): void;
  /** A command is on its way to a machine. */
  sent(machineId: string): void;
}

export function createWires(options: WiresOptions): Wires {
  const { cloud, jobs, clock, trace, spoils } = options;
  let epoch = 0;

  /** The boot that answers at the target; 0 when nobody does. */
  function bootAt({ app, machineId, host }: Target): number {
    const record = cloud.machinesOf(app).find((each) => each.id === machineId);
    if (record?.phase !== "started" || record.privateIp !== host || cloud.isUnreachable(record)) return 0;
    return jobs.bootOf(machineId);
  }

  function transport(name: Transport["name"]): Transport {
    async function connect(target: Target, signal: AbortSignal): Promise<Connection> {
      await clock.sleep(CONNECT_MS, signal);
      const boot = bootAt(target);
      if (boot === 0 || (name === "SSH" && wires.sshDown)) {
        trace.add(`wire ${name} to ${target.machineId} -> down`);
        throw down(target);
      }
      if (name === "SSH" && wires.impostors.has(target.machineId)) {
        trace.add(`wire ${name} to ${target.machineId} -> another host key`);
        options.mistrusted(target.machineId);
        throw new TransportError("mismatch", `machine ${target.machineId} shows another host key than its own`);
      }
      trace.add(`wire ${name} to ${target.machineId} -> up`);
      options.reached(target.machineId);
      const connectedIn = epoch;
      let lost = false;
      const alive = () => {
        lost ||= bootAt(target) !== boot || (name === "SSH" && epoch !== connectedIn); // it never comes back
        return !lost;
      };
      return {
        transport: name,
        get alive() {
          return alive();
        },
        close: () => {
          lost = true;
        },
        async run(command, { stdin }, runSignal) {
          options.sent(target.machineId);
          await clock.sleep(ROUND_TRIP_MS, runSignal);
          if (!alive()) throw down(target);
          const spoiled = spoils();
          if (spoiled === "before") throw down(target);
          const boot = command === "boot" ? String(jobs.bootOf(target.machineId)) : "";
          const reply = command === "job" ? await answer(target, stdin, runSignal) : boot;
          if (spoiled === "crash") options.crashes(target.machineId);
          if (spoiled !== undefined || !alive())
            throw new TransportError("lost", `${target.machineId}: connection lost`);
          return { exitCode: 0, stdout: Buffer.from(reply), stderr: Buffer.alloc(0) };
        },
      };
    }
    return { name, connect };
  }

  async function answer(target: Target, stdin: Uint8Array | undefined, signal: AbortSignal): Promise<string> {
    const { waitMs, known, ...request }: WaitingRequest = JSON.parse(Buffer.from(stdin ?? []).toString());
    const reply = jobs.serve(target.machineId, request);
    const news = reply.changesInMs === undefined || reply.stdout.length > known;
    if (waitMs === 0 || news) return JSON.stringify(reply);
    await clock.sleep(Math.min(waitMs, reply.changesInMs ?? 0), signal);
    return JSON.stringify(jobs.serve(target.machineId, request));
  }

  const wires: Wires = {
    ssh: transport("SSH"),
    exec: transport("Exec"),
    drop: () => {
      epoch += 1;
    },
    sshDown: false,
    impostors: new Set(),
  };
  return wires;
}

function down({ machineId, host, port }: Target): TransportError {
  return new TransportError("down", `machine ${machineId} does not answer at [${host}]:${port}`);
}

interface WaitingRequest extends JobRequest {
  readonly waitMs: number;
  /** Bytes of output that are held already. */
  readonly known: number;
}

const CALL_MS = 20_000;

async function call(context: StepContext, request: Partial<WaitingRequest>): Promise<JobReply> {
  const whole = { script: "", bootId: "", waitMs: 0, known: 0, key: context.key, ...request };
  const stdin = Buffer.from(JSON.stringify(whole));
  const { stdout } = await context.session.run("job", { stdin, timeoutMs: CALL_MS }, context.signal);
  return JSON.parse(Buffer.from(stdout).toString());
}

function runner(uses: string): StepRunner<{ run?: string | undefined; command?: string | undefined }> {
  return {
    uses,
    input: z.object({ run: z.string().optional(), command: z.string().optional() }),
    async bootId({ session, signal }) {
      const { stdout } = await session.run("boot", { timeoutMs: CALL_MS }, signal);
      return Buffer.from(stdout).toString();
    },
    start: async (context, { run, command }, { bootId }) =>
      (await call(context, { verb: "start", script: run ?? command ?? "", bootId })).observation,
    async observe(context, { offsets, waitMs }) {
      const { observation, stdout } = await call(context, { verb: "observe", waitMs, known: offsets.stdout });
      const data = Buffer.from(stdout).subarray(offsets.stdout);
      return { observation, output: data.length === 0 ? [] : [{ stream: "stdout", offset: offsets.stdout, data }] };
    },
    cancel: async (context) => (await call(context, { verb: "cancel" })).observation,
    release: async (context) => void (await call(context, { verb: "release" })),
  };
}

export const simRunners: Runners = runnersOf(parsing(runner("shell")), parsing(runner("exec")));
