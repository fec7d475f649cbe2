// Trouble with one machine, which the next look may not have. Everything else is thrown, and the runtime decides.
import { TimeoutError } from "../kernel/clock.ts";
import { TransientError } from "../kernel/errors.ts";
import { MachinesError } from "../machines/machines.ts";
import { TransportError } from "../transports/transport.ts";

export function isPassing(error: unknown): boolean {
  return (
    error instanceof TransportError ||
    error instanceof MachinesError ||
    error instanceof TransientError ||
    error instanceof TimeoutError
  );
}
