import type { RequestView } from '../../server/contract.ts';
import { toAge, toOutcome, toTime } from '../format.ts';

/** Those that ended last: how, and how long they waited and took. */
export function RecentRequests({ recent }: { recent: readonly RequestView[] }) {
  return (
    <section aria-label="Recent requests">
      <h2>Recent</h2>
      {recent.length === 0 ? (
        <p class="empty">Nothing has been asked yet.</p>
      ) : (
        <table class="recent">
          <thead>
            <tr>
              <th scope="col">At</th>
              <th scope="col">Outcome</th>
              <th scope="col" class="end">
                Waited
              </th>
              <th scope="col" class="end">
                Took
              </th>
              <th scope="col" class="end">
                Tokens
              </th>
            </tr>
          </thead>
          <tbody>
            {recent.map((request) => (
              <Row key={request.id} request={request} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Row({ request }: { request: RequestView }) {
  const { id, arrivedAt, startedAt, endedAt = arrivedAt, tokens, outcome } = request;
  return (
    <tr title={id}>
      <th scope="row">{toTime(arrivedAt)}</th>
      <td class={outcome === 'ok' ? '' : 'not-ok'} title={outcome}>
        {toOutcome(outcome)}
      </td>
      <td class="end">{toAge((startedAt ?? endedAt) - arrivedAt)}</td>
      <td class="end">{toAge(endedAt - arrivedAt)}</td>
      <td class="end">{tokens}</td>
    </tr>
  );
}
