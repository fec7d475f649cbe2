// A folder with all that leads to it. Node's own `recursive` never ends where a folder is there and nothing can be made in
// it, as in /proc: making one then fails with ENOENT, which it takes for a missing parent, over and over.
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** What is missing is made, for its owner alone. Throws the error of the system when it cannot be. */
export function makeFolder(path: string): void {
  if (isFolder(path)) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!isFolder(path)) throw error; // otherwise somebody else was faster
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
