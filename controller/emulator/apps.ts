// The apps of the emulated organisations.
import type { Clock } from "../kernel/clock.ts";
import { ApiError, failed } from "./api-error.ts";

export interface AppRecord {
  readonly name: string;
  readonly organization: string;
  readonly network: string;
  readonly createdAt: number;
  readonly numericId: number;
  readonly idempotencyKey: string | undefined;
  deleted: boolean;
}

export interface NewApp {
  readonly name: string;
  readonly organization: string;
  readonly network?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const NOT_FOUND = "Could not find App";

export class Apps {
  readonly #clock: Clock;
  readonly #lagMs: number;
  readonly #byName = new Map<string, AppRecord>();

  constructor(clock: Clock, lagMs: number) {
    this.#clock = clock;
    this.#lagMs = lagMs;
  }

  /** As found on disk. */
  restore(app: AppRecord): void {
    this.#byName.set(app.name, app);
  }

  create(request: NewApp): AppRecord {
    const { name, organization, idempotencyKey } = request;
    if (!NAME.test(name)) {
      throw failed(422, "Validation failed: Name under 63 chars using numbers, lowercase letters and dashes");
    }
    const existing = this.#byName.get(name);
    if (existing && !existing.deleted) {
      if (idempotencyKey !== undefined && existing.idempotencyKey === idempotencyKey) return existing;
      throw failed(422, "Validation failed: Name has already been taken", "name_taken");
    }
    const app: AppRecord = {
      name,
      organization,
      network: request.network ?? "default",
      createdAt: this.#clock.now(),
      numericId: this.#byName.size + 1,
      idempotencyKey,
      deleted: false,
    };
    this.#byName.set(name, app);
    return app;
  }

  list(organization: string): readonly AppRecord[] {
    return [...this.#byName.values()].filter(
      (app) => !app.deleted && (app.organization === organization || organization === ""),
    );
  }

  /** Throws what the API answers for an app that is absent, or too new to be seen. */
  get(name: string): AppRecord {
    const app = this.#byName.get(name);
    if (!app || app.deleted) throw failed(404, NOT_FOUND);
    if (this.#clock.now() - app.createdAt < this.#lagMs) throw failed(404, NOT_FOUND);
    if (app.organization === FOREIGN) throw new ApiError(403, { error: "Not authorized to access this app" });
    return app;
  }
}

/** An organisation that the token has no right to: its apps exist, and are not ours. */
export const FOREIGN = "somebody-else";
