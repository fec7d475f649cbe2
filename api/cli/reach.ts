// Waiting until an object is as wished, with a limit, over a watch.

import { formatElapsed } from "./duration.ts";
import { Failure, TimeoutError } from "./failure.ts";
import { distance, type Goal, isMet } from "./goal.ts";
import type { ApiObject } from "./object.ts";
import { displayName } from "./output.ts";
import type { ResourceType } from "./resources.ts";
import type { Session } from "./session.ts";
import { deadline } from "./terminal.ts";
import { followObject } from "./watch.ts";

export interface Subject {
  readonly type: ResourceType;
  readonly namespace: string;
  readonly name: string;
  /** When known: another object of the same name is not this one. */
  readonly uid?: string | undefined;
}

/** Rejects with TimeoutError after `timeoutMs` (0: never), saying what is in the way. */
export async function reach(session: Session, subject: Subject, goal: Goal, timeoutMs: number): Promise<void> {
  const shown = displayName(subject.type, subject.name);
  let last: ApiObject | undefined;
  const expired = new TimeoutError();
  const limit = deadline(session.terminal, timeoutMs, session.terminal.interrupted, expired);
  try {
    let uid = subject.uid;
    for await (const seen of followObject(session, subject.type, subject.name, subject.namespace, limit.signal)) {
      uid ??= seen?.metadata.uid;
      const object = seen?.metadata.uid === uid ? seen : undefined;
      if (isMet(goal, object)) return;
      if (object === undefined) {
        throw new Failure(
          last ? `${shown} was deleted meanwhile` : `${shown} not found in namespace ${subject.namespace}`,
        );
      }
      last = object;
    }
  } catch (error) {
    if (error !== expired) throw error;
    const wish =
      goal.kind === "delete"
        ? "to be gone"
        : goal.kind === "condition"
          ? `for ${goal.type}=${goal.status}`
          : `for ${goal.path}`;
    throw new TimeoutError(`${shown}: waited ${formatElapsed(timeoutMs)} ${wish}; ${distance(goal, last)}`);
  } finally {
    limit.cancel();
  }
}
