import { existsSync, readFileSync } from 'node:fs';
import { refuseUnknown } from '../strict.ts';

const PNG_SIGNATURE = '89504e470d0a1a0a';

interface Picture {
  /** Empty for an image without one. */
  file: string;
  width: number;
  height: number;
}

/** An image that knows its file; its pixels are never drawn. */
export class NativeImage {
  readonly file: string;
  readonly #size: { width: number; height: number };
  #isTemplate: boolean;

  constructor({ file, width, height }: Picture) {
    this.file = file;
    this.#size = { width, height };
    // As macOS takes it: by the end of the file's name.
    this.#isTemplate = /Template(@\d+x)?\.png$/.test(file);
    // biome-ignore lint/correctness/noConstructorReturn: what it lacks is refused by name.
    return refuseUnknown('NativeImage', this);
  }

  isEmpty = () => this.file === '';
  getSize = () => ({ ...this.#size });
  isTemplateImage = () => this.#isTemplate;
  setTemplateImage = (isTemplate: boolean) => {
    this.#isTemplate = isTemplate;
  };
  getScaleFactors = () => (existsSync(toRetina(this.file)) ? [1, 2] : [1]);
}

export const nativeImage = refuseUnknown('nativeImage', {
  createEmpty: () => new NativeImage({ file: '', width: 0, height: 0 }),
  /** Electron makes an empty image of a file that is missing; here that is an error. */
  createFromPath(file: string): NativeImage {
    const head = readFileSync(file).subarray(0, 24);
    if (head.toString('hex', 0, 8) !== PNG_SIGNATURE) throw new Error(`${file} is no PNG.`);
    return new NativeImage({ file, width: head.readUInt32BE(16), height: head.readUInt32BE(20) });
  },
});

function toRetina(file: string): string {
  return file.replace(/\.png$/, '@2x.png');
}
