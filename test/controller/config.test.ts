import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ConfigError, readConfig, withDotEnv } from "../../controller/config.ts";

test("an empty environment is a server on loopback with the emulator", () => {
  const config = readConfig({});
  expect(config).toMatchObject({
    host: "127.0.0.1",
    port: 3000,
    controllers: "all",
    orphanPolicy: "Report",
    observeIntervalMs: 5000,
  });
  expect(config.fly).toMatchObject({
    token: undefined,
    baseUrl: "https://api.machines.dev",
    app: "lightfast-worker-instances",
  });
});

test.each([
  [{ PORT: "70000" }, /^PORT=70000: /],
  [{ PORT: "http" }, /^PORT=http: /],
  [{ DEFAULT_MACHINE_SIZE: "huge" }, /^DEFAULT_MACHINE_SIZE=huge: must be one of shared-cpu-1x, /],
  [{ DEFAULT_MEMORY_MB: "300" }, /^DEFAULT_MEMORY_MB=300: must be a multiple of 256 MiB/],
  [{ OBSERVE_INTERVAL: "5" }, /^OBSERVE_INTERVAL=5: must be a duration/],
  [{ CONTROLLERS: "some" }, /^CONTROLLERS=some: must be one of all, none/],
  [{ DATABASE_URL: "mysql://x" }, /^DATABASE_URL=mysql:\/\/x: must begin with sqlite:/],
  [{ API_KEY: "short" }, /^API_KEY=\(hidden\): must have 8 characters/],
  [{ TLS_CERT_FILE: "tls.crt" }, /^TLS_CERT_FILE is set and TLS_KEY_FILE is not/],
  [{ TLS: "yes" }, /^TLS=yes: must be one of self-signed/],
  [{ TLS: "self-signed", TLS_CERT_FILE: "a", TLS_KEY_FILE: "b" }, /exclude each other/],
  [{ HOST: "0.0.0.0" }, /^HOST=0\.0\.0\.0: refusing to listen beyond this computer without API_KEY/],
])("%o stops with one line that names it", (environment, message) => {
  expect(() => readConfig(environment)).toThrow(ConfigError);
  expect(() => readConfig(environment)).toThrow(message);
});

test("every bad variable is named, not only the first", () => {
  expect(() => readConfig({ PORT: "x", LOG_LEVEL: "loud" })).toThrow(/PORT=x.*\n.*LOG_LEVEL=loud/);
});

test("beyond loopback needs a key, and has one", () => {
  expect(readConfig({ HOST: "::", API_KEY: "0123456789" }).host).toBe("::");
});

test("an empty variable is an absent one", () => {
  expect(readConfig({ API_KEY: "", FLY_API_TOKEN: "" })).toMatchObject({
    apiKey: undefined,
    fly: { token: undefined },
  });
});

test("a .env file is read, and the environment wins over it", () => {
  const folder = mkdtempSync(join(tmpdir(), "flywheel-env-"));
  const file = join(folder, ".env");
  writeFileSync(file, '# comment\nPORT=4000\nexport DEFAULT_REGION="ord"\nLOG_LEVEL=warn # quiet\n');
  const environment = withDotEnv({ PORT: "5000" }, file);
  rmSync(folder, { recursive: true });
  expect(environment).toEqual({ PORT: "5000", DEFAULT_REGION: "ord", LOG_LEVEL: "warn" });
  expect(withDotEnv({ A: "1" }, file)).toEqual({ A: "1" });
});
