import type { SettingsChange } from '../server/contract.ts';
import { call } from './bridge.ts';

export type Applied = Exclude<SettingsChange['applied'], 'no'>;

/** Changes settings; tells when they hold. @throws Error with all that main says is wrong */
export async function changeSettings(changes: Record<string, unknown>): Promise<Applied> {
  const change = await call('changeSettings', changes);
  if (change.applied !== 'no') return change.applied;
  throw new Error(change.problems.map(({ message }) => message).join(' '));
}
