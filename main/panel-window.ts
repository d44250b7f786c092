import { BrowserWindow, screen } from 'electron';
import { PANEL_URL, placePanel, type Rectangle } from './panel.ts';

const SIZE = { width: 420, height: 640 };
/** A blur this shortly before a click on the icon was caused by that click. */
const SAME_CLICK_MS = 200;

export interface PanelWindowOptions {
  /** Path of the compiled preload script. */
  preload: string;
  icon: () => Rectangle;
  onVisible: (isVisible: boolean) => void;
}

/** The panel's window: created once, shown below the icon, and hidden when it loses focus. */
export class PanelWindow {
  readonly #options: PanelWindowOptions;
  readonly #window: BrowserWindow;
  readonly #loaded: Promise<void>;
  /** When losing focus last hid the window. */
  #blurredAt = Number.NEGATIVE_INFINITY;
  #isHiding = false;
  #isPinned = false;
  #busyCount = 0;

  constructor(options: PanelWindowOptions) {
    this.#options = options;
    this.#window = new BrowserWindow({
      ...SIZE,
      show: false,
      frame: false,
      resizable: false,
      fullscreenable: false,
      minimizable: false,
      maximizable: false,
      skipTaskbar: true,
      alwaysOnTop: true,
      title: 'Sightglass',
      webPreferences: {
        preload: options.preload,
        contextIsolation: true,
        sandbox: true,
        nodeIntegration: false,
        webviewTag: false,
        spellcheck: false,
      },
    });
    // On the current Space and over full-screen apps. Without skipTransformProcessType, Electron would
    // change the app's activation policy, and its Dock icon would flash.
    this.#window.setVisibleOnAllWorkspaces(true, {
      visibleOnFullScreen: true,
      skipTransformProcessType: true,
    });
    this.#window.on('blur', () => {
      if (!this.#window.isVisible() || this.#isHiding || this.#staysOpen) return;
      this.#blurredAt = performance.now();
      this.hide();
    });
    this.#window.on('show', () => options.onVisible(true));
    this.#window.on('hide', () => options.onVisible(false));
    this.#window.on('close', (event) => {
      event.preventDefault();
      this.hide();
    });
    this.#loaded = this.#window.loadURL(PANEL_URL);
  }

  get #staysOpen(): boolean {
    return this.#isPinned || this.#busyCount > 0;
  }

  get webContents(): Electron.WebContents {
    return this.#window.webContents;
  }

  async show(): Promise<void> {
    await this.#loaded;
    const icon = this.#options.icon();
    const { workArea } = screen.getDisplayNearestPoint({ x: icon.x, y: icon.y });
    const { x, y } = placePanel(icon, SIZE, workArea);
    this.#window.setPosition(x, y, false);
    this.#window.show();
    this.#window.focus();
  }

  hide(): void {
    if (this.#window.isDestroyed() || !this.#window.isVisible()) return;
    this.#isHiding = true;
    this.#window.hide();
    this.#isHiding = false;
  }

  /** Sets whether the panel stays open when another app gets focus. */
  readonly keepOpen = (keep: boolean): void => {
    this.#isPinned = keep;
  };

  /** Keeps the panel open during work that takes focus itself, such as a dialog. */
  readonly whileBusy = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    this.#busyCount += 1;
    try {
      return await work();
    } finally {
      this.#busyCount -= 1;
    }
  };

  /** Whether the panel is open, or was until the current click: the window blurs before we get the event. */
  get isOpen(): boolean {
    const isSameClick = performance.now() - this.#blurredAt <= SAME_CLICK_MS;
    return this.#window.isVisible() || isSameClick;
  }

  /** Hides the panel if it was open when the mouse button went down; shows it otherwise. */
  async toggle(wasOpen: boolean): Promise<void> {
    if (wasOpen) this.hide();
    else await this.show();
  }

  /** Closes the window for good, when the app quits. */
  destroy(): void {
    this.#window.destroy();
  }
}
