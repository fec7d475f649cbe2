// A mutant is one bug, as data: pieces of production source and what stands in their place while the simulator is bundled
// for it. The source itself knows nothing of mutants, so what is simulated here is what runs in production, but for the bug.

/** An invariant of `../README.md`. */
export type Invariant =
  | "S1"
  | "S2"
  | "S4"
  | "S5"
  | "S7"
  | "S9"
  | "S10"
  | "S12"
  | "S13"
  | "L1"
  | "L2"
  | "L3"
  | "L4"
  | "E1"
  | "acknowledged"
  | "ready"
  | "assertion";

export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  /** What goes wrong. */
  readonly bug: string;
  /** Where it was seen: project and thread. `none` for a rule that every store or workflow engine has to keep. */
  readonly peer: string;
  /** Only a violation of one of these kills it: a mutant that merely crashes shows nothing. */
  readonly breaks: readonly Invariant[];
  readonly edits: readonly Edit[];
}

export type Edited = Pick<Mutant, "name" | "edits">;

/** The source of `file` with the bug in it; throws when it has changed under the mutant. */
export function mutated({ name, edits }: Edited, file: string, source: string): string {
  return edits
    .filter((edit) => edit.file === file)
    .reduce((text, { find, replace }) => {
      const pieces = text.split(find);
      if (pieces.length !== 2) {
        throw new Error(
          `stale mutant ${name}: its piece of ${file} occurs ${pieces.length - 1} times, not once:\n${find}`,
        );
      }
      return pieces.join(replace);
    }, source);
}
