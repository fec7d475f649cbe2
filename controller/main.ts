// Entry point of the server, and the only reader of the environment. SIGTERM and SIGINT end it in order and in time;
// asked again, it ends at once.
import { ConfigError, readConfig, withDotEnv } from "./config.ts";
import { type Flywheel, startFlywheel } from "./flywheel.ts";
import { systemClock } from "./kernel/clock.ts";
import { messageOf } from "./kernel/errors.ts";
import { systemRandom } from "./kernel/random.ts";
import { SHUTDOWN_MS } from "./limits.ts";
import { createLog } from "./log.ts";
import { VERSION } from "./version.ts";

let flywheel: Flywheel | undefined;
let stoppingSince: number | undefined;
/** Between the same request to end, handed on, and another one. */
const INSISTS_AFTER_MS = 500;

// From the first moment: to the first process of a container a signal that it does not handle is nothing.
process.on("SIGTERM", stop);
process.on("SIGINT", stop);

try {
  if (process.argv[2] === "restore") {
    // Another errand of this program: no server runs, neither before nor after.
    const { restoreNow } = await import("./restore.ts");
    const lines = await restoreNow(process.argv.slice(3), withDotEnv(process.env), systemClock);
    process.stdout.write(`${lines.join("\n")}\n`);
    process.exit(0);
  }
  const config = readConfig(withDotEnv(process.env));
  const secrets = [config.fly.token, config.apiKey, config.emulator.token].filter((each) => each !== undefined);
  const log = createLog(config.logLevel, { secrets });
  flywheel = await startFlywheel({
    config,
    log,
    clock: systemClock,
    random: systemRandom,
    version: VERSION,
    notice: (line) => process.stderr.write(`flywheel: ${line}\n`),
    fatal(error) {
      log.error({ error }, "our own code is wrong; ending rather than doing harm");
      process.exit(70);
    },
  });
  process.stderr.write(`flywheel: listening on ${flywheel.url}\n`);
} catch (error) {
  const message = error instanceof ConfigError || process.env.LOG_LEVEL !== "debug" ? messageOf(error) : error;
  process.stderr.write(`flywheel: ${message}\n`);
  process.exit(1);
}

/**
 * While it starts there is nothing to end in order: what it leaves is found again, as after any crash. One Ctrl-C arrives
 * more than once, from the terminal and from npm that hands it on; a person who insists is slower.
 */
function stop(): void {
  if (!flywheel) process.exit(1);
  if (stoppingSince !== undefined) {
    if (performance.now() - stoppingSince > INSISTS_AFTER_MS) process.exit(1);
    return;
  }
  stoppingSince = performance.now();
  setTimeout(() => process.exit(1), SHUTDOWN_MS).unref();
  flywheel.close().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`flywheel: ${messageOf(error)}\n`);
      process.exit(1);
    },
  );
}
