/** What an item of a `LinkedList` carries. Only the list writes it. */
export interface Link<Item> {
  previous: Item | undefined;
  next: Item | undefined;
}

/**
 * A doubly linked list whose items are their own links, so that one leaves from the middle without
 * being searched for. An item is in one list at most; that is for the caller to keep.
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

  /** After nothing is at the head. */
  insertAfter(previous: Item | undefined, item: Item): void {
    this.#join(item, previous === undefined ? this.#first : previous.next);
    this.#join(previous, item);
  }

  /** Does nothing to an item that is in no list: it has nothing before it and is not the first. */
  remove(item: Item): void {
    if (item.previous === undefined && item !== this.#first) return;
    this.#join(item.previous, item.next);
    item.previous = undefined;
    item.next = undefined;
  }

  *[Symbol.iterator](): Generator<Item> {
    for (let item = this.#first; item !== undefined; item = item.next) yield item;
  }

  /** Makes two items neighbours; nothing before is the head, nothing after the tail. */
  #join(before: Item | undefined, after: Item | undefined): void {
    if (before === undefined) this.#first = after;
    else before.next = after;
    if (after === undefined) this.#last = before;
    else after.previous = before;
  }
}
