// A heap: the least of many, in the order of `before`.

export interface Heap<T> {
  push(item: T): void;
  peek(): T | undefined;
  pop(): T | undefined;
}

export function createHeap<T>(before: (a: T, b: T) => boolean): Heap<T> {
  const items: T[] = [];

  const swap = (i: number, j: number): void => {
    const [a, b] = [items[i], items[j]];
    if (a === undefined || b === undefined) return;
    items[i] = b;
    items[j] = a;
  };
  const isLess = (i: number, j: number): boolean => {
    const [a, b] = [items[i], items[j]];
    return a !== undefined && b !== undefined && before(a, b);
  };
  const rise = (start: number): void => {
    for (let i = start, up = (i - 1) >> 1; i > 0 && isLess(i, up); i = up, up = (i - 1) >> 1) swap(i, up);
  };
  const sink = (): void => {
    for (let i = 0; ; ) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      const least = isLess(right, left) ? right : left;
      if (!isLess(least, i)) return;
      swap(i, least);
      i = least;
    }
  };

  return {
    push(item) {
      items.push(item);
      rise(items.length - 1);
    },
    peek: () => items[0],
    pop() {
      swap(0, items.length - 1);
      const item = items.pop();
      sink();
      return item;
    },
  };
}
