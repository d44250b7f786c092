import type { RequestView, Snapshot } from '../../server/contract.ts';
import { call, run } from '../bridge.ts';
import { plural, toAge, toTime } from '../format.ts';
import { toOutcome } from '../labels.ts';

/** The requests in flight, each with a Cancel button. */
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
              <ActiveRow key={request.id} request={request} now={now} />
            ))}
          </tbody>
        </table>
      )}
      {unlisted > 0 && <p class="empty">and {plural(unlisted, 'more request')}</p>}
    </section>
  );
}

function ActiveRow({ request, now }: { request: RequestView; now: number }) {
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

/** The latest finished requests: their outcome, waiting time and duration. */
export function RecentRequests({ recent }: { recent: readonly RequestView[] }) {
  return (
    <section aria-label="Recent requests">
      <h2>Recent</h2>
      {recent.length === 0 ? (
        <p class="empty">No requests yet.</p>
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
              <RecentRow key={request.id} request={request} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function RecentRow({ request }: { request: RequestView }) {
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
