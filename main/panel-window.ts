import { BrowserWindow, screen } from 'electron';
import { PANEL_URL, placePanel, type Rectangle } from './panel.ts';

const SIZE = { width: 420, height: 640 };
const SAME_CLICK_MS = 200;

export interface PanelWindowOptions {
  /** The built preload. */
  preload: string;
  icon: () => Rectangle;
  onVisible: (isVisible: boolean) => void;
}

/** The panel: made once, shown under the icon, hidden again when it loses the focus. */
export class PanelWindow {
  readonly #options: PanelWindowOptions;
  readonly #window: BrowserWindow;
  readonly #loaded: Promise<void>;
  /** When the focus that went to something else hid it; not when we did. */
  #blurredAt = Number.NEGATIVE_INFINITY;
  #isHiding = false;
  #isPinned = false;
  #busy = 0;

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
      if (!this.#window.isVisible() || this.#isHiding || this.#isKept) return;
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

  get #isKept(): boolean {
    return this.#isPinned || this.#busy > 0;
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

  /** Whether it stays when another app gets the focus. */
  readonly keepOpen = (keep: boolean): void => {
    this.#isPinned = keep;
  };

  /** Stays while work lasts that takes the focus itself, as a dialog does. */
  readonly whileBusy = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    this.#busy += 1;
    try {
      return await work();
    } finally {
      this.#busy -= 1;
    }
  };

  /** Whether it is open, or was until this click: its window loses focus before we get the event. */
  get isOpen(): boolean {
    const isSameClick = performance.now() - this.#blurredAt <= SAME_CLICK_MS;
    return this.#window.isVisible() || isSameClick;
  }

  /** A click on the icon hides a panel that was open when the mouse button went down. */
  async toggle(wasOpen: boolean): Promise<void> {
    if (wasOpen) this.hide();
    else await this.show();
  }

  /** At the end of the app, when hiding is not enough. */
  destroy(): void {
    this.#window.destroy();
  }
}
