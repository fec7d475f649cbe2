// The emulator's own records of every machine that it has ever made, read from its disk: asking it would use up the calls
// that the server needs, as Fly's limits are shared by all who hold a token.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { MachineRecord } from "../../../controller/emulator/machine-record.ts";

export type MadeMachine = Pick<MachineRecord, "id" | "name" | "phase" | "config">;

export function machinesFolder(stateDir: string): string {
  return join(stateDir, "machines");
}

export function machinesMade(stateDir: string): readonly MadeMachine[] {
  const folder = machinesFolder(stateDir);
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json")) // they are replaced by rename, so each is whole
    .map((name): MadeMachine => JSON.parse(readFileSync(join(folder, name), "utf8")));
}
