// What is wrong with an object by its schema, and how that is said.
import { beforeEach, describe, expect, test } from "vitest";
import { nearest } from "../../../controller/admission/known-keys.ts";
import { instanceKind } from "../../../crds/instance.ts";
import { type Admitted, admitted, causesAgainst, DEFAULT_KEY, kindNamed, manifest } from "./admitted.ts";

let door: Admitted;
beforeEach(async () => {
  door = await admitted();
});

const LABEL =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc')";

describe("a cause names the field, the value and the remedy", () => {
  test.each([
    {
      reason: "a slip of the hand",
      spec: { imagee: "x" },
      cause: ["UnknownField", "spec.imagee", 'unknown field, did you mean "image"?'],
    },
    {
      reason: "two letters swapped, deeper down",
      spec: { rootfs: { presist: "Always" } },
      cause: ["UnknownField", "spec.rootfs.presist", 'unknown field, did you mean "persist"?'],
    },
    {
      reason: "a slip in a list",
      spec: { files: [{ guest_path: "/a", raw_value: "", mod: 1 }] },
      cause: ["UnknownField", "spec.files[0].mod", 'unknown field, did you mean "mode"?'],
    },
    { reason: "nothing near", spec: { wibble: 1 }, cause: ["UnknownField", "spec.wibble", "unknown field"] },
    {
      reason: "a forgotten pair of quotes",
      spec: { env: { PORT: 8080 } },
      cause: [
        "FieldValueTypeInvalid",
        "spec.env.PORT",
        "Invalid value: 8080: must be of type string; put it in quotes",
      ],
    },
    {
      reason: "an object where a secret may be",
      spec: { env: { TOKEN: { value: "hunter2" } } },
      cause: ["FieldValueTypeInvalid", "spec.env.TOKEN", "Invalid value: (hidden): must be of type string"],
    },
    {
      reason: "a file that is not base64",
      spec: { files: [{ guest_path: "/a", raw_value: "hunter2!" }] },
      cause: ["FieldValueInvalid", "spec.files[0].raw_value", "Invalid value: (hidden): must be base64"],
    },
    {
      reason: "a list that is no list",
      spec: { fallbackRegions: "ord" },
      cause: ["FieldValueTypeInvalid", "spec.fallbackRegions", 'Invalid value: "ord": must be of type array'],
    },
    {
      reason: "half a file mode",
      spec: { files: [{ guest_path: "/a", raw_value: "", mode: 1.5 }] },
      cause: ["FieldValueTypeInvalid", "spec.files[0].mode", "Invalid value: 1.5: must be of type integer"],
    },
    {
      reason: "a word that is not one of a few",
      spec: { operatingMode: "running" },
      cause: [
        "FieldValueNotSupported",
        "spec.operatingMode",
        'Unsupported value: "running": supported values: "Running", "Suspended", "Stopped"',
      ],
    },
    {
      reason: "a required field",
      spec: { idle: {} },
      cause: ["FieldValueRequired", "spec.idle.after", "Required value: must be of type string"],
    },
    {
      reason: "a duration without a unit",
      spec: { ttl: "90" },
      cause: [
        "FieldValueInvalid",
        "spec.ttl",
        'Invalid value: "90": must be a duration such as "30s", "10m" or "1h30m"',
      ],
    },
    {
      reason: "a reserved variable",
      spec: { env: { PATH: "/bin" } },
      cause: [
        "FieldValueInvalid",
        "spec.env",
        'Invalid value: "PATH": is reserved: PATH, HOME, SHELL, IFS, ENV, BASH_ENV, LD_* and FLYWHEEL_* cannot be set',
      ],
    },
    {
      reason: "an empty command",
      spec: { command: [] },
      cause: ["FieldValueInvalid", "spec.command", "Invalid value: []: must have at least 1 item"],
    },
    {
      reason: "a number too small",
      spec: { ssh: { port: 0 } },
      cause: ["FieldValueInvalid", "spec.ssh.port", "Invalid value: 0: must be at least 1"],
    },
    {
      reason: "a text too long",
      spec: { image: "x".repeat(513) },
      cause: ["FieldValueTooLong", "spec.image", "Too long: may not be more than 512 characters"],
    },
    {
      reason: "NUL, where a program's argument would end",
      spec: { command: ["true", "a\0b"] },
      cause: ["FieldValueInvalid", "spec.command[1]", "Invalid value: (hidden): must not contain the character NUL"],
    },
    {
      reason: "half a surrogate pair, which Fly would make another character of",
      spec: { env: { A: "\ud83d" } },
      cause: ["FieldValueInvalid", "spec.env.A", "Invalid value: (hidden): must be well-formed Unicode"],
    },
    {
      reason: "a key that JavaScript's objects lose",
      spec: { env: JSON.parse('{"__proto__": "lost"}') },
      cause: ["FieldValueInvalid", "spec.env", 'Invalid value: (hidden): no key may be "__proto__"'],
    },
    {
      reason: "a path that leads elsewhere",
      spec: { files: [{ guest_path: "/srv/../etc/flywheel/init", raw_value: "" }] },
      cause: [
        "FieldValueInvalid",
        "spec.files[0].guest_path",
        'Invalid value: "/srv/../etc/flywheel/init": must be the path of a file, without empty, . or .. parts',
      ],
    },
    {
      reason: "a required field that is null",
      spec: { idle: { after: null } },
      cause: ["FieldValueRequired", "spec.idle.after", "Required value: must be of type string"],
    },
    {
      reason: "null in a list, where nothing else can be meant",
      spec: { command: [null] },
      cause: ["FieldValueTypeInvalid", "spec.command[0]", "Invalid value: null: must be of type string"],
    },
    {
      reason: "too many entries",
      spec: { env: Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`A${index}`, ""])) },
      cause: ["FieldValueInvalid", "spec.env", "Invalid value: (hidden): must have at most 1000 entries"],
    },
  ])("$reason", async ({ spec, cause: [reason, field, message] }) => {
    expect(await causesAgainst(door.admission.create(instanceKind, manifest("Instance", spec)))).toEqual([
      { reason, field, message },
    ]);
  });

  test("a field that is null is one that is not set, also in a patch that leaves others alone", async () => {
    const spec = { env: { A: "a", B: null }, operatingMode: null, idle: null, ttl: "1h" };
    const { spec: stored } = await door.admission.create(instanceKind, manifest("Instance", spec));
    expect(stored).toMatchObject({ env: { A: "a" }, operatingMode: "Running", ttl: "1h" });
    expect(stored).not.toHaveProperty("idle");
    expect(stored.env).not.toHaveProperty("B");
  });

  test("whoever makes ten thousand mistakes is told of some and how many more", async () => {
    const env = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`A${index}`, index]));
    const refused = door.admission.create(instanceKind, manifest("Instance", { env }));
    await expect(refused).rejects.toThrow(/and 99\d\d more\]$/);
    await expect(refused).rejects.toMatchObject({ causes: { length: 64 } });
  });

  test("all causes come together", async () => {
    const causes = await causesAgainst(
      door.admission.create(instanceKind, manifest("Instance", { memoryMb: "x", ttl: 1 })),
    );
    expect(causes.map((cause) => cause.field)).toEqual(["spec.memoryMb", "spec.ttl"]);
  });
});

describe("metadata", () => {
  test.each([
    {
      reason: "upper case",
      metadata: { name: "Bad" },
      field: "metadata.name",
      message: `Invalid value: "Bad": ${LABEL}`,
    },
    {
      reason: "64 characters",
      metadata: { name: "x".repeat(64) },
      field: "metadata.name",
      message: `Invalid value: "${"x".repeat(64)}": must be no more than 63 characters`,
    },
    {
      reason: "no name at all",
      metadata: { name: undefined },
      field: "metadata.name",
      message: "Required value: name or generateName is required",
    },
    {
      reason: "a name that cannot be generated",
      metadata: { name: undefined, generateName: "Bad-" },
      field: "metadata.generateName",
      message: `Invalid value: "Bad-": ${LABEL}`,
    },
    {
      reason: "a label value with a space",
      metadata: { labels: { a: "b c" } },
      field: "metadata.labels",
      message: expect.stringContaining('Invalid value: "b c": a valid label must be'),
    },
    {
      reason: "a label key with two slashes",
      metadata: { labels: { "a/b/c": "x" } },
      field: "metadata.labels",
      message: expect.stringContaining("'/' at most"),
    },
    {
      reason: "a label that is a boolean",
      metadata: { labels: { a: true } },
      field: "metadata.labels.a",
      message: "Invalid value: true: must be of type string; put it in quotes",
    },
    {
      reason: "an annotation key without a name",
      metadata: { annotations: { "a/": "x" } },
      field: "metadata.annotations",
      message: expect.stringContaining("name part"),
    },
    {
      reason: "annotations of more than 256 KiB",
      metadata: { annotations: { a: "x".repeat(262_144) } },
      field: "metadata.annotations",
      message: "Too long: may not be more than 262144 bytes in all",
    },
    {
      reason: "a finalizer without a domain",
      metadata: { finalizers: ["mine"] },
      field: "metadata.finalizers[0]",
      message: `Invalid value: "mine": must be fully qualified, such as 'example.com/name'`,
    },
    {
      reason: "an owner without a uid",
      metadata: { ownerReferences: [{ apiVersion: "v1", kind: "X", name: "x", uid: "" }] },
      field: "metadata.ownerReferences[0].uid",
      message: "Required value: must not be empty",
    },
    {
      reason: "two controllers",
      metadata: {
        ownerReferences: ["a", "b"].map((name) => ({ apiVersion: "v1", kind: "X", name, uid: name, controller: true })),
      },
      field: "metadata.ownerReferences",
      message: expect.stringContaining("only one reference can have controller set to true"),
    },
    {
      reason: "a slip in metadata",
      metadata: { label: {} },
      field: "metadata.label",
      message: 'unknown field, did you mean "labels"?',
    },
  ])("$reason is refused", async ({ metadata, field, message }) => {
    expect(await causesAgainst(door.admission.create(instanceKind, manifest("Instance", {}, metadata)))).toMatchObject([
      { field, message },
    ]);
  });

  test("a name of 63 and a generated one from a longer base are fine", async () => {
    const long = await door.admission.create(instanceKind, manifest("Instance", {}, { name: "x".repeat(63) }));
    expect(long.metadata.name).toHaveLength(63);
    const made = await door.admission.create(
      instanceKind,
      manifest("Instance", {}, { name: undefined, generateName: "y".repeat(80) }),
    );
    expect(made.metadata.name).toMatch(/^y{58}[a-z0-9]{5}$/);
  });

  test("an event may be named after its object with a suffix", async () => {
    const metadata = { name: "box.17abc", namespace: "default" };
    const event = { apiVersion: "v1", kind: "Event", metadata, involvedObject: { name: "box" } };
    expect((await door.admission.create(kindNamed("Event"), event)).metadata.name).toBe("box.17abc");
  });
});

describe("unknown fields by leniency", () => {
  const object = manifest("Instance", { imagee: "x", rootfs: { keep: 1 } });

  test("Warn takes them out and tells of each", async () => {
    const warnings: string[] = [];
    const made = await door.admission.create(instanceKind, object, {
      fieldValidation: "Warn",
      warn: (text) => warnings.push(text),
    });
    expect(warnings.sort()).toEqual([
      'unknown field "spec.imagee", did you mean "image"?',
      'unknown field "spec.rootfs.keep"',
    ]);
    expect([made.spec.rootfs, "imagee" in made.spec]).toEqual([{ persist: "Never" }, false]);
  });

  test("Ignore takes them out silently, and leaves what the caller holds alone", async () => {
    await door.admission.create(instanceKind, object, { fieldValidation: "Ignore" });
    expect(object).toMatchObject({ spec: { imagee: "x" } });
  });

  test("other causes are still refused", async () => {
    const write = door.admission.create(instanceKind, manifest("Instance", { imagee: "x", ttl: "1" }), {
      fieldValidation: "Ignore",
    });
    expect(await causesAgainst(write)).toMatchObject([{ field: "spec.ttl" }]);
  });
});

describe("what was admitted once", () => {
  test("is not judged again while only metadata changes", async () => {
    const { store, admission } = door;
    // Stored when there was no rule against it.
    const old = manifest(
      "Instance",
      { size: "gone-1x", rootfs: { persist: "Never" } },
      { finalizers: ["example.com/f"] },
    );
    await store.create(instanceKind, () => old as never); // deliberately no valid instance
    const without = await admission.update(instanceKind, DEFAULT_KEY, (current) => ({
      ...current,
      metadata: { ...current.metadata, finalizers: [] },
    }));
    expect(without.metadata.finalizers).toBeUndefined();
    const changed = admission.update(instanceKind, DEFAULT_KEY, (current) => ({
      ...current,
      spec: { ...current.spec, ttl: "1h" },
    }));
    expect(await causesAgainst(changed)).toMatchObject([{ field: "spec.size" }]);
  });
});

test.each([
  ["imagee", "image"],
  ["mage", "image"],
  ["iamge", "image"],
  ["Image", "image"],
  ["memory", "memoryMb"],
  ["wibble", undefined],
  ["x", undefined],
])("nearest to %s is %s", (word, expected) => {
  expect(nearest(word, ["image", "memoryMb", "region"])).toBe(expected);
});

test("members are kept in the order that people read them in, whatever a write changes", async () => {
  await door.admission.create(instanceKind, manifest("Instance", {}));
  const labelled = await door.admission.update(instanceKind, DEFAULT_KEY, (current) => ({
    ...current,
    metadata: { ...current.metadata, labels: { team: "a" } },
  }));
  expect(Object.keys(labelled)).toEqual(["apiVersion", "kind", "metadata", "spec"]);
});
