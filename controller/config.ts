// The environment, validated once at start. A value that cannot be used stops the process with one line that names the
// variable, the value and the remedy. Nothing below this file reads the environment.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { parseDuration } from "../crds/duration.ts";
import { guestOf, MACHINE_SIZES, memoryProblem } from "../crds/machine-size.ts";

const LOOPBACK = /^(127(\.\d{1,3}){3}|localhost|::1|\[::1\])$/;

const port = z.coerce.number().int().min(0).max(65_535);
const url = z.url({ protocol: /^https?$/ }).transform((text) => text.replace(/\/+$/, ""));
const SECRETS_KEY_BYTES = 32;
const optional = z.string().min(1).optional();

const schema = z.object({
  PORT: port.default(3000),
  HOST: z.string().default("127.0.0.1"),
  DATA_DIR: z.string().default("./data"),
  DATABASE_URL: z.string().startsWith("sqlite:", "must begin with sqlite:").optional(),
  FLY_API_TOKEN: optional,
  FLY_ORG_SLUG: optional,
  FLY_FLAPS_BASE_URL: url.default("https://api.machines.dev"),
  FLY_API_BASE_URL: url.default("https://api.fly.io"),
  WORKER_APP: z
    .string()
    .regex(/^[a-z0-9-]{1,62}$/, "must be a Fly app name")
    .default("lightfast-worker-instances"),
  API_KEY: z.string().min(8, "must have 8 characters or more").optional(),
  SSH_KEY_PATH: optional,
  SSH_TIMEOUT: z.coerce.number().int().min(1000).max(600_000).default(30_000),
  DEFAULT_REGION: z
    .string()
    .regex(/^[a-z]{3}$/, "must be a region code such as iad")
    .default("iad"),
  DEFAULT_IMAGE: z.string().default("ubuntu:22.04"),
  DEFAULT_MACHINE_SIZE: z.enum([...MACHINE_SIZES.keys()]).default("shared-cpu-1x"),
  DEFAULT_MEMORY_MB: z.coerce.number().int().optional(),
  OBSERVE_INTERVAL: z
    .string()
    .refine((text) => (parseDuration(text) ?? 0) >= 1000, "must be a duration of 1s or more")
    .default("5s"),
  CONTROLLERS: z.enum(["all", "none"]).default("all"),
  ORPHAN_POLICY: z.enum(["Report", "Delete"]).default("Report"),
  SECRETS_KEY: z
    .base64()
    .refine((text) => Buffer.from(text, "base64").length === SECRETS_KEY_BYTES, "must be 32 bytes in base64")
    .optional(),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  TLS: z.enum(["self-signed"]).optional(),
  TLS_CERT_FILE: optional,
  TLS_KEY_FILE: optional,
  EMULATOR_PORT: port.optional(),
  EMULATOR_STATE_DIR: optional,
  EMULATOR_TOKEN: optional,
});

/** Every variable that is read. */
export const VARIABLES: readonly string[] = Object.keys(schema.shape);

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly databaseFile: string;
  readonly fly: {
    /** Without one the emulator runs inside this process. */
    readonly token: string | undefined;
    readonly organization: string | undefined;
    readonly baseUrl: string;
    readonly app: string;
  };
  readonly apiKey: string | undefined;
  /** What Secrets are encrypted with; kept in DATA_DIR when absent. */
  readonly secretsKey: Uint8Array | undefined;
  /** PEM files, or a certificate by an authority of our own; plain http when absent. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | "self-signed" | undefined;
  readonly ssh: { readonly keyPath: string | undefined; readonly timeoutMs: number };
  readonly defaults: {
    readonly region: string;
    readonly image: string;
    readonly size: string;
    readonly memoryMb: number;
  };
  readonly observeIntervalMs: number;
  readonly controllers: "all" | "none";
  readonly orphanPolicy: "Report" | "Delete";
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  readonly emulator: {
    readonly port: number | undefined;
    readonly stateDir: string | undefined;
    readonly token: string | undefined;
  };
}

export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Throws ConfigError with one line for each value that cannot be used. */
export function readConfig(environment: Environment): Config {
  const present = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const parsed = schema.safeParse(present);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((issue) => describe(issue, present)).join("\n"));
  const value = parsed.data;
  const dataDir = resolve(value.DATA_DIR);
  refuseOpenServer(value.HOST, value.API_KEY);
  const memoryMb = guestOf(value.DEFAULT_MACHINE_SIZE, value.DEFAULT_MEMORY_MB).memory_mb;
  const problem = memoryProblem(value.DEFAULT_MACHINE_SIZE, memoryMb);
  if (problem) throw new ConfigError(`DEFAULT_MEMORY_MB=${memoryMb}: ${problem}`);
  return {
    host: value.HOST,
    port: value.PORT,
    dataDir,
    databaseFile: value.DATABASE_URL
      ? resolve(value.DATABASE_URL.slice("sqlite:".length))
      : join(dataDir, "flywheel.db"),
    fly: {
      token: value.FLY_API_TOKEN,
      organization: value.FLY_ORG_SLUG,
      baseUrl: value.FLY_FLAPS_BASE_URL,
      app: value.WORKER_APP,
    },
    apiKey: value.API_KEY,
    secretsKey: value.SECRETS_KEY === undefined ? undefined : Buffer.from(value.SECRETS_KEY, "base64"),
    tls: tlsOf(value.TLS, value.TLS_CERT_FILE, value.TLS_KEY_FILE),
    ssh: { keyPath: value.SSH_KEY_PATH, timeoutMs: value.SSH_TIMEOUT },
    defaults: {
      region: value.DEFAULT_REGION,
      image: value.DEFAULT_IMAGE,
      size: value.DEFAULT_MACHINE_SIZE,
      memoryMb,
    },
    observeIntervalMs: parseDuration(value.OBSERVE_INTERVAL) ?? 5000,
    controllers: value.CONTROLLERS,
    orphanPolicy: value.ORPHAN_POLICY,
    logLevel: value.LOG_LEVEL,
    emulator: { port: value.EMULATOR_PORT, stateDir: value.EMULATOR_STATE_DIR, token: value.EMULATOR_TOKEN },
  };
}

export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** `KEY=value` lines of a `.env` file in the working directory, if there is one; the environment wins over it. */
export function withDotEnv(environment: Environment, file = ".env"): Environment {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return environment;
    throw new ConfigError(`cannot read ${file}: ${String(error)}`);
  }
  const read: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1]) read[match[1]] = unquote(match[2] ?? "");
  }
  return { ...read, ...environment };
}

function unquote(text: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(text);
  return quoted ? (quoted[2] ?? "") : text.replace(/\s+#.*$/, "");
}

function tlsOf(
  own: "self-signed" | undefined,
  certFile: string | undefined,
  keyFile: string | undefined,
): Config["tls"] {
  if (own !== undefined && (certFile ?? keyFile) !== undefined) {
    throw new ConfigError("TLS=self-signed and TLS_CERT_FILE with TLS_KEY_FILE exclude each other: set one of them");
  }
  if (own !== undefined) return own;
  if (certFile !== undefined && keyFile !== undefined)
    return { certFile: resolve(certFile), keyFile: resolve(keyFile) };
  if (certFile === undefined && keyFile === undefined) return undefined;
  const [given, missing] =
    certFile === undefined ? ["TLS_KEY_FILE", "TLS_CERT_FILE"] : ["TLS_CERT_FILE", "TLS_KEY_FILE"];
  throw new ConfigError(`${given} is set and ${missing} is not: https needs both`);
}

/** Without a key everyone who reaches the port has full rights, so only this computer may reach it. */
function refuseOpenServer(host: string, apiKey: string | undefined): void {
  if (apiKey !== undefined || isLoopback(host)) return;
  throw new ConfigError(
    `HOST=${host}: refusing to listen beyond this computer without API_KEY; set API_KEY, or HOST=127.0.0.1`,
  );
}

const SECRET = /TOKEN|KEY|SECRET/;

function describe(issue: z.core.$ZodIssue, present: Environment): string {
  const name = String(issue.path[0]);
  const shown = SECRET.test(name) ? "(hidden)" : present[name];
  const remedy = issue.code === "invalid_value" ? `must be one of ${issue.values.join(", ")}` : issue.message;
  return `${name}=${shown}: ${remedy}`;
}
