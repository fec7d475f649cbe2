// The simulator as one file, with one mutant in it: the same way for every mutant, and for none, which is the control.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "esbuild";
import { type Edited, mutated } from "./mutant.ts";

export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

const SEEDS = "test/sim/mutants/seeds.ts";

/** Packages stay outside: `outfile` must lie where they are found. */
export async function bundle(mutant: Edited | undefined, outfile: string, entry = SEEDS): Promise<void> {
  const left = new Set(mutant?.edits.map(({ file }) => file));
  const plugin: Plugin = {
    name: "mutant",
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const file = path.slice(ROOT.length);
        if (!mutant || !left.delete(file)) return undefined;
        return { contents: mutated(mutant, file, await readFile(path, "utf8")), loader: "ts" };
      });
    },
  };
  await build({
    entryPoints: [`${ROOT}${entry}`],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    outfile,
    plugins: [plugin],
    logLevel: "error",
  });
  if (left.size > 0) throw new Error(`mutant ${mutant?.name}: ${[...left].join(", ")} is no part of the simulation`);
}
