// What each field of an instance means at Fly, said a second time and independently of the controller: a field that is not
// named here is an error of the walk.
import { jsonEqual } from "../../controller/kernel/json.ts";
import type { MachineConfig } from "../../controller/machines/wire.ts";
import { type InstanceSpec, instanceSpec } from "../../crds/instance.ts";
import { find, liveMachines } from "./spec-walk-paths.ts";
import type { World } from "./world.ts";

type Meaning = (spec: InstanceSpec, config: MachineConfig) => boolean;

const OURS = 3;
const MIB_PER_CPU = { "shared-cpu": 256, performance: 2048 } as const;
/** Says nothing about the machine's configuration; what it does shows elsewhere. */
const elsewhere: Meaning = () => true;

const MEANINGS: Readonly<Record<keyof InstanceSpec, Meaning>> = {
  image: ({ image }, config) => config.image === image,
  command: ({ command = [] }, config) => jsonEqual(config.init?.cmd ?? [], command),
  files: ({ files = [] }, config) => jsonEqual((config.files ?? []).slice(OURS), files),
  services: ({ services = [] }, config) => jsonEqual(config.services ?? [], services),
  restart: ({ restart = { policy: "always" } }, config) => jsonEqual(config.restart, restart),
  size: ({ size = "", memoryMb }, { guest }) => {
    const [, kind, cpus] = /^(shared-cpu|performance)-(\d+)x$/.exec(size) ?? [];
    const usual = MIB_PER_CPU[kind as keyof typeof MIB_PER_CPU] * Number(cpus); // one of the two by the pattern
    return (
      guest?.cpus === Number(cpus) &&
      guest.memory_mb === (memoryMb ?? usual) &&
      kind?.startsWith(`${guest.cpu_kind}`) === true
    );
  },
  memoryMb: ({ memoryMb }, { guest }) => memoryMb === undefined || guest?.memory_mb === memoryMb,
  env: ({ env = {} }, config) => jsonEqual(config.env ?? {}, env),
  rootfs: ({ rootfs }, config) => config.rootfs?.persist === rootfs.persist.toLowerCase(),
  ssh: ({ ssh }, config) => text(config.files?.[0]?.raw_value).includes(` -p ${ssh.port} `),
  region: elsewhere,
  fallbackRegions: elsewhere,
  operatingMode: elsewhere,
  idle: elsewhere,
  ttl: elsewhere,
  deletionPolicy: elsewhere,
};

function text(base64: string | undefined): string {
  return Buffer.from(base64 ?? "", "base64").toString();
}

/** The fields that the machine of an instance does not show. */
export function unlike(world: World, name: string): readonly string[] {
  const instance = find(world, name);
  if (!instance) return [];
  const machines = liveMachines(world, name);
  const [machine] = machines;
  if (!machine || machines.length > 1) return [`has ${machines.length} machines`];
  const { spec } = instance;
  const wrong = Object.entries(MEANINGS).filter(([, means]) => !means(spec, machine.config));
  const regions = [spec.region, ...(spec.fallbackRegions ?? [])];
  return [
    ...wrong.map(([field]) => `spec.${field} is not so at Fly: ${JSON.stringify(machine.config).slice(0, 300)}`),
    ...(regions.includes(machine.region) ? [] : [`spec.region is not so at Fly: ${machine.region}`]),
    ...Object.keys(instanceSpec.shape)
      .filter((field) => !(field in MEANINGS))
      .map((field) => `the walk does not know what spec.${field} means at Fly`),
  ];
}
