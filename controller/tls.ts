// How the server proves who it is: with the certificate that it is given, or with one signed by an authority of its own. The
// authority is kept beside the database, so that clients who trust it once go on to; the certificate is made anew at each start.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import type { Config } from "./config.ts";
import { ConfigError, isLoopback } from "./config.ts";
import type { Clock } from "./kernel/clock.ts";
import { messageOf } from "./kernel/errors.ts";
import { TLS_AUTHORITY_VALID_MS, TLS_CERTIFICATE_VALID_MS } from "./limits.ts";

export interface Tls {
  readonly cert: string;
  readonly key: string;
}

type TlsConfig = Pick<Config, "tls" | "host" | "dataDir">;

/** Undefined for plain http. ConfigError when a file that is named cannot be read. */
export async function serverTls({ tls, host, dataDir }: TlsConfig, clock: Clock): Promise<Tls | undefined> {
  if (tls === undefined) return undefined;
  if (tls !== "self-signed") {
    return { cert: readPem("TLS_CERT_FILE", tls.certFile), key: readPem("TLS_KEY_FILE", tls.keyFile) };
  }
  const authority = keptAuthority(dataDir) ?? (await newAuthority(dataDir, clock));
  return signed(authority, host, clock);
}

/** In the data directory. */
export const AUTHORITY_FILES = { cert: join("tls", "ca.pem"), key: join("tls", "ca-key.pem") } as const;

/** Where clients find what to trust. */
export function authorityFile(dataDir: string): string {
  return join(dataDir, AUTHORITY_FILES.cert);
}

function readPem(variable: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigError(`${variable}=${file}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function keyFile(dataDir: string): string {
  return join(dataDir, AUTHORITY_FILES.key);
}

function keptAuthority(dataDir: string): Tls | undefined {
  try {
    return { cert: readFileSync(authorityFile(dataDir), "utf8"), key: readFileSync(keyFile(dataDir), "utf8") };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function newAuthority(dataDir: string, clock: Clock): Promise<Tls> {
  const { cert, private: key } = await generate([{ name: "commonName", value: "Flywheel authority" }], {
    ...validity(clock, TLS_AUTHORITY_VALID_MS),
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  mkdirSync(dirname(authorityFile(dataDir)), { recursive: true, mode: 0o700 });
  // The key first: an authority without its key would be of no use to anyone, the other way round it is made again.
  writeFileSync(keyFile(dataDir), key, { mode: 0o600 });
  chmodSync(keyFile(dataDir), 0o600); // also where a former attempt has left it
  writeFileSync(authorityFile(dataDir), cert);
  return { cert, key };
}

async function signed(authority: Tls, host: string, clock: Clock): Promise<Tls> {
  const names = ["localhost", hostname()].map((value) => ({ type: 2 as const, value }));
  const addresses = ["127.0.0.1", "::1", ...(isLoopback(host) || !/^[\d.]+$|:/.test(host) ? [] : [host])];
  const { cert, private: key } = await generate([{ name: "commonName", value: "Flywheel" }], {
    ...validity(clock, TLS_CERTIFICATE_VALID_MS),
    ca: authority,
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: [...names, ...addresses.map((ip) => ({ type: 7 as const, ip }))] },
    ],
  });
  return { cert, key };
}

function validity(clock: Clock, validMs: number) {
  const now = clock.now();
  // Begins earlier for clients whose clocks are behind ours.
  return { notBeforeDate: new Date(now - 24 * 60 * 60_000), notAfterDate: new Date(now + validMs) };
}

type Generate = typeof import("selfsigned").generate;

/** Loaded only where it is wanted: most servers speak plain http to their own computer. */
async function generate(...[subject, options]: Parameters<Generate>): ReturnType<Generate> {
  const { default: selfsigned } = await import("selfsigned");
  return selfsigned.generate(subject, { keyType: "ec", algorithm: "sha256", ...options });
}
