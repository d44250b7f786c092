// What `import 'electron'` gives an app under test. A name that is missing here is a SyntaxError
// that tells it.
export { app } from './module/app.ts';
export { autoUpdater } from './module/auto-updater.ts';
export { BrowserWindow } from './module/browser-window.ts';
export { dialog } from './module/dialog.ts';
export { ipcMain } from './module/ipc-main.ts';
export { Menu, MenuItem } from './module/menu.ts';
export { nativeImage } from './module/native-image.ts';
export { nativeTheme } from './module/native-theme.ts';
export { Notification } from './module/notification.ts';
export { powerMonitor } from './module/power-monitor.ts';
export { powerSaveBlocker } from './module/power-save-blocker.ts';
export { protocol } from './module/protocol.ts';
export { safeStorage } from './module/safe-storage.ts';
export { screen } from './module/screen.ts';
export { session } from './module/session.ts';
export { clipboard, net, shell } from './module/system.ts';
export { Tray } from './module/tray.ts';
