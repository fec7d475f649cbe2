// Guests without processes: for simulations and for tests of everything above them.
import type { ExecOutcome, Guest, GuestExit, GuestSpec, Guests } from "./guest.ts";

export interface MemoryGuestsOptions {
  /** What a command on a machine does; by default it succeeds without output. */
  readonly exec?: (
    spec: GuestSpec,
    command: readonly string[],
    stdin: string,
    signal: AbortSignal,
  ) => Promise<ExecOutcome>;
  /** Called at each boot; what it returns ends the main process when it resolves. */
  readonly main?: (spec: GuestSpec) => Promise<GuestExit> | undefined;
}

export interface MemoryGuests extends Guests {
  /** The machines that run now, by id. */
  readonly running: ReadonlyMap<string, GuestSpec>;
  /** Ends the main process as if it had ended by itself. */
  exit(id: string, exit: GuestExit): void;
}

const SUCCESS: ExecOutcome = { code: 0, signal: 0, stdout: "", stderr: "" };
const KILLED = 137;

export function memoryGuests(options: MemoryGuestsOptions = {}): MemoryGuests {
  const running = new Map<string, GuestSpec>();
  const ends = new Map<string, (exit: GuestExit) => void>();

  function boot(spec: GuestSpec): Guest {
    running.set(spec.id, spec);
    const end = new AbortController();
    const exited = new Promise<GuestExit>((resolve) => {
      ends.set(spec.id, (exit) => {
        if (running.get(spec.id) === spec) running.delete(spec.id);
        end.abort(new Error("the machine has stopped"));
        resolve(exit);
      });
    });
    const finish = ends.get(spec.id);
    // A shell of a stock image, with nothing to read, exits at once; anything else stays.
    if (spec.command.length === 1 && /\/(ba)?sh$/.test(spec.command[0] ?? "")) finish?.({ code: 0, signal: 0 });
    options.main?.(spec)?.then((exit) => finish?.(exit));
    return {
      exited,
      exec: async (command, stdin, signal) =>
        options.exec ? options.exec(spec, command, stdin, AbortSignal.any([signal, end.signal])) : SUCCESS,
      signal: async (name) => finish?.({ code: name === "SIGKILL" ? KILLED : 0, signal: 0 }),
      kill: async () => finish?.({ code: KILLED, signal: 9 }),
      freeze: async () => {},
      thaw: async () => {},
      processes: async () => [{ pid: 1, command: spec.command.join(" "), rssKb: 0 }],
    };
  }

  return {
    running,
    exit: (id, exit) => ends.get(id)?.(exit),
    boot: async (spec) => boot(spec),
    adopt: async (spec) => (running.has(spec.id) ? boot(spec) : undefined),
    wipe: async () => {},
    close: async (kill) => {
      if (kill) for (const end of ends.values()) end({ code: KILLED, signal: 9 });
    },
  };
}
