import { launch, openWindows } from '../readiness.ts';
import { announce } from '../record.ts';
import { StrictEmitter } from '../strict.ts';

type ThemeSource = 'system' | 'light' | 'dark';

class NativeTheme extends StrictEmitter {
  #source: ThemeSource = 'system';
  #isSystemDark = launch.isDark;

  constructor() {
    super('nativeTheme', ['updated']);
  }

  get themeSource(): ThemeSource {
    return this.#source;
  }

  set themeSource(source: ThemeSource) {
    this.#change(() => {
      this.#source = source;
    });
  }

  get shouldUseDarkColors(): boolean {
    return this.#source === 'system' ? this.#isSystemDark : this.#source === 'dark';
  }

  /** The person changes the appearance of the system. */
  setSystemDark(isDark: boolean): void {
    this.#change(() => {
      this.#isSystemDark = isDark;
    });
  }

  #change(make: () => void): void {
    const before = this.shouldUseDarkColors;
    make();
    const isDark = this.shouldUseDarkColors;
    if (isDark === before) return;
    for (const window of openWindows) window.setDark(isDark);
    announce();
    this.emit('updated');
  }
}

export const nativeTheme = new NativeTheme();
