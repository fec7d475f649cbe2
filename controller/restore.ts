// `restore FILE`: a part of the server's own program, because it needs what only that has: the database's schema, and the
// environment that says where the data is. It runs instead of a server, never beside one.
import { parseArgs } from "node:util";
import { type Config, ConfigError, type Environment, readConfig } from "./config.ts";
import { conflicting, installIdentity } from "./identity.ts";
import { type Clock, timestamp } from "./kernel/clock.ts";
import { RefusedDatabaseError } from "./store/errors.ts";
import { openBackup, type Restoring } from "./store/restore.ts";

interface RestoreOptions {
  readonly from: string;
  /** Puts aside what is there. */
  readonly force: boolean;
}

const USAGE = "usage: restore FILE [--data-dir DIR] [--force]";

/** Rejects with one line that says what is in the way; then nothing has changed. Answers what to tell. */
export async function restoreNow(
  args: readonly string[],
  environment: Environment,
  clock: Clock,
): Promise<readonly string[]> {
  const { dataDir, ...options } = parse(args);
  const config = readConfig(dataDir === undefined ? environment : { ...environment, DATA_DIR: dataDir });
  return restore(options, config, clock, new AbortController().signal);
}

function parse(args: readonly string[]): RestoreOptions & { readonly dataDir: string | undefined } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { force: { type: "boolean", default: false }, "data-dir": { type: "string" } },
    });
    const [from] = positionals;
    if (from === undefined || positionals.length > 1) throw new TypeError("name one file");
    return { from, force: values.force, dataDir: values["data-dir"] };
  } catch (cause) {
    throw new ConfigError(USAGE, { cause });
  }
}

async function restore(
  options: RestoreOptions,
  config: Config,
  clock: Clock,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { dataDir, databaseFile } = config;
  const nowMs = clock.now();
  const restoring = await openBackup(options.from, databaseFile, { replace: options.force, nowMs }, signal);
  try {
    const keys = conflicting(dataDir, restoring.files);
    if (keys.length > 0 && !options.force) {
      throw new RefusedDatabaseError(
        `${dataDir} has another ${keys.join(" and ")} than the backup: use --force to put it aside, or name another data directory`,
      );
    }
    // Keys first: a database without its keys would take every machine for a stranger.
    const aside = [...installIdentity(dataDir, restoring.files, timestamp(nowMs))];
    const database = restoring.install();
    if (database !== undefined) aside.push(database);
    return report(restoring, config, aside);
  } finally {
    restoring.close();
  }
}

function report({ manifest, files, revision }: Restoring, config: Config, aside: readonly string[]): readonly string[] {
  const objects = Object.entries(manifest.objects).map(([kind, count]) => `${count} ${kind.split(".")[0]}`);
  const keys = files.map(({ name }) => name).join(", ");
  return [
    `restored ${config.databaseFile} as it was at ${manifest.takenAt}: ${objects.join(", ")}`,
    keys === "" ? "it came without keys" : `keys: ${keys} in ${config.dataDir}`,
    ...manifest.elsewhere.map((each) => `${each} was kept elsewhere: set it for the server to the same key`),
    ...(manifest.app === config.fly.app
      ? []
      : [`its machines are in app ${manifest.app}: set WORKER_APP=${manifest.app}`]),
    ...(aside.length > 0 ? [`kept beside: ${aside.join(", ")}`] : []),
    `revisions go on after ${revision}; watches from before list again`,
    "what happened since is not in it: machines made since are reported as orphans and stay; `flywheel adopt --all` takes them back",
  ];
}
