// Fly's refusal, for whoever wrote the spec: the field that it is about, so far as its words tell.

/** The first that matches counts; Fly names the parts of its own configuration. */
const FIELDS: readonly (readonly [said: RegExp, field: string])[] = [
  [/config\.image|manifest|\bimage\b/i, "image"],
  [/config\.guest\.memory/i, "memoryMb"],
  [/config\.(guest|size)|machine size/i, "size"],
  [/config\.files|guest_path/i, "files"],
  [/config\.services|internal_port|handlers?\b|concurrency/i, "services"],
  [/config\.restart/i, "restart"],
  [/config\.rootfs/i, "rootfs"],
  [/config\.env/i, "env"],
  [/config\.init/i, "command"],
  [/\bregion\b/i, "region"],
];

/** `spec.image: Fly refuses it: …`; what is about no field that we know stays as Fly says it. */
export function refusal(said: string): string {
  const field = FIELDS.find(([pattern]) => pattern.test(said))?.[1];
  return field === undefined ? said : `spec.${field}: Fly refuses it; change it and it is tried again at once: ${said}`;
}
