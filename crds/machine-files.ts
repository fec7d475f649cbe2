// The files of ours on a machine: what an instance may not write itself.

export const INIT_PATH = "/etc/flywheel/init";
export const HOST_KEY_PATH = "/etc/ssh/flywheel_host_ed25519_key";
export const AUTHORIZED_KEYS_PATH = "/root/.ssh/authorized_keys";

/** What our program at boot writes for itself is below here. */
export const RUN_FOLDER = "/run/flywheel";

export function isOurs(path: string): boolean {
  const folders = [RUN_FOLDER, INIT_PATH.slice(0, INIT_PATH.lastIndexOf("/"))];
  return path === HOST_KEY_PATH || path === AUTHORIZED_KEYS_PATH || folders.some((each) => path.startsWith(`${each}/`));
}
