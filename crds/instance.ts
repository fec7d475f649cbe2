// An instance says what machine should exist. What it says is the user's; what is true of the machine is in status.
import { z } from "zod";
import { DAY_MS, duration } from "./duration.ts";
import { MACHINE_SIZES } from "./machine-size.ts";
import { AGE_COLUMN, boundedMap, conditions, GROUP, type KindDef, type Resource, VERSION } from "./resource.ts";

const REGION = /^[a-z]{3}$/;
const region = z.string().regex(REGION, "must be a Fly region code of three letters, such as iad");

/** Names that a shell or our own protocol gives a meaning of its own; a value there could change what runs. */
const RESERVED_ENV = /^(PATH|HOME|SHELL|IFS|ENV|BASH_ENV|LD_.*|FLYWHEEL_.*)$/;
export const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
export const envName = z
  .string()
  .max(255)
  .regex(ENV_NAME, "must be letters, digits and _, and not begin with a digit")
  .refine(
    (name) => !RESERVED_ENV.test(name),
    "is reserved: PATH, HOME, SHELL, IFS, ENV, BASH_ENV, LD_* and FLYWHEEL_* cannot be set",
  );
/** Linux takes at most 128 KiB for one variable; a character has up to four bytes. */
export const envValue = z.string().max(32_768);
export const env = boundedMap(z.record(envName, envValue), 1000);

const file = z
  .strictObject({
    guest_path: z
      .string()
      .max(1024)
      .regex(/^\/./, "must be an absolute path")
      .refine(
        (path) =>
          !path
            .split("/")
            .slice(1)
            .some((part) => ["", ".", ".."].includes(part)),
        "must be the path of a file, without empty, . or .. parts",
      )
      .describe("Where the file appears on the machine."),
    raw_value: z.base64().max(700_000).describe("The content in base64."),
    mode: z.int().min(0).max(0o7777).optional().describe("Permission bits as a decimal number."),
  })
  .describe("A file that Fly writes at every boot.");

const port = z.int().min(1).max(65535);
const service = z.strictObject({
  protocol: z.enum(["tcp", "udp"]).describe("What the machine speaks on the port."),
  internal_port: port.describe("The port on the machine."),
  ports: z
    .array(
      z.strictObject({
        port: port.optional().describe("One port; or a range by start_port and end_port."),
        start_port: port.optional().describe("The first port of a range."),
        end_port: port.optional().describe("The last port of a range."),
        handlers: z
          .array(z.string().min(1).max(64))
          .max(16)
          .optional()
          .describe("Fly's handlers, such as http and tls."),
        force_https: z.boolean().optional().describe("Whether plain HTTP is redirected."),
      }),
    )
    .max(64)
    .optional()
    .describe("The ports that the proxy listens on."),
  autostop: z
    .enum(["off", "stop", "suspend"])
    .optional()
    .describe("What the proxy does with a machine without traffic."),
  autostart: z.boolean().optional().describe("Whether traffic starts a machine that is stopped."),
  min_machines_running: z.int().min(0).max(1000).optional().describe("How many machines the proxy leaves running."),
  concurrency: z
    .strictObject({
      type: z.enum(["connections", "requests"]).describe("What is counted."),
      soft_limit: z.int().min(1).max(1_000_000).optional().describe("Above it other machines are preferred."),
      hard_limit: z.int().min(1).max(1_000_000).optional().describe("Above it the machine gets nothing new."),
    })
    .optional()
    .describe("How much one machine is given."),
});

const restart = z.strictObject({
  policy: z.enum(["no", "always", "on-failure"]).describe("When the main process is started again."),
  max_retries: z.int().min(0).max(100).optional().describe("Of on-failure."),
});

export const instanceSpec = z.strictObject({
  image: z
    .string()
    .min(1)
    .max(512)
    .regex(/^\S+$/, "must not contain white space")
    .optional()
    .describe("Container image; DEFAULT_IMAGE when absent."),
  command: z
    .array(z.string().max(32_768))
    .min(1)
    .max(256)
    .optional()
    .describe("Runs in place of the image's own command, beside our init."),
  files: z.array(file).max(64).optional().describe("Files that Fly writes at every boot."),
  services: z.array(service).max(32).optional().describe("Fly's services: what its proxy exposes."),
  restart: restart
    .optional()
    .describe("Fly's restart policy; always when absent, so that a machine outlives its command."),
  region: region
    .optional()
    .describe("Fly region; DEFAULT_REGION when absent. Cannot change: moving a machine would lose its data."),
  fallbackRegions: z
    .array(region)
    .max(16)
    .optional()
    .describe("Tried in order while no machine exists and the region has no room."),
  size: z
    .enum([...MACHINE_SIZES.keys()])
    .optional()
    .describe("Fly's preset name; DEFAULT_MACHINE_SIZE when absent."),
  memoryMb: z.int().min(256).max(131_072).optional().describe("Memory in MiB; the preset's own when absent."),
  env: env.optional().describe("Environment of the image's command, of steps and execs."),
  rootfs: z
    .strictObject({
      persist: z.enum(["Always", "Restart", "Never"]).default("Never").describe("What the root file system outlives."),
    })
    .default({ persist: "Never" })
    .describe("Whether the root file system outlives a stop (Always, Restart) and an update (Always)."),
  operatingMode: z
    .enum(["Running", "Suspended", "Stopped"])
    .default("Running")
    .describe("What the machine should be doing."),
  idle: z
    .strictObject({
      after: duration(10_000, 30 * DAY_MS).describe("How long without a step or an exec."),
      action: z.enum(["Suspend", "Stop", "Delete"]).default("Suspend").describe("What then happens to the machine."),
    })
    .optional()
    .describe("What to do with a machine that nothing uses. The decision is kept in status; the spec stays yours."),
  ttl: duration(10_000, 365 * DAY_MS)
    .optional()
    .describe("The instance is deleted this long after its creation."),
  deletionPolicy: z
    .enum(["Delete", "Orphan"])
    .default("Delete")
    .describe("What becomes of the machine when the instance is deleted."),
  ssh: z
    .strictObject({ port: port.default(2222).describe("Where sshd listens on the machine.") })
    .default({ port: 2222 })
    .describe("How to reach the machine."),
});

/** Where the instance stands in making its machine; committed before every create call, so that a crash loses nothing. */
const provisioning = z.strictObject({
  incarnation: z.int().describe("Counts machines made for this instance; part of the machine's name."),
  machineName: z.string().describe("Computed from uid and incarnation, so that every attempt has the same."),
  region: z.string().describe("Where the machine is asked for now."),
  /** Set while the outcome of a create call is unknown. */
  requestedAt: z.string().optional().describe("When the create call whose outcome is unknown was sent."),
  createdAt: z.string().optional().describe("When the current machine was made, by our own clock."),
  failures: z.int().optional().describe("Machines that could not be made, or did not live, in a row."),
  retryAt: z.string().optional().describe("When the next machine may be tried."),
});

const seenMachine = z.strictObject({
  id: z.string().describe("Fly's id of the machine."),
  name: z.string().optional().describe("Fly's name of the machine."),
  state: z.string().describe("Fly's own word for it."),
  region: z.string().describe("Where it is."),
  privateIp: z.string().describe("Its address in the private network."),
  instanceId: z.string().describe("Fly's id of this version of the machine; changes with every update."),
  strangeKeys: z
    .literal(true)
    .optional()
    .describe("Its SSH keys were made with another secret than ours, so SSH is not used."),
});

const transition = z.strictObject({
  action: z.enum(["Update", "Replace", "Start", "Stop", "Suspend", "Restart"]).describe("What will be done."),
  fields: z.array(z.string()).optional().describe("The fields that differ."),
  message: z.string().describe("What will happen, and what it erases."),
  announcedAt: z.string().describe("Since when this is announced."),
});

export const instanceStatus = z.strictObject({
  observedGeneration: z.int().optional().describe("The generation of the spec that this status is about."),
  conditions: conditions.optional(),
  machine: seenMachine.optional().describe("The machine as it was last seen."),
  provisioning: provisioning.optional().describe("Where the making of the machine stands."),
  effectiveMode: z
    .enum(["Running", "Suspended", "Stopped"])
    .optional()
    .describe("operatingMode, unless idling or an acknowledged state overrides it."),
  pending: transition.optional().describe("A change that is announced and not yet made."),
  idle: z
    .strictObject({
      lastActivity: z.string().describe("When something was last active."),
      source: z.string().describe("What was active last."),
      actsAt: z.string().optional().describe("When the idle action happens if nothing else does."),
      blockers: z.array(z.string()).optional().describe("What keeps the instance busy now."),
      actedAt: z.string().optional().describe("When the idle action was taken; cleared by the next activity."),
    })
    .optional()
    .describe("How long nothing has used the machine, and what follows."),
  expiresAt: z.string().optional().describe("When ttl deletes the instance."),
  startup: z
    .strictObject({
      requested: z.string().optional().describe("When a machine was first asked for."),
      created: z.string().optional().describe("When Fly had made it."),
      started: z.string().optional().describe("When it ran."),
      ready: z.string().optional().describe("When it first answered."),
    })
    .optional()
    .describe("Written once each: how long the first machine took."),
  message: z.string().optional().describe("What is going on, for people."),
});

export type InstanceSpec = z.output<typeof instanceSpec>;
export type InstanceStatus = z.output<typeof instanceStatus>;
export type Instance = Resource<InstanceSpec, InstanceStatus, "Instance">;

export const instanceKind: KindDef<Instance> = {
  group: GROUP,
  version: VERSION,
  kind: "Instance",
  plural: "instances",
  singular: "instance",
  shortNames: ["inst"],
  categories: ["all", "fly"],
  scope: "Namespaced",
  description: "A Fly machine that should exist.",
  fields: { spec: instanceSpec, status: instanceStatus },
  columns: [
    { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: "Reason", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
    { name: "State", type: "string", jsonPath: ".status.machine.state", description: "Fly's state of the machine." },
    { name: "Region", type: "string", jsonPath: ".status.machine.region" },
    { name: "Machine", type: "string", jsonPath: ".status.machine.id", priority: 1 },
    { name: "Size", type: "string", jsonPath: ".spec.size", priority: 1 },
    { name: "Image", type: "string", jsonPath: ".spec.image", priority: 1 },
    { name: "Private IP", type: "string", jsonPath: ".status.machine.privateIp", priority: 1 },
    AGE_COLUMN,
  ],
  immutable: [
    {
      path: "spec.region",
      reason: "moving a machine to another region would lose its data; create another instance there",
    },
  ],
};
