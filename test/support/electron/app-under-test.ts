import type { Rectangle } from 'electron';
import type { Page } from 'playwright-core';
import type { Call } from './shared.ts';
import type { DialogAnswer } from './system.ts';

export interface MenuItemState {
  /** Empty for a separator. */
  label: string;
  type: string;
  enabled: boolean;
  checked: boolean;
  submenu?: MenuItemState[];
}

/** What can be seen of an app from outside its page. */
export interface AppState {
  isInDock: boolean;
  opensAtLogin: boolean;
  /** Its icon: the file, whether macOS tints it, and whether there is one for Retina beside it. */
  tray?: { image: string; isTemplate: boolean; hasRetina: boolean; title: string };
  /** The open menu of the icon. */
  menu?: MenuItemState[];
  /** The app's own menu; undefined for Electron's default one. */
  appMenu?: MenuItemState[];
  /** None or one. */
  windows: { url: string; isVisible: boolean; bounds: Rectangle }[];
  /** The open dialogs. */
  dialogs: { kind: 'open' | 'message'; options: Record<string, unknown> }[];
  /** The kinds of the power save blockers that are on. */
  blockers: string[];
  clipboard: string;
  /** The calls that have no effect but to be recorded here. */
  calls: readonly Call[];
}

/**
 * What a user, the system or another process does to a running app. Each call ends when the app has
 * handled it and its page has received what the app sent.
 */
export interface AppActions {
  clickTray(button?: 'click' | 'right-click'): void;
  /** Presses the mouse button on the icon, which takes the focus from the panel. */
  pressTray(): void;
  /** Releases the mouse button. */
  releaseTray(): void;
  pressTrayByVoiceOver(): void;
  /** Invokes an IPC channel from a frame with this address; the outcome is in `calls`. */
  invokeFrom(
    frame: { url: string; isSubframe?: boolean },
    channel: string,
    ...args: unknown[]
  ): void;
  /** Clicks an item of the open menu: its label, or the labels that lead to it. */
  clickMenuItem(...labels: string[]): void;
  /** Answers the open dialog, or else the next one. */
  answerDialog(answer: DialogAnswer): void;
  emitPower(event: 'suspend' | 'resume' | 'shutdown'): void;
  /** The app is opened while it runs: macOS activates it. */
  activate(): void;
  openSecondInstance(): void;
  /** The window loses the focus to another app. */
  blur(): void;
  /** As with ⌘W. */
  closeWindow(): void;
  placeTray(bounds: Rectangle): void;
  setKeychain(isOpen: boolean): void;
  /** As with ⌘Q. Whether the app quits shows in `exitCode`. */
  quit(): void;
}

type Remote<Actions> = {
  [Name in keyof Actions]: Actions[Name] extends (...args: infer Args) => void
    ? (...args: Args) => Promise<void>
    : never;
};

/** A running app, as a test sees it. */
export interface AppUnderTest extends Remote<AppActions> {
  /** The page of its window. */
  page(): Promise<Page>;
  state(): Promise<AppState>;
  /** Resolves with the first state that meets the condition; rejects with the last one on timeout. */
  until(condition: (state: AppState) => boolean, timeoutMs?: number): Promise<AppState>;
  /** Right-clicks the icon and returns the menu that it shows. */
  openTrayMenu(): Promise<MenuItemState[]>;
  /** What it has written to stdout and stderr. */
  output(): string;
  /** Resolves when it has ended; null if a signal ended it. */
  readonly exitCode: Promise<number | null>;
  /** Ends it in any state. Can be called twice. */
  stop(): Promise<void>;
}
