import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConversationItem } from '../../../server/apis/responses/request.ts';
import {
  type ResponseBody,
  ResponseStore,
  type StoredResponse,
} from '../../../server/apis/responses/store.ts';

const body = (id: string) => ({ id, output: [] }) as unknown as ResponseBody;
const said = (bytes: number): ConversationItem => ({
  type: 'message',
  role: 'user',
  content: 'x'.repeat(bytes),
});

/** Saves a chain of responses with one message each. Returns the ids that are still stored. */
function saveChain(store: ResponseStore, count: number, bytes: number): string[] {
  let conversation: ConversationItem[] = [];
  const ids = Array.from({ length: count }, (_, at) => `r${at}`);
  for (const id of ids) {
    const input = [said(bytes)];
    conversation = [...conversation, ...input];
    store.save({ body: body(id), input, conversation } satisfies StoredResponse);
    assert.ok(store.bytes <= 1e6, `${store.bytes} bytes`);
  }
  return ids.filter((id) => {
    try {
      return store.get(id) !== undefined;
    } catch {
      return false;
    }
  });
}

test('items shared by conversations count once', () => {
  const store = new ResponseStore(1e6);
  assert.equal(saveChain(store, 9, 100_000).length, 9);
  assert.ok(store.bytes > 900_000 && store.bytes < 910_000, `${store.bytes} bytes`);
});

test('a conversation beyond the limit is not stored, and evicts nothing', () => {
  const store = new ResponseStore(1e6);
  const kept = saveChain(store, 20, 100_000);
  assert.deepEqual(
    kept,
    Array.from({ length: 9 }, (_, at) => `r${at}`),
  );
});

test('an item is removed with the last response that uses it', () => {
  const store = new ResponseStore(1e6);
  const [first, second] = [said(300_000), said(300_000)];
  store.save({ body: body('a'), input: [first], conversation: [first] });
  store.save({ body: body('b'), input: [second], conversation: [first, second] });
  store.delete('a');
  assert.ok(store.bytes > 600_000);
  store.delete('b');
  assert.equal(store.bytes, 0);
});

test('the oldest responses are evicted for a new one, and for a lower limit', () => {
  const store = new ResponseStore(1e6);
  for (const id of ['a', 'b', 'c', 'd']) {
    const item = said(300_000);
    store.save({ body: body(id), input: [item], conversation: [item] });
  }
  assert.throws(() => store.get('a'), { status: 404 });
  assert.ok(store.get('b') && store.get('d'));
  store.setMaxBytes(400_000);
  assert.throws(() => store.get('c'), { status: 404 });
  assert.ok(store.get('d'));
  assert.ok(store.bytes <= 400_000);
});

test('the lists of many responses in one long conversation count, too', () => {
  const store = new ResponseStore(10e6);
  const shared = Array.from({ length: 5000 }, () => said(1));
  store.save({ body: body('first'), input: [], conversation: [...shared] });
  const before = store.bytes;
  for (let at = 0; at < 10; at += 1) {
    store.save({ body: body(`r${at}`), input: [], conversation: [...shared] });
  }
  assert.ok(store.bytes - before >= 10 * 5000 * 8, `${store.bytes - before} bytes more`);
});
