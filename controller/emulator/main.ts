// `npm run emulator`: the emulator alone, for any client of the Machines API.
import pino from "pino";
import { ConfigError, readConfig, withDotEnv } from "../config.ts";
import { systemClock } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import { systemRandom } from "../kernel/random.ts";
import { startEmulator } from "./emulator.ts";
import { REALISTIC } from "./knobs.ts";
import { keptToken } from "./token.ts";

const DEFAULT_PORT = 4280;

async function run(): Promise<void> {
  const config = readConfig(withDotEnv(process.env));
  const { stateDir } = config.emulator;
  const realistic = process.argv.includes("--realistic");
  const token = config.emulator.token ?? (await keptToken(stateDir));
  const emulator = await startEmulator({
    port: config.emulator.port ?? DEFAULT_PORT,
    token,
    stateDir,
    clock: systemClock,
    random: systemRandom,
    log: pino({ level: config.logLevel }, pino.destination(2)),
    ...(realistic ? { knobs: REALISTIC } : {}),
  });
  process.stdout.write(`${greeting(emulator.url, config.emulator.token === undefined ? token : "$EMULATOR_TOKEN")}\n`);
  let closing = false;
  const stop = () => {
    if (closing) return;
    closing = true;
    emulator.close({ keepMachines: stateDir !== undefined }).catch(fail);
  };
  process.on("SIGTERM", stop).on("SIGINT", stop); // more than once: npm and tsx hand a signal on
}

const greeting = (url: string, token: string) => `Fly Machines emulator on ${url}
  export FLY_FLAPS_BASE_URL=${url}
  export FLY_API_TOKEN=${token}
  curl -H "Authorization: Bearer $FLY_API_TOKEN" "$FLY_FLAPS_BASE_URL/v1/apps?org_slug=personal"`;

function fail(error: unknown): void {
  process.stderr.write(`emulator: ${error instanceof ConfigError ? error.message : messageOf(error)}\n`);
  process.exitCode = 1;
}

run().catch(fail);
