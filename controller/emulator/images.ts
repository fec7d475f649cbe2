// The little that is known of images: no registry is asked, and every machine has this computer's programs.
import type { MachineConfig } from "../machines/wire.ts";

export interface ImageRef {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

/** Images whose own command is a shell: without a terminal it reads the end of its input and exits 0 at once. */
const SHELL_IMAGES: Readonly<Record<string, string>> = {
  ubuntu: "/bin/bash",
  debian: "/bin/bash",
  fedora: "/bin/bash",
  alpine: "/bin/sh",
  busybox: "/bin/sh",
};

/** Stands for the server that any other image would run. */
const SERVER = ["/bin/sh", "-c", "while :; do sleep 3600; done"];

export function imageRef(image: string, digestOf: (text: string) => string): ImageRef {
  const [name = "", digest] = image.split("@");
  const slash = name.lastIndexOf("/");
  const colon = name.indexOf(":", slash + 1);
  const path = colon === -1 ? name : name.slice(0, colon);
  const first = path.split("/")[0] ?? "";
  const hasRegistry = path.includes("/") && /[.:]|^localhost$/.test(first);
  const rest = hasRegistry ? path.slice(first.length + 1) : path;
  return {
    registry: hasRegistry ? first : "docker-hub-mirror.fly.io",
    repository: !hasRegistry && !rest.includes("/") ? `library/${rest}` : rest,
    tag: colon === -1 ? (digest ? "" : "latest") : name.slice(colon + 1),
    digest: digest ?? `sha256:${digestOf(image)}`,
  };
}

/** The argv of the machine's main process: `init.exec`, else entrypoint and cmd over those of the image. */
export function mainCommand(config: MachineConfig): readonly string[] {
  const { exec, entrypoint, cmd } = config.init ?? {};
  if (exec?.length) return exec;
  const given = [...(entrypoint ?? []), ...(cmd ?? [])];
  if (given.length > 0) return given;
  const { repository } = imageRef(config.image ?? "", () => "");
  const shell = SHELL_IMAGES[repository.replace(/^library\//, "")];
  return shell ? [shell] : SERVER;
}
