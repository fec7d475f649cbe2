// A lease keeps everybody but its holder from changing a machine until it ends or its time is over.
import { timestamp } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import { ApiError, failed } from "./api-error.ts";
import { leaseNonce } from "./ids.ts";
import type { Lease, MachineRecord } from "./machine-record.ts";

const OWNER = "emulator@tokens.fly.io";

export const DEFAULT_TTL_SECONDS = 30;

export function activeLease(record: MachineRecord, nowMs: number): Lease | undefined {
  return record.lease && record.lease.expiresAt > nowMs ? record.lease : undefined;
}

/** Throws 409 unless nobody holds the machine or `nonce` is the holder's. */
export function requireLease(record: MachineRecord, nonce: string | undefined, nowMs: number): void {
  const lease = activeLease(record, nowMs);
  if (!lease || lease.nonce === nonce) return;
  throw new ApiError(409, {
    status: "error",
    message: `machine ID ${record.id} lease currently held by ${lease.owner}, expires at ${timestamp(lease.expiresAt)}`,
  });
}

/** Takes the lease, or prolongs it for who holds it. */
export function takeLease(
  record: MachineRecord,
  request: { readonly ttlSeconds: number; readonly description: string; readonly nonce: string | undefined },
  nowMs: number,
  random: Random,
): Lease {
  requireLease(record, request.nonce, nowMs);
  const held = activeLease(record, nowMs);
  const lease: Lease = {
    nonce: held?.nonce ?? leaseNonce(random),
    owner: OWNER,
    description: request.description || held?.description || "",
    expiresAt: nowMs + request.ttlSeconds * 1000,
  };
  record.lease = lease;
  return lease;
}

export function releaseLease(record: MachineRecord, nonce: string | undefined, nowMs: number): void {
  if (!activeLease(record, nowMs)) throw failed(404, "lease not found");
  requireLease(record, nonce, nowMs);
  record.lease = undefined;
}

export function leaseView(record: MachineRecord, lease: Lease, withNonce: boolean): Record<string, unknown> {
  return {
    ...(withNonce ? { nonce: lease.nonce } : {}),
    expires_at: Math.floor(lease.expiresAt / 1000),
    owner: lease.owner,
    description: lease.description,
    version: record.version,
  };
}
