// The style guide runs as a test: layers, bans, names and dependencies. `npm run check` includes it.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix, relative } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = new URL("..", import.meta.url).pathname;
const SOURCES = ["crds", "controller", "api", "test"].flatMap((folder) => walk(join(ROOT, folder)));
const FILES = SOURCES.map((path) => ({ path: relative(ROOT, path), text: readFileSync(path, "utf8") }));

/** Lower layers first; a file may import its own folder and what stands before it here. */
const LAYERS = [
  "crds",
  "controller/kernel",
  "controller/store",
  "controller/admission",
  "controller/machines",
  "controller/transports",
  "controller/steps",
  "controller/runtime",
  "controller/reconcilers",
  "controller/gitops",
];

/** What stands beside the chain, with all that it may see. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  "controller/emulator": ["crds", "controller/kernel", "controller/machines", "controller/transports"],
  api: [
    "crds",
    "controller/kernel",
    "controller/store",
    "controller/admission",
    "controller/machines",
    "controller/transports",
    "controller/steps",
    "controller/runtime",
  ],
  "api/cli": [],
  "api/dashboard": [],
};

/** These compose everything or are seen by everything. */
const isRoot = (path: string) => /^controller\/([^/]+|emulator\/main)\.ts$/.test(path);
const LIMITS = "controller/limits.ts";

describe("layers", () => {
  test("a file imports its own folder and lower layers only", () => {
    expect(FILES.flatMap(({ path, text }) => forbiddenImports(path, text))).toEqual([]);
  });

  test("crds import zod only", () => {
    const packages = FILES.filter(({ path }) => path.startsWith("crds/")).flatMap(({ text }) =>
      importsOf(text).filter((each) => !each.startsWith(".")),
    );
    expect([...new Set(packages)]).toEqual(["zod"]);
  });

  test("limits import nothing", () => {
    expect(importsOf(FILES.find(({ path }) => path === LIMITS)?.text ?? "import 'missing'")).toEqual([]);
  });
});

describe("bans", () => {
  const effects: readonly [RegExp, string][] = [
    [/\bDate\.now\(/, "Date.now"],
    [/\bnew Date\(\)/, "new Date()"],
    [/\bMath\.random\(/, "Math.random"],
    [/\bset(Timeout|Interval)\(/, "timers"],
    [/\bperformance\.now\(/, "performance.now"],
    [/\bAbortSignal\.timeout\(/, "AbortSignal.timeout"],
    [/\brandomUUID\(/, "randomUUID"],
    [/(?<![.\w])fetch\(/, "global fetch"],
    [/\bprocess\.env\b/, "process.env"],
  ];
  const everywhere: readonly [RegExp, string][] = [
    [/catch\s*(\([^)]*\))?\s*\{\s*\}/, "empty catch"],
    [/[:<(,|]\s*any\b(?!\w)(?=[\s>,;)[\]=|])/, "any"],
    [/\b(test|it|describe)\.(skip|only|todo)\b/, "skipped or focused test"],
    [/@ts-(ignore|nocheck|expect-error)/, "type checker switched off"],
  ];

  test("time, chance, network and environment come in as arguments", () => {
    const files = FILES.filter(({ path }) => isPureZone(path));
    expect(files.flatMap((file) => violations(file, effects))).toEqual([]);
  });

  test("no escapes", () => {
    const files = FILES.filter(({ path }) => path !== "test/tidy.test.ts");
    expect(files.flatMap((file) => violations(file, everywhere))).toEqual([]);
  });
});

describe("names and packages", () => {
  test("files are kebab-case and named for what they hold", () => {
    const bad = /(^|\/)(utils?|helpers?|common|shared|misc|service|base|index)\.ts$/;
    const names = FILES.map(({ path }) => path).filter(
      (path) => bad.test(path) || !/(^|\/)[a-z0-9][a-z0-9.-]*\.ts$/.test(path),
    );
    expect(names).toEqual([]);
  });

  test("every dependency is imported and pinned exactly", () => {
    const manifest: {
      dependencies: Record<string, string>;
      devDependencies: Record<string, string>;
      scripts: Record<string, string>;
    } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const scripts = Object.values(manifest.scripts).join("\n");
    const binaries: Readonly<Record<string, string>> = { "@biomejs/biome": "biome", typescript: "tsc" };
    const unused = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).filter((name) => {
      if (name.startsWith("@types/")) return false;
      const imported = FILES.some(
        ({ path, text }) => path !== "test/tidy.test.ts" && new RegExp(`["']${name}(/[^"']*)?["']`).test(text),
      );
      return !imported && !new RegExp(`\\b${binaries[name] ?? name}\\b`).test(scripts);
    });
    expect(unused).toEqual([]);
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+/.test(version),
    );
    expect(loose).toEqual([]);
  });

  test("the lock file holds no registry address", () => {
    expect(readFileSync(join(ROOT, "package-lock.json"), "utf8")).not.toMatch(/"resolved"/);
  });
});

/** Unit and simulation tests, and all product code but the edges that are named here with their reason. */
function isPureZone(path: string): boolean {
  const edges = [
    /^controller\/kernel\//, // wraps time and chance
    /^controller\/(main|config)\.ts$/, // reads the environment
    /^controller\/emulator\/(guests|main)/, // real processes
    /^api\/(cli|dashboard)\//, // programs of their own
    /^test\/(e2e|bench|demo)\//, // run real things
    /^test\/sim\/(mutants\/)?main\.ts$/, // reads the environment and measures itself
    /^test\/(tidy\.test|vitest\.config|no-network)\.ts$/,
  ];
  return !edges.some((edge) => edge.test(path));
}

function forbiddenImports(path: string, text: string): string[] {
  if (path.startsWith("test/") || isRoot(path)) return [];
  const own = folderOf(path);
  const allowed = own in BESIDE ? [own, ...(BESIDE[own] ?? [])] : LAYERS.slice(0, LAYERS.indexOf(own) + 1);
  return importsOf(text)
    .filter((each) => each.startsWith("."))
    .map((each) => posix.join(posix.dirname(path), each))
    .filter((target) => target !== LIMITS && !allowed.includes(folderOf(target)))
    .map((target) => `${path} imports ${target}`);
}

/** The room a file belongs to: the longest known one that contains it. */
function folderOf(path: string): string {
  const rooms = [...LAYERS, ...Object.keys(BESIDE)].filter((room) => path.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? path;
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)\s(?:[^;"']*?\sfrom\s)?["']([^"']+)["']/gm)].map(
    (match) => match[1] ?? "",
  );
}

function violations({ path, text }: { path: string; text: string }, bans: readonly [RegExp, string][]): string[] {
  return text.split("\n").flatMap((line, index) => {
    const code = line.replace(/\/\/.*$|^\s*\*.*$/, "");
    return bans.filter(([pattern]) => pattern.test(code)).map(([, name]) => `${path}:${index + 1} ${name}`);
  });
}

function walk(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return walk(path);
    return name.endsWith(".ts") || name.endsWith(".tsx") ? [path] : [];
  });
}
