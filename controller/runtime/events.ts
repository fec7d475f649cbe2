// Events tell people what happened to an object. The same thing happening again is counted in one Event, so a loop that
// fails for hours leaves one line. Best effort: an Event that cannot be written never stops what it tells of.
import { createHash } from "node:crypto";
import { type Event, eventKind } from "../../crds/event.ts";
import { DEFAULT_NAMESPACE } from "../../crds/namespace.ts";
import type { AnyResource } from "../../crds/resource.ts";
import type { Admission } from "../admission/admission.ts";
import { type Clock, timestamp } from "../kernel/clock.ts";
import { messageOf } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import { AlreadyExistsError, NotFoundError } from "../store/errors.ts";

/** What an Event is about; a stored object, or a machine that no object owns. */
export interface Subject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Pick<AnyResource["metadata"], "name" | "namespace" | "uid">;
}

export interface Events {
  /** `reason` is CamelCase and stable; `message` is for people. */
  record(subject: Subject, type: "Normal" | "Warning", reason: string, message: string): Promise<void>;
}

export function createEvents(options: {
  readonly admission: Admission;
  readonly clock: Clock;
  readonly log: Log;
}): Events {
  const { admission, clock, log } = options;

  async function write(subject: Subject, type: "Normal" | "Warning", reason: string, message: string): Promise<void> {
    const namespace = subject.metadata.namespace ?? DEFAULT_NAMESPACE;
    const name = eventName(subject, type, reason, message);
    const now = timestamp(clock.now());
    try {
      await admission.create(eventKind, {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name, namespace },
        involvedObject: {
          apiVersion: subject.apiVersion,
          kind: subject.kind,
          namespace,
          name: subject.metadata.name,
          uid: subject.metadata.uid,
        },
        type,
        reason,
        message: message.slice(0, 8192),
        count: 1,
        firstTimestamp: now,
        lastTimestamp: now,
        reportingComponent: "flywheel",
        source: { component: "flywheel" },
      });
    } catch (error) {
      if (!(error instanceof AlreadyExistsError)) throw error;
      await admission.update(eventKind, { namespace, name }, (current: Event) => ({
        ...current,
        count: (current.count ?? 1) + 1,
        lastTimestamp: now,
      }));
    }
  }

  return {
    async record(subject, type, reason, message) {
      try {
        await write(subject, type, reason, message);
      } catch (error) {
        if (error instanceof NotFoundError) return; // it expired just now
        log.warn(
          { kind: subject.kind, name: subject.metadata.name, reason, error: messageOf(error) },
          "event not recorded",
        );
      }
    },
  };
}

/** The same event of the same object has the same name: that is how it is found and counted. */
function eventName(subject: Subject, ...parts: readonly string[]): string {
  const digest = createHash("sha256")
    .update([subject.kind, subject.metadata.uid, ...parts].join("\n"))
    .digest("hex")
    .slice(0, 12);
  return `${subject.metadata.name.slice(0, 48).replace(/[^a-z0-9]+$/, "")}.${digest}`;
}
