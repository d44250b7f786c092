/** The neighbors of an item in a `LinkedList`, which alone writes them. */
export interface Link<Item> {
  previous: Item | undefined;
  next: Item | undefined;
}

/**
 * A doubly linked list whose items hold the links, so that removing one takes constant time. An item
 * may be in one list only.
 */
export class LinkedList<Item extends Link<Item>> {
  #first: Item | undefined;
  #last: Item | undefined;

  get first(): Item | undefined {
    return this.#first;
  }

  get last(): Item | undefined {
    return this.#last;
  }

  append(item: Item): void {
    this.insertAfter(this.#last, item);
  }

  /** Inserts at the head if `previous` is undefined. */
  insertAfter(previous: Item | undefined, item: Item): void {
    this.#connect(item, previous === undefined ? this.#first : previous.next);
    this.#connect(previous, item);
  }

  /** Does nothing if the item is in no list: it then has no predecessor and is not the first. */
  remove(item: Item): void {
    if (item.previous === undefined && item !== this.#first) return;
    this.#connect(item.previous, item.next);
    item.previous = undefined;
    item.next = undefined;
  }

  /** Makes two items neighbors; undefined stands for the ends of the list. */
  #connect(before: Item | undefined, after: Item | undefined): void {
    if (before === undefined) this.#first = after;
    else before.next = after;
    if (after === undefined) this.#last = before;
    else after.previous = before;
  }
}
