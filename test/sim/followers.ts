// Users who follow instances by a label selector, as `kubectl get -l … --watch` does: they hold a view, lose their connection,
// go on from the revision they have, over restarts of the process too, and list again when that is compacted (410). When
// all is quiet their view is what the history says.
import type { Clock } from "../../controller/kernel/clock.ts";
import type { Random } from "../../controller/kernel/random.ts";
import { ExpiredError } from "../../controller/store/errors.ts";
import type { Store } from "../../controller/store/store.ts";
import { type Instance, instanceKind } from "../../crds/instance.ts";
import type { AnyResource } from "../../crds/resource.ts";

export interface Followers {
  /** A process has started: everybody connects to it. */
  follow(store: Store): void;
  /** Whose view is another one than the truth. */
  behind(objects: Iterable<AnyResource>): readonly string[];
}

export interface FollowersOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Whether the storm is over: then nobody stays away any more, so that at rest all have seen what there is. */
  calm(): boolean;
  violated(what: string): void;
}

interface Follower {
  /** The value of the label `team`; undefined follows all. */
  readonly team: string | undefined;
  /** Revision of each object, by namespace and name. */
  readonly view: Map<string, string>;
  revision: number | undefined;
}

const STAYS_MAX_MS = 60_000;
const AWAY_MAX_MS = 45_000;

export function createFollowers({ clock, random, calm, violated }: FollowersOptions): Followers {
  const followers = ["red", "blue", undefined].map(
    (team): Follower => ({ team, view: new Map(), revision: undefined }),
  );
  let current: Store | undefined;

  async function stay(store: Store, follower: Follower): Promise<void> {
    while (current === store) {
      try {
        await connect(store, follower);
      } catch (error) {
        if (!(error instanceof ExpiredError)) throw error;
        follower.revision = undefined;
        continue;
      }
      await clock.sleep(calm() ? 0 : random.next() * AWAY_MAX_MS);
    }
  }

  /** Lists where there is nothing to go on from, then follows for a while. */
  async function connect(store: Store, follower: Follower): Promise<void> {
    const labelSelector = follower.team === undefined ? undefined : `team=${follower.team}`;
    if (follower.revision === undefined) {
      const { items, revision } = await store.list(instanceKind, { labelSelector });
      if (current !== store) return;
      follower.view.clear();
      for (const item of items) follower.view.set(keyOf(item), item.metadata.resourceVersion);
      follower.revision = revision;
    }
    const leaves = new AbortController();
    void clock.sleep(random.next() * STAYS_MAX_MS).then(() => leaves.abort());
    const options = { since: follower.revision, labelSelector };
    for await (const { type, object, revision } of store.watch(instanceKind, options, leaves.signal)) {
      if (current !== store) return;
      if (type === "DELETED") follower.view.delete(keyOf(object));
      else follower.view.set(keyOf(object), object.metadata.resourceVersion);
      follower.revision = revision;
    }
  }

  return {
    follow(store) {
      current = store;
      for (const follower of followers) {
        stay(store, follower).catch((error: unknown) => violated(`S10 a follower cannot go on: ${error}`));
      }
    },
    behind: (objects) => {
      const instances = [...objects].filter((each): each is Instance => each.kind === instanceKind.kind);
      return followers.flatMap(({ team, view }) => {
        const truth = instances
          .filter(({ metadata }) => team === undefined || metadata.labels?.team === team)
          .map((each) => `${keyOf(each)} ${each.metadata.resourceVersion}`);
        const seen = [...view].map(([key, version]) => `${key} ${version}`);
        if (truth.sort().join() === seen.sort().join()) return [];
        return [`S10 who follows ${team ?? "all"} sees ${seen.join()} instead of ${truth.join()}`];
      });
    },
  };
}

function keyOf({ metadata }: AnyResource): string {
  return `${metadata.namespace}/${metadata.name}`;
}
