// Entry point of the server.
import { ConfigError, readConfig, withDotEnv } from "./config.ts";

try {
  readConfig(withDotEnv(process.env));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`flywheel: ${error.message}\n`);
  process.exitCode = 1;
}
