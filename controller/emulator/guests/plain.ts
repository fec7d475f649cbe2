// A machine as a plain child process with a directory of its own, where there is nothing better: no isolation at all.
// Its commands see this computer; HOME and the working directory are in the machine's directory, FLY_ROOT names it.
import type { GuestSpec } from "../guest.ts";
import type { MachineDirectory } from "./directory.ts";
import type { Launch, Sandbox } from "./sandbox.ts";

export function plain(hostPath: string): Sandbox {
  const launch = ({ root }: MachineDirectory, spec: GuestSpec, argv: readonly string[]): Launch => ({
    argv,
    cwd: `${root}/root`,
    env: {
      PATH: hostPath,
      HOME: `${root}/root`,
      TMPDIR: `${root}/tmp`,
      SHELL: "/bin/sh",
      LANG: "C.UTF-8",
      FLY_ROOT: root,
      ...spec.env,
    },
  });
  return {
    name: "plain",
    layers: 0,
    enterForks: false,
    prepare: async () => {},
    // A file of the configuration that is run is not where the configuration says, but beneath the machine's directory.
    boot: async (directory, spec) => {
      const files = new Set(spec.config.files?.map(({ guest_path }) => guest_path));
      return launch(
        directory,
        spec,
        spec.command.map((word) => (files.has(word) ? directory.root + word : word)),
      );
    },
    isUp: async () => true,
    enter: async (directory, spec, argv) => launch(directory, spec, argv),
  };
}
