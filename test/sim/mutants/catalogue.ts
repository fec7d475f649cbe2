// All mutants. Each is a bug that a peer had, or one that the design rules out and that must be seen if it came.
import { KEEPING } from "./keeping.ts";
import { MAKING } from "./making.ts";
import type { Mutant } from "./mutant.ts";
import { RUNNING } from "./running.ts";
import { STORING } from "./storing.ts";

export const MUTANTS: readonly Mutant[] = [...MAKING, ...KEEPING, ...RUNNING, ...STORING];
