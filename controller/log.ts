// JSON logs by pino. Fields that carry credentials are redacted by name; secrets that are known are redacted wherever they
// appear, because messages quote what went wrong.
import { type DestinationStream, destination as fileDestination, pino, stdSerializers, stdTimeFunctions } from "pino";
import type { Log } from "./kernel/log.ts";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface LogOptions {
  /** Texts that must appear in no line; those shorter than 6 characters are ignored. */
  readonly secrets?: readonly string[];
  /** Standard output unless given. */
  readonly destination?: DestinationStream;
}

const REDACTED = "[redacted]";
const SECRET_MIN = 6;

const SECRET_FIELDS = [
  "authorization",
  "Authorization",
  "token",
  "apiKey",
  "api_key",
  "secret",
  "password",
  "privateKey",
  "env",
];

export function createLog(level: LogLevel, options: LogOptions = {}): Log {
  const out = options.destination ?? fileDestination({ dest: 1, sync: true });
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.err },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: REDACTED },
    },
    withoutSecrets(out, options.secrets ?? []),
  );
}

function withoutSecrets(out: DestinationStream, secrets: readonly string[]): DestinationStream {
  const known = secrets.filter((secret) => secret.length >= SECRET_MIN);
  if (known.length === 0) return out;
  // In a JSON line a secret appears as JSON writes it.
  const written = known.flatMap((secret) => [JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)]);
  const pattern = new RegExp([...new Set(written)].map(escaped).join("|"), "g");
  return { write: (line) => out.write(line.replace(pattern, REDACTED)) };
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
