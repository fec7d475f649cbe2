// What Fly would refuse, or what could never come to rest, in the part of a spec that a machine is made from. Instances have
// it, and so have the machines of a workflow.
import type { InstanceSpec } from "../../crds/instance.ts";
import { isOurs } from "../../crds/machine-files.ts";
import { guestOf, memoryProblem } from "../../crds/machine-size.ts";
import type { Cause } from "./admission.ts";
import { invalidValue } from "./causes.ts";

type MachineSpec = Pick<InstanceSpec, "size" | "memoryMb" | "files" | "services">;

/** Of a spec that stands at `field`. */
export function machineCauses(spec: MachineSpec, field: string): readonly Cause[] {
  return [...memoryCauses(spec, field), ...fileCauses(spec, field), ...serviceCauses(spec, field)];
}

function memoryCauses({ size, memoryMb }: MachineSpec, field: string): readonly Cause[] {
  if (memoryMb === undefined || size === undefined) return [];
  const problem = memoryProblem(size, memoryMb);
  if (!problem) return [];
  const remedy = `${problem}; leave it out for the size's own ${guestOf(size, undefined).memory_mb} MiB`;
  return [invalid(`${field}.memoryMb`, memoryMb, remedy)];
}

/** Fly keeps one file for a path, so that a second one would differ from what was asked for, for ever. */
function fileCauses({ files = [] }: MachineSpec, field: string): readonly Cause[] {
  const seen = new Set<string>();
  return files.flatMap(({ guest_path: path }, index) => {
    const at = `${field}.files[${index}].guest_path`;
    if (isOurs(path)) return [invalid(at, path, "this file is Flywheel's own; choose another path")];
    if (seen.has(path)) return [invalid(at, path, "another file has this path; paths are unique")];
    seen.add(path);
    return [];
  });
}

function serviceCauses({ services = [] }: MachineSpec, field: string): readonly Cause[] {
  return services.flatMap(({ ports = [], concurrency }, index) => {
    const at = `${field}.services[${index}]`;
    const { soft_limit: soft, hard_limit: hard } = concurrency ?? {};
    const limits =
      soft !== undefined && hard !== undefined && soft > hard
        ? [invalid(`${at}.concurrency.soft_limit`, soft, `must not be above hard_limit, which is ${hard}`)]
        : [];
    return [...ports.flatMap((port, each) => portCauses(port, `${at}.ports[${each}]`)), ...limits];
  });
}

type Port = NonNullable<NonNullable<InstanceSpec["services"]>[number]["ports"]>[number];

/** One port, or a range from its first to its last. */
function portCauses({ port, start_port: first, end_port: last }: Port, field: string): readonly Cause[] {
  if (port !== undefined && (first !== undefined || last !== undefined)) {
    return [forbidden(`${field}.port`, "port is one port, start_port and end_port are a range; keep one of the two")];
  }
  if (port !== undefined) return [];
  if (first === undefined && last === undefined) return [required(`${field}.port`, "or start_port with end_port")];
  if (first === undefined) return [required(`${field}.start_port`, "a range has both ends")];
  if (last === undefined) return [required(`${field}.end_port`, "a range has both ends")];
  return first <= last ? [] : [invalid(`${field}.start_port`, first, `must not be above end_port, which is ${last}`)];
}

function invalid(field: string, value: unknown, remedy: string): Cause {
  return { reason: "FieldValueInvalid", field, message: invalidValue(value, remedy) };
}

function required(field: string, remedy: string): Cause {
  return { reason: "FieldValueRequired", field, message: `Required value: ${remedy}` };
}

function forbidden(field: string, remedy: string): Cause {
  return { reason: "FieldValueForbidden", field, message: `Forbidden: ${remedy}` };
}
