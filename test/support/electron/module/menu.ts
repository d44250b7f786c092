import type { MenuItemConstructorOptions } from 'electron';
import { announce, record, recorder } from '../record.ts';
import { refuseUnknown, refuseUnknownKeys, StrictEmitter } from '../strict.ts';
import { app } from './app.ts';

const KEYS = [
  'accelerator',
  'checked',
  'click',
  'enabled',
  'icon',
  'id',
  'label',
  'role',
  'sublabel',
  'submenu',
  'toolTip',
  'type',
  'visible',
];

type Click = (item: MenuItem, window: undefined, event: object) => void;

export class MenuItem {
  readonly id: string | undefined;
  readonly type: string;
  readonly role: string | undefined;
  readonly submenu: Menu | undefined;
  readonly click: () => void;
  label: string;
  enabled: boolean;
  visible: boolean;
  checked: boolean;

  constructor(options: MenuItemConstructorOptions) {
    refuseUnknownKeys('MenuItem', options, KEYS);
    const { label, role, type, submenu, click } = options;
    if (label === undefined && role === undefined && type === undefined) {
      throw new TypeError(
        'Invalid template for MenuItem: must have at least one of label, role or type',
      );
    }
    this.id = options.id;
    this.role = role;
    this.type = type ?? (submenu === undefined ? 'normal' : 'submenu');
    this.submenu = Array.isArray(submenu) ? Menu.buildFromTemplate(submenu) : toMenu(submenu);
    this.label = label ?? role ?? '';
    this.enabled = options.enabled ?? true;
    this.visible = options.visible ?? true;
    this.checked = options.checked ?? false;
    this.click = () => {
      if (this.type === 'checkbox') this.checked = !this.checked;
      if (role === 'quit') app.quit();
      else if (role !== undefined) recorder(`MenuItem role ${role}`)();
      (click as unknown as Click | undefined)?.(this, undefined, {});
    };
    // biome-ignore lint/correctness/noConstructorReturn: what it lacks is refused by name.
    return refuseUnknown('MenuItem', this);
  }
}

export class Menu extends StrictEmitter {
  readonly items: MenuItem[] = [];

  static setApplicationMenu(menu: Menu | null): void {
    applicationMenu = menu;
    record('Menu.setApplicationMenu');
  }

  constructor() {
    super('Menu', ['menu-will-show', 'menu-will-close']);
  }

  static buildFromTemplate(template: MenuItemConstructorOptions[]): Menu {
    const menu = new Menu();
    for (const options of template) menu.append(new MenuItem(options));
    return menu;
  }

  append(item: MenuItem): void {
    this.items.push(item);
  }

  getMenuItemById(id: string): MenuItem | null {
    return this.items.find((item) => item.id === id) ?? null;
  }

  popup(): void {
    openMenu(this);
  }

  closePopup(): void {
    closeMenu();
  }
}

let shown: Menu | undefined;
let applicationMenu: Menu | null | undefined;

/** The app's own menu: null for none, undefined for Electron's default one. */
export function theApplicationMenu(): Menu | null | undefined {
  return applicationMenu;
}

/** The menu that is on the screen. */
export function shownMenu(): Menu | undefined {
  return shown;
}

export function openMenu(menu: Menu): void {
  closeMenu();
  shown = menu;
  menu.emit('menu-will-show', {});
  announce();
}

export function closeMenu(): void {
  const menu = shown;
  shown = undefined;
  menu?.emit('menu-will-close', {});
  announce();
}

/** Clicks an item of the menu on the screen, through the labels that lead to it. */
export function clickMenuItem(labels: readonly string[]): void {
  let items = shown?.items;
  let found: MenuItem | undefined;
  for (const label of labels) {
    found = items?.find((item) => item.label === label && item.visible);
    if (found === undefined) {
      const there = items?.map((item) => item.label).join(', ') ?? 'no menu';
      throw new Error(`There is no menu item ${labels.join(' > ')}: there is ${there}.`);
    }
    if (!found.enabled) throw new Error(`The menu item ${labels.join(' > ')} is not enabled.`);
    items = found.submenu?.items;
  }
  closeMenu();
  found?.click();
}

function toMenu(submenu: unknown): Menu | undefined {
  return submenu instanceof Menu ? submenu : undefined;
}
