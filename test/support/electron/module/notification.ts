import type { NotificationConstructorOptions } from 'electron';
import { readiness } from '../readiness.ts';
import { announce, record } from '../record.ts';
import { StrictEmitter } from '../strict.ts';

/** Those that are shown, in the order of their showing. */
export const shownNotifications = new Set<Notification>();

export class Notification extends StrictEmitter {
  readonly options: NotificationConstructorOptions;

  constructor(options: NotificationConstructorOptions = {}) {
    super('Notification', ['show', 'click', 'close', 'action', 'failed']);
    readiness.require('Notification');
    this.options = options;
  }

  static isSupported = () => true;

  show(): void {
    shownNotifications.add(this);
    record('Notification.show', this.options);
    this.emit('show', {});
  }

  close(): void {
    if (!shownNotifications.delete(this)) return;
    announce();
    this.emit('close', {});
  }
}
