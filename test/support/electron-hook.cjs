// Loaded into a real Electron before the app (`electron -r`), so that a test can see and press what
// has no page: the icon, its menu, dialogs. What it keeps is in `globalThis.sightglassTest`.

const { dialog, nativeImage, powerSaveBlocker, Tray } = require('electron');

const kept = {
  tray: undefined,
  image: '',
  title: '',
  menu: undefined,
  answers: [],
  blockers: new Map(),
};
globalThis.sightglassTest = kept;

const paths = new WeakMap();
const createFromPath = nativeImage.createFromPath.bind(nativeImage);
nativeImage.createFromPath = (path) => {
  const image = createFromPath(path);
  paths.set(image, path);
  return image;
};

/** Calls `see` with what a method of every icon is called with. */
function watch(name, see) {
  const original = Tray.prototype[name];
  Tray.prototype[name] = function watched(value, ...rest) {
    kept.tray = this;
    see(value);
    return original.call(this, value, ...rest);
  };
}
watch('setImage', (image) => {
  kept.image = paths.get(image) ?? '';
});
watch('setTitle', (title) => {
  kept.title = title;
});
Tray.prototype.popUpContextMenu = (menu) => {
  kept.menu = menu; // a menu that is shown holds the process until it is closed
};

const { start, stop } = powerSaveBlocker;
powerSaveBlocker.start = (kind) => {
  const id = start.call(powerSaveBlocker, kind);
  kept.blockers.set(id, kind);
  return id;
};
powerSaveBlocker.stop = (id) => {
  kept.blockers.delete(id);
  return stop.call(powerSaveBlocker, id);
};

function answerOf() {
  const answer = kept.answers.shift();
  if (answer === undefined) throw new Error('The test has no answer for a dialog.');
  return answer;
}
dialog.showMessageBox = async (...given) => {
  const options = given.at(-1);
  const { button, isCanceled } = answerOf();
  const response = isCanceled ? options.cancelId : options.buttons.indexOf(button);
  return { response, checkboxChecked: false };
};
dialog.showOpenDialog = async () => {
  const { paths: filePaths } = answerOf();
  return { canceled: filePaths === undefined, filePaths: filePaths ?? [] };
};

/** What a test may ask for: the menu as data, and a click on one of its items. */
kept.describe = (menu = kept.menu) =>
  menu?.items.map(({ label, type, enabled, checked, submenu }) => ({
    label,
    type,
    enabled,
    checked,
    ...(submenu ? { submenu: kept.describe(submenu) } : {}),
  }));
kept.click = (labels) => {
  let items = kept.menu.items;
  for (const label of labels.slice(0, -1)) {
    items = items.find((item) => item.label === label).submenu.items;
  }
  items.find((item) => item.label === labels.at(-1)).click();
};
