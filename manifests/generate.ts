// `npm run generate` writes what is derived from the kinds: crds/, one CustomResourceDefinition each. With --check it writes
// nothing, and fails when something is stale.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { customResourceDefinition } from "../crds/definition.ts";
import { KINDS } from "../crds/kinds.ts";
import { GROUP, qualifiedResource } from "../crds/resource.ts";

const FOLDER = join(import.meta.dirname, "crds");
const HEADER = "# Generated from crds/ by `npm run generate`; do not edit.\n";

const wanted = new Map(
  KINDS.filter((kind) => kind.group === GROUP).map((kind) => [
    `${qualifiedResource(kind)}.yaml`,
    HEADER + stringify(customResourceDefinition(kind), { aliasDuplicateObjects: false, lineWidth: 120 }),
  ]),
);

mkdirSync(FOLDER, { recursive: true });
const present = new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(join(FOLDER, name), "utf8")]));
const stale = [...new Set([...wanted.keys(), ...present.keys()])].filter(
  (name) => wanted.get(name) !== present.get(name),
);

if (process.argv.includes("--check")) {
  for (const name of stale) console.error(`manifests/crds/${name} is stale: run \`npm run generate\``);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const name of stale) {
    const text = wanted.get(name);
    if (text === undefined) rmSync(join(FOLDER, name));
    else writeFileSync(join(FOLDER, name), text);
    console.log(`${text === undefined ? "removed" : "wrote"} manifests/crds/${name}`);
  }
}
