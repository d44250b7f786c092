// What a test and the process of its app say to each other, over Node's IPC channel.

export interface ToHost {
  id: number;
  action: string;
  args: unknown[];
}

export type FromHost =
  | { kind: 'answer'; id: number; value: unknown }
  | { kind: 'refusal'; id: number; message: string }
  /** Its state is another one. */
  | { kind: 'changed' }
  /** The entry file has been evaluated, and the app is ready. */
  | { kind: 'started'; endpoint: string };
