import type { Logger } from 'pino';
import { Activity } from '../server/activity.ts';
import type { ServerView, Trouble } from '../server/contract.ts';
import { ListenError } from '../server/http/server.ts';
import type { Problem } from '../server/problem.ts';
import type { RuntimeCommand } from '../server/runtime/process.ts';
import { type Applied, Service } from '../server/service.ts';
import type { Settings } from '../server/settings.ts';
import { type RuntimeProblem, toRecovery, toServerView, toTrouble } from './service-view.ts';

export interface ServiceControllerOptions {
  command: RuntimeCommand;
  log: Logger;
  /** Called after every change of the service's state. */
  onChange: () => void;
  /** Called when a new model could not be loaded and the previous one is served again. */
  onRollback: (modelPath: string, failure: Problem) => void;
  /** Called when the runtime crashes or fails, and again when it has recovered. */
  onTrouble: (trouble: Trouble | undefined) => void;
}

type State =
  | { phase: 'off' }
  | { phase: 'starting' }
  | { phase: 'on'; service: Service; port: number; settings: Settings }
  | { phase: 'draining'; service: Service }
  | { phase: 'failed'; trouble: Trouble };

/** Starts and stops the service. `activity` records its requests, and survives a restart. */
export class ServiceController {
  readonly activity = new Activity();
  readonly #options: ServiceControllerOptions;
  #state: State = { phase: 'off' };
  #stopped: Promise<void> = Promise.resolve();
  /** The crash or failure from which the runtime has not recovered yet. */
  #problem: RuntimeProblem | undefined;

  constructor(options: ServiceControllerOptions) {
    this.#options = options;
    this.activity.onChange(() => options.onChange());
  }

  /** The service while it is running or draining. */
  get service(): Service | undefined {
    return 'service' in this.#state ? this.#state.service : undefined;
  }

  get view(): ServerView {
    const state = this.#state;
    if (state.phase === 'on') return toServerView(state.settings, state.port);
    return state.phase === 'failed' ? state : { phase: state.phase };
  }

  /** Starts the service if it is off. Never rejects; `view` has the result. */
  async start(settings: Settings): Promise<void> {
    if (this.#state.phase !== 'off' && this.#state.phase !== 'failed') return;
    this.#set({ phase: 'starting' });
    const { command, log, onChange, onRollback, onTrouble } = this.#options;
    const { activity } = this;
    const service = new Service({
      ...{ settings, command, log, activity },
      onRollback: (modelPath, failure) => {
        this.#problem = undefined; // the rollback explains it
        onRollback(modelPath, failure);
      },
    });
    service.queue.onChange(onChange);
    service.runtime.onChange((state) => {
      if (state.phase === 'crashed' || state.phase === 'failed') {
        this.#problem = state;
        onTrouble(toTrouble(state));
      }
      if (state.phase === 'ready' && this.#problem !== undefined) {
        onTrouble(toRecovery(this.#problem));
        this.#problem = undefined;
      }
      onChange();
    });
    try {
      const port = await service.start();
      this.#set({ phase: 'on', service, port, settings });
    } catch (error) {
      await service.stop();
      this.#fail(error);
    }
  }

  /** Reports that the service cannot be started, and what to do about it. */
  reportFailure(message: string, remedy: string): void {
    this.#set({ phase: 'failed', trouble: { at: Date.now(), message, remedy } });
  }

  /** Lets requests finish before it stops, or cancels them with `now`, even while it is draining. */
  async stop({ now }: { now: boolean }): Promise<void> {
    const state = this.#state;
    if (state.phase === 'failed') this.#set({ phase: 'off' });
    if (state.phase === 'draining' && now) await state.service.stop();
    if (state.phase === 'on') this.#stopped = this.#shutDown(state, now);
    await this.#stopped;
  }

  /**
   * Applies settings to a running service.
   * @throws ListenError if the new address is not available; nothing has changed then
   */
  async apply(settings: Settings): Promise<Applied> {
    const state = this.#state;
    if (state.phase !== 'on') return 'now';
    const { applied, port } = await state.service.apply(settings);
    if (this.#state === state) this.#set({ ...state, port, settings });
    return applied;
  }

  async #shutDown({ service }: Extract<State, { phase: 'on' }>, now: boolean): Promise<void> {
    this.#set({ phase: 'draining', service });
    await (now ? service.stop() : service.drain());
    this.#set({ phase: 'off' });
  }

  #fail(error: unknown): void {
    const { log } = this.#options;
    const isListenError = error instanceof ListenError;
    if (isListenError) log.error(error.message);
    else log.error({ err: error }, 'the service failed to start');
    const freePort = isListenError ? error.freePort : undefined;
    this.#set({
      phase: 'failed',
      trouble: {
        at: Date.now(),
        message: isListenError
          ? error.message.replace(/ Try --port .*/, '')
          : 'The server could not be started.',
        remedy: isListenError
          ? 'Choose another port, or quit the app that uses this one.'
          : 'See the log for the reason, then try again.',
        ...(freePort === undefined ? {} : { freePort }),
      },
    });
  }

  #set(state: State): void {
    this.#state = state;
    this.#options.onChange();
  }
}
