import type { ToMain } from '../page/preload-world.ts';
import type { PageScripts } from '../page/scripts.ts';
import type { RequestHost } from './requests.ts';

/** What a page is made with, and whom it tells and asks. */
export interface PageHost extends RequestHost {
  scripts: PageScripts;
  size: { width: number; height: number };
  onMessage(message: ToMain): void;
  onWindowOpen(details: { url: string; frameName: string }): void;
  /** Told of the document's life. */
  onEvent(name: 'dom-ready' | 'did-finish-load' | 'did-navigate' | 'gone', url: string): void;
}
