// A binary min-heap. Items with equal priority leave in the order in which they came.

export interface Heap<T> {
  readonly size: number;
  push(priority: number, item: T): void;
  peek(): { readonly priority: number; readonly item: T } | undefined;
  pop(): T | undefined;
}

interface Node<T> {
  readonly priority: number;
  readonly order: number;
  readonly item: T;
}

export function heap<T>(): Heap<T> {
  const nodes: Node<T>[] = [];
  let counter = 0;

  const before = (a: Node<T>, b: Node<T>) =>
    a.priority < b.priority || (a.priority === b.priority && a.order < b.order);

  function siftUp(node: Node<T>): void {
    let index = nodes.push(node) - 1;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = nodes[parentIndex];
      if (!parent || !before(node, parent)) break;
      nodes[index] = parent;
      index = parentIndex;
    }
    nodes[index] = node;
  }

  function siftDown(node: Node<T>): void {
    let index = 0;
    for (;;) {
      const leftIndex = 2 * index + 1;
      const left = nodes[leftIndex];
      if (!left) break;
      const right = nodes[leftIndex + 1];
      const [childIndex, child] = right && before(right, left) ? [leftIndex + 1, right] : [leftIndex, left];
      if (!before(child, node)) break;
      nodes[index] = child;
      index = childIndex;
    }
    nodes[index] = node;
  }

  return {
    get size() {
      return nodes.length;
    },
    push: (priority, item) => siftUp({ priority, order: counter++, item }),
    peek: () => nodes[0],
    pop() {
      const top = nodes[0];
      const last = nodes.pop();
      if (top && last && top !== last) siftDown(last);
      return top?.item;
    },
  };
}
