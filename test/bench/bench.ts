// `npm run bench`: measures what the design promises of speed, on this computer and with the emulator. JSON on standard
// output, progress on standard error; ends by itself and leaves nothing.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { creates } from "./creates.ts";
import { delay } from "./delay.ts";
import { idle } from "./idle.ts";
import { lists } from "./lists.ts";
import type { Bench, Figure } from "./measure.ts";
import { type Options, readOptions, type Section, USAGE } from "./options.ts";
import { buildProcesses } from "./processes.ts";
import { ready } from "./ready.ts";
import { openScope, type Scope } from "./scope.ts";
import { watch } from "./watch.ts";

const MEASURES: Readonly<Record<Section, (bench: Bench) => Promise<Figure>>> = {
  creates,
  delay,
  ready,
  idle,
  lists,
  watch,
};

process.exitCode = await main();

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    return 2;
  }
  const scope = openScope();
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => reject(new Error(`ended by ${signal}`)));
  });
  try {
    const figures = await Promise.race([measure(options, scope), interrupted]);
    process.stdout.write(`${JSON.stringify({ where: where(), ...figures }, null, 2)}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await scope.close();
  }
}

async function measure(options: Options, scope: Scope): Promise<Partial<Record<Section, Figure>>> {
  const temporary = await mkdtemp(join(tmpdir(), "flywheel-bench-"));
  scope.onClose(() => rm(temporary, { recursive: true, force: true }));
  const processes = await buildProcesses(scope);
  const figures: Partial<Record<Section, Figure>> = {};
  for (const section of options.only) {
    const folder = join(temporary, section);
    await mkdir(folder);
    const own = openScope();
    scope.onClose(own.close);
    const say = (line: string) => void process.stderr.write(`${section}: ${line}\n`);
    const figure = await MEASURES[section]({ processes, folder, options, scope: own, say });
    await own.close();
    say(`${JSON.stringify(figure.value)}, target ${JSON.stringify(figure.target)}: ${figure.ok ? "ok" : "missed"}`);
    figures[section] = figure;
  }
  return figures;
}

/** What must stand beside figures for them to mean something. */
function where(): object {
  const [cpu] = cpus();
  return { cpu: cpu?.model, cores: availableParallelism(), node: process.version, platform: process.platform };
}
