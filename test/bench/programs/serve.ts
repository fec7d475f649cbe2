// The near end of a process of the bench: answers calls of the process that started it, and ends when that one is gone.

export type Procedures = Readonly<Record<string, (argument: never) => unknown>>;

export interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

export type Reply = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: string };

export function serve(procedures: Procedures, close: () => Promise<void> = async () => undefined): void {
  process.on("message", async (call: Call) => {
    process.send?.(await reply(procedures, call));
  });
  process.once("disconnect", () => {
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${String(error)}\n`);
        process.exit(1);
      },
    );
  });
  // Who sits at the terminal ends the bench, and that one ends us, in order.
  process.on("SIGINT", () => undefined);
}

async function reply(procedures: Procedures, { id, name, argument }: Call): Promise<Reply> {
  try {
    const procedure = procedures[name];
    if (!procedure) throw new Error(`no procedure ${name}`);
    // The caller's types fit: they are those of the very procedures (see `Program` in processes.ts).
    return { id, value: await procedure(argument as never) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
