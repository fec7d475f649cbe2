// A machine of somebody else in the same app, made by another controller for an instance that is not here.
import type { MachineRecord } from "../../controller/emulator/machine-record.ts";
import { OWNER } from "../../controller/machines/wire.ts";

const CONTROLLER = "another-controller";

export const FOREIGN_METADATA = { [OWNER.uid]: "somebody-else", [OWNER.controller]: CONTROLLER };

export function isForeign({ config }: MachineRecord): boolean {
  return config.metadata?.[OWNER.controller] === CONTROLLER;
}
