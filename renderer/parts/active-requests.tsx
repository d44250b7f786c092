import type { RequestView, Snapshot } from '../../server/contract.ts';
import { call, run } from '../bridge.ts';
import { plural, toAge } from '../format.ts';

/** Every request in flight, with a way to end it. */
export function ActiveRequests({
  snapshot: { active, unlisted },
  now,
}: {
  snapshot: Snapshot;
  now: number;
}) {
  return (
    <section aria-label="Requests in flight">
      <h2>In Flight</h2>
      {active.length === 0 ? (
        <p class="empty">No requests.</p>
      ) : (
        <table class="in-flight">
          <thead>
            <tr>
              <th scope="col">Request</th>
              <th scope="col">State</th>
              <th scope="col" class="end">
                Age
              </th>
              <th scope="col" class="end">
                Tokens
              </th>
              <th scope="col">
                <span class="unseen">Cancel</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {active.map((request) => (
              <Row key={request.id} request={request} now={now} />
            ))}
          </tbody>
        </table>
      )}
      {unlisted > 0 && <p class="empty">and {plural(unlisted, 'more request')}</p>}
    </section>
  );
}

function Row({ request, now }: { request: RequestView; now: number }) {
  const { id, kind, stream, client, state, arrivedAt, tokens } = request;
  return (
    <tr>
      <th scope="row" title={`${id}: ${kind}${stream ? ', streaming' : ''}, from ${client}`}>
        <span class="kind">{stream ? 'stream' : kind}</span>
        <span class="id">{id.replace(/^req-/, '').slice(0, 8)}</span>
      </th>
      <td>
        <span class={`pill pill-${state}`}>{state}</span>
      </td>
      <td class="end">{toAge(now - arrivedAt)}</td>
      <td class="end">{tokens}</td>
      <td class="end">
        <button
          type="button"
          class="small"
          aria-label={`Cancel request ${id}`}
          onClick={() => run(call('cancel', { id }))}
        >
          Cancel
        </button>
      </td>
    </tr>
  );
}
