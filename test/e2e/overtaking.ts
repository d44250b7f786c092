import { post } from '../support/chat.ts';
import { type RunningService, until } from '../support/service.ts';

/** Without a picture, so that it is queued as soon as it is counted. */
const greeting = { messages: [{ role: 'user', content: 'Ahoy' }], max_tokens: 2 };
/** Waiting requests of the busy client. */
export const BUSY_REQUESTS = 30;
/** Requests of the other client. */
export const PERSON_REQUESTS = 5;

/**
 * One client keeps 30 requests waiting while another asks five times. Returns, for each of the
 * other's requests, how many of the first client's were started while it waited.
 */
export async function overtakenBy(running: RunningService): Promise<number[]> {
  const { service, url } = running;
  const as = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
  service.queue.pause(); // otherwise the first may be answered before the last arrives
  const agent = Array.from({ length: BUSY_REQUESTS }, () => post(url, greeting, as('busy-agent')));
  await until(running, () => service.queue.stats.activeRequests === BUSY_REQUESTS);
  const busy = service.activity.active()[0]?.client;
  const asking = Array.from({ length: PERSON_REQUESTS }, () => post(url, greeting, as('a-person')));
  const all = BUSY_REQUESTS + PERSON_REQUESTS;
  await until(running, () => service.queue.stats.activeRequests === all);
  service.queue.resume();
  await Promise.all([...agent, ...asking]);
  const ended = service.activity
    .recent()
    .toSorted((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0));
  const asked = ended.filter(({ client }) => client !== busy);
  return asked.map(({ arrivedAt, startedAt = 0 }, index) => {
    const since = Math.max(arrivedAt, asked[index - 1]?.startedAt ?? 0);
    return ended.filter(
      (other) =>
        other.client === busy &&
        (other.startedAt ?? 0) > since &&
        (other.startedAt ?? 0) < startedAt,
    ).length;
  });
}
