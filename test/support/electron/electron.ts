// What `import 'electron'` gives an app on the stand-in. Importing a missing name is a SyntaxError.
export { app } from './app.ts';
export { Menu, nativeImage, Tray } from './menu-bar.ts';
export {
  clipboard,
  dialog,
  powerMonitor,
  powerSaveBlocker,
  safeStorage,
  screen,
  shell,
} from './system.ts';
export { autoUpdater, net } from './updater.ts';
export { BrowserWindow, ipcMain, protocol, session } from './window.ts';
