import { existsSync } from 'node:fs';
import type { MenuItemConstructorOptions, Rectangle } from 'electron';
import { app } from './app.ts';
import { changed, recorder, requireReady, StrictEmitter } from './shared.ts';

/** What the user sees of the menu bar. */
export const menuBar = {
  tray: undefined as Tray | undefined,
  openMenu: undefined as Menu | undefined,
  /** The app's own menu; undefined for Electron's default one. */
  appMenu: undefined as Menu | undefined,
};

class NativeImage {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** As macOS decides it: by the name of the file. */
  isTemplateImage = () => this.file.endsWith('Template.png');
  hasRetina = () => existsSync(this.file.replace(/\.png$/, '@2x.png'));
}

export const nativeImage = {
  /** Electron makes an empty image if the file is missing; here that is an error. */
  createFromPath(file: string): NativeImage {
    if (!existsSync(file)) throw new Error(`There is no image ${file}.`);
    return new NativeImage(file);
  },
};

export class MenuItem {
  readonly type: string;
  readonly submenu: Menu | undefined;
  readonly label: string;
  readonly enabled: boolean;
  readonly checked: boolean;
  readonly click: () => void;

  constructor({ label, role, type, submenu, click, ...options }: MenuItemConstructorOptions) {
    if (label === undefined && role === undefined && type === undefined) {
      throw new TypeError('Invalid template for MenuItem: label, role or type is missing');
    }
    this.submenu = Array.isArray(submenu) ? Menu.buildFromTemplate(submenu) : undefined;
    this.type = type ?? (this.submenu === undefined ? 'normal' : 'submenu');
    this.label = label ?? role ?? '';
    this.enabled = options.enabled ?? true;
    this.checked = options.checked ?? false;
    this.click = () => {
      if (role === 'quit') app.quit();
      (click as (() => void) | undefined)?.();
    };
  }
}

export class Menu {
  readonly items: MenuItem[];

  constructor(items: MenuItem[]) {
    this.items = items;
  }

  static buildFromTemplate(template: MenuItemConstructorOptions[]): Menu {
    return new Menu(template.map((options) => new MenuItem(options)));
  }

  static setApplicationMenu(menu: Menu): void {
    menuBar.appMenu = menu;
  }
}

/** Clicks an item of the open menu, through the labels that lead to it. */
export function clickMenuItem(...labels: string[]): void {
  const path = labels.join(' > ');
  let items = menuBar.openMenu?.items;
  let found: MenuItem | undefined;
  for (const label of labels) {
    found = items?.find((item) => item.label === label);
    if (found === undefined) {
      const there = items?.map((item) => item.label).join(', ') ?? 'no menu';
      throw new Error(`There is no menu item ${path}: there is ${there}.`);
    }
    if (!found.enabled) throw new Error(`The menu item ${path} is not enabled.`);
    items = found.submenu?.items;
  }
  menuBar.openMenu = undefined;
  found?.click();
}

export class Tray extends StrictEmitter {
  image: NativeImage;
  title = '';
  #bounds: Rectangle = { x: 1200, y: 0, width: 30, height: 24 };

  readonly setIgnoreDoubleClickEvents = recorder('Tray.setIgnoreDoubleClickEvents');
  readonly setToolTip = recorder('Tray.setToolTip');

  constructor(image: NativeImage) {
    super('Tray', ['mouse-down', 'mouse-up', 'click', 'right-click']);
    requireReady('Tray');
    this.image = image;
    menuBar.tray = this;
  }

  getBounds = () => ({ ...this.#bounds });

  setImage(image: NativeImage): void {
    this.image = image;
    changed();
  }

  setTitle(title: string): void {
    this.title = title;
    changed();
  }

  popUpContextMenu(menu: Menu): void {
    menuBar.openMenu = menu;
    changed();
  }

  /** macOS moves the icon. */
  place(bounds: Rectangle): void {
    this.#bounds = bounds;
  }
}

/** The icon in the menu bar, for the test to click. */
export function theTray(): Tray {
  if (menuBar.tray === undefined) throw new Error('There is no icon in the menu bar.');
  return menuBar.tray;
}
