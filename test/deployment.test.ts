// fly.toml, the Dockerfile and .env.example say what the code does. No container engine is needed: these are the facts
// that drift when someone renames a script, a folder, a port or a variable.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readConfig, VARIABLES } from "../controller/config.ts";
import { SHUTDOWN_MS } from "../controller/limits.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const project: { scripts: Record<string, string>; dependencies: Record<string, string> } = JSON.parse(
  read("package.json"),
);

describe("fly.toml", () => {
  const toml = parseToml(read("fly.toml"));
  const environment = Object.fromEntries(Object.entries(toml.env ?? {}).map(([name, value]) => [name, String(value)]));

  test("is the app of the contract, in its region, and names a Dockerfile that exists", () => {
    expect(toml[""]).toMatchObject({ app: "lightfast-workflow-orchestrator", primary_region: "iad" });
    expect(existsSync(join(ROOT, String(toml.build?.dockerfile)))).toBe(true);
  });

  test("its environment is one that the server accepts, once the key is set", () => {
    expect(Object.keys(environment).filter((name) => !VARIABLES.includes(name))).toEqual([]);
    const config = readConfig({ ...environment, API_KEY: "a-key-of-some-length" });
    expect(config.host).toBe("::");
    expect(() => readConfig(environment)).toThrow(/API_KEY/);
  });

  test("the proxy and the check reach the port that the server listens on", () => {
    expect(String(toml.http_service?.internal_port)).toBe(environment.PORT);
    expect(toml["http_service.checks"]).toMatchObject({ method: "GET", path: "/health" });
  });

  test("data is on the volume", () => {
    expect(environment.DATA_DIR).toBe(toml.mounts?.destination);
  });

  test("a controller is never stopped for want of requests, and always restarted", () => {
    expect(toml.http_service).toMatchObject({ auto_stop_machines: "off", min_machines_running: 1 });
    expect(toml.restart?.policy).toBe("always");
  });

  test("SIGTERM is given more time than a shutdown takes", () => {
    expect(toml[""]?.kill_signal).toBe("SIGTERM");
    expect(Number.parseInt(String(toml[""]?.kill_timeout), 10) * 1000).toBeGreaterThan(SHUTDOWN_MS);
  });
});

describe("Dockerfile", () => {
  const lines = read("manifests/images/Dockerfile").replaceAll("\\\n", " ").split("\n");
  const copied = lines
    .filter((line) => line.startsWith("COPY ") && !line.includes("--from="))
    .flatMap((line) => line.split(/\s+/).slice(1, -1));
  const allowed = read(".dockerignore")
    .split("\n")
    .filter((line) => line.startsWith("!"))
    .map((line) => line.slice(1));

  test("copies what exists, and .dockerignore lets exactly that through", () => {
    expect(copied.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect([...allowed].sort()).toEqual([...copied].sort());
    expect(read(".dockerignore").split("\n")).toContain("*");
  });

  test("runs scripts and packages that exist", () => {
    const text = lines.join("\n");
    const scripts = [...text.matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1] ?? "");
    const rebuilt = [...text.matchAll(/npm rebuild ([\w-]+)/g)].map((match) => match[1] ?? "");
    expect(scripts.filter((name) => !(name in project.scripts))).toEqual([]);
    expect(rebuilt.filter((name) => !(name in project.dependencies))).toEqual([]);
    expect(scripts.length * rebuilt.length).toBeGreaterThan(0);
  });

  test("starts and links what the build makes", () => {
    const built = Object.values(project.scripts).flatMap((script) => /--outfile=(\S+)/.exec(script)?.[1] ?? []);
    const used = [...lines.join("\n").matchAll(/dist\/[\w.]+/g)].map(([path]) => path);
    expect(used.filter((path) => !built.includes(path))).toEqual([]);
    expect(used).toContain("dist/main.js");
  });

  test("gives the signal to the server itself", () => {
    const command = lines.find((line) => line.startsWith("CMD "));
    const script: string = JSON.parse(command?.slice(4) ?? "[]")[2];
    const starts = [...script.matchAll(/(\S+ )?(?:setpriv [^;]*-- )?node dist\/main\.js/g)].map((match) => match[1]);
    expect(starts).toEqual(["exec ", "exec "]);
  });
});

describe(".env.example", () => {
  const examples = [...read(".env.example").matchAll(/^#([A-Z_]+)=(.*)$/gm)].map(([, name = "", value = ""]) => ({
    name,
    value,
  }));

  test("names every variable that is read, and no other", () => {
    expect(examples.map(({ name }) => name).sort()).toEqual([...VARIABLES].sort());
  });

  test("shows values that are accepted", () => {
    const environment = Object.fromEntries(examples.map(({ name, value }) => [name, value]));
    expect(() => readConfig(environment)).not.toThrow();
  });

  test("shows the defaults where there are any", () => {
    const { databaseFile, dataDir, defaults, port, host, observeIntervalMs, orphanPolicy, logLevel, controllers } =
      readConfig({});
    const shown = readConfig(Object.fromEntries(examples.map(({ name, value }) => [name, value])));
    const plain = {
      databaseFile,
      dataDir,
      defaults,
      port,
      host,
      observeIntervalMs,
      orphanPolicy,
      logLevel,
      controllers,
    };
    expect(shown).toMatchObject(plain);
    expect({ ...shown.fly, organization: undefined }).toEqual(readConfig({}).fly);
    expect(shown.ssh.timeoutMs).toBe(readConfig({}).ssh.timeoutMs);
  });
});

/** As much of TOML as fly.toml uses; anything else is an error. The root table is "". */
function parseToml(text: string): Record<string, Record<string, string | number | boolean> | undefined> {
  const tables: Record<string, Record<string, string | number | boolean>> = { "": {} };
  let table = "";
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const header = /^\[{1,2}([\w.]+)\]{1,2}$/.exec(line)?.[1];
    const pair = /^(\w+) = ("[^"]*"|\d+|true|false)(?:\s+#.*)?$/.exec(line);
    if (header !== undefined) {
      if (tables[header]) throw new Error(`table ${header} is given twice`);
      table = header;
      tables[table] = {};
    } else if (pair?.[1] !== undefined && pair[2] !== undefined) {
      const values = tables[table] ?? {};
      if (pair[1] in values) throw new Error(`${table}.${pair[1]} is given twice`);
      values[pair[1]] = JSON.parse(pair[2]);
    } else {
      throw new Error(`cannot read "${line}"`);
    }
  }
  return tables;
}
