// `version`: of this command and of the server.
import type { Command } from "commander";
import type { Open } from "../open.ts";
import { formatObject, parseOutput } from "../output.ts";
import type { Session } from "../session.ts";
import { VERSION } from "../version.ts";

interface Flags {
  readonly client?: boolean;
  readonly output?: string;
}

interface Health {
  readonly version: string;
}

export function declareVersion(program: Command, open: Open): void {
  program
    .command("version")
    .option("--client", "only of this command; asks no server")
    .option("-o, --output <format>", "yaml or json")
    .summary("show the versions of command and server")
    .description("Show the version of this command and of the server that it talks to.")
    .action((flags: Flags, command: Command) => open(command, (session) => version(session, flags)));
}

async function version(session: Session, flags: Flags): Promise<number> {
  const output = parseOutput(flags.output);
  const plain = output.form === "table";
  if (plain) session.terminal.write(`Client: ${VERSION}\n`);
  const server = flags.client ? undefined : await session.client.json<Health>("/health");
  if (!plain)
    session.terminal.write(
      await formatObject(output, { client: { version: VERSION }, server: server && { version: server.version } }),
    );
  else if (server) session.terminal.write(`Server: ${server.version} at ${session.client.server}\n`);
  return 0;
}
