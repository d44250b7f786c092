import type { Rectangle } from 'electron';
import type { Page } from 'playwright-core';
import type { DialogAnswer } from './module/dialog.ts';
import type { PowerEvent } from './module/power-monitor.ts';
import type { DisplayPlace } from './module/screen.ts';
import type { Call } from './record.ts';

export interface MenuItemState {
  /** Empty for a separator. */
  label: string;
  type: string;
  enabled: boolean;
  checked: boolean;
  submenu?: MenuItemState[];
}

export interface TrayState {
  /** The image's file, whether macOS tints it, and whether there is one for Retina beside it. */
  image: string;
  isTemplate: boolean;
  hasRetina: boolean;
  title: string;
  toolTip: string;
}

export interface WindowState {
  id: number;
  url: string;
  title: string;
  isVisible: boolean;
  isFocused: boolean;
  bounds: Rectangle;
}

/** All that can be seen of an app from outside its pages. */
export interface AppState {
  isReady: boolean;
  isInDock: boolean;
  opensAtLogin: boolean;
  tray?: TrayState;
  /** The menu on the screen. */
  menu?: MenuItemState[];
  windows: WindowState[];
  /** The labels of the app's own menu and of what is in each; undefined for Electron's default one. */
  appMenu?: MenuItemState[];
  /** Those on the screen, not answered. */
  dialogs: { kind: 'open' | 'save' | 'message'; options: Record<string, unknown> }[];
  notifications: { title?: string; body?: string }[];
  /** The kinds of the power save blockers that are on. */
  blockers: string[];
  clipboard: string;
  /** What was only noted down, and what happened in pages: errors, requests refused, permissions. */
  calls: readonly Call[];
}

/**
 * What a person, the system or another process does to a running app. Each is over when the app has
 * been told, and its pages have been told what it told them.
 */
export interface AppActions {
  clickTray(button?: 'click' | 'right-click' | 'double-click'): void;
  /** Presses the mouse button on the icon. */
  pressTray(): void;
  /** Releases it. */
  releaseTray(): void;
  pressTrayByVoiceOver(): void;
  /** Invokes a channel of main from a frame with this address; the result is recorded. */
  invokeFrom(
    frame: { url: string; isSubframe?: boolean },
    channel: string,
    ...args: unknown[]
  ): void;
  /** Clicks an item of the menu on the screen: its label, or those that lead to it. */
  clickMenuItem(...labels: string[]): void;
  /** Answers the dialog on the screen, or the next one that is shown. */
  answerDialog(answer: DialogAnswer): void;
  /** Of `thermal-state-change`, also the state. */
  emitPower(event: PowerEvent, thermalState?: string): void;
  /** The app is opened while it runs: macOS activates it. */
  activate(): void;
  openSecondInstance(argv?: string[]): void;
  /** The window with the focus loses it to another app. */
  blur(): void;
  /** The window with the focus is closed, as by Cmd-W. */
  closeWindow(): void;
  clickNotification(): void;
  setDark(isDark: boolean): void;
  /** Where the icon is, and the displays, the one with the menu bar first. */
  placeTray(bounds: Rectangle): void;
  plugDisplays(displays: DisplayPlace[]): void;
  setKeychain(isOpen: boolean): void;
  setLoginItemStatus(status: 'enabled' | 'requires-approval' | 'not-found'): void;
  setOpenPathError(message: string): void;
  /** The page's process ends. */
  crashPage(): void;
  /** Asks it to quit, as by Cmd-Q. Whether it does is in `exitCode`. */
  quit(): void;
}

type Remote<Actions> = {
  [Name in keyof Actions]: Actions[Name] extends (...args: infer Args) => void
    ? (...args: Args) => Promise<void>
    : never;
};

/** A running app, on the stand-in or on Electron: what a test does with it and sees of it. */
export interface AppUnderTest extends Remote<AppActions>, AsyncDisposable {
  /** The first window's page. */
  page(): Promise<Page>;
  state(): Promise<AppState>;
  /** Resolves with the first state that is so. Rejects when none is in time, and tells the last. */
  until(condition: (state: AppState) => boolean, timeoutMs?: number): Promise<AppState>;
  /** Right-clicks the icon: the menu that it shows. */
  openTrayMenu(): Promise<MenuItemState[]>;
  /** The page in light and in dark, as `<name>-light.png` and `<name>-dark.png` of a folder. */
  takeScreenshots(folder: string, name: string): Promise<void>;
  /** What it has written to stdout and stderr. */
  output(): string;
  readonly userData: string;
  /** Resolves when it has ended; null when a signal ended it. */
  readonly exitCode: Promise<number | null>;
  /** As by `kill -9`; resolves when it has ended. */
  kill(): Promise<void>;
  /** Ends it, however it is, with all that it has started in Chromium. Twice is fine. */
  stop(): Promise<void>;
}
