// What Fly is to be left alone with for a while: calls of a kind that it has throttled, and a machine that it had no room
// for. The second holds across restarts, for it stands in status; the first a new process cannot know of.
import type { HttpResponse } from "../../controller/kernel/http.ts";

export interface FlyCall {
  /** As `actionOf` has it. */
  readonly action: string;
  /** Of a create: the machine's name and its region. */
  readonly wanted?: string | undefined;
}

export interface Pauses {
  /** A call leaves; what is returned is told of its answer, if one comes. */
  called(call: FlyCall): (answer: HttpResponse) => void;
  started(): void;
  /** Our wall clock, by which a pause across restarts is counted, is another one now. */
  jumped(): void;
  /** What is wanted for this instance is something else now. */
  changed(uid: string): void;
}

/** The shortest pause after "no room", less the second that a time in status may be early. */
const NO_ROOM_MS = 14_000;
const NO_ROOM = /capacity|could not reserve|quota|candidate host/;

export function createPauses({ nowMs, violated }: { nowMs(): number; violated(what: string): void }): Pauses {
  const throttled = new Map<string, { readonly sinceMs: number; readonly untilMs: number }>();
  const noRoom = new Map<string, number>();
  let lives = 0;

  return {
    called({ action, wanted = "" }) {
      const life = lives;
      const now = nowMs();
      const rest = throttled.get(action);
      if (rest && rest.sinceMs < now && now < rest.untilMs) {
        violated(`S13 ${action} although Fly had asked for a pause of ${rest.untilMs - now} ms more`);
      }
      if (now - (noRoom.get(wanted) ?? Number.NEGATIVE_INFINITY) < NO_ROOM_MS) {
        violated(
          `S13 ${wanted} was asked for again ${now - (noRoom.get(wanted) ?? 0)} ms after there was no room for it`,
        );
      }
      return ({ status, headers, body }) => {
        if (life !== lives) return; // whoever asked is dead
        const retryAfterMs = Number(headers["retry-after"] ?? 0) * 1000;
        if (status === 429) throttled.set(action, { sinceMs: nowMs(), untilMs: nowMs() + retryAfterMs });
        else if (wanted !== "" && status >= 400 && NO_ROOM.test(body)) noRoom.set(wanted, nowMs());
      };
    },
    started() {
      lives += 1;
      throttled.clear();
    },
    jumped: () => noRoom.clear(),
    changed(uid) {
      const name = uid.replaceAll("-", "");
      for (const wanted of noRoom.keys()) if (wanted.includes(name)) noRoom.delete(wanted);
    },
  };
}
