import type { Logger } from 'pino';
import { Activity } from '../server/activity.ts';
import type { ServerView, Trouble } from '../server/contract.ts';
import { ListenError } from '../server/http/server.ts';
import type { Problem } from '../server/problem.ts';
import type { RuntimeCommand } from '../server/runtime/process.ts';
import { type Applied, Service } from '../server/service.ts';

import type { Settings } from '../server/settings.ts';
import { type Ailment, toRecovery, toServerView, toTrouble } from './views.ts';

export interface ServiceSwitchOptions {
  command: RuntimeCommand;
  log: Logger;
  /** Told of every change of the service or of its switch. */
  onChange: () => void;
  /** Told when another model could not be loaded, and the one before it serves again. */
  onRollback: (modelPath: string, failure: Problem) => void;
  /** Told when the runtime has crashed or failed, and what became of that. */
  onTrouble: (trouble: Trouble | undefined) => void;
}

type State =
  | { phase: 'off' }
  | { phase: 'starting' }
  | { phase: 'on'; service: Service; port: number; settings: Settings }
  | { phase: 'draining'; service: Service }
  | { phase: 'failed'; trouble: Trouble };

/** The service as a person switches it on and off. What was asked of it lives on in `activity`. */
export class ServiceSwitch {
  readonly activity = new Activity();
  readonly #options: ServiceSwitchOptions;
  #state: State = { phase: 'off' };
  #ended: Promise<void> = Promise.resolve();
  /** What the runtime has not recovered from yet. */
  #ailment: Ailment | undefined;

  constructor(options: ServiceSwitchOptions) {
    this.#options = options;
    this.activity.onChange(() => options.onChange());
  }

  /** The service, while it is on or on its way off. */
  get service(): Service | undefined {
    return 'service' in this.#state ? this.#state.service : undefined;
  }

  get view(): ServerView {
    const state = this.#state;
    if (state.phase === 'on') return toServerView(state.settings, state.port);
    return state.phase === 'failed' ? state : { phase: state.phase };
  }

  /** Unless it is on. What comes of it is in the view. */
  async start(settings: Settings): Promise<void> {
    if (this.#state.phase !== 'off' && this.#state.phase !== 'failed') return;
    this.#set({ phase: 'starting' });
    const { command, log, onChange, onRollback, onTrouble } = this.#options;
    const { activity } = this;
    const service = new Service({
      ...{ settings, command, log, activity },
      onRollback: (modelPath, failure) => {
        this.#ailment = undefined; // its crashes are part of what is told now
        onRollback(modelPath, failure);
      },
    });
    service.queue.onChange(onChange);
    service.runtime.onChange((state) => {
      if (state.phase === 'crashed' || state.phase === 'failed') {
        this.#ailment = state;
        onTrouble(toTrouble(state));
      }
      if (state.phase === 'ready' && this.#ailment !== undefined) {
        onTrouble(toRecovery(this.#ailment));
        this.#ailment = undefined;
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

  /** Says that the service cannot be started, and what to do. */
  refuse(message: string, remedy: string): void {
    this.#set({ phase: 'failed', trouble: { at: Date.now(), message, remedy } });
  }

  /** Lets what it has come to its end first, or cancels it. Once draining, `now` cuts it short. */
  async stop({ now }: { now: boolean }): Promise<void> {
    const state = this.#state;
    if (state.phase === 'failed') this.#set({ phase: 'off' });
    if (state.phase === 'draining' && now) await state.service.stop();
    if (state.phase === 'on') this.#ended = this.#end(state, now);
    await this.#ended;
  }

  /**
   * Changes the settings of a service that is on.
   * @throws ListenError, and then nothing has changed
   */
  async apply(settings: Settings): Promise<Applied> {
    const state = this.#state;
    if (state.phase !== 'on') return 'now';
    const { applied, port } = await state.service.apply(settings);
    if (this.#state === state) this.#set({ ...state, port, settings });
    return applied;
  }

  async #end({ service }: Extract<State, { phase: 'on' }>, now: boolean): Promise<void> {
    this.#set({ phase: 'draining', service });
    await (now ? service.stop() : service.drain());
    this.#set({ phase: 'off' });
  }

  #fail(error: unknown): void {
    const { log } = this.#options;
    const isPort = error instanceof ListenError;
    if (isPort) log.error(error.message);
    else log.error({ err: error }, 'the service could not be started');
    const freePort = isPort ? error.freePort : undefined;
    this.#set({
      phase: 'failed',
      trouble: {
        at: Date.now(),
        message: isPort
          ? error.message.replace(/ Try --port .*/, '')
          : 'The server could not be started.',
        remedy: isPort
          ? 'Choose another port, or quit what uses this one.'
          : 'Look at the log for the reason, then try again.',
        ...(freePort === undefined ? {} : { freePort }),
      },
    });
  }

  #set(state: State): void {
    this.#state = state;
    this.#options.onChange();
  }
}
