// Where the cloud keeps what it must find again: a file for each record, replaced by rename, or nothing at all.
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

export interface StateStore {
  /** All values under `kind`, by id. */
  load(kind: Kind): Promise<ReadonlyMap<string, unknown>>;
  /** Resolves when the value is on disk. Calls for one id take effect in order. */
  save(kind: Kind, id: string, value: unknown): Promise<void>;
  remove(kind: Kind, id: string): Promise<void>;
}

export type Kind = "apps" | "machines" | "volumes";

export const noStateStore: StateStore = {
  load: async () => new Map(),
  save: async () => {},
  remove: async () => {},
};

/** `<directory>/<kind>/<id>.json`. Files hold private keys: nobody else may read them. */
export function fileStateStore(directory: string): StateStore {
  const last = new Map<string, Promise<void>>();
  const path = (kind: Kind, id: string) => join(directory, kind, `${id}.json`);

  /** After whatever is under way for the same file, also when that failed. */
  function inOrder(file: string, work: () => Promise<void>): Promise<void> {
    const before = last.get(file) ?? Promise.resolve();
    const next = before.then(work, work);
    last.set(file, next);
    const forget = () => {
      if (last.get(file) === next) last.delete(file);
    };
    next.then(forget, forget);
    return next;
  }

  return {
    async load(kind) {
      const folder = join(directory, kind);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
      const values = await Promise.all(
        names.map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8"))),
      );
      return new Map(names.map((name, index) => [name.slice(0, -".json".length), values[index]]));
    },
    save(kind, id, value) {
      const text = JSON.stringify(value); // as it is now; the caller may change it while we write
      return inOrder(path(kind, id), async () => {
        const temporary = `${path(kind, id)}.new`;
        const file = await open(temporary, "w", 0o600);
        try {
          await file.writeFile(text);
        } finally {
          await file.close();
        }
        await rename(temporary, path(kind, id));
      });
    },
    remove: (kind, id) => inOrder(path(kind, id), () => rm(path(kind, id), { force: true })),
  };
}
