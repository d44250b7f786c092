import type { Bridge } from '../server/contract.ts';

const { contextBridge, ipcRenderer } = require('electron') as typeof import('electron');

// The panel's entire API: send a command, or listen for an event. Main validates each command and its sender.
const bridge: Bridge = {
  call: (name, input) => ipcRenderer.invoke('command', name, input),
  on: (name, listener) => {
    const forward = (_event: unknown, sent: string, payload: Parameters<typeof listener>[0]) => {
      if (sent === name) listener(payload);
    };
    ipcRenderer.on('event', forward);
    return () => {
      ipcRenderer.off('event', forward);
    };
  },
};

contextBridge.exposeInMainWorld('sightglass', bridge);
