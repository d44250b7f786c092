import { registerHooks } from 'node:module';

// `import 'electron'` and `require('electron')` give the stand-in; everything else is untouched.
// For `node --import`: an entry file.

const url = new URL('electron.ts', import.meta.url).href;

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron' || specifier === 'electron/main'
      ? { url, shortCircuit: true }
      : next(specifier, context),
});
