import type { Rectangle } from 'electron';
import { readiness } from '../readiness.ts';
import { announce, recorder } from '../record.ts';
import { refuseUnknownKeys, StrictEmitter } from '../strict.ts';
import { closeMenu, type Menu, openMenu } from './menu.ts';
import { type NativeImage, nativeImage } from './native-image.ts';

const KEYS = { altKey: false, shiftKey: false, ctrlKey: false, metaKey: false };

/** The icons in the menu bar, in the order of their creation. */
export const trays = new Set<Tray>();

export class Tray extends StrictEmitter {
  #image: NativeImage;
  #title = '';
  #toolTip = '';
  #menu: Menu | null = null;
  #bounds: Rectangle = { x: 1200, y: 0, width: 30, height: 24 };
  #isDestroyed = false;

  readonly setIgnoreDoubleClickEvents = recorder('Tray.setIgnoreDoubleClickEvents');

  constructor(image: NativeImage | string) {
    super('Tray', ['mouse-down', 'mouse-up', 'click', 'right-click', 'double-click']);
    readiness.require('Tray');
    this.#image = toImage(image);
    trays.add(this);
    announce();
  }

  get image(): NativeImage {
    return this.#image;
  }

  get toolTip(): string {
    return this.#toolTip;
  }

  isDestroyed = () => this.#isDestroyed;
  getTitle = () => this.#title;
  getBounds = () => ({ ...this.#bounds });

  setImage(image: NativeImage | string): void {
    this.#change(() => {
      this.#image = toImage(image);
    });
  }

  setTitle(title: string, options: { fontType?: string } = {}): void {
    refuseUnknownKeys('Tray.setTitle', options, ['fontType']);
    this.#change(() => {
      this.#title = title;
    });
  }

  setToolTip(toolTip: string): void {
    this.#change(() => {
      this.#toolTip = toolTip;
    });
  }

  /** Once there is one, a click shows it, as macOS has it. */
  setContextMenu(menu: Menu | null): void {
    this.#menu = menu;
  }

  popUpContextMenu(menu: Menu | null = this.#menu): void {
    if (menu !== null) openMenu(menu);
  }

  closeContextMenu(): void {
    closeMenu();
  }

  destroy(): void {
    this.#isDestroyed = true;
    trays.delete(this);
    this.removeAllListeners();
    announce();
  }

  /** Presses the left mouse button on the icon. */
  pressDown(): void {
    this.emit('mouse-down', KEYS, { x: 0, y: 0 });
  }

  /** Releases it. */
  release(): void {
    this.emit('mouse-up', KEYS, { x: 0, y: 0 });
    this.press('click');
  }

  /** VoiceOver presses it, which sends these two, in this order: Electron's tray_icon_cocoa.mm. */
  pressByVoiceOver(): void {
    this.press('click');
    this.pressDown();
  }

  /** The person presses it. */
  press(button: 'click' | 'right-click' | 'double-click'): void {
    this.emit(button, KEYS, this.getBounds());
    if (this.#menu !== null && button !== 'double-click') openMenu(this.#menu);
  }

  /** Where macOS has put it. */
  place(bounds: Rectangle): void {
    this.#bounds = bounds;
  }

  #change(make: () => void): void {
    if (this.#isDestroyed) throw new TypeError('Tray is destroyed');
    make();
    announce();
  }
}

function toImage(image: NativeImage | string): NativeImage {
  return typeof image === 'string' ? nativeImage.createFromPath(image) : image;
}
