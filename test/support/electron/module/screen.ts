import type { Point, Rectangle } from 'electron';
import { readiness } from '../readiness.ts';
import { refuseUnknown, StrictEmitter } from '../strict.ts';

/** A display that may hold its Dock and menu bar. */
export interface DisplayPlace {
  bounds: Rectangle;
  workArea: Rectangle;
}

const MACBOOK: DisplayPlace = {
  bounds: { x: 0, y: 0, width: 1440, height: 900 },
  workArea: { x: 0, y: 25, width: 1440, height: 805 },
};

class Screen extends StrictEmitter {
  #displays = [MACBOOK];

  constructor() {
    super('screen', ['display-added', 'display-removed', 'display-metrics-changed']);
  }

  getAllDisplays = () => {
    readiness.require('screen');
    return this.#displays.map(toDisplay);
  };
  getPrimaryDisplay = () => this.getDisplayNearestPoint({ x: 0, y: 0 });
  getDisplayMatching = ({ x, y, width, height }: Rectangle) =>
    this.getDisplayNearestPoint({ x: x + width / 2, y: y + height / 2 });
  getCursorScreenPoint = () => ({ x: 0, y: 0 });

  getDisplayNearestPoint(point: Point) {
    readiness.require('screen');
    const nearest = this.#displays.toSorted(
      (one, other) => distance(one.bounds, point) - distance(other.bounds, point),
    );
    const index = this.#displays.indexOf(nearest[0] ?? MACBOOK);
    return toDisplay(nearest[0] ?? MACBOOK, index);
  }

  /** The displays that are plugged in, the one with the menu bar first. */
  plug(displays: DisplayPlace[]): void {
    this.#displays = displays;
    this.emit('display-metrics-changed', {}, this.getPrimaryDisplay(), ['bounds', 'workArea']);
  }
}

function toDisplay({ bounds, workArea }: DisplayPlace, index: number) {
  return refuseUnknown('Display', {
    id: index + 1,
    label: `Display ${index + 1}`,
    bounds,
    workArea,
    size: { width: bounds.width, height: bounds.height },
    workAreaSize: { width: workArea.width, height: workArea.height },
    scaleFactor: 2,
    internal: index === 0,
  });
}

function distance({ x, y, width, height }: Rectangle, point: Point): number {
  const across = Math.max(x - point.x, 0, point.x - (x + width));
  const down = Math.max(y - point.y, 0, point.y - (y + height));
  return Math.hypot(across, down);
}

export const screen = new Screen();
