import { expect, test } from "vitest";
import { machineInit } from "../../../controller/reconcilers/machine-init.ts";

test("the end of the user's own command is the machine's; the image's default command is outlived", () => {
  expect(machineInit({ sshPort: 2222, ownCommand: true })).toContain('exit "$code"');
  expect(machineInit({ sshPort: 2222, ownCommand: false })).not.toContain('exit "$code"');
});

test("sshd is asked for the port of the spec, and passwords never open it", () => {
  const script = machineInit({ sshPort: 2022, ownCommand: false });
  expect(script).toContain("-p 2022");
  expect(script).toContain("PasswordAuthentication=no");
});
