import assert from 'node:assert/strict';
import { post } from '../support/chat.ts';
import { type StubbedApp, textQuestion } from '../support/packaged-app.ts';

/** A request that runs until `finish`. */
export async function startRequest({ stubs, url }: StubbedApp) {
  const stub = stubs.processes.all.at(-1);
  assert.ok(stub);
  const received = stub.requests.at(stub.requests.all.length);
  const answer = post(url, textQuestion);
  answer.catch(() => {}); // so that another failure is reported first
  const { id } = await received;
  return { answer, finish: () => stub.answer(id, 'Done.') };
}
