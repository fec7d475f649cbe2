// Every scenario whose crash points are explored.
import { CHANGE_SCENARIOS } from "./changes.ts";
import { MACHINE_SCENARIOS } from "./machines.ts";
import { RUN_SCENARIOS } from "./runs.ts";
import type { Scenario } from "./scenario.ts";

export const SCENARIOS: readonly Scenario[] = [...MACHINE_SCENARIOS, ...CHANGE_SCENARIOS, ...RUN_SCENARIOS];
