// The emulator's bearer token when nobody gives one: random, kept where the machines are, readable by its owner alone.
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { makeFolder } from "../kernel/folder.ts";

/** The same again for the same directory; a new one each time without. */
export async function keptToken(stateDir: string | undefined): Promise<string> {
  const made = randomBytes(24).toString("base64url");
  if (stateDir === undefined) return made;
  const path = join(resolve(stateDir), "token");
  makeFolder(resolve(stateDir));
  try {
    await writeFile(path, made, { mode: 0o600, flag: "wx" });
    return made;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    return (await readFile(path, "utf8")).trim();
  }
}
