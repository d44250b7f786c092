import type { Bridge } from '../server/contract.ts';

const { contextBridge, ipcRenderer } = require('electron') as typeof import('electron');

// All that the panel can reach: one way to ask, one to listen. Main checks what comes and who sent it.
const bridge: Bridge = {
  call: (name, input) => ipcRenderer.invoke('command', name, input),
  on: (name, listener) => {
    const hear = (_event: unknown, told: string, payload: Parameters<typeof listener>[0]) => {
      if (told === name) listener(payload);
    };
    ipcRenderer.on('event', hear);
    return () => {
      ipcRenderer.off('event', hear);
    };
  },
};

contextBridge.exposeInMainWorld('sightglass', bridge);
