// The little of /etc that programs need to run: users, names, and how to resolve them.
import { readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { GuestSpec } from "../guest.ts";
import { writeInside } from "./directory.ts";

const COPIED = ["/etc/resolv.conf", "/etc/localtime", "/etc/services", "/etc/protocols", "/etc/ssl/openssl.cnf"];

export async function writeEtc(root: string, spec: GuestSpec): Promise<void> {
  const files: Readonly<Record<string, string>> = {
    "/etc/passwd": [
      "root:x:0:0:root:/root:/bin/bash",
      "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
      "",
    ].join("\n"),
    "/etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "/etc/hosts": `127.0.0.1 localhost\n::1 localhost\n${spec.privateIp} ${spec.id}\n`,
    "/etc/hostname": `${spec.id}\n`,
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "/etc/shells": "/bin/sh\n/bin/bash\n",
  };
  for (const [path, text] of Object.entries(files)) await writeInside(root, path, text, 0o644);
  for (const path of COPIED) {
    const content = await readFile(path).catch(() => undefined); // this computer has none
    if (content) await writeInside(root, path, content, 0o644);
  }
  await symlink("../usr/lib/os-release", join(root, "etc/os-release")).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}
