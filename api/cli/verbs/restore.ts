// `restore`: hands over to the server's own program on this computer. Everything else here speaks HTTP to a server, and
// a restore is for when none runs: the files are the server's, and only it knows them.
import type { Command } from "commander";
import type { Open } from "../open.ts";

interface Flags {
  readonly dataDir?: string;
  readonly force?: boolean;
}

export function declareRestore(program: Command, open: Open): void {
  program
    .command("restore")
    .argument("<file>", "what `flywheel backup` wrote")
    .option("--data-dir <dir>", "where the server keeps its data (DATA_DIR, else ./data)")
    .option("--force", "put aside what is there")
    .summary("put a backup back, where no server runs")
    .description(
      "Put a backup back on this computer, where no server runs. Nothing is touched before all of the file has been read and found whole.",
    )
    .addHelpText(
      "after",
      `
Reads the server's environment: DATA_DIR, DATABASE_URL, SSH_KEY_PATH, WORKER_APP.

Examples:
  flywheel restore flywheel.backup
  flywheel restore flywheel.backup --data-dir /data --force`,
    )
    .action((file: string, { dataDir, force }: Flags, command: Command) =>
      open(command, ({ terminal }) =>
        terminal.runServer([
          "restore",
          ...(dataDir === undefined ? [] : ["--data-dir", dataDir]),
          ...(force ? ["--force"] : []),
          "--",
          file,
        ]),
      ),
    );
}
