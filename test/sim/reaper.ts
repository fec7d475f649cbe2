// Ends the process exactly where it is told to: counts the effects of each life and strikes at the points given, one for
// each life.
import type { Effect, Outside } from "./process.ts";

/** Before the effect; after it, when nobody was told; after its reply, before the commit that would write it down. */
export const MODES = ["before", "after", "reply"] as const;
export type Mode = (typeof MODES)[number];

export interface Point {
  /** Counted from 0: in the first life from `begin` on, in later ones from the start of the process. */
  readonly effect: number;
  readonly mode: Mode;
}

/** `12/after`: the effect by its number, and how. */
export function pointText({ effect, mode }: Point): string {
  return `${effect}/${mode}`;
}

export function parsePoint(text: string): Point {
  const [effect, given] = text.split("/");
  const mode = MODES.find((each) => each === given);
  if (!mode || !/^\d+$/.test(effect ?? "")) throw new TypeError(`a point is NUMBER/${MODES.join("|")}, not "${text}"`);
  return { effect: Number(effect), mode };
}

export interface SeenEffect {
  readonly name: string;
  readonly atMs: number;
}

export interface Reaper {
  readonly dies: Outside["dies"];
  /** From now on effects count. */
  begin(): void;
  /** No commit will come: what waits for one strikes before whatever effect is next. */
  strikeNext(): void;
  /** Points that have not been reached. */
  readonly left: number;
  /** The effects of each life. */
  readonly lives: readonly (readonly SeenEffect[])[];
}

export function createReaper(points: readonly Point[], nowMs: () => number): Reaper {
  const lives: SeenEffect[][] = [];
  const numbers = new Map<Effect, number>();
  let begun = false;
  let replied = false;
  let anyEffect = false;
  let reached = 0;

  function dies(effect: Effect, when: "before" | "after"): boolean {
    if (!begun) return false;
    const life = lives.at(-1) ?? [];
    if (when === "before") numbers.set(effect, life.push({ name: effect.name, atMs: nowMs() }) - 1);
    if (!strikes(effect, when)) return false;
    reached += 1;
    replied = false;
    numbers.clear();
    lives.push([]);
    return true;
  }

  function strikes(effect: Effect, when: "before" | "after"): boolean {
    if (replied) return when === "before" && (anyEffect || effect.name === "commit");
    const point = points[reached];
    if (!point || numbers.get(effect) !== point.effect) return false;
    if (point.mode === when) return true;
    replied = point.mode === "reply" && when === "after";
    return false;
  }

  return {
    dies,
    begin() {
      begun = true;
      lives.push([]);
    },
    strikeNext() {
      anyEffect = true;
    },
    get left() {
      return points.length - reached;
    },
    lives,
  };
}
