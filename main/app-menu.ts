import type { MenuItemConstructorOptions } from 'electron';

const EDIT: readonly MenuItemConstructorOptions['role'][] = [
  'undo',
  'redo',
  'cut',
  'copy',
  'paste',
  'pasteAndMatchStyle',
  'delete',
  'selectAll',
];

/**
 * The app's menu. macOS does not show it for an app without a Dock icon, but its shortcuts work: ⌘C,
 * ⌘V and the like in the panel, ⌘W to hide it, ⌘Q to quit. A build from source can also reload the
 * panel and open its developer tools.
 */
export function toAppMenu({
  name,
  isPackaged,
}: {
  name: string;
  isPackaged: boolean;
}): MenuItemConstructorOptions[] {
  const toItems = (roles: readonly MenuItemConstructorOptions['role'][]) =>
    roles.map((role) => (role === undefined ? {} : { role }));
  const menu: MenuItemConstructorOptions[] = [
    { label: name, submenu: toItems(['hide', 'hideOthers', 'unhide', 'quit']) },
    { label: 'File', submenu: toItems(['close']) },
    { label: 'Edit', submenu: toItems(EDIT) },
  ];
  if (isPackaged) return menu;
  return [...menu, { label: 'Develop', submenu: toItems(['reload', 'toggleDevTools']) }];
}
