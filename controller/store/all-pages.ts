// A list however long it is: the store answers it in pages, which hang together by one revision.
import type { AnyResource, KindDef } from "../../crds/resource.ts";
import type { ListOptions, Store } from "./store.ts";

export interface Everything {
  readonly items: readonly AnyResource[];
  readonly revision: number;
}

/** All pages, true at one revision. */
export async function everything(store: Store, kind: KindDef, selection: ListOptions): Promise<Everything> {
  const items: AnyResource[] = [];
  for (let from = selection.continue; ; ) {
    const page = await store.list(kind, { ...selection, continue: from });
    items.push(...page.items);
    if (!page.continue) return { items, revision: page.revision };
    from = page.continue;
  }
}
