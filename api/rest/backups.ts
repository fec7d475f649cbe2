// POST /api/backups: the whole database and its keys as one file, verified before the first byte is sent. It answers to
// whoever has full rights, and what it answers gives them for ever: the client keeps it as it would keep a private key.
import { withTimeout } from "../../controller/kernel/clock.ts";
import { BACKUP_MAX_MS } from "../../controller/limits.ts";
import { type Api, type ApiContext, type ApiOptions, endOf } from "../api.ts";
import { mount } from "../kube/resources.ts";

export function mountBackups(api: Api, options: ApiOptions): void {
  mount(api, "/api/backups", {
    post: async (c: ApiContext) => {
      const { manifest, bytes, sha256, content } = await withTimeout(
        options.clock,
        BACKUP_MAX_MS,
        "take a backup",
        endOf(c),
        options.backup,
      );
      const { takenAt, revision, objects, elsewhere } = manifest;
      const count = Object.values(objects).reduce((sum, each) => sum + each, 0);
      for (const each of elsewhere)
        c.header("warning", `299 flywheel "${each.replace(/[^ !#-~]/g, "?")} is kept elsewhere and not in the backup"`);
      return c.body(content, 200, {
        "content-type": "application/vnd.sqlite3",
        "content-length": String(bytes),
        "content-disposition": `attachment; filename="flywheel-${takenAt.replaceAll(/[-:]|\.\d+/g, "")}.db"`,
        "cache-control": "no-store",
        "repr-digest": `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`,
        "flywheel-backup": JSON.stringify({ takenAt, revision, objects: count }),
      });
    },
  });
}
